"""The data standard: complete, named by one set of rules, and without what must never be carried."""

from __future__ import annotations

import csv
import json
import re
from importlib import resources

import duckdb
import pytest

from orchestration.agencies.folder import load_agency
from orchestration.settings import PROJECT
from orchestration.standard import Entity, Field, code_list, code_list_names, load_standard
from orchestration.standard.contract import KINDS, SUFFIXES
from orchestration.yaml_file import read_yaml

STANDARD, CODES, COSTS = (PROJECT / "seeds" / name for name in ("standard", "codes", "costs"))
ENTITIES = load_standard()
FIELDS = [(e, f) for e in ENTITIES.values() for f in e.fields]

ASKED_FOR = """
    agency incident unit_status_event unit_response responder training_record shift person contact
    contact_disposition force_event injury hold transport ed_visit inpatient_stay jail_booking referral
    service_linkage program program_enrollment geography_population cost_parameter price_index offense
    crisis_line_contact ems_response facility_capacity court_event death complaint_or_survey
    narrative_review_sample consent sharing_agreement position_count
"""
UNITS = ("_usd", "_hours", "_minutes", "_days", "_miles", "_share", "_fte", "_score", "_weight")
NOT_MAPPED = {"agency", "cost_parameter", "price_index"}
PEOPLE = {"person", "responder"}  # told apart by a number that identifies; they wait for surrogates
# What five entities held before the others came, in order: never renamed, removed or moved.
FIRST_FIELDS = {
    "incident": """incident_number linked_incident_number duplicate call_source_code received_at entered_at
        call_taking_completed_at closed_at call_type_initial_code call_type_final_code priority_initial priority_final
        cad_disposition_code cancelled report_written cit_requested clinician_requested transferred_to_988
        received_from_988 location_type_code beat sector precinct zip5 address apartment location_name cross_street
        latitude longitude caller_name caller_phone caller_location_name""",
    "unit_response": """incident_number unit_number assignment_number response_scope_code unit_type_code
        response_model_code officer_count clinician_count dispatched_at acknowledged_at enroute_at on_scene_at
        at_person_at left_scene_at at_destination_at destination_handoff_at cleared_at cancelled_at officer_name""",
    "contact": """contact_number incident_number occurred_at reported_at call_source_code call_type_initial_code
        call_type_final_code contact_mode_code contact_reason_code response_model_code suicide_risk_code
        violence_threat weapon_present weapon_type_code veteran cit_requested cit_dispatched cit_arrived
        clinician_arrived supervisor_on_scene force_used handcuffs_used injury arrestable_offense
        officer_discretion_basis_code officer_minutes clinician_minutes beat sector precinct subject_name
        subject_birth_date subject_phone subject_address officer_name narrative""",
    "contact_disposition": "contact_number occurred_at reported_at disposition_code marked_primary",
    "jail_booking": """booking_number incident_number booked_at released_at charge_level_code release_type_code
        person_name birth_date""",
}


def broken(problem) -> list[str]:
    """entity.field of every field that `problem` holds of."""
    return [f"{e.name}.{f.name}" for e, f in FIELDS if problem(e, f)]


def renames() -> list[dict[str, str]]:
    with (STANDARD / "renames.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def code_rows(name: str) -> list[dict[str, str]]:
    with (CODES / f"codes_{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_entity_is_there() -> None:
    assert set(ASKED_FOR.split()) == set(ENTITIES)
    assert {e.name for e in ENTITIES.values() if not e.is_mapped} == NOT_MAPPED | PEOPLE


def test_all_files_are_of_one_version() -> None:
    assert {e.version for e in ENTITIES.values()} == {"1.0.0"}
    for path in STANDARD.glob("*.yml"):
        said = read_yaml(path)
        assert said["name"] == said["schema"][0]["name"] == path.stem
        assert said["id"].endswith("-" + path.stem.replace("_", "-"))
    assert "## 1.0.0-draft" in (STANDARD / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FIRST_FIELDS)
def test_first_fields_keep_name_and_order(name: str) -> None:
    first = FIRST_FIELDS[name].split()
    assert [f.name for f in ENTITIES[name].fields if f.name in first] == first


@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda e: e.name)
def test_an_entity_is_sound(entity: Entity) -> None:
    assert entity.description and entity.grain
    assert entity.family in {"cad", "field", "program", "staffing", "reference"}
    parts = [entity.field(p) or entity.field(p.removesuffix("_local") + "_code") for p in entity.key]
    assert parts and all(parts), entity.key
    assert all(p.presence != "optional" for p in parts), "a key part may not be left out freely"
    assert [f for f in entity.fields if f.name in entity.month_from and f.kind not in ("timestamp", "date")] == []
    assert all(entity.field(m) for m in entity.month_from)
    names = [f.name for f in entity.fields]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda e: e.name)
