"""Generated files are what the standard gives; hand-written models fit it; pages and the template hold together."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from orchestration.agencies import check_agency, load_agency
from orchestration.agencies.folder import AgencyFacts
from orchestration.cli import main
from orchestration.settings import PROJECT
from orchestration.standard import code_table, load_standard
from orchestration.standard.dictionary import entity_page
from orchestration.standard.generated import (
    TEMPLATE,
    Problem,
    hand_written_problems,
    stale_files,
    write_files,
)
from orchestration.standard.markdown import cell, table
from orchestration.standard.staging import contract_yml, staged_columns, staging_sql
from orchestration.standard.template import FACTS, agency_template, uncomment
from orchestration.yaml_file import read_yaml

MONTHS = ("2010-01", "2034-12")
MAPPED = [e for e in load_standard().values() if e.is_mapped]
DICTIONARY = PROJECT / "docs" / "dictionary"
ADDRESS = {"source_file", "source_row", "source_part"}

# One entity with a field of every kind; `refers_to` names an entity that is not there.
EVERY_KIND = """
version: 2.1.0
schema:
  - name: visit
    businessName: visit
    physicalType: table
    description: "A visit. Made up"
    dataGranularityDescription: "one row per agency and visit"
    customProperties:
      - {property: key, value: [visit_number, service_local]}
      - {property: month_from, value: [began_at]}
      - {property: family, value: program}
      - {property: mapped, value: true}
    properties:
"""


def prop(name: str, kind: str, physical: str = "varchar", classification: str = "neither", **more: str) -> str:
    """The YAML of one field."""
    custom = {"kind": kind, "tier": "internal", **{k: v for k, v in more.items() if k not in ("required", "transform")}}
    lines = [f"      - name: {name}", "        logicalType: string", f'        physicalType: "{physical}"']
    lines += ["        required: true"] if "required" in more else []
    lines += [f'        transformDescription: "{more["transform"]}"'] if "transform" in more else []
    lines += [
        f"        classification: {classification}",
        f'        description: "The {name}."',
        "        customProperties:",
    ]
    lines += [f'          - {{property: {k}, value: "{v}"}}' for k, v in custom.items()]
    return "\n".join(lines) + "\n"  # fmt: skip


@pytest.fixture
def visit(tmp_path: Path):
    fields = [
        prop("visit_number", "number", required="yes"),
        prop("incident_number", "number", refers_to="incident"),
        prop("began_at", "timestamp", "timestamptz", presence="required"),
        prop("due_date", "date", "date", presence="conditional", condition="if | it is due"),
        prop("service_code", "code", code_list="disposition", required="yes"),
        prop("need_codes", "codes", code_list="weapon_type"),
        prop("agreed", "answer"),
        prop("minutes", "integer", "integer", unit="minutes"),
        prop("cost_usd", "decimal", "decimal(14,4)", unit="US dollars"),
        prop("room", "text", classification="sensitive"),
        prop("visitor_name", "text", classification="identifying"),
        prop("stay_seconds", "derived", "integer", transform="By the clock.", unit="seconds", required="yes"),
    ]
    folder = tmp_path / "visit_standard"
    folder.mkdir()
    (folder / "visit.yml").write_text(EVERY_KIND + "".join(fields))
    return load_standard(folder)["visit"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The part of the repository that files are generated from and into."""
    for part in ("seeds", "docs", "dbt_project/models", "dbt_project/macros", "expectations/suites", "evaluations"):
        shutil.copytree(PROJECT / part, tmp_path / part)
    return tmp_path


def models(folder: Path = PROJECT / "dbt_project" / "models") -> dict[str, dict]:
    files = sorted(folder.rglob("*.yml"))
    return {m["name"]: m for f in files for m in (read_yaml(f) or {}).get("models", [])}


def test_no_generated_file_is_stale() -> None:
    assert [str(p) for p in stale_files()] == []


