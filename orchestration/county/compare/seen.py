"""What a release shows of the county's calls, contacts and records: the tables that all comparisons count over."""

from __future__ import annotations

import duckdb

from orchestration.county.programs import PROGRAMS
from orchestration.engine import text

AGENCY = "cedar_county"
MODELS = {
    "co_response_ride_along": "core",
    "mobile_crisis": "mct",
    "alternative_no_police": "alt",
    "cit_police": "cit",
    "police_only": "none",
}
# How a contact ended, by the primary disposition of its form; the truth's arrest takes in citations.
ENDS = {
    "arrest": ("arrest_booked", "arrest_cited", "warrant_arrest", "arrest_unspecified"),
    "hold": ("hold_involuntary",),
    "ed": ("transport_ed", "ems_transport_ed", "hospital_voluntary"),
}
_ENDS = " ".join(
    f"when primary_disposition_code in ({', '.join(map(text, codes))}) then '{end}'" for end, codes in ENDS.items()
)
_PROGRAMS = " ".join(f"when program_number = '{g.number}' then '{g.key}'" for g in PROGRAMS if g.key != "cit")
_MODELS = " ".join(f"when '{model}' then '{key}'" for model, key in MODELS.items())

TABLES = {
    # One row per event. program: the team that CAD names, else cit where the first unit is a CIT officer's, else none.
    "call": f"""
        with first as (
            select incident_id, arg_min(struct_pack(model := response_model_code, kind := unit_type_code,
                scene := scene_seconds), struct_pack(at := dispatched_at, id := unit_response_id)) as unit
            from internal.fct_unit_response where agency_id = '{AGENCY}' and dispatched_at is not null group by all
        )
        select incident_id, incident_number, received_at at time zone 'UTC' as received_at, received_local_at, extract(hour from received_local_at) as hour, sector,
            is_duplicate, is_cancelled, is_self_initiated, priority_initial_rank as priority,
            priority_initial is distinct from priority_final as has_other_priority,
            bh_call_type_initial as bh_open, bh_call_type_final as bh_close,
            call_type_initial_code is distinct from call_type_final_code as has_other_type,
            cad_disposition_local as close_code, reopened, transferred_to_988, held_seconds, bh_field_form = 'yes' as has_form,
            coalesce(unit_count, 0) as units, unit.kind in ('patrol', 'cit_patrol') as is_patrol,
            unit.kind = 'cit_patrol' as is_cit, unit.scene as scene_seconds,
            not is_duplicate and not is_cancelled and has_unit_response as is_attended,
            case {_PROGRAMS} when not is_attended then null when unit.model = 'cit_police' then 'cit' else 'none' end as program
        from internal.fct_incident left join first using (incident_id) where agency_id = '{AGENCY}'""",
    # One row per contact form. program is null for a visit without a call.
    "form": f"""
        with person as (
            select record_id, person_key from internal.bridge_person_record
            where entity = 'contact' and role_code = 'subject' and agency_id = '{AGENCY}'
        )
        select contact_id, linked_incident_id as incident_id, link_method_code = 'not_applicable' as is_without_call,
            case response_model_code {_MODELS} end as program,
            case {_ENDS} else 'rest' end as ending, person_key, force_used, injury, weapon_present, veteran,
            arrestable_offense, disposition_count, technique_codes, restraint_used, ed_transport_indicated,
            primary_disposition_code in ('no_action', 'unable_to_contact') as is_nothing_done,
            cit_arrived = 'yes' or clinician_arrived = 'yes' as is_trained_there,
            cit_arrived = 'no' and clinician_arrived = 'no' as is_untrained_there
        from internal.fct_contact left join person on record_id = contact_id where agency_id = '{AGENCY}'""",
    # One row per contact at a call.
    "contact": """
        select form.*, call.* exclude (incident_id, program) from form join call using (incident_id)
        where form.program is not null""",
    "referral": """
        with service as (select referral_id, count(*) as services from care.fct_service_linkage where kept = 'yes' group by all),
        enrolled as (select distinct referral_id from care.fct_program_enrollment)
        select referral_id, incident_id, accepted = 'yes' as is_accepted, referral_type_code = 'sud_treatment' as is_sud,
            epoch(first_kept_at) - epoch(referred_at) <= 30 * 86400 as is_in_time, first_kept_at is not null as is_kept,
            (epoch(as_of_date) - epoch(referred_at)) / 86400 as days_known,
            (epoch(as_of_date) - epoch(first_kept_at)) / 86400 as days_since_kept,
            coalesce(services, 0) as services, enrolled.referral_id is not null as is_enrolled
        from care.fct_referral left join service using (referral_id) left join enrolled using (referral_id)
        where agency_id = 'cedar_care'""",
    "visit": """
        with stay as (select distinct visit_id as ed_visit_id from care.fct_inpatient_stay)
        select incident_id is null as is_walk_in, hold_id is not null as is_hold, stay.ed_visit_id is not null as is_admitted
        from care.fct_ed_visit left join stay using (ed_visit_id) where agency_id = 'cedar_health'""",
    "trip": f"""
        select drop_off_refused = 'yes' as is_refused, destination_code in ('crisis_facility', 'sobering') as is_to_center
        from internal.fct_transport where agency_id = '{AGENCY}'""",
    "booking": """
        select incident_id is null as is_elsewhere from internal.fct_jail_booking where agency_id = 'cedar_jail'""",
    # One row per person met, with whether any form says veteran.
    "met": """
        select person_key, bool_or(veteran = 'yes') as is_veteran from contact
        where person_key is not null and veteran in ('yes', 'no') group by all""",
    # One row per contact with a person at a call that somebody made.
    "called": f"""
        select contact.person_key, caller.person_key as caller_key from contact
        left join (select record_id, person_key from internal.bridge_person_record
            where entity = 'incident' and role_code = 'caller' and agency_id = '{AGENCY}') as caller
            on caller.record_id = incident_id
        where contact.person_key is not null and not is_self_initiated""",
}


def see(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection of its own to the same release, with temporary tables of what it shows of the county.

    It has the machine's time zone, so instants are compared as seconds or in UTC.
    """
    own = con.cursor()
    for name, query in TABLES.items():
        own.execute(f"create temp table {name} as {query}")
    return own