def test_columns_make_a_table(entity: Entity) -> None:
    """No two columns are called alike, and DuckDB knows every type."""
    with duckdb.connect() as con:
        for columns in (entity.columns, entity.identity_columns):
            if columns:
                listed = ", ".join(f'"{c.name}" {c.type}' for c in columns)
                con.execute(f"create or replace table t ({listed})")


def test_a_child_names_its_parent_and_takes_its_month() -> None:
    parents = {e.name: e.parent for e in ENTITIES.values() if e.parent}
    assert parents == {"contact_disposition": "contact", "injury": "force_event"}
    for child, parent in parents.items():
        link = ENTITIES[child].key[0]
        assert ENTITIES[child].field(link).refers_to == parent and ENTITIES[child].field(link).required
        assert ENTITIES[child].month_from == ENTITIES[parent].month_from


def test_every_field_is_explained() -> None:
    assert broken(lambda e, f: not f.description.endswith(".") or not f.description[0].isupper()) == []
    assert broken(lambda e, f: len(f.examples) != 1 or not f.examples[0]) == []
    assert broken(lambda e, f: f.presence not in ("required", "conditional", "optional")) == []
    assert broken(lambda e, f: not f.source) == []
    assert broken(lambda e, f: (f.presence == "conditional") != bool(f.condition)) == []
    assert broken(lambda e, f: f.condition and not re.fullmatch(r"Where .+\.", f.condition)) == []
    assert broken(lambda e, f: f.required and f.presence != "required") == []
    assert broken(lambda e, f: f.kind in ("integer", "decimal") and not f.unit) == []


def test_examples_are_of_their_kind() -> None:
    """An example parses as its type and, for codes, stands in the list."""
    casts = {"integer": "integer", "decimal": "double", "date": "date", "timestamp": "timestamp", "boolean": "boolean"}
    with duckdb.connect() as con:

        def wrong(_: Entity, field: Field) -> bool:
            (said,) = field.examples
            if field.kind in casts:
                return con.execute(f"select try_cast(? as {casts[field.kind]})", [said]).fetchone()[0] is None
            if field.kind == "answer":
                return said not in code_list("answer")
            if field.kind == "code":
                return said not in code_list(field.code_list)
            if field.kind == "codes":
                codes = said.split("|")
                return codes != sorted(set(codes)) or not set(codes) <= set(code_list(field.code_list))
            return False

        assert broken(wrong) == []


def test_a_coded_field_names_a_list_that_exists() -> None:
    known = set(code_list_names())
    assert broken(lambda e, f: (f.kind in ("code", "codes")) != bool(f.code_list)) == []
    assert broken(lambda e, f: f.code_list and f.code_list not in known) == []


def test_a_link_names_an_entity_whose_key_is_one_number() -> None:
    def wrong(_: Entity, field: Field) -> bool:
        target = ENTITIES.get(field.refers_to)
        if target is None or field.kind != "number" or len(target.key) != 1:
            return True
        key = target.field(target.key[0])
        return key.kind != "number" or not field.name.endswith(key.name)

    assert broken(lambda e, f: f.refers_to and wrong(e, f)) == []
    # the other way round: a field called like another entity's key refers to it
    keys = {e.key[0]: e.name for e in ENTITIES.values() if len(e.key) == 1 and e.is_mapped}
    assert broken(lambda e, f: f.name in keys and keys[f.name] != e.name and f.refers_to != keys[f.name]) == []


