"""Files in, rows of the standard out: what is refused, rejected, withheld, superseded and folded, and where it goes."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration.agencies import AgencyError, check_agency, load_agency
from orchestration.landing import Manifest, land_drop
from orchestration.layers.input import build_input, create_input_views, load_state
from orchestration.layers.ledger import Ledger
from tests.conftest import AGENCIES, BIRCH, CAD, FORMS, UNITS, calls, forms, real_data, table, units

MONTHS = ("1990-01", "2039-12")


def take_in(home, agency_id: str, folder: Path | None = None):
    """Lands and reads the agency's drop folder; (manifest rows by file name, state)."""
    home.settings.ensure_home()
    agency = load_agency(folder or AGENCIES / agency_id)
    check_agency(agency)
    said = []
    land_drop(home.settings, agency, home.settings.drop / agency_id, say=said.append)
    build_input(home.settings, agency, Ledger(home.settings.home), said.append)
    home.said = said
    return {f.file_name: f for f in Manifest(home.settings, agency_id).files().values()}, load_state(
        home.settings, agency_id
    )


def rows(home, agency_id: str, query: str):
    state = load_state(home.settings, agency_id)
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        create_input_views(con, home.settings, [(agency_id, m) for m in state.months])
        return con.execute(query).fetchall()


def reconciled(state, agency_id: str) -> dict[tuple[str, str], tuple]:
    """{(file name, entity): (landed, accepted, rejected, superseded, folded, not applicable)}, checked to add up."""
    out = {}
    for row in state.reconciliation(agency_id):
        _, _, sha, entity, *counts = row
        assert counts[0] == sum(counts[1:]), row
        out[state.files[sha]["file_name"], entity] = tuple(counts)
    return out


# -- files that cannot be used


def test_each_unusable_file_is_landed_refused_and_explained_and_the_others_go_on(home):
    good = table(CAD, calls("2024-01"))
    home.drop("alder", "cad_good.csv", good)
    home.drop("alder", "cad_missing_column.csv", good.replace("type_open", "opened_as", 1))
    home.drop("alder", "cad_page.csv", "<!DOCTYPE html><html>sign in</html>")
    home.drop("alder", "cad_zip.csv", b"PK\x03\x04rest")
    home.drop("alder", "cad_empty.csv", "")
    home.drop("alder", "letter.txt", "hello")
    (home.settings.drop / "alder" / "units_cut.csv.gz").write_bytes(
        gzip.compress(table(UNITS, units("2024-01")).encode())[:-20]
    )
    (home.settings.drop / "alder" / "units_plain.csv.gz").write_bytes(table(UNITS, units("2024-01")).encode())
    files, state = take_in(home, "alder")
    assert {n: f.rule for n, f in files.items()} == {
        "cad_good.csv": "", "cad_missing_column.csv": "missing_column", "cad_page.csv": "not_as_named", "cad_zip.csv": "not_as_named",
        "cad_empty.csv": "empty_file", "letter.txt": "no_feed", "units_cut.csv.gz": "truncated", "units_plain.csv.gz": "not_as_named",
    }  # fmt: skip
    assert "type_open" in files["cad_missing_column.csv"].reason
    assert "line 1" in files["cad_missing_column.csv"].reason
    assert all(f.remedy for f in files.values() if f.rule not in ("", "no_feed"))
    assert all((home.settings.landing / f.path).exists() for f in files.values())
    assert [f["file_name"] for f in state.files.values()] == ["cad_good.csv"]
    assert any("cad_missing_column.csv" in s and "missing_column" in s for s in home.said)


def test_an_unknown_sheet_is_refused(home, tmp_path):
    folder = tmp_path / "agencies" / "birch"
    shutil.copytree(AGENCIES / "birch", folder)
    said = (
        (folder / "agency.yml")
        .read_text()
        .replace("forms_*.csv", "forms_*.xlsx")
        .replace("format: csv", "format: xlsx\n    sheet: Answers")
    )
    (folder / "agency.yml").write_text(said.replace(r"\.csv", r"\.xlsx"))
    home.drop("birch", "forms_20240101.xlsx", workbook("Sheet1", [["form", "occurred", "force", "disposition"]]))
    files, _ = take_in(home, "birch", folder)
    assert files["forms_20240101.xlsx"].rule == "unknown_sheet"
    assert "Answers" in files["forms_20240101.xlsx"].reason


