"""Forms: what they hold, that the same standard gives the same bytes, and that filled ones load as they are."""

from __future__ import annotations

from datetime import date, datetime
from itertools import product
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from orchestration.agencies import Agency, check_agency, compile_entity, load_agency
from orchestration.cli import main
from orchestration.engine import connect
from orchestration.landing.readers import check_columns, check_container, read_raw
from orchestration.standard import code_list, load_standard
from orchestration.standard.forms import agency_id_of, workbook, write_forms

MONTHS = ("2010-01", "2034-12")
STANDARD = load_standard()
MAPPED = [e.name for e in STANDARD.values() if e.is_mapped]
CONTACT = STANDARD["contact"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_forms(STANDARD, tmp_path / "riverton")
    return tmp_path / "riverton"


def load(agency: Agency, path: Path, entity: str) -> list[dict]:
    """Rows of a filled form, read and mapped as the input layer does, in the order of the file."""
    feed_name = agency.feed_for(path.name)
    feed = agency.feeds[feed_name]
    check_container(path, feed)
    check_columns(path, feed, [f.name for f in STANDARD[entity].fields])
    with connect() as con:
        read_raw(con, path, feed)
        sql = compile_entity(agency, feed_name, entity, "f" * 64, None, MONTHS)
        rows = con.execute(f"select * from ({sql}) order by source_row")
        names = [d[0] for d in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def fill(path: Path, to: Path, *rows: dict) -> Path:
    """The form with these rows from line 2, as somebody would save it."""
    book = openpyxl.load_workbook(path)
    header = {c.value: c.column for c in book["records"][1]}
    for number, row in enumerate(rows, start=2):
        for field, value in row.items():
            book["records"].cell(number, header[field], value)
    book.save(to)
    return to


def test_a_filled_form_loads_as_it_is(out: Path, tmp_path: Path) -> None:
    agency = load_agency(out)
    path = fill(
        out / "forms" / "contact.xlsx",
        tmp_path / "contact_2024-03.xlsx",
        {
            "contact_number": "0017", "incident_number": "24-001", "occurred_at": datetime(2024, 3, 11, 14, 5, 7),
            "reported_at": "2024-03-11 18:00:00", "call_source_code": "911", "suicide_risk_code": "ideation",
            "veteran": "no", "force_used": "not_recorded", "officer_minutes": 45, "beat": "N1",
            "subject_name": "Ada Doe", "subject_birth_date": date(1980, 2, 3), "narrative": "n/a",
        },
        {},
        {"contact_number": "18", "occurred_at": "2024-03-12 09:30", "officer_minutes": "12", "subject_birth_date": "1990-12-31"},
        {"contact_number": "19", "occurred_at": "2024-03-12 09:30:00", "officer_minutes": 4, "veteran": "perhaps"},
        {"beat": "N2"},
    )  # fmt: skip
    one, two, three, four = load(agency, path, "contact")
    assert one["_broken"] is None
    assert (one["contact_id"], one["incident_id"]) == ("riverton:0017", "riverton:24-001")
    assert one["occurred_local_at"] == datetime(2024, 3, 11, 14, 5, 7)
    assert one["occurred_at"].isoformat() == "2024-03-11T19:05:07+00:00"
    assert one["reported_local_at"] == datetime(2024, 3, 11, 18)
    assert (one["month"], one["occurred_raw"]) == ("2024-03", None)
    assert (one["call_source_code"], one["suicide_risk_code"]) == ("911", "ideation")
    assert (one["veteran"], one["force_used"], one["injury"]) == ("no", "not_recorded", "not_recorded")
    assert (one["officer_minutes"], one["beat"], one["source_row"]) == (45, "N1", 1)
    assert (one["subject_name"], str(one["subject_birth_date"])) == ("Ada Doe", "1980-02-03")
    assert (two["_broken"], two["source_row"]) == (None, 3)
    assert (two["occurred_local_at"], two["officer_minutes"]) == (datetime(2024, 3, 12, 9, 30), 12)
    assert str(two["subject_birth_date"]) == "1990-12-31"
    # The empty line is no record; a record without its number is rejected, and so is a word that is no answer.
    assert three["_broken"] == "not_an_answer:veteran"
    assert (four["_broken"], four["source_row"]) == ("required:contact_number", 5)


def test_the_csv_form_loads_as_it_is(out: Path, tmp_path: Path) -> None:
    header = (out / "forms" / "jail_booking.csv").read_text()
    assert header.rstrip("\n").split(",") == [f.name for f in STANDARD["jail_booking"].fields]
    path = tmp_path / "jail_booking (2).csv"
    booked = {
        "booking_number": "B1",
        "booked_at": "2024-03-10 17:00:00",
        "charge_level_code": "felony",
        "birth_date": "1980-02-03",
    }
    names = header.rstrip("\n").split(",")
    path.write_text(header + ",".join(booked.get(n, "") for n in names) + "\n" + "," * (len(names) - 1) + "\n")
    (row,) = load(load_agency(out), path, "jail_booking")
    assert (row["_broken"], row["jail_booking_id"], row["charge_level_code"]) == (None, "riverton:B1", "felony")
    assert (row["released_at"], str(row["birth_date"])) == (None, "1980-02-03")


def test_every_form_is_loaded_by_its_own_feed(out: Path) -> None:
    agency = load_agency(out)
    check_agency(agency)
    names = [f"{e}{suffix}" for e, suffix in product(MAPPED, ("", "_2024-05", "-2", " (1)", ".2024"))]
    for name, extension in product(names, ("xlsx", "csv")):
        entity = max((e for e in MAPPED if name.startswith(e)), key=len)
        assert agency.feed_for(f"{name}.{extension}") == f"{entity}_{extension}"
    for path in sorted((out / "forms").iterdir()):
        assert load(agency, path, path.stem) == []


def test_the_same_standard_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    first = workbook(CONTACT)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1e6)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(now + 1e6))
    monkeypatch.setattr("openpyxl.writer.excel.datetime", _Later)
    assert workbook(CONTACT) == first


