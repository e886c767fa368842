"""What an agency's mapping can say, each through the public surface: a file in, rows of the standard out.

T numbers are the field's list of pitfalls; the right answers are those that the list prints.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration.agencies import AgencyError, check_agency, clock, load_agency
from tests.integration.test_input import reconciled, rows, take_in

FACTS = {"agency_id": "elm", "agency_name": "Elm", "agency_type_code": "police", "time_zone": "America/Denver"}
DENVER = ZoneInfo("America/Denver")


def agency(tmp_path: Path, feeds: dict, codes: dict[str, str] | None = None, zone: str | None = None, **top) -> Path:
    """Writes an agency folder and gives it."""
    folder = tmp_path / "agencies" / "elm"
    (folder / "codes").mkdir(parents=True, exist_ok=True)
    facts = FACTS | ({"time_zone": zone} if zone else {})
    (folder / "agency.yml").write_text(yaml.safe_dump({"agency": facts, "feeds": feeds, **top}, sort_keys=False))
    for name, text in (codes or {}).items():
        (folder / "codes" / f"{name}.csv").write_text(text)
    return folder


def feed(entity: str, fields: dict, files: str = "*.csv", **said) -> dict:
    """One CSV feed of one entity; keys of the entity's mapping may be given beside those of the feed."""
    own = {k: said.pop(k) for k in ("rows", "where", "each", "group", "one_date") if k in said}
    return {"files": files, "format": "csv", "entities": {entity: {"fields": fields, **own}}, **said}


UNIT_TIMES = ("dispatched", "enroute", "on_scene", "cleared")
UNIT_FIELDS = {"incident_number": "Event", "unit_number": "Unit", "response_scope_code": "'unit'"} | {
    f"{t}_at": t for t in UNIT_TIMES
}


def one_unit(home, tmp_path, zone: str | None = None, fields: dict | None = None, **times: str) -> tuple:
    """Lands one unit row with these times; (instants of the times given as UTC texts, stamp_imputed)."""
    folder = agency(tmp_path, {"units": feed("unit_response", fields or UNIT_FIELDS)}, zone=zone)
    header = ["Event", "Unit", *((fields and ["Day"]) or []), *UNIT_TIMES]
    home.drop(
        "elm",
        "units.csv",
        ",".join(header) + "\n" + ",".join(["1", "A", *(times.get(h, "") for h in header[2:])]) + "\n",
    )
    take_in(home, "elm", folder)
    given = [t for t in UNIT_TIMES if t in times]
    columns = ", ".join(f"strftime({t}_at, '%Y-%m-%d %H:%M:%S')" for t in given)
    ((*instants, imputed),) = rows(home, "elm", f"select {columns}, stamp_imputed from input.unit_response")
    return tuple(instants), imputed


def seconds(instants: tuple[str, ...]) -> float:
    first, last = (datetime.fromisoformat(i) for i in (instants[0], instants[-1]))
    return (last - first).total_seconds()


# -- time


def test_t1_midnight_on_one_printed_date_is_passed_where_the_order_proves_it(home, tmp_path):
    fields = UNIT_FIELDS | {f"{t}_at": {"date": "Day", "time": t, "format": "%Y-%m-%d %H:%M:%S"} for t in UNIT_TIMES}
    feeds = {
        "units": feed("unit_response", fields, one_date=["dispatched_at", "enroute_at", "on_scene_at", "cleared_at"])
    }
    folder = agency(tmp_path, feeds)
    home.drop(
        "elm",
        "units.csv",
        "Event,Unit,Day,dispatched,enroute,on_scene,cleared\n"
        "1,A,2024-05-01,23:58:30,,00:04:10,00:30:00\n"  # 340 seconds to arrive, as the list says
        "2,A,2024-05-01,10:00:00,09:59:00,10:05:00,10:30:00\n",  # a clock a minute behind proves no midnight
    )
    take_in(home, "elm", folder)
    assert rows(
        home,
        "elm",
        "select incident_number, epoch(on_scene_at - dispatched_at), epoch(cleared_at - on_scene_at), stamp_imputed,"
        " on_scene_local_at::varchar, on_scene_raw from input.unit_response order by all",
    ) == [
        ("1", 340.0, 1550.0, "cleared_at:midnight_rollover,on_scene_at:midnight_rollover", "2024-05-02 00:04:10", None),
        ("2", 300.0, 1500.0, "", "2024-05-01 10:05:00", None),
    ]


