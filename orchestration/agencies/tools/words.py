"""What column headers say: their words, the fields that those words stand for, and words that tell of a person."""

from __future__ import annotations

import re
from functools import cache

from orchestration.standard import Entity

# Short forms and misspellings of headers, as the word that is meant.
SAME = {
    "num": "number", "no": "number", "nbr": "number", "nmbr": "number", "numb": "number",
    "dt": "date", "dttm": "datetime", "tm": "time", "ts": "timestamp", "dte": "date", "datetime": "datetime",
    "desc": "description", "descr": "description", "disp": "disposition", "dispo": "disposition", "pri": "priority",
    "prio": "priority", "addr": "address", "loc": "location", "lat": "latitude", "lon": "longitude", "lng": "longitude",
    "long": "longitude", "occured": "occurred", "recd": "received", "rcvd": "received", "rec": "received",
    "disp'd": "dispatched", "arr": "arrived", "arv": "arrived", "arrive": "arrived", "arrival": "arrived",
    "clr": "cleared", "clear": "cleared", "close": "closed", "clearance": "cleared", "enrt": "enroute", "ofc": "officer",
    "off": "officer", "ofcr": "officer", "typ": "type", "init": "initial", "orig": "original", "ph": "phone",
    "tel": "phone", "telephone": "phone", "lname": "last name", "fname": "first name", "lastname": "last name",
    "firstname": "first name", "birthdate": "birth date", "dob": "birth date", "nature": "nature", "evt": "event",
    "inc": "incident", "xstreet": "cross street", "xst": "cross street", "apt": "apartment", "zip": "zip",
    "zipcode": "zip", "postal": "zip", "queued": "queue", "assigned": "assigned", "admit": "admitted", "discharge": "discharged",
    "release": "released", "emp": "employee", "callsource": "call source", "calltype": "call type", "inmateid": "inmate id",
    "onscene": "on scene", "en": "en", "route": "route", "units": "unit", "complaintant": "caller", "complainant": "caller",
    "rp": "caller", "reporting": "reporting",
}  # fmt: skip