def test_names_say_what_they_hold() -> None:
    assert broken(lambda e, f: not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", f.name)) == []
    for kind, suffix in SUFFIXES.items():
        assert broken(lambda e, f, k=kind, s=suffix: f.kind == k and not f.name.endswith(s)) == []
    # identifying texts are kept as sent and read by linkage; a radio number and an assignment's count are no keys
    allowed = {"birth_date", "subject_birth_date", "unit_number", "relieved_by_unit_number", "assignment_number"}
    for kind, suffix in SUFFIXES.items():
        assert broken(lambda e, f, k=kind, s=suffix: f.name.endswith(s) and f.kind != k and f.name not in allowed) == []
    assert broken(lambda e, f: f.name.startswith("is_") != (f.kind == "boolean")) == []
    assert broken(lambda e, f: f.name.endswith(("_flag", "_yn", "_id", "_key")) and e.name not in NOT_MAPPED) == []
    measures = {"value", "low_value", "high_value", "land_square_miles"}
    assert broken(lambda e, f: f.kind == "decimal" and not f.name.endswith(UNITS) and f.name not in measures) == []
    assert broken(lambda e, f: f.name.endswith("_count") and f.kind != "integer") == []
    assert broken(lambda e, f: f.name.endswith("_usd") and not f.physical_type.startswith("decimal(")) == []


def test_one_name_has_one_meaning_everywhere() -> None:
    said: dict[str, set] = {}
    for entity, field in FIELDS:
        refers_to = field.refers_to or (entity.name if entity.key == (field.name,) else None)
        meaning = (field.kind, field.physical_type, field.code_list, refers_to, field.classification, field.unit)
        said.setdefault(field.name, set()).add(meaning)
    assert {name: meanings for name, meanings in said.items() if len(meanings) > 1} == {}


def test_types_follow_from_kinds() -> None:
    types = {
        "integer": ("integer",), "date": ("date",), "timestamp": ("timestamptz",), "boolean": ("boolean",),
        "decimal": ("double", "decimal(14,2)", "decimal(14,4)"),
    }  # fmt: skip
    assert broken(lambda e, f: f.physical_type not in types.get(f.kind, ("varchar",))) == []
    assert broken(lambda e, f: f.kind not in KINDS) == []
    assert broken(lambda e, f: f.kind == "boolean" and e.is_mapped) == []


def test_identifying_fields_go_to_the_identity_store() -> None:
    assert broken(lambda e, f: f.classification not in ("identifying", "sensitive", "neither")) == []
    assert broken(lambda e, f: (f.classification == "identifying") != (f.tier == "identity")) == []
    assert broken(lambda e, f: f.tier not in ("identity", "internal", "care", "general")) == []
    assert broken(lambda e, f: f.tier == "general" and e.family != "reference") == []
    people = r"(person|caller|subject|officer|first|last|middle|alias)_name|.*phone|.*address|.*birth_date|narrative"
    numbers = "person_number|responder_number|case_number"
    assert broken(lambda e, f: re.fullmatch(f"{people}|{numbers}", f.name) and not f.is_identifying) == []


def test_what_must_never_be_carried_is_absent() -> None:
    assert broken(lambda e, f: re.search(r"ssn|social_security|hash|badge|license_number|plate", f.name)) == []
    assert not {f.name for f in ENTITIES["responder"].fields} & {
        "birth_year", "birth_date", "race_ethnicity_codes", "sex_gender_code", "team_number", "person_name",
    }  # fmt: skip
    dated = {"housing_status_code", "insurance_code", "dx_group_code", "substance_use_disorder", "age_years"}
    assert not {f.name for f in ENTITIES["person"].fields} & dated
    # wherever such a fact stands the row has a time of its own
    assert broken(lambda e, f: f.name in dated and not e.month_from) == []
    assert "excited_delirium" not in code_list("behavior")


def test_health_records_say_on_what_ground_they_are_shared() -> None:
    """Every entity with a diagnosis, a screening or a treatment names legal basis and Part 2."""
    health = {"contact", "hold", "ed_visit", "inpatient_stay", "referral", "service_linkage", "program_enrollment",
              "crisis_line_contact", "ems_response"}  # fmt: skip
    for name in health:
        assert {"legal_basis_code", "part2_protected", "consent_number"} <= {f.name for f in ENTITIES[name].fields}, (
            name
        )


def test_shipped_agencies_map_what_is_required_or_say_that_the_source_lacks_it() -> None:
    for folder in sorted(p.parent for p in (PROJECT / "agencies").glob("*/agency.yml")):
        agency = load_agency(folder)
        sent = [
            (n, m)
            for feed in agency.feeds.values()
            for layout in feed.layouts().values()
            for n, m in layout.entities.items()
        ]
        for entity_name in {n for n, _ in sent}:
            told = {f for n, m in sent if n == entity_name for f in (*m.fields, *m.lacks)}
            required = {f.name for f in ENTITIES[entity_name].fields if f.presence == "required"}
            assert required <= told, f"{agency.id}: {entity_name}"


@pytest.mark.parametrize("name", code_list_names())
def test_a_code_list_is_sound(name: str) -> None:
    path = CODES / f"codes_{name}.csv"
    rows = code_rows(name)
    if not {f"{name}_code", "label", "definition", "source"} <= set(rows[0]):
        pytest.skip("a list of metrics, not of codes")
    first = next(iter(rows[0]))
    assert first == f"{name}_code"
    codes = [r[first] for r in rows]
    assert len(codes) == len(set(codes)) and all(re.fullmatch(r"[A-Za-z0-9_+-]+", c) for c in codes), path
    for row in rows:
        assert row["label"] and row["source"] and None not in row, row
        assert re.fullmatch(r"[A-Z0-9\"].*\.", row["definition"]), row


def test_coded_fields_of_agencies_know_what_is_missing() -> None:
    """A list that local codes are mapped to tells unknown, not recorded, withheld and other apart."""
    used = {f.code_list for e, f in FIELDS if e.is_mapped and f.code_list} - {"agency_type"}
    words = {"unknown", "not_recorded", "not_applicable", "withheld", "other"}
    assert {n: words - set(code_list(n)) for n in used if not words <= set(code_list(n))} == {}


@pytest.mark.parametrize("axis", ["enforcement", "legal_hold", "destination", "service"])
def test_axes_of_dispositions_use_the_lists_of_their_names(axis: str) -> None:
    assert {r[f"{axis}_code"] for r in code_rows("disposition")} <= set(code_list(axis))


def test_kinds_of_calls_use_the_list_of_kinds() -> None:
    assert {r["bh_kind_code"] for r in code_rows("call_type")} <= set(code_list("bh_kind"))


@pytest.mark.parametrize("name", ["cost_parameter", "price_index"])
def test_seeded_entities_are_their_seeds(name: str) -> None:
    with (COSTS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [f.name for f in ENTITIES[name].fields]
    if name == "cost_parameter":
        assert {r["item_code"] for r in rows} <= set(code_list("cost_item"))


def test_agency_facts_are_fields_of_the_standard() -> None:
    from orchestration.agencies.folder import AgencyFacts

    assert set(AgencyFacts.model_fields) <= {f.name for f in ENTITIES["agency"].fields}
    for folder in (PROJECT / "agencies").iterdir():
        assert load_agency(folder).agency.agency_type_code in code_list("agency_type")


def test_every_code_list_has_its_types_given() -> None:
    seeds = read_yaml(PROJECT / "dbt_project" / "models" / "_seeds.yml")["seeds"]
    types = {s["name"]: set(s["config"]["column_types"]) for s in seeds}
    assert len(types) == len(seeds)
    for name in code_list_names():
        assert types[f"codes_{name}"] == set(code_rows(name)[0]), name


def test_a_rename_is_told_once_and_leads_somewhere() -> None:
    rows = renames()
    told = [(r["entity"], r["domain_name"]) for r in rows]
    assert len(told) == len(set(told))
    for row in rows:
        assert row["why"], row
        entity = ENTITIES.get(row["entity"])
        if row["our_name"]:
            assert entity and (entity.field(row["our_name"]) or row["our_name"] in {c.name for c in entity.columns}), (
                row
            )
            assert row["our_name"] != row["domain_name"], row
        elif entity:
            assert entity.field(row["domain_name"]) is None, f"{row} says that it is not carried, and it is"


def test_files_are_valid_by_the_published_schema() -> None:
    pytest.importorskip("open_data_contract_standard", reason="the schema comes with a development package")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    for path in sorted(STANDARD.glob("*.yml")):
        errors = [e.message for e in validator.iter_errors(read_yaml(path))]
        assert errors == [], path.name


def test_no_row_that_agencies_send_is_told_apart_by_a_person_s_number() -> None:
    """Its id would carry the number into every table; such entities wait for surrogates of the identity store."""
    for entity in ENTITIES.values():
        if entity.is_mapped:
            assert not [f.name for f in entity.fields if f.is_identifying and f.name in entity.key], entity.name