def test_hand_written_staging_names_every_column_of_the_standard() -> None:
    assert [str(p) for p in hand_written_problems()] == []


def test_a_changed_standard_makes_files_stale_until_they_are_written(copy: Path) -> None:
    standard = copy / "seeds" / "standard" / "contact.yml"
    described = load_standard()["contact"].fields[0].description
    standard.write_text(standard.read_text().replace(described, "Said otherwise."))
    # Descriptions are read once for each folder.
    load_standard.cache_clear()
    said = [str(p) for p in stale_files(copy)]
    assert sorted(s.split(":")[0] for s in said) == [
        "dbt_project/models/staging/field/_stg_contact.yml",
        "docs/dictionary/contact.md",
        "docs/templates/agency.yml",
    ]
    assert all(s.endswith("run crisis standard write") for s in said)
    assert len(write_files(copy)) == 3
    assert stale_files(copy) == []
    assert write_files(copy) == []


def test_missing_and_left_over_files_are_found(copy: Path) -> None:
    load_standard.cache_clear()
    (copy / "docs" / "dictionary" / "incident.md").unlink()
    stays = copy / "docs" / "dictionary" / "notes.md"
    stays.write_text("Written by hand.\n")
    gone = copy / "dbt_project" / "models" / "staging" / "field" / "stg_gone.sql"
    shutil.copy(gone.with_name("stg_contact.sql"), gone)
    found = {p.path.name: p.what for p in stale_files(copy)}
    assert found == {"incident.md": "is not there", "stg_gone.sql": "is no longer asked for"}
    write_files(copy)
    assert stays.exists() and not gone.exists()


def test_a_hand_written_model_is_left_alone_and_told_what_it_lacks(copy: Path) -> None:
    load_standard.cache_clear()
    staging = copy / "dbt_project" / "models" / "staging"
    own = staging / "field" / "stg_contact.sql"
    own.write_text(own.read_text().replace("Generated from", "Once generated from").replace("        beat,\n", ""))
    (staging / "program" / "stg_jail_booking.sql").unlink()
    said = own.read_text()
    write_files(copy)
    assert own.read_text() == said
    assert {p.path.name: p.what for p in hand_written_problems(copy)} == {
        "stg_contact.sql": "lacks beat",
        "stg_jail_booking.sql": "is not there",
    }


