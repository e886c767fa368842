"""The field's pitfalls of counting, end to end: small files in, staged rows and metrics out.

T numbers are the field's list of pitfalls; what stands beside each is the answer that the list prints.
"""

from __future__ import annotations

import pytest
import yaml

from orchestration.settings import Settings
from tests.conftest import Home

ORDER = ["dispatched_at", "enroute_at", "on_scene_at", "cleared_at"]


def facts(agency_id: str, direction: str) -> dict:
    return {
        "agency_id": agency_id, "agency_name": agency_id.title(), "agency_type_code": "police",
        "time_zone": "America/Denver", "priority_direction_code": direction, "is_fictional": True,
    }  # fmt: skip


def feed(files: str, **entities: dict) -> dict:
    return {"files": files, "format": "csv", "entities": entities}


def time_of(column: str) -> dict:
    return {"date": "day", "time": column, "format": "%m/%d/%Y %H:%M:%S"}


ELM = {
    "agency": facts("elm", "1_high"),
    "feeds": {
        "cad": feed(
            "cad*",
            incident={
                "fields": {
                    "incident_number": "number", "call_source_code": "source", "received_at": "received",
                    "closed_at": "closed", "call_type_initial_code": "opened", "call_type_final_code": "closed_as",
                    "priority_initial": "priority", "cancelled": "cancelled", "duplicate": "'no'",
                }
            },
        ),
        "units": feed(
            "units*",
            unit_response={
                "one_date": ORDER,
                "fields": {
                    "incident_number": "number", "unit_number": "unit", "response_scope_code": "'unit'", "officer_count": "officers",
                    **{f: time_of(f.removesuffix("_at")) for f in ORDER},
                },
            },
        ),
        "forms": feed(
            "forms*",
            contact={"rows": "many", "fields": {"contact_number": "template", "occurred_at": "occurred", "force_used": "force"}},
            contact_disposition={
                "rows": "many",
                "fields": {"contact_number": "template", "occurred_at": "occurred", "disposition_code": "disposition"},
            },
        ),
    },
}  # fmt: skip

# A scale on which 3 is the most urgent is turned by the mapping, since only the agency knows its top.
FIR = {
    "agency": facts("fir", "1_high"),
    "feeds": {
        "cad": feed(
            "cad*",
            incident={
                "fields": {
                    "incident_number": "number", "call_source_code": "'911'", "received_at": "received", "closed_at": "received",
                    "call_type_initial_code": "'WELFARE'", "call_type_final_code": "'WELFARE'",
                    "priority_initial": "4 - cast(priority as integer)", "cancelled": "'no'", "duplicate": "'no'",
                }
            },
        )
    },
}  # fmt: skip

