"""Drafting an agency folder, checking a mapping, comparing extracts: through the functions and the command."""

from __future__ import annotations

import csv
import json
import shutil
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from orchestration.agencies import check_agency, load_agency
from orchestration.agencies.folder import AgencyError, FieldMapping
from orchestration.agencies.tools.check import check_files
from orchestration.agencies.tools.check_page import report_page
from orchestration.agencies.tools.check_text import report_lines
from orchestration.agencies.tools.code_guess import NO_GUESS, guess_code
from orchestration.agencies.tools.diff import diff_files, weeks_against
from orchestration.agencies.tools.draft import ASK_ZONE, DraftError, new_agency
from orchestration.agencies.tools.guess import file_pattern
from orchestration.agencies.tools.profile import profile_file
from orchestration.agencies.tools.reading import Source, scratch
from orchestration.agencies.tools.words import identifying_reason, likeness, words
from orchestration.cli import main
from orchestration.landing import land_drop
from orchestration.settings import Settings
from orchestration.standard import code_list
from tests.conftest import REAL_DATA, real_data

PERSON = "Zebulon Quartermaine"
PHONE = "555-867-5309"
HEADER = [
    "Incident Number", "Response_Date", "Response_Time", "Problem", "Priority", "Disposition", "Beat", "Address", "Caller_Name",
    "Call_Back_Phone", "Unit", "Time_Dispatched", "Time_Arrived", "Time_CallClosed", "Weather",
]  # fmt: skip
PROBLEMS = ("Welfare Check", "Suicide Threat", "Noise", "Zorble")


