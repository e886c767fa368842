-- Grain: one row per agency and contact form.
{%- set received = {'at': 'linked.received_at', 'stamp': 'linked.received_stamp_code'} %}
with contact as (
    select * from {{ ref('stg_contact') }} as contact
    where {{ in_window('contact') }}
),

outcome as (
    select * from {{ ref('int_contact_outcome') }}
),

incident as (
    select * from {{ ref('stg_incident') }} as incident
    where {{ in_window('incident', lookback_months=1) }}
),

link as (
    select * from {{ ref('bridge_contact_incident') }} as link
    where {{ in_window('link') }}
),

linked as (
    select
        link.agency_id,
        link.contact_id,
        link.incident_id,
        link.link_method_code,
        incident.received_at,
        {{ stamp_word(stamp_weight('received_at', 'incident.stamp_imputed')) }} as received_stamp_code
    from link
    left join incident
        on
            link.agency_id = incident.agency_id
            and link.incident_id = incident.incident_id
),

final as (
    select
        contact.agency_id,
        contact.contact_id,
        contact.month,
        contact.month_basis,
        contact.contact_number,
        contact.incident_number,
        contact.incident_id,
        contact.occurred_at,
        contact.occurred_local_at,
        contact.reported_at,
        contact.reported_local_at,
        contact.call_source_code,
        contact.call_source_local,
        contact.call_type_initial_code,
        contact.call_type_initial_local,
        contact.call_type_final_code,
        contact.call_type_final_local,
        contact.contact_mode_code,
        contact.contact_mode_local,
        contact.contact_reason_code,
        contact.contact_reason_local,
        contact.response_model_code,
        contact.response_model_local,
        contact.suicide_risk_code,
        contact.suicide_risk_local,
        contact.violence_threat,
        contact.weapon_present,
        contact.weapon_type_code,
        contact.weapon_type_local,
        contact.veteran,
        contact.cit_requested,
        contact.cit_dispatched,
        contact.cit_arrived,
        contact.clinician_arrived,
        contact.supervisor_on_scene,
        contact.force_used,
        contact.handcuffs_used,
        contact.injury,
        contact.arrestable_offense,
        contact.officer_discretion_basis_code,
        contact.officer_discretion_basis_local,
        contact.officer_minutes,
        contact.clinician_minutes,
        contact.beat,
        contact.sector,
        contact.precinct,
        contact.unit_number,
        contact.program_number,
        contact.program_id,
        contact.team_role_codes,
        contact.team_role_local,
        contact.person_role_code,
        contact.person_role_local,
        contact.location_type_code,
        contact.location_type_local,
        contact.tract_geoid,
        contact.crisis_nature_codes,
        contact.crisis_nature_local,
        contact.behavior_codes,
        contact.behavior_local,
        contact.suicide_screen_score,
        contact.substance_codes,
        contact.substance_local,
        contact.children_or_dependents_present,
        contact.victim_present,
        contact.technique_codes,
        contact.technique_local,
        contact.restraint_used,
        contact.nibrs_offense_codes,
        contact.nibrs_offense_local,
        contact.form_enforcement_code,
        contact.form_enforcement_local,
        contact.form_legal_hold_code,
        contact.form_legal_hold_local,
        contact.form_destination_code,
        contact.form_destination_local,
        contact.form_service_codes,
        contact.form_service_local,
        contact.facility_number,
        contact.ed_transport_indicated,
        contact.injured_party_codes,
        contact.injured_party_local,
        contact.police_on_scene,
        contact.backup_requested_codes,
        contact.backup_requested_local,
        contact.backup_arrived_codes,
        contact.backup_arrived_local,
        contact.need_identified_codes,
        contact.need_identified_local,
        contact.need_unmet_codes,
        contact.need_unmet_local,
        contact.program_eligible,
        contact.ineligible_reason_code,
        contact.ineligible_reason_local,
        contact.report_minutes,
        contact.receiving_services,
        contact.substance_use_disorder,
        contact.developmental_disability,
        contact.brain_injury,
        contact.dementia,
        contact.anonymous,
        contact.housing_status_code,
        contact.housing_status_local,
        contact.insurance_code,
        contact.insurance_local,
        contact.dx_group_code,
        contact.dx_group_local,
        contact.age_years,
        contact.age_band_code,
        contact.age_band_local,
        contact.sex_gender_code,
        contact.sex_gender_local,
        contact.race_ethnicity_codes,
        contact.race_ethnicity_local,
        contact.language_code,
        contact.language_local,
        contact.interpreter_needed,
        contact.consent_status_code,
        contact.consent_status_local,
        contact.consent_scope_codes,
        contact.consent_scope_local,
        contact.consent_number,
        contact.consent_id,
        contact.legal_basis_code,
        contact.legal_basis_local,
        contact.part2_protected,
        contact.narrative_bh,
        contact.narrative_bh_kind_codes,
        contact.narrative_bh_kind_local,
        contact.withheld_fields,
        contact.stamp_imputed,
        contact.extras,
        outcome.primary_disposition_code,
        outcome.primary_category_code,
        outcome.primary_basis_code,
        coalesce(outcome.disposition_count, 0) as disposition_count,
        coalesce(outcome.known_disposition_count, 0) as known_disposition_count,
        outcome.contact_id is not null as has_disposition,
        coalesce(outcome.enforcement_code, 'not_recorded') as enforcement_code,
        coalesce(outcome.legal_hold_code, 'not_recorded') as legal_hold_code,
        coalesce(outcome.destination_code, 'not_recorded') as destination_code,
        coalesce(outcome.service_code, 'not_recorded') as service_code,
        linked.incident_id as linked_incident_id,
        linked.link_method_code,
        linked.incident_id is not null as is_linked_to_incident,
        {{
            interval_columns(
                'call_to_contact', received, 'contact.occurred_at',
                not_applicable="linked.link_method_code = 'not_applicable'", notes='contact.stamp_imputed'
            )
        }}
    from contact
    left join outcome
        on
            contact.agency_id = outcome.agency_id
            and contact.contact_id = outcome.contact_id
            and contact.month = outcome.month
    left join linked
        on
            contact.agency_id = linked.agency_id
            and contact.contact_id = linked.contact_id
)

select * from final