def workbook(sheet: str, cells: list[list[str]]) -> bytes:
    """A minimal .xlsx with inline strings."""
    import io
    import zipfile
    from xml.sax.saxutils import escape

    lines = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{escape(c)}</t></is></c>' for c in row) + "</row>" for row in cells
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/s.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" Target="s.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="{sheet}" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/s.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return out.getvalue()


def test_xlsx_text_stays_as_it_is(home, tmp_path):
    folder = tmp_path / "agencies" / "birch"
    shutil.copytree(AGENCIES / "birch", folder)
    said = (
        (folder / "agency.yml")
        .read_text()
        .replace("forms_*.csv", "forms_*.xlsx")
        .replace("format: csv", "format: xlsx")
        .replace(r"\.csv", r"\.xlsx")
    )
    (folder / "agency.yml").write_text(said)
    cells = [BIRCH, ["007", "2024-01-05 10:00:00", "n/a", "no_action"]]
    home.drop("birch", "forms_20240101.xlsx", workbook("Sheet1", cells))
    take_in(home, "birch", folder)
    assert rows(home, "birch", "select contact_number, force_used from input.contact") == [("007", "not_applicable")]


# -- mappings that cannot be used


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("beat: beat", "beats: beat", "no such field"),
        ("received_at: received", "received_at: received +", "not valid SQL"),
        ("received_at: received", "received_at: no_such_function(received)", "no_such_function"),
        ("received_at: received", "received_at: (select 1)", "one SQL expression"),
        ("time_zone: America/Denver", "time_zone: Mountain", "IANA"),
        ("format: csv", "format: cvs", "format"),
        ("incident_number: number", "beat: beat", "incident_number"),
    ],
)
def test_a_bad_mapping_names_the_place_and_nothing_is_read(home, tmp_path, old, new, says):
    folder = tmp_path / "agencies" / "alder"
    shutil.copytree(AGENCIES / "alder", folder)
    path = folder / "agency.yml"
    path.write_text(path.read_text().replace(old, new, 1))
    home.drop("alder", "cad_1.csv", table(CAD, calls("2024-01")))
    with pytest.raises(AgencyError, match=r"agency\.yml") as raised:
        take_in(home, "alder", folder)
    assert says in str(raised.value)
    assert not Manifest(home.settings, "alder").files()


def test_a_code_that_is_not_in_the_list_names_file_and_line(home, tmp_path):
    folder = tmp_path / "agencies" / "alder"
    shutil.copytree(AGENCIES / "alder", folder)
    (folder / "codes" / "call_type.csv").write_text("local_code,standard_code\nCRISIS,EDP\nCHECK,WELLFARE\n")
    with pytest.raises(AgencyError, match=r"call_type.csv, line 3: 'WELLFARE'"):
        load_agency(folder)


# -- rows


def test_bad_rows_are_rejected_with_rule_and_address_and_the_others_go_on(home):
    bad = calls("2024-01", 8)
    bad[1]["received"] = "half past two"
    bad[3]["number"] = ""
    bad[4]["priority"] = "high"
    bad[6]["received"] = "1899-12-30 00:00:00"
    lines = table(CAD, bad).splitlines()
    lines.insert(3, "only,three,fields")  # file row 3; what follows moves down by one
    home.drop("alder", "cad_1.csv", "\n".join(lines) + "\n")
    files, state = take_in(home, "alder")
    assert reconciled(state, "alder")["cad_1.csv", "incident"] == (9, 4, 5, 0, 0, 0)
    rejected = duckdb.sql(
        f"from '{home.settings.results}/input/alder/{files['cad_1.csv'].sha256}.parquet' order by source_row"
    ).fetchall()
    assert rejected == [
        ("incident", 2, "not_a_time", "received_at"),
        ("incident", 3, "line_malformed", ""),
        ("incident", 5, "required", "incident_number"),
        ("incident", 6, "not_a_number", "priority_initial"),
        ("incident", 8, "month_out_of_range", "month"),
    ]
    assert rows(home, "alder", "select source_row from input.incident order by 1") == [(1,), (4,), (7,), (9,)]
    assert not any("half past two" in s for s in home.said)