def test_t2_an_hour_shown_twice_is_decided_by_the_order_of_events(home, tmp_path):
    instants, imputed = one_unit(home, tmp_path, dispatched="2024-11-03 01:50:00", on_scene="2024-11-03 01:10:00")
    assert seconds(instants) == 20 * 60  # not minus 40 minutes
    assert instants[0] == "2024-11-03 07:50:00"
    assert imputed == "dispatched_at:dst_by_order,on_scene_at:dst_by_order"


def test_t3_a_skipped_hour_makes_an_interval_shorter_than_the_clock_shows(home, tmp_path):
    instants, imputed = one_unit(home, tmp_path, dispatched="2024-03-10 01:55:00", on_scene="2024-03-10 03:05:00")
    assert seconds(instants) == 10 * 60  # not 70 minutes
    assert imputed == ""


def test_t4_an_hour_shown_twice_that_nothing_decides_is_flagged(home, tmp_path):
    instants, imputed = one_unit(home, tmp_path, dispatched="2024-11-03 01:30:00")
    assert instants in (("2024-11-03 07:30:00",), ("2024-11-03 08:30:00",))
    assert imputed == "dispatched_at:dst_ambiguous"


def test_t4_an_hour_shown_twice_is_decided_by_a_later_time_as_well(home, tmp_path):
    instants, imputed = one_unit(home, tmp_path, dispatched="2024-11-03 01:40:00", cleared="2024-11-03 01:20:00")
    assert seconds(instants) == 40 * 60
    assert imputed == "cleared_at:dst_by_order,dispatched_at:dst_by_order"


def test_a_time_that_the_clock_skips_is_flagged(home, tmp_path):
    _, imputed = one_unit(home, tmp_path, dispatched="2024-03-10 02:30:00")
    assert imputed == "dispatched_at:dst_skipped"


def test_a_zone_without_clock_changes_has_nothing_to_decide(home, tmp_path):
    instants, imputed = one_unit(home, tmp_path, zone="America/Phoenix", dispatched="2024-11-03 01:30:00")
    assert instants == ("2024-11-03 08:30:00",)
    assert imputed == ""


def test_t5_a_clock_time_as_a_number(home, tmp_path):
    fields = {"incident_number": "Event", "received_at": {"date": "Day", "time": "Clock", "format": "%m/%d/%Y hhmm"}}
    folder = agency(tmp_path, {"cad": feed("incident", fields)})
    home.drop(
        "elm",
        "cad.csv",
        "Event,Day,Clock\n1,5/1/2024,5\n2,05/01/2024,930\n3,5/1/2024,2400\n4,5/1/2024,1261\n5,5/1/2024,\n",
    )
    files, state = take_in(home, "elm", folder)
    assert rows(home, "elm", "select incident_number, received_local_at::varchar from input.incident order by 1") == [
        ("1", "2024-05-01 00:05:00"),
        ("2", "2024-05-01 09:30:00"),
        ("5", None),
    ]
    assert reconciled(state, "elm")["cad.csv", "incident"] == (5, 3, 2, 0, 0, 0)
    rejected = home.settings.results / "input" / "elm" / f"{files['cad.csv'].sha256}.parquet"
    found = duckdb.execute("select source_row, rule, field from read_parquet(?) order by 1", [str(rejected)]).fetchall()
    assert found == [(3, "not_a_time", "received_at"), (4, "not_a_time", "received_at")]