# Phrases that stand for a field, by entity; the field's own name counts besides. The first are the surest.
_CALL = {
    "incident_number": (
        "incident number", "event number", "call number", "cad number", "cad event number", "master incident number", "incident id",
        "event id", "call id", "case number", "cfs number", "run number", "service number", "incident",
    ),
    "received_at": (
        "time phone pick up", "received date", "received datetime", "call received", "received", "response date", "call date time",
        "call datetime", "create date", "created date", "creation date", "call date", "incident date", "event date", "date time",
        "datetime", "date", "call time", "create time", "report date time", "start time", "original time queue", "occurred date time",
    ),
    "answered_at": ("answered time", "call answered", "answered"),
    "entered_at": ("time call entered queue", "entered queue", "entry time", "time entered", "entered", "original time queue", "time queue"),
    "call_taking_completed_at": ("call taking complete", "time call taking complete"),
    "closed_at": ("time call closed", "call closed", "closed time", "closed date", "time closed", "closed", "close datetime", "completed time"),
    "call_type_initial_code": (
        "initial problem", "initial call type", "type open", "original call type", "initial type", "call type initial", "initial nature",
    ),
    "call_type_final_code": (
        "problem", "final call type", "call type", "type closed", "nature", "nature code", "final type", "incident type", "event type",
        "call type final", "call nature", "type description", "call description", "type", "problem nature", "cfs type", "type code",
    ),
    "priority_initial": ("initial priority", "original priority", "priority initial"),
    "priority_final": ("priority", "priority number", "final priority", "priority final", "priority code", "call priority"),
    "cad_disposition_code": (
        "disposition", "call disposition", "disposition code", "final disposition", "cleared description", "event cleared description",
        "disposition description", "result", "outcome", "cleared code",
    ),
    "call_source_code": ("call source", "source", "how received", "911 call", "call origin", "method received", "reported by method"),
    "cancelled": ("cancelled", "canceled", "cancel flag", "is cancelled", "is canceled"),
    "duplicate": ("duplicate", "is duplicate", "duplicate flag"),
    "report_written": ("report written", "report taken flag"),
    "report_number": ("report number", "case report number"),
    "linked_incident_number": ("parent incident number", "linked incident number", "related incident number", "master number"),
    "location_type_code": ("location type", "premise type", "premise", "place type"),
    "beat": ("beat", "patrol beat", "police beat", "reporting district"),
    "sector": ("sector", "battalion", "zone", "patrol area"),
    "precinct": ("precinct", "division", "district", "precinct id", "district id", "patrol division", "station"),
    "neighborhood": ("neighborhood", "neighborhood id", "neighbourhood", "community area"),
    "zip5": ("zip", "zip code", "postal code"),
    "address": ("address", "incident address", "incident location", "block address", "location", "street address", "location address"),
    "apartment": ("apartment", "unit apartment", "suite"),
    "location_name": ("location name", "common place", "place name", "business name"),
    "cross_street": ("cross street", "intersection", "cross streets"),
    "latitude": ("latitude", "geo latitude", "y coordinate", "blurred latitude"),
    "longitude": ("longitude", "geo longitude", "x coordinate", "blurred longitude"),
    "caller_name": ("caller name", "reporting party", "reporting person", "caller"),
    "caller_phone": ("caller phone", "call back phone", "callback number", "caller number", "phone", "call back number"),
    "caller_location_name": ("caller location name", "caller location"),
}  # fmt: skip
_UNIT = {
    "incident_number": _CALL["incident_number"],
    "unit_number": ("unit number", "unit id", "unit", "primary unit", "apparatus", "call sign", "unit name"),
    "unit_type_code": ("unit type",),
    "dispatched_at": ("time first unit assigned", "dispatched time", "dispatch time", "dispatched", "dispatch date", "first dispatched",
                      "dispatch datetime", "assigned time", "unit assigned", "dispatch"),
    "acknowledged_at": ("acknowledged", "acknowledged time"),
    "enroute_at": ("time first unit enroute", "enroute time", "enroute", "en route", "en route time", "first unit enroute"),
    "on_scene_at": ("time first unit arrived", "arrived time", "on scene time", "on scene", "arrived", "first unit arrived", "at scene", "arrived date"),
    "cleared_at": ("time first call cleared", "cleared time", "unit cleared", "cleared", "time cleared", "cleared date", "first call cleared"),
    "officer_count": ("officer count", "officers"),
    "officer_name": ("officer name", "primary officer", "officer"),
    "responder_number": ("officer id", "badge", "badge number", "employee id", "officer number"),
}  # fmt: skip
_FORM = {
    "contact_number": ("template id", "contact number", "contact id", "form number", "form id", "form", "encounter id", "record id", "report id"),
    "incident_number": _CALL["incident_number"],
    "occurred_at": ("occurred date time", "occurred date", "occurred", "contact date", "encounter date", "date of contact", "date time", "date"),
    "reported_at": ("reported date", "reported time", "reported", "report date", "entered date"),
    "call_source_code": ("call type", "call source", "source"),
    "call_type_initial_code": ("initial call type", "initial problem"),
    "call_type_final_code": ("final call type", "problem"),
    "veteran": ("subject veteran indicator", "veteran", "patient veteran"),
    "cit_requested": ("cit officer requested", "cit requested"),
    "cit_dispatched": ("cit officer dispatched", "cit dispatched"),
    "cit_arrived": ("cit officer arrived", "cit arrived", "cit on scene"),
    "clinician_arrived": ("clinician arrived", "clinician on scene", "mhp on scene"),
    "force_used": ("use of force indicator", "force used", "use of force", "force"),
    "handcuffs_used": ("handcuffs", "handcuffed", "restraints"),
    "injury": ("injury", "injured", "injuries"),
    "weapon_present": ("weapon", "weapon present"),
    "arrestable_offense": ("arrestable offense", "arrestable"),
    "officer_discretion_basis_code": ("discretion basis", "discretion"),
    "beat": _CALL["beat"],
    "sector": _CALL["sector"],
    "precinct": _CALL["precinct"],
    "subject_name": ("subject name", "name", "person name", "consumer name", "client name"),
    "subject_birth_date": ("subject birth date", "birth date", "date of birth"),
    "subject_phone": ("subject phone", "phone"),
    "subject_address": ("subject address", "address", "home address"),
    "officer_name": ("officer name", "officer"),
    "responder_number": ("officer id", "badge", "badge number"),
    "narrative": ("narrative", "notes", "comments", "remarks"),
    "age_years": ("age", "subject age"),
    "sex_gender_code": ("subject gender", "gender", "sex", "subject sex"),
    "race_ethnicity_codes": ("subject race", "race", "ethnicity"),
    "housing_status_code": ("housing status", "housing"),
}  # fmt: skip
ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "incident": _CALL,
    "unit_response": _UNIT,
    "contact": _FORM,
    "contact_disposition": {
        **{k: _FORM[k] for k in ("contact_number", "occurred_at", "reported_at")},
        "disposition_code": ("disposition", "outcome", "contact disposition", "result", "disposition code"),
    },
    "ems_response": {
        "ems_response_number": ("ems number", "run number", "pcr number", "response number", "ems id", "object id", "objectid"),
        "incident_number": ("incident number", "cad number", "event number"),
        "dispatched_at": ("dispatched", "dispatch time", "incident date", "date time", "dispatch date", "alarm date", "date"),
        "enroute_at": _UNIT["enroute_at"],
        "on_scene_at": _UNIT["on_scene_at"],
        "at_person_at": ("at patient", "at patient time"),
        "cleared_at": _UNIT["cleared_at"],
        "left_scene_at": ("left scene", "transport time", "transporting"),
        "at_destination_at": ("at hospital", "at destination", "arrived hospital"),
        "naloxone_given": ("narcan given", "naloxone given", "narcan", "naloxone"),
        "ems_impression_code": ("impression", "primary impression", "provider impression"),
        "ems_disposition_code": ("ems disposition", "disposition", "transport disposition"),
        "age_years": ("age", "patient age"),
        "sex_gender_code": ("patient gender", "gender", "sex", "patient sex"),
        "person_name": ("patient name", "name"),
        "birth_date": ("birth date", "patient birth date", "date of birth"),
        "home_address": ("patient address", "home address"),
    },
    "jail_booking": {
        "booking_number": ("booking number", "booking id", "booking", "inmate id", "jail number"),
        "incident_number": ("incident number", "event number", "arrest incident number"),
        "booked_at": ("booked", "booking date", "admitted date", "intake date", "admitted", "booking time", "booking datetime"),
        "released_at": ("released", "discharged date", "released date", "discharged", "release datetime"),
        "charge_level_code": ("charge level", "charge class"),
        "release_type_code": ("released type", "released reason", "type of release"),
        "serious_mental_illness": ("bradh", "serious mental illness", "smi"),
        "age_years": ("age",),
        "sex_gender_code": ("gender", "sex"),
        "race_ethnicity_codes": ("race", "ethnicity"),
        "person_name": ("inmate name", "name"),
        "birth_date": ("birth date", "date of birth"),
    },
    "offense": {
        "offense_number": ("offense id", "offense number"),
        "report_number": ("incident id", "report number", "case number", "incident number"),
        "occurred_at": ("first occurrence date", "occurred date", "occurrence date", "offense date", "date occurred", "occurred"),
        "reported_at": ("reported date", "date reported", "report date"),
        "nibrs_offense_code": ("nibrs code", "offense type id", "offense type", "offense category id", "offense code", "offense description", "offense"),
        "victim_count": ("victim count", "victims"),
        "precinct": ("precinct id", "precinct", "district id", "district", "division"),
        "beat": ("beat",),
        "sector": ("sector",),
        "neighborhood": ("neighborhood id", "neighborhood"),
        "address": ("incident address", "address", "location", "block address"),
        "latitude": ("geo latitude", "latitude"),
        "longitude": ("geo longitude", "longitude"),
    },
    "force_event": {
        "force_event_number": ("force number", "use of force number", "force id", "uof number", "id"),
        "incident_number": ("incident number",),
        "occurred_at": ("occurred date time", "occurred date", "occurred"),
        "force_level_code": ("force level", "incident type", "level of force"),
        "force_type_codes": ("force type", "type of force"),
        "precinct": ("precinct",),
        "responder_number": ("officer id",),
        "person_number": ("subject id",),
        "race_ethnicity_codes": ("subject race",),
        "sex_gender_code": ("subject gender",),
    },
}  # fmt: skip