def test_redacted_is_withheld_and_not_missing(home):
    home.drop(
        "alder",
        "cad_1.csv",
        table(
            CAD,
            calls(
                "2024-01", 3, address="REDACTED", type_close="REDACTED", lat="REDACTED", received="2024-01-02 10:00:00"
            ),
        ),
    )
    take_in(home, "alder")
    assert rows(
        home,
        "alder",
        "select distinct call_type_final_code, call_type_final_local, withheld_fields from input.incident",
    ) == [("withheld", None, "address,call_type_final_code,latitude")]


def test_an_unmapped_code_becomes_other_and_keeps_what_was_sent(home):
    home.drop("alder", "cad_1.csv", table(CAD, calls("2024-01", 3, type_open="ZZ NEW")))
    take_in(home, "alder")
    assert rows(
        home, "alder", "select distinct call_type_initial_code, call_type_initial_local from input.incident"
    ) == [("other", "ZZ NEW")]


def test_answers_keep_unknown_apart_from_no(home):
    """T8 of the field's test vectors, at input: Y, N, DK and blank are four different answers' texts."""
    answers = ["Y", "N", "DK", "", "REDACTED", "no", "X"]
    home.drop(
        "alder",
        "forms_1.csv",
        table(FORMS, [{**forms("2024-01", 1)[0], "form": str(i), "force": a} for i, a in enumerate(answers)]),
    )
    take_in(home, "alder")
    found = [a for (a,) in rows(home, "alder", "select force_used from input.contact order by contact_number")]
    assert found == ["yes", "no", "unknown", "not_recorded", "withheld", "no", "yes"]


def test_local_time_becomes_an_instant_in_the_agencys_zone(home):
    received = ["2024-01-05 10:00:00", "2024-07-05 10:00:00"]
    home.drop(
        "alder",
        "cad_1.csv",
        table(CAD, [{**calls("2024-01", 1)[0], "number": str(i), "received": r} for i, r in enumerate(received)]),
    )
    take_in(home, "alder")
    found = rows(
        home,
        "alder",
        "select strftime(received_at, '%H:%M'), received_local_at::varchar, received_raw from input.incident order by 1",
    )
    # Denver is seven hours behind UTC in winter and six in summer.
    assert found == [("16:00", "2024-07-05 10:00:00", None), ("17:00", "2024-01-05 10:00:00", None)]


def test_the_month_comes_from_the_event_else_the_report_else_it_is_unknown(home):
    base = forms("2024-01", 1)[0]
    cases = [
        {"form": "1", "occurred": "2024-01-31 23:59:59", "reported": "2024-02-01 08:00:00"},
        {"form": "2", "occurred": "1900-01-01 00:00:00", "reported": "2024-02-01 08:00:00"},
        {"form": "3", "occurred": "-", "reported": ""},
    ]
    home.drop("alder", "forms_1.csv", table(FORMS, [{**base, **c} for c in cases]))
    take_in(home, "alder")
    found = rows(
        home, "alder", "select month, month_basis, occurred_at is null from input.contact order by contact_number"
    )
    assert found == [("2024-01", "event", False), ("2024-02", "reported", True), ("unknown", "unknown", True)]


# -- versions


def test_a_newer_version_replaces_a_key_and_an_older_one_does_not(home):
    home.drop("alder", "cad_a.csv", table(CAD, calls("2024-01", 4, updated="2024-02-01")))
    home.drop("alder", "cad_b.csv", table(CAD, calls("2024-01", 2, updated="2024-03-01", beat="B9")))
    home.drop("alder", "cad_c.csv", table(CAD, calls("2024-01", 1, updated="2024-01-15", beat="B0")))
    _, state = take_in(home, "alder")
    counts = reconciled(state, "alder")
    assert counts["cad_a.csv", "incident"] == (4, 2, 0, 2, 0, 0)
    assert counts["cad_b.csv", "incident"] == (2, 2, 0, 0, 0, 0)
    assert counts["cad_c.csv", "incident"] == (1, 0, 0, 1, 0, 0)
    assert rows(home, "alder", "select beat, count(*) from input.incident group by 1 order by 1") == [
        ("B1", 2),
        ("B9", 2),
    ]


