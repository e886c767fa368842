-- Grain: one row per agency, report of force and injured party, current version.
-- Generated from seeds/standard/injury.yml; do not edit; change that and run `crisis standard write`.
with injury as (
    select * from {{ source('input', 'injury') }} as injury
    where {{ in_window('injury') }}
),

final as (
    select
        agency_id,
        injury_id,
        month,
        month_basis,
        force_event_number,
        force_event_id,
        injury_number,
        occurred_at,
        occurred_local_at,
        reported_at,
        reported_local_at,
        injury_party_code,
        injury_party_local,
        injury_severity_code,
        injury_severity_local,
        injury_mechanism_code,
        injury_mechanism_local,
        missed_work_days,
        rehabilitation_days,
        overtime_cover_hours,
        workers_compensation_usd,
        withheld_fields,
        stamp_imputed,
        extras
    from injury
)

select * from final