def test_t14_a_placeholder_date_is_missing_in_its_column_and_nowhere_else(home, tmp_path):
    folder = agency(
        tmp_path,
        {"cad": feed("incident", {"incident_number": "Event", "received_at": "Received", "entered_at": "Entered"})},
        missing_by_column={"Received": ["1900-01-01 00:00:00"]},
    )
    home.drop(
        "elm",
        "cad.csv",
        "Event,Received,Entered\n1,1900-01-01 00:00:00,2024-05-01 10:00:00\n2,2024-05-02 10:00:00,1900-01-01 00:00:00\n",
    )
    take_in(home, "elm", folder)
    query = "select incident_number, received_at is null, month, month_basis, year(entered_local_at) from input.incident order by 1"
    assert rows(home, "elm", query) == [
        ("1", True, "2024-05", "reported", 2024),
        ("2", False, "2024-05", "event", 1900),
    ]


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({"column": "T", "format": "%m/%d/%Y %I:%M:%S %p"}, "7/4/2024 4:05:09 PM"),
        ({"column": "T", "format": ["%Y%m%d%H%M%S", "%m/%d/%y %H:%M:%S"]}, "07/04/24 16:05:09"),
        ({"column": "T", "format": "epoch_ms", "zone": "UTC"}, str(int(datetime(2024, 7, 4, 22, 5, 9, tzinfo=UTC).timestamp() * 1000))),
        ({"column": "T", "format": "epoch_s", "zone": "UTC"}, str(int(datetime(2024, 7, 4, 22, 5, 9, tzinfo=UTC).timestamp()))),
        ({"column": "T", "format": "%Y-%m-%dT%H:%M:%SZ", "zone": "UTC"}, "2024-07-04T22:05:09Z"),
        ("replace(T, 'T', ' ')", "2024-07-04T16:05:09"),
    ],
)  # fmt: skip
def test_every_way_to_write_one_instant_gives_it(home, tmp_path, said, sent):
    folder = agency(tmp_path, {"cad": feed("incident", {"incident_number": "Event", "received_at": said})})
    home.drop("elm", "cad.csv", f"Event,T\n1,{sent}\n")
    take_in(home, "elm", folder)
    query = "select strftime(received_at, '%Y-%m-%d %H:%M:%S'), received_local_at::varchar, received_raw is null or received_raw = ? from input.incident"
    ((instant, local, keeps_text),) = rows(home, "elm", query.replace("?", f"'{sent}'"))
    assert (instant, local, keeps_text) == ("2024-07-04 22:05:09", "2024-07-04 16:05:09", True)


def test_a_text_that_brings_its_own_offset_is_not_read_as_local_time(home, tmp_path):
    folder = agency(tmp_path, {"cad": feed("incident", {"incident_number": "Event", "received_at": "T"})})
    home.drop("elm", "cad.csv", "Event,T\n1,2024-07-04 16:05:09+00\n2,2024-07-04 16:05:09\n")
    _, state = take_in(home, "elm", folder)
    assert reconciled(state, "elm")["cad.csv", "incident"] == (2, 1, 1, 0, 0, 0)


ZONES = (
    "America/Denver",
    "America/New_York",
    "America/Los_Angeles",
    "America/Phoenix",
    "Europe/Dublin",
    "Australia/Lord_Howe",
)
FORMATS = {
    "%Y-%m-%d %H:%M:%S": lambda t: t.strftime("%Y-%m-%d %H:%M:%S"),
    "%m/%d/%Y %I:%M:%S %p": lambda t: f"{t.month}/{t.day}/{t.year} {t.hour % 12 or 12}:{t:%M:%S %p}",
    "%Y%m%dT%H%M%S": lambda t: t.strftime("%Y%m%dT%H%M%S"),
    "%d %b %Y %H:%M:%S": lambda t: t.strftime("%d %b %Y %H:%M:%S"),
}