def test_a_key_that_changes_its_month_leaves_the_old_one(home):
    home.drop("alder", "cad_a.csv", table(CAD, calls("2024-01", 4, updated="2024-02-01")))
    take_in(home, "alder")
    before = load_state(home.settings, "alder").months["2024-01"]["write_id"]
    moved = {**calls("2024-01", 1)[0], "received": "2024-02-03 10:00:00", "updated": "2024-03-01"}
    home.drop("alder", "cad_b.csv", table(CAD, [moved]))
    _, state = take_in(home, "alder")
    assert rows(home, "alder", "select month, count(*) from input.incident group by 1 order by 1") == [
        ("2024-01", 3),
        ("2024-02", 1),
    ]
    assert state.months["2024-01"]["write_id"] != before
    assert state.judged_with("2024-01") == {"2024-01", "2024-02"}


def test_one_to_many_rows_are_folded_and_a_newer_file_replaces_all_children(home):
    """T7: template 7 with three dispositions, template 8 with one, are two contacts with four dispositions."""
    at = "2024-01-05 10:00:00"
    first = [("7", "resources_given"), ("7", "mobile_crisis_handoff"), ("7", "arrest_unspecified"), ("8", "no_action")]
    home.drop(
        "birch",
        "forms_20240101.csv",
        table(BIRCH, [{"form": f, "occurred": at, "force": "N", "disposition": d} for f, d in first]),
    )
    _, state = take_in(home, "birch")
    assert reconciled(state, "birch")["forms_20240101.csv", "contact"] == (4, 2, 0, 0, 2, 0)
    assert reconciled(state, "birch")["forms_20240101.csv", "contact_disposition"] == (4, 4, 0, 0, 0, 0)
    home.drop(
        "birch",
        "forms_20240201.csv",
        table(BIRCH, [{"form": "7", "occurred": at, "force": "N", "disposition": "no_action"}]),
    )
    _, state = take_in(home, "birch")
    assert reconciled(state, "birch")["forms_20240101.csv", "contact_disposition"] == (4, 1, 0, 3, 0, 0)
    assert rows(home, "birch", "select contact_number, disposition_code from input.contact_disposition order by 1") == [
        ("7", "no_action"),
        ("8", "no_action"),
    ]


def test_known_bytes_are_not_landed_twice_and_nothing_is_read_again(home):
    home.drop("alder", "cad_a.csv", table(CAD, calls("2024-01")))
    take_in(home, "alder")
    before = load_state(home.settings, "alder")
    home.drop("alder", "cad_copy.csv", table(CAD, calls("2024-01")))
    files, after = take_in(home, "alder")
    assert len(files) == 1
    assert after == before


def test_a_changed_mapping_reads_the_files_again(home, tmp_path):
    folder = tmp_path / "agencies" / "alder"
    shutil.copytree(AGENCIES / "alder", folder)
    home.drop("alder", "cad_a.csv", table(CAD, calls("2024-01")))
    take_in(home, "alder", folder)
    (folder / "codes" / "call_type.csv").write_text("local_code,standard_code\nCRISIS,SUICIDE\nCHECK,WELFARE\n")
    take_in(home, "alder", folder)
    assert rows(home, "alder", "select distinct call_type_final_code from input.incident order by 1") == [
        ("SUICIDE",),
        ("WELFARE",),
    ]


words = st.sampled_from(
    ["", "-", "2024-01-05 10:00:00", "2024-02-30 10:00:00", "1900-01-01 00:00:00", "REDACTED", 'x,"y', "ünïcode", "12"]
)
cad_rows = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.sampled_from(["", "1", "2", "3", "-"]),
            "received": words,
            "priority": words,
            "type_open": words,
            "cancelled": words,
            "updated": words,
        }
    ),
    max_size=12,
)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=cad_rows, second=cad_rows)
def test_every_landed_row_is_accounted_for_whatever_is_in_it(tmp_path_factory, first, second):
    from orchestration.settings import Settings
    from tests.conftest import Home

    home = Home(Settings(home=tmp_path_factory.mktemp("home"), agency_paths=(AGENCIES,), threads=1))
    home.drop("alder", "cad_a.csv", table(CAD, first))
    home.drop("alder", "cad_b.csv", table(CAD, second))
    _, state = take_in(home, "alder")
    reconciled(state, "alder")
    (n,) = rows(home, "alder", "select count(*) from input.incident")[0]
    assert n == sum(c[1] for c in reconciled(state, "alder").values())
    assert rows(home, "alder", "select incident_id from input.incident group by 1 having count(*) > 1") == []