CAD = """number,source,received,closed,opened,closed_as,priority,cancelled
1,911,2024-05-01 23:50:00,2024-05-02 01:00:00,WELFARE,EDP,1,no
2,911,2024-11-03 00:40:00,2024-11-03 03:00:00,WELFARE,WELFARE,2,no
3,911,2024-03-10 01:50:00,2024-03-10 04:00:00,WELFARE,WELFARE,2,no
4,911,2024-06-01 10:00:00,2024-06-01 11:00:00,WELFARE,WELFARE,2,no
5,911,2024-06-02 10:00:00,2024-06-02 11:00:00,WELFARE,WELFARE,2,no
6,on_view,2024-06-03 10:00:00,2024-06-03 11:00:00,WELFARE,WELFARE,2,no
"""
UNITS = """number,unit,officers,day,dispatched,enroute,on_scene,cleared
1,A,1,05/01/2024,23:58:30,,00:04:10,00:30:00
2,A,1,11/03/2024,01:50:00,,01:10:00,02:30:00
3,A,1,03/10/2024,01:55:00,,03:05:00,03:30:00
4,A,1,06/01/2024,10:01:00,10:02:00,10:05:00,10:40:00
5,A,1,06/02/2024,10:01:00,,,10:40:00
6,A,1,06/03/2024,10:00:00,10:00:00,10:00:00,10:40:00
"""
FORMS = """template,occurred,force,disposition
7,2024-07-01 10:00:00,Y,outpatient_referral
7,2024-07-01 10:00:00,Y,mobile_crisis_handoff
7,2024-07-01 10:00:00,Y,arrest_unspecified
8,2024-07-02 10:00:00,N,no_action
11,2024-08-01 10:00:00,Y,no_action
12,2024-08-01 11:00:00,N,no_action
13,2024-08-01 12:00:00,DK,no_action
14,2024-08-01 13:00:00,,no_action
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Home:
    """A home after one run over the files of both agencies."""
    root = tmp_path_factory.mktemp("pitfalls")
    for said in (ELM, FIR):
        folder = root / "agencies" / said["agency"]["agency_id"]
        folder.mkdir(parents=True)
        (folder / "agency.yml").write_text(yaml.safe_dump(said, sort_keys=False))
    home = Home(Settings(home=root / "home", agency_paths=(root / "agencies",), threads=2, memory_limit="2GB"))
    home.drop("elm", "cad.csv", CAD)
    home.drop("elm", "units.csv", UNITS)
    home.drop("elm", "forms.csv", FORMS)
    home.drop("fir", "cad.csv", "number,received,priority\n1,2024-06-01 10:00:00,3\n2,2024-06-01 11:00:00,1\n")
    outcome = home.run()
    assert outcome.success, (outcome, home.said)
    return home


def unit(done: Home, number: int) -> tuple:
    ((found),) = done.in_warehouse(
        "select response_seconds, response_status_code, stamp_imputed from staging.stg_unit_response"
        f" where agency_id = 'elm' and incident_number = '{number}'"
    )
    return found


def test_t1_a_clock_that_wraps_at_midnight(done):
    assert unit(done, 1) == (340, "imputed", "cleared_at:midnight_rollover,on_scene_at:midnight_rollover")


def test_t2_the_night_on_which_an_hour_is_shown_twice(done):
    seconds, status, _ = unit(done, 2)
    assert (seconds, status) == (20 * 60, "valid")  # not minus 40 minutes


def test_t3_the_night_on_which_an_hour_is_skipped(done):
    assert unit(done, 3)[:2] == (10 * 60, "valid")  # not 70 minutes


def test_t7_one_contact_with_several_dispositions_counts_once(done):
    by_basis = {
        basis: {code: (count, share) for code, count, share in rows}
        for basis in ("any", "primary")
        for rows in [
            done.in_warehouse(
                "select disposition_code, contact_count, contact_share from metrics.met_outcome__disposition_mix"
                f" where agency_id = 'elm' and month = '2024-07' and basis_code = '{basis}' and contact_count > 0"
            )
        ]
    }
    assert done.in_warehouse("select count(*) from marts.fct_contact where month = '2024-07'") == [(2,)]  # not 4
    assert by_basis["any"]["arrest_unspecified"] == (1, 0.5)  # not 25 %
    assert sum(share for _, share in by_basis["primary"].values()) == pytest.approx(1.0)
    assert sum(count for count, _ in by_basis["primary"].values()) == 2


def test_t8_unknown_and_blank_are_not_no(done):
    found = dict(
        done.in_warehouse("select force_used, count(*) from staging.stg_contact where month = '2024-08' group by all")
    )
    assert found == {"yes": 1, "no": 1, "unknown": 1, "not_recorded": 1}  # 1 of 2 known, 2 unknown; not 1 of 4


def test_t10_a_call_that_changes_its_type_is_counted_under_both(done):
    assert done.in_warehouse(
        "select call_type_initial_code, call_type_final_code, bh_call_type_initial, bh_call_type_final"
        " from marts.fct_incident where agency_id = 'elm' and incident_number = '1'"
    ) == [("WELFARE", "EDP", "no", "yes")]


def test_t13_an_arrival_that_is_not_there_is_missing_and_not_zero(done):
    assert unit(done, 5)[:2] == (None, "missing_end")
    assert done.in_warehouse(
        "select eligible_count, known_count, missing_count, median_seconds from metrics.met_response__unit_response"
        " where agency_id = 'elm' and month = '2024-06' and population_code = 'all'"
    ) == [(2, 1, 1, 240.0)]


def test_t18_priorities_that_run_the_other_way_are_brought_to_one_scale(done):
    assert done.in_warehouse(
        "select agency_id, incident_number, priority_initial_rank from staging.stg_incident"
        " where (agency_id, incident_number) in (('elm', '1'), ('fir', '1'), ('fir', '2')) order by all"
    ) == [("elm", "1", 1), ("fir", "1", 1), ("fir", "2", 3)]


def test_t19_a_call_that_an_officer_met_has_no_response_time(done):
    assert done.in_warehouse(
        "select incident_response_seconds, incident_response_status_code from marts.fct_incident"
        " where agency_id = 'elm' and incident_number = '6'"
    ) == [(None, "not_applicable")]
    assert done.in_warehouse(
        "select known_count, self_initiated_count, median_seconds from metrics.met_response__incident_response"
        " where agency_id = 'elm' and month = '2024-06' and population_code = 'all'"
    ) == [(1, 1, 300.0)]
