-- Grain: one row per agency and program; the newest version counts.
-- Generated from seeds/standard/program.yml; do not edit; change that and run `crisis standard write`.
with program as (
    select * from {{ ref('stg_program') }} as program
    where {{ in_window('program') }}
),

final as (
    select
        agency_id,
        program_id,
        month,
        month_basis,
        program_number,
        program_name,
        program_model_code,
        program_model_local,
        program_phase_code,
        program_phase_local,
        identified_as_co_response,
        referral_method_codes,
        referral_method_local,
        responder_timing_code,
        responder_timing_local,
        team_role_codes,
        team_role_local,
        hours_bitmap,
        catchment_geoids,
        geography_level_code,
        geography_level_local,
        eligibility_rule,
        start_date,
        end_date,
        budget_year,
        annual_budget_usd,
        start_up_cost_usd,
        grant_funded,
        withheld_fields,
        stamp_imputed,
        extras
    from program
)

select * from final