def rows(n: int = 80, start: date = date(2024, 3, 4)) -> list[dict]:
    """n made-up calls, four a day, in a vendor's form: unpadded dates, a 12-hour clock apart, names and phones."""
    out = []
    for i in range(n):
        day = start + timedelta(days=i // 4)
        at = datetime(day.year, day.month, day.day, 9 + i % 4 * 3, 5)
        stamps = [f"{t.month}/{t.day}/{t.year} {t.hour % 12 or 12}:{t.minute:02d}:00 {'AM' if t.hour < 12 else 'PM'}"
                  for t in (at + timedelta(minutes=m) for m in (2, 9, 40))]  # fmt: skip
        out.append(dict(zip(HEADER, [
            f"24-{i:05d}", f"{day.month}/{day.day}/{day.year}", f"{at.hour:02d}{at.minute:02d}", PROBLEMS[i % 4], str(1 + i % 3),
            ("Report Taken", "Gone on Arrival")[i % 2], "-" if i % 10 == 0 else f"B{i % 5}", f"{i} Quartermaine Ct", PERSON, PHONE, f"A{i % 3}",
            *stamps, ("rain", "dry")[i % 2],
        ], strict=True)))  # fmt: skip
    return out


def write(path: Path, found: list[dict], header: list[str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header or list(found[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(found)
    return path


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path / "home", agency_paths=(tmp_path / "agencies",), threads=2, memory_limit="2GB")


@pytest.fixture
def crisis(tmp_path, monkeypatch):
    """Runs the command with a home of its own; (exit code, output)."""
    (tmp_path / "agencies").mkdir(exist_ok=True)
    monkeypatch.setenv("CRISIS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CRISIS_AGENCIES", str(tmp_path / "agencies"))

    def run(*words: object) -> tuple[int, str]:
        done = CliRunner().invoke(main, [str(w) for w in words])
        return done.exit_code, done.output

    return run


def answer_zone(folder: Path, zone: str = "America/Denver") -> None:
    path = folder / "agency.yml"
    path.write_text(path.read_text(encoding="utf-8").replace(ASK_ZONE, zone), encoding="utf-8")


def everything(folder: Path) -> str:
    return "\n".join(p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*")) if p.is_file())


# --- new


def test_a_draft_loads_once_the_time_zone_is_answered(settings, tmp_path):
    draft = new_agency(
        settings, "mytown", [write(tmp_path / "CAD_2024-03.csv", rows())], tmp_path / "agencies", state="CO"
    )
    with pytest.raises(AgencyError, match=f"time_zone.*{ASK_ZONE}.*IANA"):
        load_agency(draft.folder)
    text = (draft.folder / "agency.yml").read_text(encoding="utf-8")
    assert "question:" in text
    assert "America/Denver" in text  # what the state suggests, in a comment
    answer_zone(draft.folder)
    agency = load_agency(draft.folder)
    check_agency(agency)
    (feed,) = agency.feeds.values()
    assert feed.takes("CAD_2024-04.csv")
    fields = feed.entities["incident"].fields
    said = {k: fields[k].column for k in ("incident_number", "call_type_final_code", "priority_final", "caller_name")}
    assert said == {
        "incident_number": "Incident Number", "call_type_final_code": "Problem", "priority_final": "Priority", "caller_name": "Caller_Name",
    }  # fmt: skip
    assert fields["received_at"] == FieldMapping(date="Response_Date", time="Response_Time", format="%m/%d/%Y hhmm")
    assert fields["closed_at"] == FieldMapping(column="Time_CallClosed", format="%m/%d/%Y %I:%M:%S %p")
    assert agency.missing == ("-",)
    assert {"dispatched_at", "on_scene_at", "unit_number", "response_scope_code"} <= set(
        feed.entities["unit_response"].fields
    )


def test_every_guess_of_a_draft_is_marked_and_identifying_values_stay_out(settings, tmp_path):
    draft = new_agency(
        settings, "mytown", [write(tmp_path / "cad_1.csv", rows())], tmp_path / "agencies", zone="America/Denver"
    )
    lines = (draft.folder / "agency.yml").read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == "fields:")
    mapped = [line for line in lines[at + 1 :] if line.startswith(" " * 10) and not line.strip().startswith("#")]
    assert mapped
    assert all("# guess: " in line for line in mapped)
    assert any('"Weather": unclassed: decide' in line for line in lines)
    text = everything(draft.folder) + "\n".join(draft.said)
    for secret in ("Zebulon", "Quartermaine", "867-5309"):
        assert secret not in text


def test_code_files_hold_every_code_with_its_count(settings, tmp_path):
    draft = new_agency(
        settings, "mytown", [write(tmp_path / "cad_1.csv", rows())], tmp_path / "agencies", zone="America/Denver"
    )
    with (draft.folder / "codes" / "call_type.csv").open(encoding="utf-8") as file:
        found = {r["local_code"]: r for r in csv.DictReader(file)}
    assert set(found) == set(PROBLEMS)
    assert found["Welfare Check"]["standard_code"] == "WELFARE"
    assert found["Suicide Threat"]["standard_code"] == "SUICTHRT"
    assert found["Zorble"]["standard_code"] == "other"
    assert found["Zorble"]["note"] == f"{NO_GUESS}; 20 rows"
    load_agency(draft.folder)


def test_free_text_and_addresses_make_no_code_file(settings, tmp_path):
    found = [{**r, "Disposition": f"spoke with person {i}"} for i, r in enumerate(rows())]
    draft = new_agency(
        settings, "mytown", [write(tmp_path / "cad_1.csv", found)], tmp_path / "agencies", zone="America/Denver"
    )
    assert not (draft.folder / "codes" / "cad_disposition.csv").exists()
    assert "spoke with" not in everything(draft.folder)


def test_layouts_that_are_much_alike_are_variants_of_one_feed(settings, tmp_path):
    one = [write(tmp_path / f"cad_2024-0{m}.csv", rows(20, date(2024, m, 1))) for m in (3, 4)]
    old = [{**{k: v for k, v in r.items() if k != "Weather"}, "Incident Number": f"23-{i:05d}",
            "Time_CallClosed": r["Response_Date"] + " 23:30"} for i, r in enumerate(rows(20))]  # fmt: skip
    draft = new_agency(
        settings, "mytown", [*one, write(tmp_path / "calls_old.csv", old)], tmp_path / "agencies", zone="America/Denver"
    )
    agency = load_agency(draft.folder)
    check_agency(agency)
    (feed,) = agency.feeds.values()
    assert sorted(feed.files) == ["cad_*.csv", "calls_old.csv"]
    ((name, variant),) = feed.variants.items()
    assert variant.when == ("Weather",)
    assert feed.entities["incident"].fields["closed_at"].format == ("%m/%d/%Y %H:%M",)
    now = feed.as_sent(HEADER).entities["incident"].fields
    assert now["closed_at"].format == ("%m/%d/%Y %I:%M:%S %p",)
    report = check_files(settings, agency, [Source(p, p.name) for p in draft.fed], "files given")
    assert {f.file: f.variant for f in report.files} == {
        "cad_2024-03.csv": name, "cad_2024-04.csv": name, "calls_old.csv": "",
    }  # fmt: skip
    assert report.entities[0].accepted == 60
    assert "cad, variant" in "\n".join(report_lines(report))


def test_a_small_table_of_codes_is_looked_up(settings, tmp_path):
    code_of = dict(zip(PROBLEMS, ("CW", "ST", "NO", "ZZ"), strict=True))
    calls = write(tmp_path / "cad_1.csv", [{**r, "Problem": code_of[r["Problem"]]} for r in rows()])
    table = write(tmp_path / "types.csv", [{"code": c, "since": "1", "description": p} for p, c in code_of.items()])
    draft = new_agency(settings, "mytown", [calls, table], tmp_path / "agencies", zone="America/Denver")
    agency = load_agency(draft.folder)
    check_agency(agency)
    assert list(agency.feeds) == ["cad", "types"]
    assert agency.feeds["cad"].lookups["types"].key == "code"
    field = agency.feeds["cad"].entities["incident"].fields["call_type_final_code"]
    assert field.expression == "coalesce(types.description, Problem)"
    text = (draft.folder / "codes" / "call_type.csv").read_text(encoding="utf-8")
    assert "Welfare Check,WELFARE" in text
    assert "sent as CW" in text
    assert set(draft.fed) == {calls, table}
    report = check_files(settings, agency, [Source(p, p.name) for p in draft.fed], "files given")
    assert not [f.problem for f in report.files if f.problem]
    assert [(c.field, c.shown) for c in report.codes if c.code_list == "call_type"] == [
        ("call_type_final_code", [("Zorble", 20)])
    ]
    assert report.unclassed == {"cad": ["Weather"], "types": ["since"]}
    report = check_files(settings, agency, [Source(calls, calls.name)], "files given")
    assert "side_table_missing" in report.problems[0]


def test_a_table_that_repeats_codes_is_no_feed_and_explains_them(settings, tmp_path):
    code_of = dict(zip(PROBLEMS, ("CW", "ST", "NO", "ZZ"), strict=True))
    calls = write(tmp_path / "cad_1.csv", [{**r, "Problem": code_of[r["Problem"]]} for r in rows()])
    told = [{"code": c, "description": p} for p, c in code_of.items()]
    more = [{"code": f"X{i}", "description": "Other"} for i in range(12)]
    draft = new_agency(
        settings, "mytown", [calls, write(tmp_path / "types.csv", [*told, *more, told[0]])], tmp_path / "agencies", zone="America/Denver"
    )  # fmt: skip
    assert list(load_agency(draft.folder).feeds) == ["cad"]
    text = (draft.folder / "codes" / "call_type.csv").read_text(encoding="utf-8")
    assert "CW,WELFARE" in text
    assert "Welfare Check" in text


def test_every_column_without_a_field_has_a_class_or_a_question(settings, tmp_path):
    found = [{**r, "Plate": "ABC123", "Subject_Race": "W", "Day_Of_Week": str(i % 7)} for i, r in enumerate(rows())]
    path = write(tmp_path / "cad_1.csv", found)
    draft = new_agency(settings, "mytown", [path], tmp_path / "agencies", zone="America/Denver")
    agency = load_agency(draft.folder)
    assert agency.columns == {"Plate": "identifying", "Subject_Race": "sensitive", "Day_Of_Week": "not_sensitive"}
    text = (draft.folder / "agency.yml").read_text(encoding="utf-8")
    assert all("# guess: " in line for line in text.splitlines() if line.startswith('  "') and "identifying" in line)
    assert '# "Weather": unclassed: decide' in text
    report = check_files(settings, agency, [Source(path, path.name)], "files given")
    assert report.unclassed == {"cad": ["Weather"]}


def test_files_that_repeat_their_records_are_snapshots(settings, tmp_path):
    files = [write(tmp_path / f"cad_2024-0{m}-01.csv", rows(40 + m)) for m in (3, 4, 5)]
    draft = new_agency(settings, "mytown", files, tmp_path / "agencies", zone="America/Denver")
    (feed,) = load_agency(draft.folder).feeds.values()
    assert feed.snapshot == "partial"
    assert feed.version.file_name == r"cad_(\d{4}-\d{2}-\d{2})"
    files = [write(tmp_path / f"calls_{m}.csv", rows(8, date(2024, m, 1))) for m in (1, 2)]
    for n, path in enumerate(files):
        path.write_text(path.read_text(encoding="utf-8").replace("24-0", f"24-{n}"), encoding="utf-8")
    draft = new_agency(settings, "other", files, tmp_path / "agencies", zone="America/Denver")
    (feed,) = load_agency(draft.folder).feeds.values()
    assert feed.snapshot == "none"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["1595000000000", "1595000001000"], "{column: Received, format: epoch_ms, zone: UTC}"),
        (["2020-07-26 04:00:00+00", "2020-07-27 04:00:01+00"], "{column: Received, zone: UTC}"),
        (["2020-07-26 04:00:00", "2020-07-27 04:00:01"], "Received"),
        (["7/6/2020 4:00:00 PM", "12/26/2020 11:15:00 AM"], '{column: Received, format: "%m/%d/%Y %I:%M:%S %p"}'),
        (["2020-07-26 04:00:00-05", "2020-07-27 04:00:01-05"], "\"regexp_replace(Received, ' ?(Z|[+-]\\\\d\\\\d(:?\\\\d\\\\d)?)$', '')\""),
    ],
)  # fmt: skip
def test_times_are_written_by_their_form_and_accepted(settings, tmp_path, texts, said):
    found = [{"Incident Number": str(i), "Received": t, "Call Type": "NOISE"} for i, t in enumerate(texts)]
    path = write(tmp_path / "cad_1.csv", found)
    draft = new_agency(settings, "mytown", [path], tmp_path / "agencies", zone="America/Denver")
    assert f"          received_at: {said}  # guess" in (draft.folder / "agency.yml").read_text(encoding="utf-8")
    report = check_files(settings, load_agency(draft.folder), [Source(path, path.name)], "files given")
    assert report.entities[0].accepted == 2


def test_a_draft_never_writes_over_a_folder(crisis, tmp_path):
    path = write(tmp_path / "cad_1.csv", rows())
    assert crisis("agency", "new", "mytown", "--from", path)[0] == 0
    before = everything(tmp_path / "agencies")
    code, said = crisis("agency", "new", "mytown", "--from", path)
    assert code == 2
    assert "never writes over" in said
    assert everything(tmp_path / "agencies") == before


@pytest.mark.parametrize(
    ("name", "zone", "says"), [("My Town", None, "lower-case"), ("mytown", "America/Nowhere", "IANA")]
)
def test_mistakes_of_new_are_explained(settings, tmp_path, name, zone, says):
    path = write(tmp_path / "cad_1.csv", rows())
    with pytest.raises(DraftError, match=says):
        new_agency(settings, name, [path], tmp_path / "agencies", zone)
    assert not (tmp_path / "agencies").exists()


def test_a_file_without_a_header_makes_no_draft(settings, tmp_path):
    path = tmp_path / "cad_1.csv"
    path.write_text(f"24-00001,{PERSON},{PHONE},NOISE\n24-00002,{PERSON},{PHONE},NOISE\n", encoding="utf-8")
    with pytest.raises(DraftError, match="header row") as error:
        new_agency(settings, "mytown", [path], tmp_path / "agencies")
    assert PERSON not in str(error.value)


@pytest.mark.parametrize(
    ("texts", "kind", "formats"),
    [
        (["7/6/2020 4:00:00 PM", "12/26/2020 11:15:00 AM"], "timestamp", ("%m/%d/%Y %I:%M:%S %p",)),
        (["26/7/2020 16:00", "1/2/2020 9:05"], "timestamp", ("%d/%m/%Y %H:%M",)),
        (["2020-07-26T04:00:00.000", "2020-07-27T04:00:01.000"], "timestamp", ()),
        (["2020-07-26 04:00:00+00", "2020-07-27 04:00:01+00"], "timestamp", ()),
        (["1595000000000", "1595000001000"], "epoch", ("ms",)),
        (["07/26/20", "07/27/20"], "date", ("%m/%d/%y",)),
        (["20200726", "20200727"], "date", ("%Y%m%d",)),
        (["4:05 PM", "11:15 AM"], "time", ("%I:%M %p",)),
        (["1", "22"], "integer", ()),
        (["1.5", "22"], "number", ()),
        (["one", "two"], "text", ()),
    ],
)
def test_shapes_are_read_off_the_values(settings, tmp_path, texts, kind, formats):
    path = write(tmp_path / "file.csv", [{"when": t, "other": "x"} for t in texts])
    with scratch(settings) as con:
        shape = profile_file(settings, con, path).column("when").shape
    assert (shape.kind, shape.formats) == (kind, formats)


def test_times_of_every_form_come_out_right(settings, tmp_path):
    """Expressions of a draft, run: date and HHMM apart, and a 12-hour clock without padding."""
    path = write(tmp_path / "cad_1.csv", rows(4))
    draft = new_agency(settings, "mytown", [path], tmp_path / "agencies", zone="America/Denver")
    agency = load_agency(draft.folder)
    report = check_files(settings, agency, [Source(path, path.name)], "files given")
    assert [e.accepted for e in report.entities] == [4, 4]
    assert report.entities[0].months == {"2024-03": 4}
    assert {i.valid for i in report.intervals} == {4}


def test_times_of_day_that_share_one_date_pass_midnight(settings, tmp_path):
    found = [{"Call Number": str(i), "Call Date": f"05/{i + 1:02d}/2024", "Call Time": "23:50:00", "Closed Time": "00:20:00",
              "Nature Code": "NOISE", "Report Race": "W"} for i in range(20)]  # fmt: skip
    path = write(tmp_path / "cad_1.csv", found)
    draft = new_agency(settings, "mytown", [path], tmp_path / "agencies", zone="America/Denver")
    agency = load_agency(draft.folder)
    said = agency.feeds["cad"].entities["incident"]
    assert said.one_date == ("received_at", "closed_at")
    assert said.fields["closed_at"] == FieldMapping(date="Call Date", time="Closed Time", format="%m/%d/%Y %H:%M:%S")
    assert "report_number" not in said.fields
    assert agency.columns == {"Report Race": "sensitive"}
    report = check_files(settings, agency, [Source(path, path.name)], "files given")
    assert [(i.rule, i.rows) for i in report.imputed] == [("midnight_rollover", 20)]
    assert report.intervals[0].valid == 20


def test_placeholders_are_found(settings, tmp_path):
    found = [{"id": str(i), "closed": "1900-01-01 00:00:00" if i % 3 == 0 else "2020-01-01 10:00:00", "beat": "-9999" if i % 4 == 0 else "7",
              "kind": "REDACTED" if i % 5 == 0 else "NULL"} for i in range(40)]  # fmt: skip
    with scratch(settings) as con:
        profile = profile_file(settings, con, write(tmp_path / "file.csv", found))
    assert profile.column("closed").missing == (("1900-01-01 00:00:00", 14),)
    assert profile.column("beat").missing == (("-9999", 10),)
    assert profile.column("kind").withheld == (("REDACTED", 8),)
    assert profile.column("kind").missing == (("NULL", 32),)


def test_headers_are_understood():
    assert words("Time_PhonePickUp") == ("time", "phone", "pick", "up")
    assert likeness("Incident_Num", "incident number") == 1
    assert likeness("Beat", "sector") == 0
    for header in ("Caller_Name", "SubjectDOB", "GEO_LAT", "LicensePlate", "officer_id", "Home Address", "narrative"):
        assert identifying_reason(header), header
    for header in ("Problem", "Beat", "location_type", "call_type_name", "priority"):
        assert not identifying_reason(header), header
    assert file_pattern("cad_2020-05-25_2020-06-02.xlsx") == "cad_*.xlsx"


def test_a_code_that_no_word_tells_is_not_guessed():
    assert guess_code("call_type", "Burglary alarm")[0] != "BURGLARY"
    assert guess_code("call_type", "Zorble") == ("other", NO_GUESS)


# --- check

MAPPING = """
agency: {agency_id: mytown, agency_name: My Town, agency_type_code: police, time_zone: America/Denver}
feeds:
  cad:
    files: "cad_*.csv"
    format: csv
    entities:
      incident:
        fields:
          incident_number: Number
          received_at: Received
          closed_at: Closed
          duplicate: "'no'"
          cancelled: Cancelled
          call_source_code: "'911'"
          call_type_initial_code: TypeOpen
          call_type_final_code: TypeClose
          priority_final: Priority
          caller_name: Caller
"""


def calls(n: int = 60, start: date = date(2024, 1, 1), each_day: int = 2, **over) -> list[dict]:
    return [
        {
            "Number": f"{start:%y%m%d}-{i:04d}", "Received": f"{start + timedelta(days=i // each_day)} 10:00:00",
            "Closed": f"{start + timedelta(days=i // each_day)} 11:00:00", "Cancelled": "N", "TypeOpen": "NOISE", "TypeClose": "EDP",
            "Priority": "2", "Caller": PERSON, "Weather": "rain", **over,
        }
        for i in range(n)
    ]  # fmt: skip


@pytest.fixture
def mytown(tmp_path) -> Path:
    folder = tmp_path / "agencies" / "mytown"
    folder.mkdir(parents=True)
    (folder / "agency.yml").write_text(MAPPING, encoding="utf-8")
    return folder


def test_a_file_that_fits_passes(crisis, mytown, tmp_path):
    code, said = crisis("agency", "check", "mytown", "--from", write(tmp_path / "cad_1.csv", calls()))
    assert code == 0, said
    assert said.rstrip().endswith("fits")
    assert not (tmp_path / "home").exists()  # nothing is written


def test_check_finds_what_was_planted(settings, mytown, tmp_path):
    planted = calls(100)
    planted[6]["Received"] = f"noon, says {PERSON}"
    planted[10]["Closed"] = "2024-01-06 09:00:00"  # an hour before it was received
    planted[20]["Closed"] = ""
    planted[22]["Closed"] = "2024-01-20 10:00:00"
    planted[30]["TypeClose"] = planted[31]["TypeClose"] = "GRUMBLE"
    planted[40]["Number"] = planted[41]["Number"]
    text = (mytown / "agency.yml").read_text(encoding="utf-8").replace("          cancelled: Cancelled\n", "")
    (mytown / "agency.yml").write_text(text, encoding="utf-8")
    path = write(tmp_path / "cad_1.csv", planted)
    report = check_files(settings, load_agency(mytown), [Source(path, path.name)], "files given")

    (entity,) = report.entities
    assert (entity.rows, entity.accepted, entity.rejected, entity.not_applicable) == (100, 99, 1, 0)
    assert (entity.keys, entity.repeated_keys, entity.extra_rows) == (98, 1, 1)
    (reject,) = report.rejects
    assert (reject.file, reject.rule, reject.field, reject.rows) == ("cad_1.csv", "not_a_time", "received_at", [7])
    (codes,) = report.codes
    assert (codes.field, codes.codes, codes.rows, codes.shown) == ("call_type_final_code", 1, 2, [("GRUMBLE", 2)])
    assert [(u.field, u.presence) for u in report.unmapped if u.presence == "required"] == [("cancelled", "required")]
    assert report.unclassed == {"cad": ["Cancelled", "Weather"]}
    (interval,) = report.intervals
    assert (interval.start, interval.end) == ("received_at", "closed_at")
    assert (interval.valid, interval.missing, interval.negative, interval.over_a_day) == (96, 1, 1, 1)
    assert sum(t.at_open for t in report.tiers) == sum(t.at_close for t in report.tiers) == 99
    assert next(t for t in report.tiers if t.tier == "1").at_close == 97
    assert not report.fits
    said = (mytown / "agency.yml").read_text(encoding="utf-8")
    (mytown / "agency.yml").write_text(
        said.replace("      incident:\n", "      incident:\n        lacks: [cancelled]\n")
    )
    lacking = check_files(settings, load_agency(mytown), [Source(path, path.name)], "files")
    assert lacking.fits
    assert "said to be lacking: cancelled" in "\n".join(report_lines(lacking))

    said = "\n".join(report_lines(report)) + report_page(report) + json.dumps(report.as_dict())
    for secret in ("Zebulon", "Quartermaine", "noon, says"):
        assert secret not in said


def test_more_rejects_than_a_twentieth_do_not_fit(crisis, mytown, tmp_path):
    planted = [{**r, "Received": "soon"} if i < 6 else r for i, r in enumerate(calls(60))]
    code, said = crisis("agency", "check", "mytown", "--from", write(tmp_path / "cad_1.csv", planted))
    assert code == 1
    assert "10.0% of the rows are rejected" in said
    assert "cad_1.csv: not_a_time at incident.received_at: 6 row(s): 1, 2, 3, 4, 5, 6" in said


def remap(folder: Path, *changes: tuple[str, str]) -> None:
    path = folder / "agency.yml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def test_each_of_several_codes_is_counted(settings, mytown, tmp_path):
    fields = (
        "fields: {force_event_number: Number, occurred_at: Received, force_type_codes: {column: Types, separator: ';'}}"
    )
    remap(mytown, ("      incident:\n", f"      force_event:\n        {fields}\n      incident:\n"))
    (mytown / "codes").mkdir()
    lists = "local_code,standard_code,match\nTASER,conducted_energy_device,exact\nHAND.*,hands_on,regex\n"
    known = set(code_list("force_type"))
    lists = lists.replace("conducted_energy_device", sorted(known)[0]).replace("hands_on", sorted(known)[1])
    (mytown / "codes" / "force_type.csv").write_text(lists, encoding="utf-8")
    path = write(tmp_path / "cad_1.csv", calls(10, Types="TASER; ZAP;HANDS"))
    report = check_files(settings, load_agency(mytown), [Source(path, path.name)], "files given")
    (codes,) = (c for c in report.codes if c.entity == "force_event")
    assert (codes.field, codes.shown) == ("force_type_codes", [("ZAP", 10)])


def test_lists_and_groups_are_counted_as_a_run_counts_them(settings, mytown, tmp_path):
    each = """      unit_response:
        each: string_split(Units, ' ')
        fields:
          incident_number: Number
          unit_number: split_part(item, '=', 1)
          response_scope_code: "'unit'"
          on_scene_at: left(Received, 10) || ' ' || split_part(item, '=', 2)
      contact:
        group: [Priority]
        fields: {contact_number: min(Number), occurred_at: min(Received)}
      incident:
"""
    remap(mytown, ("      incident:\n", each))
    path = write(tmp_path / "cad_1.csv", calls(10, Units="E11=14:02:10 M3=14:05:44 E9=soon"))
    report = check_files(settings, load_agency(mytown), [Source(path, path.name)], "files given")
    counts = {e.entity: (e.rows, e.accepted, e.rejected, e.folded, e.not_applicable) for e in report.entities}
    assert counts["unit_response"] == (30, 20, 10, 0, 0)
    assert counts["contact"] == (10, 1, 0, 9, 0)
    assert counts["incident"] == (10, 10, 0, 0, 0)


def test_a_snapshot_that_shrank_and_short_lines_are_told(settings, mytown, tmp_path):
    remap(mytown, ("    format: csv\n", "    format: csv\n    snapshot: complete\n    max_shrink: 0.1\n    ragged: pad\n"
                   "    version: {file_name: 'cad_(\\d)'}\n"))  # fmt: skip
    files = [write(tmp_path / f"cad_{n}.csv", calls(size)) for n, size in ((3, 30), (1, 60), (2, 58))]
    files[1].write_text(files[1].read_text(encoding="utf-8").replace(",rain\n", "\n", 4), encoding="utf-8")
    report = check_files(settings, load_agency(mytown), [Source(p, p.name) for p in files], "files given")
    first, second, third = report.files
    assert (first.file, first.padded, first.told) == ("cad_1.csv", 4, "")
    assert "2 rows fewer than the 60" in second.told
    assert "snapshot_shrank" in third.told
    assert report.entities[0].accepted == 118  # a run does not take in the third
    assert report.fits
    said = "\n".join(report_lines(report))
    assert "4 short line(s) filled up" in said
    assert "snapshot_shrank" in said
    assert "snapshot_shrank" in report_page(report)


def test_times_that_are_imputed_are_counted_by_rule(settings, mytown, tmp_path):
    remap(mytown, ("        fields:\n", "        one_date: [received_at, closed_at]\n        fields:\n"))
    found = calls(10, Received="2024-01-01 23:50:00", Closed="2024-01-01 00:20:00")
    found[0] |= {"Received": "2024-11-03 01:30:00", "Closed": "2024-11-03 05:00:00"}
    path = write(tmp_path / "cad_1.csv", [{**r, "Number": str(i)} for i, r in enumerate(found)])
    report = check_files(settings, load_agency(mytown), [Source(path, path.name)], "files given")
    assert {(i.field, i.rule): i.rows for i in report.imputed} == {
        ("closed_at", "midnight_rollover"): 9,
        ("received_at", "dst_ambiguous"): 1,
    }
    assert report.intervals[0].valid == 10
    assert "midnight_rollover: 9 row(s)" in "\n".join(report_lines(report))
    assert "midnight_rollover" in report_page(report)


def test_codes_that_a_draft_left_undecided_are_not_mapped(settings, mytown, tmp_path):
    (mytown / "codes").mkdir()
    (mytown / "codes" / "call_type.csv").write_text(
        f"local_code,standard_code,valid_from,valid_to,note\nEDP,EDP,,,\nNOISE,other,,,{NO_GUESS}; 60 rows\n",
        encoding="utf-8",
    )
    path = write(tmp_path / "cad_1.csv", calls())
    report = check_files(settings, load_agency(mytown), [Source(path, path.name)], "files given")
    assert [(c.field, c.shown) for c in report.codes] == [("call_type_initial_code", [("NOISE", 60)])]


def test_local_codes_that_may_tell_of_a_person_are_not_shown(settings, mytown, tmp_path):
    text = (
        (mytown / "agency.yml")
        .read_text(encoding="utf-8")
        .replace("call_type_final_code: TypeClose", "call_type_final_code: Caller")
    )
    (mytown / "agency.yml").write_text(text, encoding="utf-8")
    path = write(tmp_path / "cad_1.csv", calls(TypeOpen=f"call {PHONE}"))
    report = check_files(settings, load_agency(mytown), [Source(path, path.name)], "files given")
    assert {c.field: c.shown for c in report.codes} == {"call_type_initial_code": [], "call_type_final_code": []}
    said = "\n".join(report_lines(report)) + report_page(report) + json.dumps(report.as_dict())
    assert PERSON not in said
    assert PHONE not in said


def test_an_expression_that_fails_on_a_row_is_named_with_the_row(settings, mytown, tmp_path):
    text = (
        (mytown / "agency.yml")
        .read_text(encoding="utf-8")
        .replace("priority_final: Priority", "priority_final: cast(Priority as integer) + 1")
    )
    (mytown / "agency.yml").write_text(text, encoding="utf-8")
    planted = calls(50)
    planted[33]["Priority"] = PERSON
    path = write(tmp_path / "cad_1.csv", planted)
    report = check_files(settings, load_agency(mytown), [Source(path, path.name)], "files given")
    assert "cad_1.csv: mapping_failed: the expression of incident.priority_final failed on row 34" in report.problems[0]
    assert PERSON not in report_page(report)


def test_page_and_json_are_written_and_stand_alone(crisis, mytown, tmp_path):
    page, data = tmp_path / "check.html", tmp_path / "check.json"
    path = write(tmp_path / "cad_1.csv", calls())
    crisis("agency", "check", mytown, "--from", path, "--html", page, "--json", data)
    text = page.read_text(encoding="utf-8")
    assert "Fits." in text
    assert "<script" not in text
    assert "http" not in text
    assert json.loads(data.read_text(encoding="utf-8"))["entities"][0]["accepted"] == 60


def test_check_takes_the_drop_folder_and_then_the_landed_files(crisis, mytown, settings, tmp_path):
    assert crisis("agency", "check", "mytown")[0] == 1
    path = write(settings.drop / "mytown" / "cad_1.csv", calls())
    assert "files of the drop folder" in crisis("agency", "check", "mytown")[1]
    land_drop(settings, load_agency(mytown), path.parent)
    path.unlink()
    code, said = crisis("agency", "check", "mytown")
    assert code == 0
    assert "landed files" in said
    assert "cad_1.csv" in said


def test_mistakes_of_check_are_explained(crisis, mytown, tmp_path):
    assert crisis("agency", "check", "atlantis")[0] == 2
    assert "no agency folder 'atlantis'" in crisis("agency", "check", "atlantis")[1]
    assert crisis("agency", "check", "mytown", "--from", tmp_path / "none.csv")[0] == 2
    code, said = crisis("agency", "check", "mytown", "--from", write(tmp_path / "units.csv", calls()))
    assert code == 1
    assert "no feed takes a file of this name" in said
    code, said = crisis("agency", "check", "mytown", "--from", write(tmp_path / "cad_2.csv", [{"Number": "1"}]))
    assert code == 1
    assert "missing_column" in said
    (mytown / "agency.yml").write_text(MAPPING.replace("Cancelled\n", "nonsense(\n"), encoding="utf-8")
    code, said = crisis("agency", "check", "mytown", "--from", write(tmp_path / "cad_3.csv", calls()))
    assert code == 1
    assert "feeds.cad.entities.incident" in said


# --- diff


def test_diff_finds_what_changed(settings, mytown):
    agency = load_agency(mytown)
    weeks = calls(140, date(2024, 1, 1))  # ten weeks of fourteen calls
    land_drop(settings, agency, write(settings.drop / "mytown" / "cad_1.csv", weeks).parent)
    later = calls(84, date(2024, 3, 11))
    later = [r for r in later if not "2024-04-01" <= r["Received"][:10] <= "2024-04-07"]  # a silent week
    later = [
        {**r, "Priority": "high", "TypeClose": "GRUMBLE" if i % 9 == 0 else "EDP"}
        for i, r in enumerate(later + weeks[-10:])
    ]
    for r in later:
        del r["Closed"]
    path = write(settings.home / "cad_2.csv", [{**r, "Extra": "1"} for r in later])
    (found,) = diff_files(settings, agency, [Source(path, path.name)])
    assert not found.problem
    assert (found.added, found.lost, found.lost_mapped) == (["Extra"], ["Closed"], ["Closed"])
    assert ("Priority", "integer", "text") in found.retyped
    (codes,) = found.codes
    assert (codes.field, codes.new, codes.vanished) == ("call_type_final_code", [("GRUMBLE", 9)], [])
    assert found.keys_in_both == 10
    assert found.last_keys == 140
    assert {w.monday: w.note for w in found.weeks}[date(2024, 4, 1)] == "silent"


def test_diff_prints_plainly_and_without_persons(crisis, settings, mytown, tmp_path):
    land_drop(settings, load_agency(mytown), write(settings.drop / "mytown" / "cad_1.csv", calls(140)).parent)
    code, said = crisis(
        "agency",
        "diff",
        "mytown",
        "--from",
        write(tmp_path / "cad_2.csv", calls(60, date(2024, 3, 11), TypeClose="NOISE")),
    )
    assert code == 0, said
    assert "columns lost: none" in said
    assert "vanished codes of incident.call_type_final_code: 1 in 140 row(s)" in said
    assert PERSON not in said
    code, said = crisis("agency", "diff", "mytown", "--from", write(tmp_path / "units.csv", calls()))
    assert code == 1
    assert "no feed takes" in said


def test_weeks_are_judged_by_median_and_deviations():
    first = date(2024, 1, 1)
    past = {first + timedelta(weeks=i): n for i, n in enumerate((3, 20, 22, 18, 21, 19, 20, 4))}
    new = {first + timedelta(weeks=8 + i): n for i, n in enumerate((5, 20, 60, 21, 2, 9))}
    history, weeks = weeks_against(new, past)
    assert history == (6, 20, 18, 22)
    assert [w.note for w in weeks] == ["partial", "", "high", "", "low", "partial"]
    assert weeks_against(new, {first: 4})[0] is None


# --- public records, where they are at hand


REAL = {
    "san_diego": (["san_diego/pd_calls_for_service_2023_datasd.csv", "san_diego/pd_cfs_calltypes_datasd.csv"], {"incident": 26_595}),
    "tempe": (["tempe/Opioid_EMS_Calls.csv"], {"ems_response": 2_743}),
    "minneapolis": (["minneapolis/cad_2020-06-21_2020-07-13.xlsx", "minneapolis/cad_2020-05-25_2020-06-02.xlsx"], {"incident": 21_429}),
}  # fmt: skip


@real_data
@pytest.mark.parametrize("name", REAL)
def test_drafts_of_public_records_load_and_are_checked(settings, tmp_path, name):
    files, accepted = REAL[name]
    draft = new_agency(settings, name, [REAL_DATA / f for f in files], tmp_path / "agencies")
    answer_zone(draft.folder)
    agency = load_agency(draft.folder)
    yaml.safe_load((draft.folder / "agency.yml").read_text(encoding="utf-8"))
    report = check_files(settings, agency, [Source(p, p.name) for p in draft.fed], "files given")
    assert not [f.problem for f in report.files if f.problem]
    for entity, n in accepted.items():
        assert sum(e.accepted for e in report.entities if e.entity == entity) == n


@pytest.mark.skipif(shutil.which("nproc") is None, reason="timed on Linux only")
def test_a_large_file_is_profiled_in_seconds(settings, tmp_path):
    """100,000 rows by 25 columns in a quarter of what 400,000 may take, with room for a busy machine."""
    import duckdb

    path = tmp_path / "large.csv"
    columns = ", ".join(
        [f"i + {k} as number_{k}" for k in range(6)] + [f"(i * 7919 + {k}) % 50 as code_{k}" for k in range(10)]
        + [f"strftime(timestamp '2020-01-01' + to_seconds(i * {61 + k}), '%m/%d/%Y %I:%M:%S %p') as at_{k}" for k in range(5)]
        + [f"'street ' || (i % {9000 + k}) as text_{k}" for k in range(4)]
    )  # fmt: skip
    duckdb.sql(f"copy (select {columns} from range(100000) t(i)) to '{path}' (header)")
    started = time.process_time()
    with scratch(settings) as con:
        profile = profile_file(settings, con, path)
    assert len(profile.columns) == 25
    assert time.process_time() - started < 15