# -- persons


def test_identifying_fields_go_to_the_identity_store_and_nowhere_else(home):
    planted = {
        "address": "12 Planted Way",
        "caller": "Planted Person",
        "phone": "555-0100",
        "lat": "39.00077",
        "lon": "-104.00077",
    }
    home.drop("alder", "cad_a.csv", table(CAD, calls("2024-01", **planted)))
    take_in(home, "alder")
    identity = home.settings.identity / "incident" / "agency_id=alder"
    found = duckdb.sql(
        f"select distinct address, caller_name, caller_phone, latitude, longitude from '{identity}/*.parquet'"
    ).fetchall()
    assert found == [tuple(planted.values())]
    assert identity.parent.parent.stat().st_mode & 0o077 == 0
    assert all(p.stat().st_mode & 0o077 == 0 for p in identity.iterdir())
    elsewhere = [
        p
        for p in home.settings.home.rglob("*")
        if p.is_file() and p.relative_to(home.settings.home).parts[0] not in ("identity", "landing", "drop")
    ]
    assert elsewhere
    for path in elsewhere:
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content = str(duckdb.sql(f"from '{path}'").fetchall()).encode()
        assert not any(value.encode() in content for value in planted.values()), path


# -- real exports


@real_data
def test_minneapolis_workbooks(home):
    from tests.conftest import REAL_DATA

    for path in (REAL_DATA / "minneapolis").glob("cad_*.xlsx"):
        home.drop("minneapolis", path.name, path.read_bytes())
    _, state = take_in(home, "minneapolis", AGENCIES.parent.parent / "agencies" / "minneapolis")
    counts = reconciled(state, "minneapolis")
    assert {f: c[:2] for (f, e), c in counts.items() if e == "incident"} == {
        "cad_2020-05-25_2020-06-02.xlsx": (7230, 7230),
        "cad_2020-06-21_2020-07-13.xlsx": (14199, 14199),
    }
    found = rows(
        home,
        "minneapolis",
        """
        select count(*), count(*) filter (call_type_final_local = 'Emotionally Disturb Person (P)'),
            count(*) filter (call_type_initial_local = 'Emotionally Disturb Person (P)'),
            round(100 * count(*) filter (call_type_initial_local <> call_type_final_local) / count(*), 1)
        from input.incident group by source_file order by 1
        """,
    )
    assert found == [(7230, 109, 137, 9.2), (14199, 291, 346, 10.9)]


@real_data
def test_seattle_vintages(home):
    from tests.conftest import REAL_DATA

    for path in (REAL_DATA / "seattle").glob("spd_crisis_data*.csv"):
        home.drop("seattle", path.name, path.read_bytes())
    _, state = take_in(home, "seattle", AGENCIES.parent.parent / "agencies" / "seattle")
    counts = reconciled(state, "seattle")
    # 982 templates in 1,000 rows of the first vintage; 889 ids are in all three and count once, in the newest.
    assert counts["spd_crisis_data20201114.csv", "contact"] == (1000, 93, 0, 889, 18, 0)
    assert counts["spd_crisis_data20201214.csv", "contact"][:2] == (1000, 1000)
    (n, distinct, missing, reported) = rows(
        home,
        "seattle",
        "select count(*), count(distinct contact_id), count(*) filter (occurred_at is null), count(*) filter (month_basis = 'reported') from input.contact",
    )[0]
    assert n == distinct == 1093
    assert missing > 0
    assert reported == missing
    assert rows(home, "seattle", "select count(*) from input.contact where occurred_at < timestamptz '1901-01-01'") == [
        (0,)
    ]
