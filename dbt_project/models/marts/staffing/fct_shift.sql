-- Grain: one row per agency and shift of one team or area.
-- Generated from seeds/standard/shift.yml; do not edit; change that and run `crisis standard write`.
with shift as (
    select * from {{ ref('stg_shift') }} as shift
    where {{ in_window('shift') }}
),

final as (
    select
        agency_id,
        shift_id,
        month,
        month_basis,
        shift_number,
        started_at,
        started_local_at,
        ended_at,
        ended_local_at,
        team_number,
        program_number,
        program_id,
        unit_type_code,
        unit_type_local,
        geoid,
        geography_level_code,
        geography_level_local,
        scheduled_personnel_count,
        actual_personnel_count,
        cit_officer_count,
        clinician_count,
        peer_count,
        medic_count,
        co_responder_team_count,
        overtime_hours,
        obligated_hours,
        uncommitted_hours,
        program_operating,
        withheld_fields,
        stamp_imputed,
        extras
    from shift
)

select * from final