def test_the_command_lists_stale_files(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(main, ["standard", "check"])
    assert (result.exit_code, "all generated files" in result.output) == (0, True)
    stale = [Problem(Path("docs/x.md"), "is not what the standard gives")]
    monkeypatch.setattr("orchestration.standard.generated.stale_files", lambda: stale)
    result = CliRunner().invoke(main, ["standard", "check"])
    assert result.exit_code == 1
    assert "docs/x.md: is not what the standard gives; run crisis standard write" in result.output


def test_a_contract_has_a_column_for_every_kind_of_field(visit) -> None:
    (model,) = yaml.safe_load(contract_yml(visit, {"visit": visit}))["models"]
    assert model["name"] == "stg_visit"
    assert model["description"] == "A visit. Made up. One row per agency and visit, current version."
    assert model["config"]["meta"] == {
        "tier": "internal",
        "primary_key": ["agency_id", "visit_id"],
        "lookback_months": 0,
        "lookahead_months": 0,
    }
    by_name = {c["name"]: c for c in model["columns"]}
    assert [(c["name"], c["data_type"]) for c in model["columns"]] == [
        ("agency_id", "varchar"),
        ("visit_id", "varchar"),
        ("month", "varchar"),
        ("month_basis", "varchar"),
        ("visit_number", "varchar"),
        ("incident_number", "varchar"),
        ("incident_id", "varchar"),
        ("began_at", "timestamptz"),
        ("began_local_at", "timestamp"),
        ("due_date", "date"),
        ("service_code", "varchar"),
        ("service_local", "varchar"),
        ("need_codes", "varchar"),
        ("need_local", "varchar"),
        ("agreed", "varchar"),
        ("minutes", "integer"),
        ("cost_usd", "decimal(14,4)"),
        ("room", "varchar"),
        ("stay_seconds", "integer"),
        ("withheld_fields", "varchar"),
        ("stamp_imputed", "varchar"),
        ("extras", "varchar"),
    ]
    told = {"month", "month_basis", "withheld_fields", "stamp_imputed", "extras"}
    assert {n: by_name[n]["description"] for n in by_name if n not in told} == {
        "agency_id": "The agency, as its folder names it.",
        "visit_id": "Key of the visit: agency, visit number and service as the agency wrote it.",
        "visit_number": "The visit_number.",
        "incident_number": "The incident_number.",
        "incident_id": "Key of the incident that the number names: agency and number.",
        "began_at": "The began_at, as an instant (UTC).",
        "began_local_at": "The began_at, on the agency's own clock.",
        "due_date": "The due_date.",
        "service_code": "The service_code, as a code of the list disposition.",
        "service_local": "The service_code, as the agency wrote it.",
        "need_codes": "The need_codes, as codes, sorted and with | between, of the list weapon_type.",
        "need_local": "The need_codes, as the agency wrote it.",
        "agreed": "The agreed: yes, no, or why it is not known.",
        "minutes": "The minutes.",
        "cost_usd": "The cost_usd.",
        "room": "The room.",
        "stay_seconds": "The stay_seconds.",
    }
    assert {n for n, c in by_name.items() if "constraints" in c} == {"agency_id", "visit_id", "month", "stay_seconds"}
    assert by_name["cost_usd"]["config"]["meta"] == {"tier": "internal", "unit": "US dollars"}


def test_staged_columns_are_the_input_s_but_for_raw_texts_and_the_address(visit) -> None:
    for entity in [*MAPPED, visit]:
        raw = {c.name for f in entity.fields if f.kind in ("timestamp", "date") for c in f.columns()[-1:]}
        added = {d.name for d in entity.derived}
        staged = [(c.name, c.type) for c in staged_columns(entity, load_standard()) if c.name not in added]
        kept = [(c.name, c.type) for c in entity.columns if c.name not in raw | ADDRESS]
        assert staged == kept, entity.name
        assert not {c.name for c in entity.identity_columns} & {name for name, _ in staged}


def test_generated_sql_selects_the_contract_s_columns(visit) -> None:
    sql = staging_sql(visit, {"visit": visit})
    first, second, *_ = sql.splitlines()
    assert first == "-- Grain: one row per agency and visit, current version."
    assert second.startswith("-- Generated from seeds/standard/visit.yml; do not edit")
    (listed,) = re.findall(r"final as \(\n    select\n(.*?)\n    from visit\n\)", sql, re.S)
    assert [c.strip() for c in listed.split(",")] == [c.name for c in staged_columns(visit, {"visit": visit})]
    assert max(map(len, sql.splitlines())) <= 120


def test_columns_that_pass_from_staging_to_a_fact_keep_their_description() -> None:
    known, compared = models(), 0
    for entity in (e.name for e in MAPPED):
        for fact in (known.get(f"{prefix}_{entity}") for prefix in ("fct", "dim", "bridge")):
            if fact is None or f"stg_{entity}" not in known:
                continue
            staged = {c["name"]: c for c in known[f"stg_{entity}"]["columns"]}
            for column in fact["columns"]:
                if column["name"] in staged:
                    one, other = staged[column["name"]], column
                    for said in ("description", "data_type", "config"):
                        assert one.get(said) == other.get(said), f"{fact['name']}.{column['name']}: {said}"
                    compared += 1
    assert compared > 150


def test_facts_carry_what_staging_carries() -> None:
    known, facts = models(), 0
    for entity in (e.name for e in MAPPED):
        for fact in (known.get(f"{prefix}_{entity}") for prefix in ("fct", "bridge")):
            if fact is not None:
                carried = {c["name"] for c in fact["columns"]}
                assert [c["name"] for c in known[f"stg_{entity}"]["columns"] if c["name"] not in carried] == [], entity
                facts += 1
    assert facts == 5 + 10  # written by hand, and published as staged


def unescaped_pipes(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line))