# Words in headers or file names that speak for an entity.
CUES: dict[str, tuple[str, ...]] = {
    "incident": (
        "cad",
        "cfs",
        "911",
        "call",
        "dispatch",
        "problem",
        "priority",
        "queue",
        "nature",
        "service",
        "incident",
    ),
    "unit_response": ("unit", "apparatus"),
    "contact": (
        "crisis",
        "template",
        "cit",
        "contact",
        "clinician",
        "encounter",
        "veteran",
        "coresponder",
        "form",
        "arrestable",
    ),
    "ems_response": ("ems", "narcan", "naloxone", "patient", "opioid", "medic", "impression"),
    "jail_booking": ("jail", "inmate", "booking", "booked", "custody", "admitted", "bond", "inmates"),
    "offense": ("offense", "offenses", "nibrs", "ucr", "crime", "victim"),
    "force_event": ("force", "uof", "taser"),
    "ed_visit": ("triage", "hospital", "visit", "departed"),
    "hold": ("hold", "statute", "detention"),
    "referral": ("referral", "referred"),
    "transport": ("transport", "miles"),
    "training_record": ("training", "course", "instructor"),
    "shift": ("shift", "roster", "scheduled"),
    "crisis_line_contact": ("988", "hotline", "lifeline", "counselor", "abandoned"),
    "program_enrollment": ("enrollment", "enrolled", "exited"),
}