@st.composite
def instants_near_changes(draw) -> tuple[str, datetime]:
    """A zone and an instant, half of them within three hours of a change of its clock."""
    zone = draw(st.sampled_from(ZONES))
    changes = [t for t, _ in clock.offset_codes(zone, 1995, 2035) if t]
    if changes and draw(st.booleans()):
        near = draw(st.sampled_from(changes)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return zone, near + timedelta(seconds=draw(st.integers(-3 * 3600, 3 * 3600)))
    start = datetime(1995, 2, 1, tzinfo=UTC)
    return zone, start + timedelta(seconds=draw(st.integers(0, 40 * 365 * 86400)))


@given(st.lists(instants_near_changes(), min_size=1, max_size=40), st.sampled_from(sorted(FORMATS)))
@example([("America/Denver", datetime(2024, 11, 3, 8, 30, tzinfo=UTC))], "%m/%d/%Y %I:%M:%S %p")
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_format_then_parse_gives_the_instant_or_names_the_doubt(cases, written):
    """For any zone, instant and format: the same instant, or a flag and an instant at most one change off."""
    from orchestration.agencies.mapping import _in_format

    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        for zone, instant in cases:
            local = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            sent = FORMATS[written](local)
            code = clock.code_sql("l", zone, 1990, 2039)
            found, is_odd = con.execute(
                f"with sent as (select ? as t), local as (select {_in_format('t', written)} as l from sent),"
                f" coded as (select l, {code} as c from local)"
                f" select strftime({clock.instant_sql('l', 'c', zone)}, '%Y-%m-%d %H:%M:%S'), {clock.is_odd_sql('c')} from coded",
                [sent],
            ).fetchone()
            off = abs((datetime.fromisoformat(found).replace(tzinfo=UTC) - instant).total_seconds())
            assert off == 0 or (is_odd and off <= 3600), (zone, instant, sent)
            shown_twice = (
                local.replace(tzinfo=ZoneInfo(zone), fold=0).utcoffset()
                != local.replace(tzinfo=ZoneInfo(zone), fold=1).utcoffset()
            )
            assert bool(is_odd) == shown_twice, (zone, instant)


# -- rows


def test_a_text_of_several_units_becomes_a_row_for_each(home, tmp_path):
    fields = {
        "incident_number": "Event",
        "unit_number": "split_part(item, '=', 1)",
        "response_scope_code": "'unit'",
        "on_scene_at": {"expression": "Day || ' ' || split_part(item, '=', 2)", "format": "%Y-%m-%d %H:%M:%S"},
    }
    folder = agency(tmp_path, {"cad": feed("unit_response", fields, each="string_split(Units, ' ')")})
    home.drop(
        "elm",
        "cad.csv",
        "Event,Day,Units\n1,2024-05-01,E11=14:02:10 M3=14:05:44\n2,2024-05-01,\n3,2024-05-01,E11=99:00:00\n",
    )
    _, state = take_in(home, "elm", folder)
    assert rows(home, "elm", "select incident_number, unit_number, on_scene_local_at::varchar, source_row, source_part from input.unit_response order by all") == [
        ("1", "E11", "2024-05-01 14:02:10", 1, 1),
        ("1", "M3", "2024-05-01 14:05:44", 1, 2),
    ]  # fmt: skip
    # Four pieces: two accepted, one rejected; the event without units is not asked.
    landed, accepted, rejected, superseded, folded, other = reconciled(state, "elm")["cad.csv", "unit_response"]
    assert (accepted, rejected, superseded, folded) == (2, 1, 0, 0)
    assert landed == accepted + rejected + other


def test_a_wide_row_gives_status_events_and_a_long_table_gives_responses(home, tmp_path):
    wide = feed(
        "unit_status_event",
        {
            "incident_number": "Event",
            "unit_number": "Unit",
            "event_sequence": "item_number",
            "unit_status_code": "item.status",
            "status_at": "item.at",
        },
        files="wide*",
        each="list_filter([{'status': 'DSP', 'at': Dsp}, {'status': 'ARR', 'at': Arr}], lambda s: s.at is not null)",
    )
    long = feed(
        "unit_response",
        {
            "incident_number": "min(Event)",
            "unit_number": "min(Unit)",
            "response_scope_code": "'unit'",
            "dispatched_at": "min(case when Status = 'DSP' then Stamp end)",
            "on_scene_at": "min(case when Status = 'ARR' then Stamp end)",
        },
        files="long*",
        group=["Event", "Unit"],
    )
    codes = {"unit_status": "local_code,standard_code\nDSP,dispatched\nARR,on_scene\n"}
    folder = agency(tmp_path, {"wide": wide, "long": long}, codes)
    home.drop(
        "elm", "wide.csv", "Event,Unit,Dsp,Arr\n1,A,2024-05-01 10:00:00,2024-05-01 10:05:00\n2,A,2024-05-01 11:00:00,\n"
    )
    home.drop(
        "elm",
        "long.csv",
        "Event,Unit,Status,Stamp\n1,A,DSP,2024-05-01 10:00:00\n1,A,ARR,2024-05-01 10:05:00\n1,B,DSP,2024-05-01 10:01:00\n",
    )
    _, state = take_in(home, "elm", folder)
    assert rows(home, "elm", "select incident_number, unit_status_code, status_local_at::varchar from input.unit_status_event order by all") == [
        ("1", "dispatched", "2024-05-01 10:00:00"),
        ("1", "on_scene", "2024-05-01 10:05:00"),
        ("2", "dispatched", "2024-05-01 11:00:00"),
    ]  # fmt: skip
    assert rows(home, "elm", "select unit_number, dispatched_local_at::varchar, on_scene_local_at::varchar from input.unit_response order by 1") == [
        ("A", "2024-05-01 10:00:00", "2024-05-01 10:05:00"),
        ("B", "2024-05-01 10:01:00", None),
    ]  # fmt: skip
    assert reconciled(state, "elm")["long.csv", "unit_response"] == (3, 2, 0, 0, 1, 0)


def test_t20_seconds_summed_by_the_source_and_repeated_on_each_row_count_once(home, tmp_path):
    fields = {"incident_number": "min(Event)", "received_at": "min(Stamp)", "held_seconds": "max(Held_SUM)"}
    folder = agency(tmp_path, {"cad": feed("incident", fields, group=["Event"])})
    home.drop("elm", "cad.csv", "Event,Stamp,Held_SUM\n" + "1,2024-05-01 10:00:00,900\n" * 3)
    _, state = take_in(home, "elm", folder)
    assert rows(home, "elm", "select sum(held_seconds) from input.incident") == [(900,)]  # not 2,700
    assert reconciled(state, "elm")["cad.csv", "incident"] == (3, 1, 0, 0, 2, 0)


def test_codes_in_a_side_table_of_the_export_are_looked_up(home, tmp_path):
    cad = feed(
        "incident",
        {"incident_number": "Event", "received_at": "Stamp", "call_type_final_code": "coalesce(types.Meaning, Type)"},
        files="cad*",
        lookups={"types": {"feed": "types", "key": "Code", "equals": "Type"}},
    )
    types = {"files": "types*", "format": "csv", "entities": {}}
    codes = {"call_type": "local_code,standard_code\nCRISIS,EDP\n"}
    folder = agency(tmp_path, {"cad": cad, "types": types}, codes)
    home.drop("elm", "cad.csv", "Event,Stamp,Type\n1,2024-05-01 10:00:00,77\n2,2024-05-01 10:00:00,78\n")
    take_in(home, "elm", folder)
    assert any("side_table_missing" in s for s in home.said)
    home.drop("elm", "types.csv", "Code,Meaning\n77 ,CRISIS\n")
    take_in(home, "elm", folder)
    query = "select incident_number, call_type_final_code, call_type_final_local from input.incident order by 1"
    assert rows(home, "elm", query) == [("1", "EDP", "CRISIS"), ("2", "other", "78")]
    home.drop("elm", "types2.csv", "Code,Meaning\n77,CRISIS\n78,CRISIS\n")  # a newer side table is read at once
    take_in(home, "elm", folder)
    assert rows(home, "elm", query) == [("1", "EDP", "CRISIS"), ("2", "EDP", "CRISIS")]


def test_one_feed_with_two_layouts_and_a_vendor_template(home, tmp_path):
    vendor = {"feeds": {"cad": feed("incident", {"incident_number": "Event", "received_at": "Stamp", "beat": "Beat"})}}
    vendor["feeds"]["cad"]["variants"] = {
        "split": {
            "when": ["Day", "Clock"],
            "entities": {"incident": {"fields": {"received_at": {"date": "Day", "time": "Clock", "format": "%m/%d/%Y %H:%M"}, "beat": None}}},
        }
    }  # fmt: skip
    folder = agency(
        tmp_path, {"cad": {"entities": {"incident": {"fields": {"beat": "upper(Beat)"}}}}}, extends="../vendor.yml"
    )
    (folder.parent / "vendor.yml").write_text(yaml.safe_dump(vendor))
    home.drop("elm", "old.csv", "Event,Stamp,Beat\n1,2024-05-01 10:00:00,b1\n")
    home.drop("elm", "new.csv", "Event,Day,Clock\n2,5/1/2024,10:00\n")
    take_in(home, "elm", folder)
    assert rows(home, "elm", "select incident_number, received_local_at::varchar, beat from input.incident order by 1") == [
        ("1", "2024-05-01 10:00:00", "B1"),
        ("2", "2024-05-01 10:00:00", None),
    ]  # fmt: skip


def test_columns_classed_not_sensitive_travel_and_others_do_not(home, tmp_path):
    folder = agency(
        tmp_path,
        {"cad": feed("incident", {"incident_number": "Event", "received_at": "Stamp"})},
        columns={"Zone": "not_sensitive", "Alarm": "not_sensitive", "Caller": "identifying", "Absent": "not_sensitive"},
    )
    home.drop(
        "elm", "cad.csv", "Event,Stamp,Zone,Caller,Alarm,Secret\n1,2024-05-01 10:00:00,Z9,PLANTED NAME,,UNCLASSED\n"
    )
    take_in(home, "elm", folder)
    ((extras,),) = rows(home, "elm", "select extras from input.incident")
    assert extras == '{"Alarm":null,"Zone":"Z9"}'
    assert list(json.loads(extras)) == sorted(json.loads(extras))
    found = [p for p in home.settings.home.rglob("*") if p.is_file() and b"PLANTED NAME" in p.read_bytes()]
    assert all("landing" in p.parts or "drop" in p.parts for p in found)


def test_codes_by_pattern_come_after_exact_ones_in_file_order_and_several_codes_sort(home, tmp_path):
    codes = {
        "call_type": "local_code,standard_code,match\nMENTAL WELFARE,WELFARE,exact\n.*MENTAL.*,EDP,regex\nMENTAL.*,WELFARE,regex\n",
        "crisis_nature": "local_code,standard_code\nM,mental_health\nS,substance\n",
    }
    feeds = {
        "cad": feed(
            "incident",
            {"incident_number": "Event", "received_at": "Stamp", "call_type_final_code": "Type"},
            files="cad*",
        ),
        "forms": feed(
            "contact",
            {
                "contact_number": "Form",
                "occurred_at": "Stamp",
                "crisis_nature_codes": {"column": "Nature", "separator": ";"},
            },
            files="forms*",
        ),
    }
    folder = agency(tmp_path, feeds, codes)
    at = "2024-05-01 10:00:00"
    home.drop(
        "elm", "cad.csv", f"Event,Stamp,Type\n1,{at},MENTAL WELFARE\n2,{at},A MENTAL CASE\n3,{at},MENTAL\n4,{at},FIRE\n"
    )
    home.drop("elm", "forms.csv", f"Form,Stamp,Nature\n1,{at},S; M;S\n2,{at},\n3,{at},X;M\n")
    take_in(home, "elm", folder)
    types = rows(home, "elm", "select call_type_final_code from input.incident order by incident_number")
    assert types == [("WELFARE",), ("EDP",), ("EDP",), ("other",)]
    assert rows(home, "elm", "select crisis_nature_codes, crisis_nature_local from input.contact order by contact_number") == [
        ("mental_health|substance", "S; M;S"),
        ("not_recorded", None),
        ("mental_health|other", "X;M"),
    ]  # fmt: skip


def test_a_changed_code_csv_makes_the_input_stale(home, tmp_path):
    from orchestration.layers.input import is_stale

    feeds = {
        "cad": feed("incident", {"incident_number": "Event", "received_at": "Stamp", "call_type_final_code": "Type"})
    }
    folder = agency(tmp_path, feeds, {"call_type": "local_code,standard_code\nX,EDP\n"})
    home.drop("elm", "cad.csv", "Event,Stamp,Type\n1,2024-05-01 10:00:00,X\n")
    take_in(home, "elm", folder)
    assert not is_stale(home.settings, load_agency(folder))
    (folder / "codes" / "call_type.csv").write_text("local_code,standard_code\nX,WELFARE\n")
    assert is_stale(home.settings, load_agency(folder))


def test_a_narrative_is_read_by_rules_and_its_text_goes_nowhere(home, tmp_path):
    fields = {"contact_number": "Form", "occurred_at": "Stamp", "narrative": "Story"}
    folder = agency(tmp_path, {"forms": feed("contact", fields)})
    stories = ["He said he wants to kill himself PLANTED", "He denies suicidal thoughts PLANTED", ""]
    lines = "".join(f"{n},2024-05-01 10:00:00,{story}\n" for n, story in enumerate(stories))
    home.drop("elm", "forms.csv", "Form,Stamp,Story\n" + lines)
    take_in(home, "elm", folder)
    query = "select narrative_bh, narrative_bh_kind_codes from input.contact order by contact_number"
    assert rows(home, "elm", query) == [("yes", "suicide"), ("no", "none"), ("not_recorded", "not_recorded")]
    found = [p for p in home.settings.input.rglob("*") if p.is_file() and b"PLANTED" in p.read_bytes()]
    assert found == []


# -- snapshots and lines


def snapshots(tmp_path, kind: str) -> Path:
    said = feed(
        "incident", {"incident_number": "Event", "received_at": "Stamp"}, version={"file_name": r"log_(\d+)"}, snapshot=kind, max_shrink=0.2
    )  # fmt: skip
    return agency(tmp_path, {"log": said})


def log(*numbers: int) -> str:
    return "Event,Stamp\n" + "".join(f"{n},2024-05-{n:02d} 10:00:00\n" for n in numbers)


@pytest.mark.parametrize(("kind", "left"), [("complete", 9), ("partial", 10)])
def test_a_record_missing_from_a_snapshot_is_gone_only_if_snapshots_are_complete(home, tmp_path, kind, left):
    folder = snapshots(tmp_path, kind)
    home.drop("elm", "log_1.csv", log(*range(1, 11)))
    home.drop("elm", "log_2.csv", log(*range(1, 10)))
    _, state = take_in(home, "elm", folder)
    assert rows(home, "elm", "select count(*), count(distinct incident_id) from input.incident") == [(left, left)]
    assert reconciled(state, "elm")["log_2.csv", "incident"] == (9, 9, 0, 0, 0, 0)


def test_a_partial_snapshot_is_stopped_with_the_reason_and_deletes_nothing(home, tmp_path):
    folder = snapshots(tmp_path, "complete")
    home.drop("elm", "log_1.csv", log(*range(1, 11)))
    home.drop("elm", "log_2.csv", log(1, 2, 3))
    files, _ = take_in(home, "elm", folder)
    assert files["log_2.csv"].rule == "snapshot_shrank"
    assert "3 rows, 70.0% fewer than the 10" in files["log_2.csv"].reason
    assert rows(home, "elm", "select count(*) from input.incident") == [(10,)]
    home.drop("elm", "log_3.csv", log(*range(1, 10)))  # the next whole one is compared with the last whole one
    files, _ = take_in(home, "elm", folder)
    assert files["log_3.csv"].status == "accepted"
    assert rows(home, "elm", "select count(*) from input.incident") == [(9,)]


def test_short_lines_are_refused_or_filled_up_and_counted(home, tmp_path):
    fields = {"incident_number": "Event", "received_at": "Stamp"}
    text = "Event,Stamp,X,Y\n1,2024-05-01 10:00:00,,\n2,2024-05-01 11:00:00\n3,2024-05-01 12:00:00,1,2\n"
    home.drop("elm", "cad.csv", text)
    _, state = take_in(home, "elm", agency(tmp_path, {"cad": feed("incident", fields, ragged="pad")}))
    ((file),) = state.files.values()
    assert (file["rows"], file["padded"]) == (3, 1)
    assert reconciled(state, "elm")["cad.csv", "incident"] == (3, 3, 0, 0, 0, 0)
    _, state = take_in(home, "elm", agency(tmp_path, {"cad": feed("incident", fields)}))
    assert reconciled(state, "elm")["cad.csv", "incident"] == (3, 2, 1, 0, 0, 0)


def test_a_header_below_a_title_and_text_that_is_not_utf8(home, tmp_path):
    said = feed(
        "incident", {"incident_number": "Event", "received_at": "At", "beat": "Beat"}, header_row=3, encoding="latin-1"
    )
    home.drop("elm", "cad.csv", "Calls of the day\n\nEvent,At,Beat\n1,2024-05-01 10:00:00,Cañon\n".encode("latin-1"))
    take_in(home, "elm", agency(tmp_path, {"cad": said}))
    assert rows(home, "elm", "select source_row, beat from input.incident") == [(1, "Cañon")]


def test_a_fraction_is_no_whole_number_and_sentinels_do_not_mind_the_case_of_a_column(home, tmp_path):
    fields = {"incident_number": "Event", "received_at": "Stamp", "priority_initial": "Priority"}
    folder = agency(tmp_path, {"cad": feed("incident", fields)}, missing_by_column={"PRIORITY": ["-9999"]})
    at = "2024-05-01 10:00:00"
    home.drop("elm", "cad.csv", f"Event,Stamp,Priority\n1,{at},3.7\n2,{at},3.0\n3,{at},-9999\n4,{at},2\n")
    take_in(home, "elm", folder)
    query = "select incident_number, priority_initial from input.incident order by 1"
    assert rows(home, "elm", query) == [("2", 3), ("3", None), ("4", 2)]


# -- what is wrong is named


@pytest.mark.parametrize(
    ("lines", "is_refused"),
    [
        ("X,EDP,,\nX,WELFARE,2024-01-01,\n", True),
        ("X,EDP,,2023-12-31\nX,WELFARE,2024-01-01,\n", False),
        ("X,EDP,,2024-01-01\nX,WELFARE,2024-01-01,\n", True),
    ],
)
def test_a_code_that_would_mean_two_things_on_one_day_is_refused(tmp_path, lines, is_refused):
    feeds = {
        "cad": feed("incident", {"incident_number": "Event", "received_at": "Stamp", "call_type_final_code": "Type"})
    }
    folder = agency(tmp_path, feeds, {"call_type": "local_code,standard_code,valid_from,valid_to\n" + lines})
    if is_refused:
        with pytest.raises(AgencyError, match="line 3: the local code stands twice for one day"):
            load_agency(folder)
    else:
        load_agency(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"entities": {"incident": {"fields": {"incident_number": {"column": "Event", "date": "Day"}}}}}, "give an SQL expression, or column"),
        ({"entities": {"incident": {"each": "string_split(U, ' ')", "group": ["Event"], "fields": {"incident_number": "Event"}}}}, "one of them"),
        ({"entities": {"incident": {"one_date": ["closed_at"], "fields": {"incident_number": "Event"}}}}, "'closed_at' is not a time"),
        ({"entities": {"agency": {"fields": {"agency_name": "Event"}}}}, "no such entity"),
        ({"lookups": {"types": {"feed": "nowhere", "key": "k", "equals": "Event"}}}, "no feed is called 'nowhere'"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_used_says_where_and_why(tmp_path, change, told):
    said = feed("incident", {"incident_number": "Event", "received_at": "Stamp"}) | change
    with pytest.raises(AgencyError, match=told) as raised:
        check_agency(load_agency(agency(tmp_path, {"cad": said})))
    assert "agency.yml" in str(raised.value)


def test_an_invalid_expression_of_a_variant_names_the_variant(tmp_path):
    said = feed("incident", {"incident_number": "Event", "received_at": "Stamp"})
    said["variants"] = {
        "late": {"when": ["X"], "entities": {"incident": {"fields": {"received_at": "no_such_function(Stamp)"}}}}
    }
    with pytest.raises(AgencyError, match=r"variants\.late\.entities\.incident\.fields\.received_at"):
        check_agency(load_agency(agency(tmp_path, {"cad": said})))


# -- numbers of other agencies


def test_a_number_that_another_agency_gave_names_its_record(home, tmp_path):
    fields = {"booking_number": "No", "booked_at": "Booked", "incident_number": {"column": "Event", "of_agency": "oak"}}
    folder = agency(tmp_path, {"jail": feed("jail_booking", fields)})
    home.drop("elm", "jail.csv", "No,Booked,Event\n1,2024-01-05 10:00:00,24-7\n2,2024-01-05 11:00:00,\n")
    take_in(home, "elm", folder)
    asked = "select jail_booking_id, incident_number, incident_id from input.jail_booking order by 1"
    assert rows(home, "elm", asked) == [("elm:1", "24-7", "oak:24-7"), ("elm:2", None, None)]


@pytest.mark.parametrize("field", ["booking_number", "booked_at"])
def test_only_a_number_that_names_another_record_may_be_another_agencys(tmp_path, field):
    fields = {"booking_number": "No", "booked_at": "Booked", field: {"column": "X", "of_agency": "oak"}}
    folder = agency(tmp_path, {"jail": feed("jail_booking", fields)})
    with pytest.raises(AgencyError, match=rf"jail_booking\.fields\.{field}\.of_agency"):
        load_agency(folder)


def test_a_date_named_like_its_entity_is_a_date(home, tmp_path):
    fields = {"death_number": "No", "death_date": {"column": "Died", "format": "%m/%d/%Y"}}
    folder = agency(tmp_path, {"deaths": feed("death", fields)})
    home.drop("elm", "deaths.csv", "No,Died\n1,03/11/2024\n")
    take_in(home, "elm", folder)
    asked = "select death_id, month, cast(death_date as varchar), death_raw from input.death"
    assert rows(home, "elm", asked) == [("elm:1", "2024-03", "2024-03-11", "03/11/2024")]
