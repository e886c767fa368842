-- Grain: one row per agency and count of the positions of one role, current version.
-- Generated from seeds/standard/position_count.yml; do not edit; change that and run `crisis standard write`.
with position_count as (
    select * from {{ source('input', 'position_count') }} as position_count
    where {{ in_window('position_count') }}
),

final as (
    select
        agency_id,
        position_count_id,
        month,
        month_basis,
        position_count_number,
        counted_date,
        program_number,
        program_id,
        responder_role_code,
        responder_role_local,
        funded_fte,
        filled_fte,
        left_fte,
        withheld_fields,
        stamp_imputed,
        extras
    from position_count
)

select * from final
