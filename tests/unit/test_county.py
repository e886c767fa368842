"""The fictional county: the same bytes for the same seed, sound shares, and no code left unmapped by accident."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from pathlib import Path

import duckdb
import pytest

from orchestration.agencies import compile_entity, load_agency, source_columns
from orchestration.county import AGENCIES, calls, run, write_county
from orchestration.county.parameters import load_parameters
from orchestration.landing.readers import check_columns, check_container, header_of, read_raw
from orchestration.standard import load_standard

FOLDERS = Path(__file__).parents[2] / "agencies"
EXPLICIT = ("EDP", "SUICIDE", "SUICTHRT", "OD", "COGNIT")
HALF_YEAR = "2024-01_2024-06"
FILES = {
    "cedar_county/cad_incidents_2024-01_2024-06.csv",
    "cedar_county/cad_incidents_2024-04_corrected.csv",
    "cedar_county/cad_units_2024-01_2024-06.csv",
    "cedar_county/cad_status_2024-01_2024-06.csv.gz",
    "cedar_county/contact_forms_2024-01_2024-06.xlsx",
    "cedar_jail/jail_bookings_2024-02_new.csv",
    *(
        f"cedar_county/{feed}_{HALF_YEAR}.csv"
        for feed in ("force_reports", "positions", "roster", "training", "transports")
    ),
    f"cedar_county/programs_{HALF_YEAR}.xlsx",
    *(f"cedar_jail/{feed}_{HALF_YEAR}.csv" for feed in ("jail_bookings", "court_events")),
    *(f"cedar_health/{feed}_{HALF_YEAR}.csv" for feed in ("ed_visits", "holds", "stays", "deaths", "capacity")),
    *(f"cedar_care/{feed}_{HALF_YEAR}.csv" for feed in ("referrals", "services", "enrollments", "consents")),
}


def names(folder: Path) -> set[str]:
    """Files below a folder, by their path in it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by name."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names(folder)}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """The small county with all defaults."""
    folder = tmp_path_factory.mktemp("county")
    return folder, write_county(folder)


@pytest.fixture(scope="module")
def compiled(written: tuple[Path, dict[str, int]]) -> duckdb.DuckDBPyConnection:
    """Tables <entity> with every row of every file, as the agencies' mappings read them."""
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    for path in sorted(written[0].rglob("*")):
        if path.is_dir():
            continue
        agency = load_agency(FOLDERS / path.parent.name)
        feed_name = agency.feed_for(path.name)
        feed = agency.feeds[feed_name]
        check_container(path, feed)
        layout = feed.as_sent(header_of(path, feed))
        check_columns(path, layout, source_columns(agency, feed_name, layout))
        read_raw(con, path, layout)
        for entity in layout.entities:
            query = compile_entity(agency, feed_name, entity, path.name, None, ("2010-01", "2034-12"), layout=layout)
            known = con.execute("select count(*) from duckdb_tables() where table_name = ?", [entity]).fetchone()[0]
            con.execute(f"insert into {entity} {query}" if known else f"create table {entity} as {query}")
    return con


def one(con: duckdb.DuckDBPyConnection, query: str):
    """The single value of a query."""
    return con.execute(query).fetchone()[0]


def test_the_files_have_stable_names_and_nothing_else_is_left(written: tuple[Path, dict[str, int]]) -> None:
    assert names(written[0]) == FILES


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_bytes(written: tuple[Path, dict[str, int]], tmp_path: Path, threads: int) -> None:
    assert write_county(tmp_path, threads=threads) == written[1]
    assert digests(tmp_path) == digests(written[0])


