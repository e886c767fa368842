-- Grain: one row per agency and responder; the newest version counts, current version.
-- Generated from seeds/standard/responder.yml; do not edit; change that and run `crisis standard write`.
with responder as (
    select * from {{ source('input', 'responder') }} as responder
    where {{ in_window('responder') }}
),

final as (
    select
        agency_id,
        responder_id,
        month,
        month_basis,
        responder_role_code,
        responder_role_local,
        license_type_code,
        license_type_local,
        program_number,
        program_id,
        position_fte,
        experience_years,
        valid_from_date,
        valid_to_date,
        withheld_fields,
        stamp_imputed,
        extras
    from responder
)

select * from final