class _Later:
    """A clock that runs years ahead, for the module that stamps a workbook."""

    class datetime(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2040, 1, 1, tzinfo=tz)

    from datetime import UTC, timezone


def test_a_form_guides_who_fills_it(out: Path) -> None:
    book = openpyxl.load_workbook(out / "forms" / "contact.xlsx")
    assert book.sheetnames == ["records", "help", "codes", "lists"]
    assert [book[n].sheet_state for n in book.sheetnames] == ["visible", "visible", "visible", "hidden"]
    records = book["records"]
    assert [c.value for c in records[1]] == [f.name for f in CONTACT.fields]
    assert records.freeze_panes == "A2"
    rules = {records[str(v.sqref).split("2:")[0] + "1"].value: v for v in records.data_validations.dataValidation}
    assert set(rules) == {f.name for f in CONTACT.fields}
    assert rules["occurred_at"].type == "date"
    assert (rules["officer_minutes"].type, rules["officer_minutes"].formula1) == ("whole", "0")
    assert rules["beat"].type is None
    for name, wanted in (("weapon_type_code", "weapon_type"), ("veteran", "answer")):
        sheet, cells = rules[name].formula1.split("!")
        listed = [c.value for (c,) in book[sheet][cells.replace("$", "")]]
        assert (rules[name].type, tuple(listed)) == ("list", code_list(wanted))
    fills = {c.value: c.fill.start_color.rgb for c in records[1]}
    required = {f.name for f in CONTACT.fields if f.presence == "required"}
    assert {n for n, color in fills.items() if color == fills["contact_number"]} == required
    helped = {row[0]: row for row in book["help"].iter_rows(min_row=2, values_only=True)}
    assert helped["narrative"][5].startswith("identifying")
    assert helped["veteran"][1] == CONTACT.field("veteran").description
    assert {c.number_format for c in records.column_dimensions.values()} == {"@", "General", "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"}  # fmt: skip


def test_the_command_writes_what_is_asked_and_never_over_a_filled_form(tmp_path: Path) -> None:
    def run(*args: str):
        return CliRunner().invoke(main, ["standard", "forms", *args])

    out = tmp_path / "Riverton PD"
    first = run("--out", str(out), "--entity", "contact")
    assert first.exit_code == 0, first.output
    assert "riverton_pd" in first.output
    assert sorted(p.name for p in out.rglob("*.*")) == ["agency.yml", "contact.csv", "contact.xlsx"]
    assert run("--out", str(out), "--entity", "contact").exit_code == 0
    fill(out / "forms" / "contact.xlsx", out / "forms" / "contact.xlsx", {"contact_number": "1"})
    kept = (out / "forms" / "contact.xlsx").read_bytes()
    again = run("--out", str(out), "--entity", "contact")
    assert (again.exit_code, "contact.xlsx" in again.output) == (1, True)
    assert (out / "forms" / "contact.xlsx").read_bytes() == kept
    unknown = run("--out", str(out), "--entity", "nothing")
    assert (unknown.exit_code, "unit_response" in unknown.output) == (1, True)


@pytest.mark.parametrize(("folder", "agency_id"), [("riverton", "riverton"), ("St. Paul", "st_paul"), ("4th", "agency_4th")])  # fmt: skip
def test_the_agency_is_named_after_its_folder(tmp_path: Path, folder: str, agency_id: str) -> None:
    assert agency_id_of(tmp_path / folder) == agency_id