def test_tables_of_the_dictionary_are_whole_and_links_lead_somewhere() -> None:
    pages = sorted(DICTIONARY.rglob("*.md"))
    assert len(pages) > 20
    for page in pages:
        said = page.read_text()
        width = 0
        for line in said.splitlines():
            if not line.startswith("|"):
                width = 0
                continue
            width = width or unescaped_pipes(line)
            assert unescaped_pipes(line) == width, f"{page.name}: {line}"
        for target in re.findall(r"\]\(([^)#]+)\)", said):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_field_code_and_published_column_stands_in_the_dictionary() -> None:
    for entity in load_standard().values():
        said = (DICTIONARY / f"{entity.name}.md").read_text()
        names = [f.name for f in entity.fields] + [d.name for d in entity.derived]
        assert [n for n in names if f"| `{n}` |" not in said] == []
        for name in {f.code_list for f in entity.fields} - {None}:
            codes = (DICTIONARY / "codes" / f"{name}.md").read_text()
            assert [row[0] for row in code_table(name).rows if f"| `{row[0]}` |" not in codes] == []
    said = (DICTIONARY / "warehouse.md").read_text()
    published = [m for name, m in models().items() if name.split("_")[0] in ("fct", "dim", "bridge", "met")]
    assert len(published) > 15
    for model in published:
        (section,) = re.findall(rf"^### {model['name']}$(.*?)(?=^##|\Z)", said, re.S | re.M)
        assert [c["name"] for c in model["columns"] if f"| `{c['name']}` |" not in section] == [], model["name"]


def test_a_page_escapes_what_markdown_would_take_for_a_mark(visit) -> None:
    assert cell("a | b\n*c* <d> `e`") == r"a \| b \*c\* &lt;d> \`e\`"
    assert table(["a", "b"], [["1", "2"]]) == ["| a | b |", "|---|---|", "| 1 | 2 |"]
    with pytest.raises(ValueError, match="2 cells"):
        table(["a"], [["1", "2"]])
    said = entity_page(visit, {"visit": visit})
    assert r"conditional: if \| it is due" in said
    assert "| `visit_number` | The visit\\_number" not in said
    before, after = said.split("## Identifying fields")
    assert "visitor_name" in after and "visitor_name" not in before


def test_the_template_knows_every_fact_of_an_agency() -> None:
    assert [name for name, _, _ in FACTS] == list(AgencyFacts.model_fields)


@pytest.mark.parametrize("entity", [e.name for e in MAPPED])
def test_the_template_loads_once_an_entity_is_uncommented(entity: str, tmp_path: Path) -> None:
    folder = tmp_path / "my_agency"
    folder.mkdir()
    said = uncomment((PROJECT / TEMPLATE).read_text(), entity)
    (folder / "agency.yml").write_text(said)
    agency = load_agency(folder)
    check_agency(agency)
    (feed,) = agency.feeds.values()
    assert set(feed.entities[entity].fields) == {f.name for f in load_standard()[entity].fields}
    assert said == agency_template(load_standard(), entities=[entity])


def test_the_template_takes_what_is_known_of_the_agency(tmp_path: Path) -> None:
    facts = {"agency_id": "yes", "agency_name": "A: B", "time_zone": "America/Denver", "county_fips": "08031"}
    said = agency_template(load_standard(), facts, ["contact"])
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "agency.yml").write_text(said)
    loaded = load_agency(tmp_path / "yes").agency
    assert {name: getattr(loaded, name) for name in facts} == facts
    for wrong in ({"facts": {"sheriff": "x"}}, {"entities": ["nothing"]}):
        with pytest.raises(KeyError):
            agency_template(load_standard(), **wrong)
