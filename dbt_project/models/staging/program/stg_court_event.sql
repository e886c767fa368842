-- Grain: one row per agency and court event, current version.
-- Generated from seeds/standard/court_event.yml; do not edit; change that and run `crisis standard write`.
with court_event as (
    select * from {{ source('input', 'court_event') }} as court_event
    where {{ in_window('court_event') }}
),

final as (
    select
        agency_id,
        court_event_id,
        month,
        month_basis,
        court_event_number,
        booking_number,
        booking_id,
        incident_number,
        incident_id,
        report_number,
        court_event_date,
        court_event_type_code,
        court_event_type_local,
        court_outcome_code,
        court_outcome_local,
        charge_level_code,
        charge_level_local,
        nibrs_offense_code,
        nibrs_offense_local,
        diversion_offered,
        diversion_accepted,
        program_number,
        program_id,
        in_custody,
        court_name,
        withheld_fields,
        stamp_imputed,
        extras
    from court_event
)

select * from final
