-- Grain: one row per agency and contact form, current version.
-- Generated from seeds/standard/contact.yml; do not edit; change that and run `crisis standard write`.
with contact as (
    select * from {{ source('input', 'contact') }} as contact
    where {{ in_window('contact') }}
),

final as (
    select
        agency_id,
        contact_id,
        month,
        month_basis,
        contact_number,
        incident_number,
        incident_id,
        occurred_at,
        occurred_local_at,
        reported_at,
        reported_local_at,
        call_source_code,
        call_source_local,
        call_type_initial_code,
        call_type_initial_local,
        call_type_final_code,
        call_type_final_local,
        contact_mode_code,
        contact_mode_local,
        contact_reason_code,
        contact_reason_local,
        response_model_code,
        response_model_local,
        suicide_risk_code,
        suicide_risk_local,
        violence_threat,
        weapon_present,
        weapon_type_code,
        weapon_type_local,
        veteran,
        cit_requested,
        cit_dispatched,
        cit_arrived,
        clinician_arrived,
        supervisor_on_scene,
        force_used,
        handcuffs_used,
        injury,
        arrestable_offense,
        officer_discretion_basis_code,
        officer_discretion_basis_local,
        officer_minutes,
        clinician_minutes,
        beat,
        sector,
        precinct,
        withheld_fields
    from contact
)

select * from final