# Headers with one of these words are taken to tell who or where somebody is.
_IDENTIFYING = (
    ("birth", "year of birth"), ("phone", "phone"), ("cell", "phone"), ("email", "e-mail"), ("mail", "e-mail"), ("ssn", "number of a person"),
    ("address", "address"), ("street", "address"), ("apartment", "address"), ("road", "address"), ("intersection", "address"), ("latitude", "place"),
    ("longitude", "place"), ("coordinate", "place"), ("geo", "place"), ("plate", "license plate"), ("vin", "vehicle"), ("license", "license number"),
    ("narrative", "free text"), ("comment", "free text"), ("comments", "free text"), ("notes", "free text"), ("note", "free text"),
    ("remarks", "free text"), ("remark", "free text"), ("caller", "caller"), ("badge", "officer"), ("mrn", "number of a person"),
    ("medicaid", "number of a person"), ("alias", "name"), ("surname", "name"), ("victim name", "name"), ("guardian", "name"), ("sid", "number of a person"),
    ("x", "place"), ("y", "place"), ("location", "place"),
)  # fmt: skip
_NAME_OF_A_THING = {
    "type",
    "call",
    "agency",
    "program",
    "event",
    "problem",
    "course",
    "unit",
    "beat",
    "day",
    "month",
    "file",
    "list",
    "code",
    "status",
}
_PEOPLE = {
    "officer",
    "subject",
    "inmate",
    "employee",
    "person",
    "patient",
    "client",
    "consumer",
    "responder",
    "clinician",
    "suspect",
    "offender",
}


@cache
def words(header: str) -> tuple[str, ...]:
    """The words of a header, in lower case, short forms written out: 'Time_PhonePickUp' is time, phone, pick, up."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", header)
    split = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", split)
    found = re.findall(r"[a-z]+|[0-9]+", split.replace("'", "").lower())
    return tuple(w for f in found for w in SAME.get(f, f).split())


@cache
def phrase(said: str) -> frozenset[str]:
    return frozenset(words(said))


def likeness(header: str, said: str) -> float:
    """How well a header fits a phrase: 1 the same words, else by the share of its words that the phrase explains."""
    have, wanted = frozenset(words(header)), phrase(said)
    if not have or not wanted:
        return 0.0
    if have == wanted:
        return 1.0
    if wanted < have:
        return 0.45 + 0.45 * len(wanted) / len(have)
    return 0.0


def aliases(entity: Entity) -> dict[str, tuple[str, ...]]:
    """Phrases by field: those of this page, then the field's own name and its name without the suffix."""
    said = ALIASES.get(entity.name, {})
    out = {}
    for field in entity.fields:
        own = field.name.replace("_", " ")
        stem = field.stem.replace("_", " ")
        out[field.name] = tuple(dict.fromkeys((*said.get(field.name, ()), own, stem)))
    return out


def identifying_reason(header: str, is_time: bool = False) -> str:
    """Why a header is taken to name an identifying column, or ''. is_time: the column holds dates or times."""
    said = words(header)
    have = set(said)
    if is_time and "birth" not in have:
        return ""  # the time of a phone pick-up is no phone number
    if "name" in have and not have & _NAME_OF_A_THING:
        return "the header says name"
    if (have & _PEOPLE and have & {"id", "number", "name"}) or said in (("officer",), ("employee",), ("subject",)):
        return "the header names a person's number"
    for word, what in _IDENTIFYING:
        if (
            word in have
            and not (word in ("location", "caller") and "type" in have)
            and not (word in ("x", "y") and len(have) > 1)
        ):
            return f"the header says {word} ({what})" if what != word else f"the header says {word}"
    return ""


SENSITIVE = {
    "race", "ethnicity", "gender", "sex", "age", "veteran", "homeless", "housing", "juvenile", "gang", "religion", "language",
    "disability", "pregnant", "medical", "diagnosis", "drug", "substance", "suicide", "injury", "weapon", "charge", "custody", "hospital",
}  # fmt: skip
_HARMLESS = {
    "weekday",
    "month",
    "year",
    "hour",
    "quarter",
    "week",
    "shift",
    "county",
    "state",
    "jurisdiction",
    "agency",
}


def class_reason(header: str) -> tuple[str, str]:
    """(class, why) of a column that does not identify, as far as its header tells; ('', '') where it does not.

    Not sensitive is guessed of little: such a column travels into the warehouse.
    """
    said = words(header)
    for word in said:
        if word in SENSITIVE:
            return "sensitive", f"the header says {word}"
    if said[:3] == ("day", "of", "week") or (
        said and set(said) <= _HARMLESS | {"name", "type", "of", "call", "incident"} and set(said) & _HARMLESS
    ):
        return "not_sensitive", "the header says that it follows from the date, or names the agency"
    return "", ""