def test_another_seed_gives_other_bytes(written: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    write_county(tmp_path, seed=1)
    first, second = digests(written[0]), digests(tmp_path)
    assert first.keys() == second.keys()
    plans = {
        f"cedar_county/roster_{HALF_YEAR}.csv",
        f"cedar_county/programs_{HALF_YEAR}.xlsx",
    }  # nothing in them is drawn
    assert {name for name in first if first[name] == second[name]} == plans


def test_rows_do_not_depend_on_the_size_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = write_county(tmp_path / "one", calls=6000)
    monkeypatch.setattr(run, "BLOCK", 2500)
    assert write_county(tmp_path / "many", calls=6000) == once
    packed = {name for name in names(tmp_path / "one") if name.endswith(".gz")}
    one, many = digests(tmp_path / "one"), digests(tmp_path / "many")
    assert {k: v for k, v in one.items() if k not in packed} == {k: v for k, v in many.items() if k not in packed}
    for name in packed:
        texts = [gzip.decompress((tmp_path / half / name).read_bytes()) for half in ("one", "many")]
        assert texts[0] == texts[1]


def test_counts_returned_are_the_rows_written(
    written: tuple[Path, dict[str, int]], compiled: duckdb.DuckDBPyConnection
) -> None:
    counts = written[1]
    assert counts["calls"] == 4000
    assert one(compiled, "select count(*) from incident") == counts["incident_rows"] + counts["corrected_rows"]
    assert counts["incident_rows"] == counts["calls"] + counts["doubled_rows"]
    assert one(compiled, "select count(*) from unit_response") == counts["unit_rows"]
    assert one(compiled, "select count(*) from contact") == counts["contact_forms_rows"]
    assert one(compiled, "select count(distinct contact_id) from contact") == counts["forms"]
    assert one(compiled, "select count(*) from jail_booking") == counts["jail_bookings_rows"]


def test_only_the_unparsable_times_are_rejected(
    written: tuple[Path, dict[str, int]], compiled: duckdb.DuckDBPyConnection
) -> None:
    assert 1 <= written[1]["unparsable_rows"] <= 15
    rejected = compiled.execute("select distinct _broken from incident where _broken is not null").fetchall()
    assert rejected == [("not_a_time:received_at",)]
    assert one(compiled, "select count(*) from incident where _broken is not null") == written[1]["unparsable_rows"]
    for entity in set(load_standard()) & {row[0] for row in compiled.execute("show tables").fetchall()} - {"incident"}:
        assert one(compiled, f"select count(*) from {entity} where _broken is not null") == 0


def test_every_code_is_mapped_but_the_one_left_out_on_purpose(compiled: duckdb.DuckDBPyConnection) -> None:
    unmapped = set()
    feeds = [feed for agency in AGENCIES for feed in load_agency(FOLDERS / agency).feeds.values()]
    sent = {name for feed in feeds for name in feed.entities}
    for name in sorted(sent):
        for field in load_standard()[name].fields:
            if field.kind == "code":
                local = field.name.removesuffix("_code") + "_local"
                rows = compiled.execute(f"select distinct {local} from {name} where {field.name} = 'other'").fetchall()
                unmapped |= {(field.code_list, row[0]) for row in rows}
    # a weapon of another kind is a mapped value
    assert unmapped - {("weapon_type", "OTHER")} == {("call_type", calls.UNMAPPED_TYPE)}


def test_the_code_files_hold_the_generator_s_texts() -> None:
    p = load_parameters()
    codes = {
        name: {row.local_code for row in rows} for name, rows in load_agency(FOLDERS / "cedar_county").codes.items()
    }
    assert codes["call_type"] == set(calls.TYPES) | set(calls.DRIFTED.values())
    assert codes["disposition"] == set(calls.OUTCOMES)
    assert codes["call_source"] == set(p.named("mix.source"))
    assert codes["location_type"] == set(p.named("mix.location"))


def test_shares_lie_in_their_bounds(compiled: duckdb.DuckDBPyConnection) -> None:
    """By call type 1 to 2 %; by form about ten times that: domain 2.8."""
    codes = ", ".join(f"'{code}'" for code in EXPLICIT)
    by_type, by_form, missing, negative = compiled.execute(f"""
        with calls as (
            select incident_id, max(call_type_initial_code in ({codes})) as explicit from incident
            where _broken is null and call_source_code <> 'on_view' and duplicate = 'no' and cancelled = 'no'
            group by incident_id
        )
        select avg(cast(explicit as integer)), avg(cast(incident_id in (select incident_id from contact
            where incident_id is not null) as integer)),
            (select avg(cast(on_scene_at is null as integer)) from unit_response where cancelled_at is null),
            (select count(*) from unit_response where on_scene_at < dispatched_at)
        from calls
    """).fetchone()
    assert 0.008 <= by_type <= 0.022
    assert 7 <= by_form / by_type <= 14
    assert 0.03 <= missing <= 0.09
    assert negative > 0


def test_forms_hold_what_the_metrics_need(written: tuple[Path, dict[str, int]], compiled) -> None:
    counts = written[1]
    assert 0.4 <= (counts["forms"] - counts["outreach_forms"]) / counts["bh_calls"] <= 0.65  # some calls met nobody
    answers = dict(compiled.execute("select arrestable_offense, count(*) from contact group by 1").fetchall())
    assert set(answers) == {"yes", "no", "unknown", "not_recorded"}
    force = {row[0] for row in compiled.execute("select distinct force_used from contact").fetchall()}
    assert force == {"yes", "no", "unknown"}
    assert one(compiled, "select count(*) from contact where withheld_fields like '%subject_name%'") > 0
    assert one(compiled, "select count(*) from contact where month_basis = 'reported'") > 0
    doubled = "select count(*) - count(distinct contact_disposition_id) from contact_disposition"
    assert one(compiled, doubled) > 0


def test_a_duplicate_follows_the_call_it_repeats(compiled: duckdb.DuckDBPyConnection) -> None:
    rows = compiled.execute("""
        with calls as (select distinct on (incident_id) * from incident where _broken is null
            order by incident_id, _version desc)
        select count(*), count(m.incident_id), min(c.received_at - m.received_at), max(c.received_at - m.received_at),
            count(*) filter (where m.duplicate = 'yes')
        from calls as c left join calls as m on m.incident_id = c.linked_incident_id where c.duplicate = 'yes'
    """).fetchone()
    assert 60 <= rows[0] <= 180
    assert rows[0] - rows[1] <= 2  # its master's row may be rejected
    assert rows[2].total_seconds() > -3700 and rows[3].total_seconds() < 4300
    assert rows[4] == 0


def test_the_corrected_export_is_newer_and_fills_in(compiled: duckdb.DuckDBPyConnection) -> None:
    filled, moved, older = compiled.execute("""
        select count(*) filter (where a.cad_disposition_local is null and b.cad_disposition_local is not null),
            count(*) filter (where a.month <> b.month), count(*) filter (where a._version >= b._version)
        from incident as a join incident as b on a.incident_id = b.incident_id
        where a.source_file not like '%corrected%' and b.source_file like '%corrected%' and a._broken is null
    """).fetchone()
    assert filled > 20
    assert moved > 0  # a key leaves its old month
    assert older == 0


def test_no_local_time_falls_into_the_hour_that_does_not_exist(tmp_path: Path) -> None:
    """2024-03-10 02:00 to 03:00 does not exist in the county's zone."""
    write_county(tmp_path, calls=30_000, months=1, start="2024-03", feeds=("cad", "units"))
    texts = (tmp_path / "cedar_county" / "cad_incidents_2024-03_2024-03.csv").read_text()
    texts += (tmp_path / "cedar_county" / "cad_units_2024-03_2024-03.csv").read_text()
    assert "2024-03-10 01:5" in texts and "2024-03-10 03:0" in texts
    assert "2024-03-10 02:" not in texts


def test_a_shift_keeps_its_number_to_itself_when_the_clock_goes_back(tmp_path: Path) -> None:
    """2023-11-05 has two night shifts that begin on it by the clock: one at midnight, one at 23:00."""
    write_county(tmp_path, calls=50, months=10, start="2023-02", feeds=("office",))
    (path,) = (tmp_path / "cedar_county").glob("roster_*.csv")
    numbers = [row["ShiftNumber"] for row in csv.DictReader(path.open())]
    assert len(numbers) == len(set(numbers)) >= 90


def test_persons_are_plainly_fictional(compiled: duckdb.DuckDBPyConnection) -> None:
    """No exchange of the North American plan begins with 0 or 1."""
    assert all(load_agency(FOLDERS / agency).agency.is_fictional for agency in AGENCIES)
    phones = compiled.execute("""
        select caller_phone from incident union select subject_phone from contact union select phone from jail_booking
        union select phone from ed_visit union select phone from referral
    """).fetchall()
    said = [phone for (phone,) in phones if phone and phone != "REDACTED"]
    assert len(said) > 500
    assert all(re.fullmatch(r"[2-9][59][1-9]?5?-[01]\d\d-\d{4}", phone) for phone in said)


def test_feeds_can_be_chosen(tmp_path: Path) -> None:
    counts = write_county(tmp_path, calls=50, months=2, feeds=("cad", "units"))
    assert {name.split("_20")[0] for name in names(tmp_path)} == {
        "cedar_county/cad_incidents",
        "cedar_county/cad_units",
    }
    assert "forms" not in counts


@pytest.mark.parametrize(
    "wrong",
    [
        {"calls": 0},
        {"months": 0},
        {"start": "2024-13"},
        {"feeds": ("cad", "ems")},
        {"dirt": -1},
        {"rates": {"nonsense": 1}},
        {"rates": {"typo": 2}},
    ],
    ids=lambda w: next(iter(w)),
)
def test_arguments_without_sense_are_refused(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(ValueError):
        write_county(tmp_path, **wrong)


def test_every_parameter_says_where_it_comes_from() -> None:
    rows = load_parameters().rows.values()
    assert all(row.source for row in rows)
    assert all(row.source != "invented" or row.note or row.kind in ("span", "weight", "factor") for row in rows)
    assert all(0 <= row.value <= 1 for row in rows if row.kind in ("rate", "dirt"))
    assert all(list(knots) == sorted(knots) for knots in load_parameters().spans.values())
