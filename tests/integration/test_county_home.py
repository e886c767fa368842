"""A clean county along the whole road: the release tells the truth, names nobody, and keeps who refused out of sight."""

from __future__ import annotations

import csv
import re
import shutil
import sys
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, product
from math import ceil

import duckdb
import pytest
from scipy.stats import CensoredData, ecdf

from orchestration.county import write_county
from orchestration.county.compare import Compared, compare
from orchestration.county.compare.metrics import COUNTED, NOT_COMPARED, TESTED, Counted, counted_twice
from orchestration.county.compare.seen import MODELS
from orchestration.county.compare.sent import sent
from orchestration.county.programs import PROGRAMS
from orchestration.layers.links import link_files
from orchestration.layers.models import Warehouse
from orchestration.linkage.search import search_home
from orchestration.linkage.store import store_path
from orchestration.release.publish import current_release
from orchestration.release.reader import open_release
from orchestration.run import run_road
from orchestration.settings import PROJECT, Settings
from orchestration.staffing.cover import load_patterns
from orchestration.staffing.erlang import longer_than_share, units_needed, wait_share
from orchestration.staffing.plan import make_plan, write_tables
from orchestration.staffing.report import page

sys.path.insert(0, str(PROJECT / "benchmarks"))
from steps import correct_month

MODELS_BY_KEY = {key: code for code, key in MODELS.items()}

# Rare things made frequent and chance meetings of one person rare, so that each effect has contacts enough behind it.
OFTEN = {
    "bh_community": 0.6,
    "arrest": 0.15,
    "served.core": 0.6,
    "served.alt": 0.6,
    "served.mct": 0.4,
    "repeat": 0.4,
    "familiar_contacts": 0,
    "people_per_call": 0.5,
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> tuple[Settings, object]:
    """A home after one run over a county without dirt, and the folder of its truth."""
    root = tmp_path_factory.mktemp("county")
    write_county(
        root / "drop", calls=8_000, months=4, seed=11, threads=2, truth_folder=root / "truth", dirt=0, rates=OFTEN
    )
    settings = Settings(home=root / "home", agency_paths=(PROJECT / "agencies",), threads=2, memory_limit="4GB")
    outcome = run_road(settings, drop=root / "drop")
    assert outcome.success, outcome
    return settings, root / "truth"


@pytest.fixture(scope="module")
def found(clean) -> list[Compared]:
    settings, truth = clean
    with open_release(settings) as con:
        return compare(con, truth)


def test_effects_and_rates_lie_within_sampling_error_of_the_truth(found):
    """About 70 figures: that chance puts one of them four standard errors off (6 in 100,000 each) happens in one of
    200 counties, that it puts three of them three off (27 in 10,000 each) in one of 900."""
    sampled = [c for c in found if c.deviation is not None]
    assert len(sampled) > 60
    assert [(c.name, c.truth, c.estimate, c.deviation) for c in sampled if abs(c.deviation) > 4] == []
    assert [(c.name, c.deviation) for c in sampled if abs(c.deviation) > 3][2:] == []


def test_what_is_counted_and_what_was_paid_is_the_truth_s(found):
    """To the cent, and to the row where the truth counts the same rows; no link is wrong and none is missing."""
    counted = [c for c in found if c.standard_error is None]
    assert {c.kind for c in counted} == {"effect", "rate", "cost", "link"}
    least = {"dollars": 0.005}  # half a cent
    wrong = [c for c in counted if c.estimate != pytest.approx(c.truth, rel=0, abs=least.get(c.unit, 1e-9))]
    assert [(c.name, c.truth, c.estimate) for c in wrong] == []


def test_outcomes_of_contacts_are_the_truth_s_by_team(clean):
    """Involuntary holds, and arrests with citations, of contacts at calls, counted in the truth by who came."""
    settings, truth = clean
    codes = {None: MODELS_BY_KEY["none"], **{k: c for k, c in MODELS_BY_KEY.items() if k != "none"}}
    with duckdb.connect() as known:
        true = {
            (outcome, codes[program]): n
            for outcome, program, n in known.execute(
                f"select outcome, program, count(*) from '{truth / 'call.parquet'}' where is_contact group by all"
            ).fetchall()
        }
    with open_release(settings) as con:
        told = {
            (outcome, model): n
            for outcome, model, n in con.execute("""
                select outcome_code, slice_value, sum(outcome_count) from internal.met_outcome__contact_outcomes_by_slice
                where agency_id = 'cedar_county' and slice_code = 'response_model' group by all
            """).fetchall()
        }
        cited = dict(
            con.execute(
                "select response_model_code, count(*) from internal.fct_contact where enforcement_code = 'cited' group by all"
            ).fetchall()
        )
    for model in codes.values():
        assert told["involuntary_hold", model] == true["hold", model]
        assert told["arrested", model] + cited.get(model, 0) == true["arrest", model]


def test_calls_of_teams_without_police_are_the_truth_s(clean):
    settings, truth = clean
    with duckdb.connect() as known:
        true = dict(
            known.execute(
                f"select program, count(*) from '{truth / 'call.parquet'}'"
                " where program in ('mct', 'alt') and not is_duplicate group by all"
            ).fetchall()
        )
    with open_release(settings) as con:
        told = dict(
            con.execute("""
                select team_code, sum(considered_count) from internal.met_diversion__police_at_team_calls
                where metric_id = 'M30' group by all
            """).fetchall()
        )
    assert told == {
        "mobile_crisis": true["mct"], "alternative_no_police": true["alt"], "all_teams": true["mct"] + true["alt"],
    }  # fmt: skip


def test_modelled_diversion_lies_by_the_truth_s_diverted_holds(clean):
    """The truth knows how each contact would have ended without its program; four half-widths of 95 percent are wide."""
    settings, truth = clean
    with duckdb.connect() as known:
        true = {
            MODELS_BY_KEY[program]: averted
            for program, averted in known.execute(
                "select program, count(*) filter (where outcome_without = 'hold') - count(*) filter (where outcome = 'hold')"
                f" from '{truth / 'call.parquet'}' where is_contact and program is not null group by all"
            ).fetchall()
        }
    with open_release(settings) as con:
        told = con.execute("""
            select response_model_code, modelled_averted_events, modelled_averted_high_events - modelled_averted_events
            from internal.met_diversion__modelled
            where agency_id = 'cedar_county' and outcome_code = 'involuntary_hold' and month = '2024-04'
        """).fetchall()
    assert {model for model, _, _ in told} == set(true)
    assert [
        (model, averted, true[model]) for model, averted, half in told if abs(averted - true[model]) > 2 * half
    ] == []


def test_waiting_for_a_service_is_what_another_program_computes(clean):
    """Kaplan-Meier by scipy, over the referrals as released; deaths are few and censored in both."""
    settings, _ = clean
    with open_release(settings) as con:
        rows = con.execute("""
            select ceil((epoch(first_kept_at) - epoch(referred_at)) / 86400),
                floor((epoch(as_of_date::timestamp) - epoch(referred_local_at)) / 86400)
            from care.fct_referral where agency_id = 'cedar_care' and accepted = 'yes'
            and (first_kept_at is not null or referral_status_code <> 'closed_unknown')
        """).fetchall()
        told = con.execute("""
            select days_after, served_kaplan_meier_share, denominator_count, died_count from care.met_outcome__time_to_service
            where agency_id = 'cedar_care' and month = (select max(month) from care.met_outcome__time_to_service
                where availability_code = 'available')
        """).fetchall()
    served = [kept for kept, _ in rows if kept is not None]
    waiting = [max(followed, 0) for kept, followed in rows if kept is None]
    curve = ecdf(CensoredData(uncensored=served, right=waiting)).cdf
    assert {(n, died) for _, _, n, died in told} == {(len(rows), 0)}
    assert [share for _, share, _, _ in told] == [pytest.approx(float(curve.evaluate(d)), abs=1e-6) for d, *_ in told]


def test_repeat_contacts_are_those_that_python_counts(clean):
    """Contacts one by one: followed for 30 days out of jail, and met again within them."""
    settings, _ = clean
    with open_release(settings) as con:
        met = con.execute("""
            select person_key, epoch(min(started_at)) from internal.fct_person_event
            where event_kind_code = 'contact' group by person_key, coalesce(incident_id, record_id) order by all
        """).fetchall()
        stays: dict[str, list[tuple[float, float]]] = {}
        for person, start, end in con.execute("""
            select person_key, epoch(started_at), coalesce(epoch(ended_at), 1e12) from internal.fct_person_event
            where is_confined order by all
        """).fetchall():
            stays.setdefault(person, []).append((start, end))
        told = con.execute("""
            select sum(denominator_count), sum(repeat_count) from internal.met_outcome__repeat_contact
            where agency_id = 'cedar_county' and version_code = 'all_contacts' and window_days = 30
        """).fetchone()
    last = max(at for _, at in met)

    def at_liberty(person: str, start: float, end: float) -> float:
        """Seconds that no stay covers."""
        free, at = 0.0, start
        for begin, until in stays.get(person, []):
            if until > at and begin < end:
                free += max(begin - at, 0)
                at = max(at, until)
        return free + max(end - at, 0)

    followed = again = 0
    for (person, at), after in zip(met, [*met[1:], (None, 0.0)], strict=True):
        if int(at_liberty(person, int(at), int(last))) >= 30 * 86400:
            followed += 1
            again += after[0] == person and at_liberty(person, int(at), int(after[1])) <= 30 * 86400
    assert told == (followed, again)
    assert again > 100


def test_every_effect_rate_and_cost_is_compared_or_has_a_reason_why_not(clean, found):
    """Each parameter, each effect, each item of cost and each column of the truth: a line, or its name in docs/county.md."""
    _, truth = clean
    page = (PROJECT / "docs" / "county.md").read_text(encoding="utf-8").split("What is not compared, and why:")[1]
    reasons = set(re.findall(r"`([^`]+)`", page))
    kinds = set(re.findall(r"kind `([^`]+)`", page))
    wanted = set()
    with duckdb.connect() as known:
        for path in truth.glob("*.parquet"):
            columns = known.execute(f"describe select * from read_parquet('{path}')").fetchall()
            wanted |= {f"{path.stem}.{column}" for column, *_ in columns if f"{path.stem}.*" not in reasons}
        items = known.execute(
            f"select distinct 'cost.' || item from read_parquet('{truth / 'cost.parquet'}')"
        ).fetchall()
        effects = known.execute(
            f"select 'effect.' || program || '.' || outcome from read_csv('{truth / 'effect.csv'}')"
        ).fetchall()
        rates = known.execute(f"select name, kind from read_csv('{truth / 'rate.csv'}', all_varchar = true)").fetchall()
    wanted |= {name for (name,) in (*items, *effects)} | {name for name, kind in rates if kind not in kinds}
    compared = {name for c in found for name in c.of}
    assert wanted - compared - reasons == set()
    assert all(c.estimate is not None for c in found)  # nothing of it rests on too few rows


def test_a_truth_that_is_not_the_county_s_is_noticed(clean, tmp_path):
    """Another effect and another cost written into the truth: those two lines differ, and no other does that did not."""
    settings, truth = clean
    shutil.copytree(truth, tmp_path / "truth")
    effects = tmp_path / "truth" / "effect.csv"
    lines = effects.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith("core,P-CORE,scene,1.25,"))
    lines[at] = lines[at].replace(",1.25,", ",2.5,")
    effects.write_text("".join(lines))
    with duckdb.connect() as known:
        known.execute(f"""
            copy (select * replace (case when item = 'ambulance_trip' then cents + 1 else cents end as cents)
                from read_parquet('{truth / "cost.parquet"}')) to '{tmp_path / "truth" / "cost.parquet"}'
        """)
    with open_release(settings) as con:
        told = {c.name: c for c in compare(con, tmp_path / "truth")}
    assert told["core: time on scene"].deviation < -4
    assert told["charged for ambulance trips"].bias == pytest.approx(-0.01)


def test_every_clean_contact_finds_its_call(clean):
    settings, truth = clean
    with open_release(settings) as con:
        linked = con.execute("select contact_id, incident_id from internal.bridge_contact_incident").fetchall()
    with duckdb.connect() as known:
        true = known.execute(
            "select agency_id || ':' || contact_number, agency_id || ':' || incident_number"
            f" from read_parquet('{truth / 'contact_incident.parquet'}')"
        ).fetchall()
    assert len(true) > 500
    assert dict(linked) == dict(true)


def test_no_identifier_leaves_the_identity_store(clean):
    settings, truth = clean
    assert search_home(settings, truth) == []


def test_who_refused_is_in_no_linked_table_of_care_though_the_twin_is_not(clean):
    """Care records of people who did not consent have no row where people are linked, not even one without a key."""
    settings, truth = clean
    with duckdb.connect() as known:
        people = f"read_parquet('{truth / 'person.parquet'}')"
        records = f"read_parquet('{truth / 'record.parquet'}')"
        refused = known.execute(
            f"select agency_id || ':' || number from {records} join {people} using (true_person)"
            " where consent in ('refused', 'withdrawn') and agency_id = 'cedar_care' and entity <> 'consent'"
        ).fetchall()
    with open_release(settings) as con:
        linked = {r for (r,) in con.execute("select record_id from care.bridge_care_person_record").fetchall()}
        justice = {e for (e,) in con.execute("select distinct entity from internal.bridge_person_record").fetchall()}
    assert refused
    assert not linked & {number for (number,) in refused}
    assert not justice & {"ed_visit", "inpatient_stay", "referral", "service_linkage", "program_enrollment", "consent"}


def test_a_corrected_month_of_calls_makes_a_whole_release_and_links_nobody_anew(clean, tmp_path):
    """February's calls come again, each closed with a report: the other months, and who is who, stay as they were."""
    first, truth = clean
    settings, folder = replace(first, home=tmp_path / "home"), tmp_path / "drop" / "cedar_county"
    shutil.copytree(first.home, settings.home, symlinks=True)
    folder.mkdir(parents=True)
    (export,) = (truth.parent / "drop" / "cedar_county").glob("cad_incidents_*_*-*.csv")
    shutil.copy(export, folder)
    correct_month(folder, "2024-02")
    with (folder / "cad_incidents_2024-02_late.csv").open(newline="") as sent:
        corrected = sum(1 for _ in csv.DictReader(sent))
    assert corrected > 1500

    before = who_is_who(settings)
    outcome = run_road(settings, drop=tmp_path / "drop")
    assert outcome.success, outcome
    assert "2024-02" in outcome.months
    assert current_release(settings) != current_release(first)
    assert closed(settings, "2024-01") == closed(first, "2024-01")
    assert closed(settings, "2024-02") == {"report_taken": corrected}
    assert Warehouse.open(settings).stale() == {}
    assert who_is_who(settings) == before
    assert run_road(settings, drop=tmp_path / "drop").months == []


def test_budgets_of_programs_are_the_truth_s(clean):
    """Months of a budget add up to the truth's, cut at the last month of calls, to the cent."""
    settings, truth = clean
    with open_release(settings) as con:
        told = con.execute(
            "select lower(replace(program_number, 'P-', '')), sum(budget_usd) from internal.met_cost__program"
            " where month <= (select max(month) from internal.fct_incident where month <> 'unknown') group by all"
        ).fetchall()
    with duckdb.connect() as known:
        true = known.execute(
            f"select program, sum(cents) from read_parquet('{truth / 'cost.parquet'}') where item = 'budget' group by all"
        ).fetchall()
    assert {program: int(usd * 100) for program, usd in told} == {program: int(cents) for program, cents in true}


def test_avoided_cost_is_what_the_forms_say(clean):
    """The program's and the police-only contacts, counted by a query of its own over the forms of the release."""
    settings, _ = clean
    with open_release(settings) as con:
        told = con.execute(
            "select program_known_count, program_event_count, comparison_known_count, comparison_event_count, averted"
            " from internal.met_cost__avoided where program_id = 'cedar_county:P-CORE' and component_code = 'booking'"
        ).fetchone()
        since = (
            "month >= (select strftime(start_date, '%Y-%m') from internal.fct_program where program_number = 'P-CORE')"
        )
        known = "count(*) filter (where enforcement_code in ('booked', 'cited', 'none'))"
        booked = "count(*) filter (where enforcement_code = 'booked')"
        n, x = con.execute(
            f"select {known}, {booked} from internal.fct_contact where program_number = 'P-CORE' and {since}"
        ).fetchone()
        n0, x0 = con.execute(
            f"select {known}, {booked} from internal.fct_contact"
            f" where response_model_code = 'police_only' and program_number is null and month <> 'unknown' and {since}"
        ).fetchone()
    assert n > 50 and n0 > 50
    assert told == (n, x, n0, x0, pytest.approx(n * (x0 / n0 - x / n), abs=1e-4))


def test_an_agency_s_own_figures_stand_beside_published_ones_with_their_label(clean):
    from io import StringIO

    from rich.console import Console

    from orchestration.evaluation.published_report import print_own

    console = Console(width=160, file=StringIO())
    print_own(clean[0], console)
    with open_release(clean[0]) as con:
        programs = con.execute(
            "select program_id, net_capacity_usd from internal.met_cost__avoided where component_code = 'all'"
        ).fetchall()
    said = console.file.getvalue()
    assert programs and all(program in said and f"{net:,.0f}" in said for program, net in programs)
    assert "no comparison group" in said and "(associational)" in said
    assert "Neither figure is an effect" in said


def test_every_indicator_s_evidence_gives_its_value(clean):
    settings, _ = clean
    with open_release(settings) as con:
        told = con.execute(
            "select evidence_query, indicator_value from internal.met_indicator__common where availability_code = 'available'"
        ).fetchall()
        assert len({query for query, _ in told}) > 50
        for query, value in told:
            (found,) = con.execute(query).fetchone()
            assert (found is None) == (value is None) and float(found or 0) == pytest.approx(value or 0, abs=1e-4), (
                query
            )


def test_quantities_of_cost_are_the_truth_s(clean):
    """Hours, trips and visits of all months, each by a query of its own over the truth's files."""
    settings, truth = clean
    with open_release(settings) as con:
        told = dict(
            con.execute(
                "select component_code, sum(quantity) from internal.met_cost__component"
                " where slice_code = 'all' and identification_method_code = 'not_applicable' group by all"
            ).fetchall()
        )
    with duckdb.connect() as known:
        true = dict(
            known.execute(
                f"select item, sum(quantity) from read_parquet('{truth / 'cost.parquet'}') group by all"
            ).fetchall()
        )
    pairs = {"officer_time": "officer_hour", "clinician_time": "clinician_hour", "ambulance_trip": "ambulance_trip",
             "ed_visit": "ed_visit"}  # fmt: skip
    for ours, theirs in pairs.items():
        # hours are printed to four digits a month
        assert told[ours] == pytest.approx(float(true[theirs]), rel=0, abs=1e-3), ours


def cost_rows(settings: Settings) -> dict[tuple, tuple[str, dict]]:
    """Every row of every cost table of the release by (table, key): the parameters that it used, and what it says."""
    found = {}
    with open_release(settings) as con:
        tables = con.execute(
            "select distinct table_name from information_schema.tables"
            " where table_schema = 'internal' and table_name like 'met_cost__%' order by all"
        ).fetchall()
        for (table,) in tables:
            rows = con.execute(f"from internal.{table}")
            names = [d[0] for d in rows.description]
            keys = Warehouse.open(settings).project.models[f"model.crisis_warehouse.{table}"].primary_key
            for values in rows.fetchall():
                row = dict(zip(names, values, strict=True))
                used = "; ".join(str(v) for c, v in row.items() if c.endswith("parameter_keys") and v)
                found[table, *(row[k] for k in keys)] = (used, row)
    return found


@pytest.mark.parametrize(
    ("param_key", "old", "new"),
    [
        ("overtime_hour_wage", ",44.025,", ",54.025,"),
        ("clinician_hour_state_local", ",62.92,", ",72.92,"),
        ("ed_visit_msud", ",630,", ",730,"),
    ],
)
def test_a_changed_cost_parameter_changes_the_figures_that_name_it_and_no_other(clean, tmp_path, param_key, old, new):
    first, _ = clean
    project = tmp_path / "project"
    for part in ("dbt_project", "seeds"):
        shutil.copytree(PROJECT / part, project / part, ignore=shutil.ignore_patterns("target"))
    path = project / "seeds" / "costs" / "cost_parameter.csv"
    lines = path.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{param_key},"))
    assert old in lines[at]
    lines[at] = lines[at].replace(old, new)
    path.write_text("".join(lines))
    shutil.copytree(first.home, tmp_path / "home", symlinks=True)
    settings = replace(first, home=tmp_path / "home", dbt_project=project / "dbt_project", seeds=project / "seeds")
    before = cost_rows(first)
    assert run_road(settings, drop=tmp_path / "nothing").success
    after = cost_rows(settings)
    assert before.keys() == after.keys()
    changed = {key for key in before if before[key] != after[key]}
    named = {key for key, (used, _) in before.items() if param_key in used.split("; ")}
    assert changed and changed <= named
    # What names it and stays: nothing is told there, or none of what it prices was there.
    for key in named - changed:
        amounts = {v for c, v in before[key][1].items() if c.endswith("_usd") and not c.endswith("rate_central_usd")}
        sibling = before.get((*key[:-1], "clinician_hour"))
        assert not any(amounts) or (sibling and not sibling[1]["labor_cost_central_usd"]), key


def closed(settings: Settings, month: str) -> dict[str, int]:
    """How many of a month's calls the release shows closed how."""
    with open_release(settings) as con:
        return dict(
            con.execute(
                "select cad_disposition_code, count(*) from internal.fct_incident where month = ? group by all", [month]
            ).fetchall()
        )


def who_is_who(settings: Settings) -> tuple:
    """Link files with the instant of their writing, and how many builds changed the identity store."""
    with duckdb.connect(str(store_path(settings)), read_only=True) as con:
        (builds,) = con.execute("select count(*) from run").fetchone()
    return builds, {p.relative_to(settings.home): p.stat().st_mtime_ns for p in link_files(settings)}


def files_of(truth, settings) -> duckdb.DuckDBPyConnection:
    """The county's own CAD files and roster as tables call, unit and shift, with instants; nothing of the warehouse is used."""
    folder = truth.parent / "drop" / "cedar_county"
    con = duckdb.connect()
    con.execute("set timezone = 'America/Denver'")
    con.execute(f"""
        create table call as
        select IncidentNumber as number, Beat as beat, cast(Received as timestamp) as local_at,
            timezone('America/Denver', cast(Received as timestamp)) as received_at,
            MasterIncident is null and CallSource <> 'ONVIEW' and CancelledBeforeArrival = 'N' as is_community
        from read_csv('{folder}/cad_incidents_*_*-*.csv', all_varchar = true)
    """)
    con.execute(f"""
        create table unit as
        select IncidentNumber as number, cast(Dispatched as timestamp) as local_at, cast(Officers as integer) as officers,
            UnitKind in ('CITCAR', 'CORE', 'MCT') or cast(Clinicians as integer) > 0 as is_capable,
            {", ".join(f"timezone('America/Denver', cast({c} as timestamp)) as {c.lower()}_at" for c in ("Dispatched", "Enroute", "OnScene", "Cleared"))}
        from read_csv('{folder}/cad_units_*.csv', all_varchar = true)
    """)
    con.execute(f"""
        create table shift as
        select strftime(cast(Started as timestamp), '%Y-%m') as month, cast(Present as integer) as present,
            cast(CITOfficers as integer) as trained, date_diff('hour', timezone('America/Denver', cast(Started as timestamp)),
            timezone('America/Denver', cast(Ended as timestamp))) as hours
        from read_csv('{folder}/roster_*.csv', all_varchar = true)
    """)
    return con


def test_response_times_by_beat_are_those_of_the_files(clean):
    """M05 and M06: how many, the median and the 90th percentile of every beat and month, by another query over the files."""
    settings, truth = clean
    with files_of(truth, settings) as known:
        true = known.execute("""
            with first as (
                select call.*, min(onscene_at) as any_at, min(case when is_capable then onscene_at end) as capable_at
                from call left join unit using (number) where is_community group by all
            ),
            timed as (
                select strftime(local_at, '%Y-%m') as month, beat, unnest(['M05', 'M06']) as metric_id,
                    unnest([epoch(any_at) - epoch(received_at), epoch(capable_at) - epoch(received_at)]) as seconds from first
            )
            select metric_id, month, beat, count(seconds), median(seconds), quantile_disc(seconds, 0.9)
            from timed group by all order by all
        """).fetchall()
    with open_release(settings) as con:
        ours = con.execute("""
            select metric_id, month, slice_value, known_count, median_seconds, p90_nearest_rank_seconds
            from internal.met_response__interval_by_slice where agency_id = 'cedar_county' and population_code = 'all'
            and metric_id in ('M05', 'M06') and slice_code = 'beat' and month like '2024-0_' order by all
        """).fetchall()
    assert len(true) > 100
    assert ours == true


def test_demand_by_hour_of_the_week_is_that_of_the_files(clean):
    """M11: calls, and seconds of units and officers, of every hour of the week and month, by another query over the files.

    The month after the last holds units of its calls and no calls, so the metric is not available there."""
    settings, truth = clean
    with files_of(truth, settings) as known:
        true = known.execute("""
            with counted as (
                select strftime(local_at, '%Y-%m') as month, strftime(local_at, '%u_%H') as hour, 1 as calls, 0 as units, 0 as officers
                from call
                union all
                select strftime(local_at, '%Y-%m'), strftime(local_at, '%u_%H'), 0, epoch(cleared_at) - epoch(dispatched_at),
                    officers * (epoch(cleared_at) - epoch(dispatched_at))
                from unit
            )
            select month, hour, sum(calls), sum(units), sum(officers) from counted
            where month in (select strftime(local_at, '%Y-%m') from call) group by all order by all
        """).fetchall()
    with open_release(settings) as con:
        ours = con.execute("""
            select month, hour_of_week, call_count, coalesce(unit_seconds, 0), coalesce(officer_seconds, 0)
            from internal.met_workload__demand where agency_id = 'cedar_county' and population_code = 'all'
            and slice_code = 'hour_of_week' and call_count + response_count > 0 order by all
        """).fetchall()
    assert len(true) >= 4 * 168
    assert ours == true


def test_trained_hours_on_duty_are_those_of_the_roster(clean):
    """M13 and M14b: hours of trained and of all officers, and hours with a trained one, by another query over the roster."""
    settings, truth = clean
    with files_of(truth, settings) as known:
        true = known.execute("""
            select month, sum(hours * present), sum(hours * trained), sum(hours), sum(hours) filter (where trained > 0)
            from shift group by all order by all
        """).fetchall()
    with open_release(settings) as con:
        ours = con.execute("""
            select month, max(denominator_count) filter (where metric_id = 'M13'), max(numerator_count) filter (where metric_id = 'M13'),
                max(denominator_count) filter (where metric_id = 'M14b'), max(numerator_count) filter (where metric_id = 'M14b')
            from internal.met_staffing__cit_coverage where agency_id = 'cedar_county' and slice_code = 'all'
            and metric_id <> 'M14' and denominator_count > 0 group by all order by all
        """).fetchall()
    assert len(true) == 4
    assert ours == true


def test_calls_inside_programs_hours_and_areas_are_those_of_the_files(clean):
    """M45: the county's own list of programs against its CAD file; contacts are those of the truth."""
    settings, truth = clean
    with open_release(settings) as con:
        told = {
            (program, method): (days, inside)
            for program, method, days, inside in con.execute("""
                select program_number, identification_method_code, sum(denominator_count), sum(inside_count)
                from internal.met_program__hours_fit
                where agency_id = 'cedar_county' and slice_code = 'all' and availability_code = 'available'
                and identification_method_code in ('not_applicable', 'field_form') group by all
            """).fetchall()
        }
        starts = dict(
            con.execute("select program_number, cast(start_date as varchar) from internal.fct_program").fetchall()
        )
    with files_of(truth, settings) as known:
        for method, wanted in {"not_applicable": "true", "field_form": "is_contact"}.items():
            for program in PROGRAMS:
                true = known.execute(
                    f"""select count(*), count(*) filter (where left(beat, 1) in ({quoted(program.starts)})
                            and hour(local_at) >= {program.hours[0]} and hour(local_at) < {program.hours[1]})
                        from call join '{truth / "call.parquet"}' on number = incident_number
                        where is_community and {wanted} and cast(local_at as date) >= '{starts[program.number]}'"""
                ).fetchone()
                assert told[program.number, method] == true, program.key


def test_a_staffing_plan_rests_on_the_release_and_agrees_with_its_tables(clean, tmp_path):
    """Calls of the plan's whole days are those of the county's own file; units by Python are those by SQL."""
    settings, truth = clean
    patterns = load_patterns(settings.seeds / "staffing" / "shift_pattern.csv")
    with open_release(settings) as con:
        plan = make_plan(con, "cedar_county", patterns, weeks=2)
        loads = con.execute(
            "select offered_load, mean_task_seconds, units_on_duty, longer_than_limit_share"
            " from internal.met_staffing__offered_load where is_units_needed"
        ).fetchall()
    assert len(loads) > 500
    for load, service, units, share in loads:
        assert units_needed(load, service, 60, 0.1) == units
        assert longer_than_share(load, units, service, 60) == pytest.approx(
            share, abs=2e-5
        )  # loads are printed to 6 digits
    last = plan.demand.first + timedelta(days=len(plan.demand.calls) - 1)
    with files_of(truth, settings) as known:
        (calls,) = known.execute(
            f"select count(*) from call where cast(local_at as date) between '{plan.demand.first}' and '{last}'"
        ).fetchone()
    assert plan.demand.calls.sum() == calls == sum(seen.sum() for seen in plan.demand.by_beat.values())
    assert not plan.cover.under.any() and plan.cover.cost == pytest.approx(plan.cover.paid_hours * 62.92)
    assert plan.roster.months and plan.responses_held_out.inside_share > 0.85
    written = {path.name: path.read_text().splitlines() for path in write_tables(plan, tmp_path)}
    assert len(written["by_hour_of_week.csv"]) == 169 and len(written["forecast_by_hour.csv"]) == 1 + 14 * 24
    assert "<script" not in page(plan, "r") and "http" not in page(plan, "r")


def test_hours_relieved_are_those_of_the_files(clean):
    """M08b, by another query over the files: type and six hours, police without a team against calls of a team."""
    settings, truth = clean
    folder = truth.parent / "drop" / "cedar_county"
    teams = "('CORESP', 'MOBILE', 'NOPOLICE')"
    codes = PROJECT / "agencies" / "cedar_county" / "codes" / "call_type.csv"
    with files_of(truth, settings) as known:
        true = known.execute(f"""
            with spent as (
                select call.number, strftime(min(call.local_at), '%Y-%m') as month, any_value(standard_code) as type,
                    hour(min(call.local_at)) // 6 as part, bool_or(units.Program in {teams}) as is_team,
                    bool_or(units.Program in {teams} and units.OnScene is not null) as is_there,
                    bool_or(units.Program not in {teams} and units.OnScene is not null) as has_police,
                    coalesce(sum(case when units.Program not in {teams} then date_diff('second',
                        cast(Dispatched as timestamptz), cast(Cleared as timestamptz)) * cast(Officers as integer) end), 0) / 3600 as hours
                from read_csv('{folder}/cad_units_*.csv', all_varchar = true) as units
                join (select * from call where is_community) as call on call.number = units.IncidentNumber
                join read_csv('{folder}/cad_incidents_*_*-*.csv', all_varchar = true) as incidents using (IncidentNumber)
                join read_csv('{codes}', all_varchar = true) on TypeOpen = local_code
                group by call.number
            ),
            usual as (
                select month, type, part, avg(hours) as mean from spent where has_police and not is_team
                group by all having count(*) > 1
            )
            select count(*), count(mean), sum(mean), sum(case when mean is not null then hours end)
            from spent left join usual using (month, type, part) where is_there
        """).fetchone()
    with open_release(settings) as con:
        told = con.execute("""
            select sum(considered_count), sum(denominator_count), sum(expected_officer_hours), sum(police_officer_hours)
            from internal.met_workload__hours_relieved where team_code = 'any_team' and agency_id = 'cedar_county'
        """).fetchone()
    assert told[0] > 300
    assert told[:2] == true[:2]
    assert told[2:] == pytest.approx(true[2:], abs=0.01)  # hours are printed to four digits a month


def quoted(names) -> str:
    return ", ".join(f"'{name}'" for name in names)


def test_contacts_before_and_after_enrollment_are_those_of_true_people(clean):
    """M39: true people, and times of the files; only who may be linked is taken from the release."""
    settings, truth = clean
    with open_release(settings) as con:
        linked = con.execute(
            "select record_id from care.bridge_care_person_record where role_code = 'subject'"
        ).fetch_arrow_table()
        told = con.execute("""
            select month, window_days, considered_count, denominator_count, before_events, after_events
            from care.met_outcome__before_after where agency_id = 'cedar_care' and group_code = 'enrolled'
            and event_kind_code = 'contact' and window_days <= 90 and considered_count > 0 order by all
        """).fetchall()
    with files_of(truth, settings) as known:
        known.register("linked", linked)
        known.execute(f"""
            create table person as
            select agency_id || ':' || number as id, entity, true_person from read_parquet('{truth / "record.parquet"}')
            where agency_id || ':' || number in (select record_id from linked)
        """)
        drop = truth.parent / "drop"
        true = known.execute(f"""
            with form as (
                select distinct 'cedar_county:' || FormNumber as id, IncidentNumber as number,
                    timezone('America/Denver', cast(OccurredDate || ' ' || OccurredTime || ':00' as timestamp)) as occurred_at
                from read_csv('{drop}/cedar_county/contact_forms_*.csv', all_varchar = true)
            ),
            dated as (select *, coalesce(received_at, occurred_at) as met_at from form left join call using (number)),
            span as (select min(met_at) as first_at, max(met_at) as last_at from dated),
            met as (
                select true_person, min(met_at) as met_at from dated join person using (id) where entity = 'contact'
                group by true_person, coalesce(number, id)
            ),
            enrolled as (
                select 'cedar_care:' || EnrollmentNumber as id, strftime(cast(Enrolled as timestamp), '%Y-%m') as month,
                    timezone('America/Denver', cast(Enrolled as timestamp)) as entered_at
                from read_csv('{drop}/cedar_care/enrollments_*.csv', all_varchar = true)
            ),
            named as (
                select *, row_number() over (partition by true_person order by entered_at, id) as place
                from enrolled left join person using (id)
            ),
            followed as (
                select *, true_person is not null and place = 1 and entered_at - to_days(days) >= first_at
                    and entered_at + to_days(days) <= last_at as is_followed
                from named, span, (values (30), (90)) as w (days)
            ),
            counted as (
                select month, id, days, is_followed, count(met_at) filter (where met_at <= entered_at) as before_events,
                    count(met_at) filter (where met_at > entered_at) as after_events
                from followed left join met on is_followed and met.true_person = followed.true_person
                    and met_at between entered_at - to_days(days) and entered_at + to_days(days)
                group by all
            )
            select month, days, count(*), count(*) filter (where is_followed), sum(before_events), sum(after_events)
            from counted group by all order by all
        """).fetchall()
    assert [row[:4] for row in told] == [row[:4] for row in true]
    shown = [row for row in told if row[4] is not None]
    assert sum(row[3] for row in shown) >= 10
    assert shown == [row for row in true if row[:2] in {r[:2] for r in shown}]


def test_time_at_calls_with_the_same_person_again_is_that_of_true_people(clean):
    """Repeats and their officers' hours: true people and the county's own files; who may be linked is the release's."""
    settings, truth = clean
    with open_release(settings) as con:
        linked = con.execute("select record_id from internal.bridge_person_record where role_code = 'subject'")
        linked = linked.fetch_arrow_table()
        told = con.execute("""
            select window_days, sum(repeat_count), round(sum(spent_hours), 2) from internal.met_cost__repeat_response
            where agency_id = 'cedar_county' and item_code = 'officer_hour' and basis_code = 'person' group by all order by all
        """).fetchall()
    with files_of(truth, settings) as known:
        known.register("linked", linked)
        true = known.execute(f"""
            with met as (
                select distinct true_person, incident_number as number, received_at
                from read_parquet('{truth / "contact_incident.parquet"}') join call on number = incident_number
                where 'cedar_county:' || contact_number in (select record_id from linked)
            ),
            since as (
                select number, received_at - lag(received_at) over (partition by true_person order by received_at) as gap
                from met
            ),
            spent as (
                select number, sum(officers * (epoch(cleared_at) - epoch(dispatched_at))) as seconds from unit group by all
            )
            select days, count(*), round(sum(seconds) / 3600, 2)
            from since left join spent using (number), (values (30), (90)) as w (days)
            where gap <= to_days(days) group by all order by all
        """).fetchall()
    assert told[0][1] > 100
    assert [row[:2] for row in told] == [row[:2] for row in true]
    assert [row[2] for row in told] == pytest.approx([row[2] for row in true], abs=0.01)


def test_force_by_training_and_recoded_calls_are_those_of_the_files(clean):
    """TR2 by the form's own words on who came, and TR4 by the types of the calls that a unit reached."""
    settings, truth = clean
    with files_of(truth, settings) as known:
        trained = known.execute(f"""
            with form as (
                select distinct FormNumber, ForceUsed, case when Program in ('MOBILE', 'NOPOLICE') then 'no_police'
                    when CITArrived = 'Y' or Program = 'CIT' then 'trained' when CITArrived = 'N' then 'not_trained'
                    else 'not_recorded' end as training
                from read_csv('{truth.parent / "drop"}/cedar_county/contact_forms_*.csv', all_varchar = true)
            )
            select training, count(*), count(*) filter (where ForceUsed in ('Y', 'N')), count(*) filter (where ForceUsed = 'Y')
            from form group by all order by all
        """).fetchall()
        (recoded,) = known.execute(f"""
            with type as (
                select map.local_code, tier.bh_tier = 1 as is_bh
                from read_csv('{PROJECT}/agencies/cedar_county/codes/call_type.csv', all_varchar = true) as map
                join read_csv('{PROJECT}/seeds/codes/codes_call_type.csv') as tier on map.standard_code = tier.call_type_code
            )
            select count(distinct event.IncidentNumber)
            from read_csv('{truth.parent / "drop"}/cedar_county/cad_incidents_*_*-*.csv', all_varchar = true) as event
            join type as opened on TypeOpen = opened.local_code join type as closed on TypeClose = closed.local_code
            join read_csv('{truth.parent / "drop"}/cedar_county/cad_units_*.csv', all_varchar = true) as unit using (IncidentNumber)
            where MasterIncident is null and unit.OnScene is not null and not opened.is_bh and closed.is_bh
        """).fetchone()
    with open_release(settings) as con:
        told = con.execute("""
            select slice_value, sum(considered_count), sum(denominator_count), sum(outcome_count)
            from internal.met_training__contact where agency_id = 'cedar_county' and outcome_code = 'any_force'
            and slice_code = 'training' group by all order by all
        """).fetchall()
        (ours,) = con.execute("""
            select sum(outcome_count) from internal.met_training__call
            where agency_id = 'cedar_county' and metric_id = 'TR4' and slice_code = 'all'
        """).fetchone()
    assert told == trained
    assert ours == recoded
    assert ours > 50


def test_demand_that_no_team_reached_and_trips_are_those_of_the_files(clean):
    """ND1: community calls of an explicit type, and those at which a team's car arrived; ND2: the trips that were made."""
    settings, truth = clean
    drop = truth.parent / "drop" / "cedar_county"
    with files_of(truth, settings) as known:
        true = known.execute(f"""
            with type as (
                select map.local_code from read_csv('{PROJECT}/agencies/cedar_county/codes/call_type.csv', all_varchar = true) as map
                join read_csv('{PROJECT}/seeds/codes/codes_call_type.csv') as tier on map.standard_code = tier.call_type_code
                where tier.bh_tier = 1
            ),
            team as (
                select distinct IncidentNumber as number from read_csv('{drop}/cad_units_*.csv', all_varchar = true)
                where Program in ('RIDE', 'CORESP', 'MOBILE', 'NOPOLICE') and OnScene is not null
            )
            select count(*), count(team.number)
            from call join read_csv('{drop}/cad_incidents_*_*-*.csv', all_varchar = true) as event
                on call.number = event.IncidentNumber
            join type on event.TypeOpen = type.local_code left join team on call.number = team.number where is_community
        """).fetchone()
        trips = known.execute(
            f"select count(*), count(*) filter (where TurnedAway = 'Y') from read_csv('{drop}/transports_*.csv', all_varchar = true)"
        ).fetchone()
    with open_release(settings) as con:
        told = con.execute("""
            select sum(considered_count), sum(reached_count) from internal.met_needs__demand_not_reached
            where agency_id = 'cedar_county' and slice_code = 'all'
        """).fetchone()
        told_trips = con.execute("""
            select sum(considered_count), sum(refused_count) from internal.met_needs__refused_drop_off
            where agency_id = 'cedar_county' and slice_code = 'all'
        """).fetchone()
    assert told == true
    assert told_trips == trips
    assert told[1] > 10


@pytest.fixture(scope="module")
def known(clean):
    """Tables of the county's own files and truth; nothing of the warehouse is in them."""
    _, truth = clean
    with sent(truth.parent) as con:
        yield con


@pytest.mark.parametrize("counted", COUNTED, ids=lambda c: c.name)
def test_a_metric_is_what_a_query_over_the_county_s_own_files_counts(clean, known, counted: Counted):
    """Every row of a metric table by another query: counts and sums agree exactly, the rest to the last digit printed."""
    settings, _ = clean
    with open_release(settings) as con:
        ours, true = counted_twice(con, known, counted)
    assert len(ours) == len(true) > 0
    wrong = [(a, b) for a, b in zip(ours, true, strict=True) if not all(map(same(counted.within), a, b))]
    assert wrong == []


def same(within: float):
    """Whether two values of a row are the same, numbers within so much."""

    def compare(a, b) -> bool:
        if a is None or b is None or isinstance(a, str):
            return a == b
        return abs(float(a) - float(b)) <= within + 1e-9

    return compare


def test_a_file_that_differs_from_the_release_is_noticed(clean, known):
    """One form's force struck out: what contacts led to differs by that one contact, and hours on task do not."""
    settings, _ = clean
    by_name = {c.name: c for c in COUNTED}
    known.execute("""
        create temp view true_contact_incident as select * replace (case when contact_number = (select min(contact_number)
            from memory.main.true_contact_incident where force_used = 'Y') then 'N' else force_used end as force_used)
        from memory.main.true_contact_incident
    """)
    with open_release(settings) as con:
        ours, true = counted_twice(con, known, by_name["what contacts led to"])
        hours = counted_twice(con, known, by_name["hours on task"])
    known.execute("drop view temp.true_contact_incident")
    differing = {a[0]: (a[3], b[3]) for a, b in zip(ours, true, strict=True) if a != b}
    assert differing["any_force"][0] == differing["any_force"][1] + 1
    assert "arrested" not in differing
    assert len(hours[0]) == len(hours[1])


def test_waits_and_headcount_are_those_that_python_computes(clean, known):
    """M41 and M42 by Erlang's formula, and M44 from the units of all hours of the week, over loads counted from the files."""
    settings, _ = clean
    (offered,) = (c for c in COUNTED if c.metric_ids == ("M40",))
    with open_release(settings) as con:
        _, loads = counted_twice(con, known, offered)
        told = {
            (month, hour): rest
            for month, hour, *rest in con.execute("""
                select month, hour_of_week, mean_task_seconds, units_on_duty, wait_share, mean_wait_seconds
                from internal.met_staffing__offered_load where agency_id = 'cedar_county' and is_units_needed
                and identification_method_code = 'not_applicable'
            """).fetchall()
        }
        heads = con.execute("""
            select month, unit_hours_a_week, headcount from internal.met_staffing__headcount
            where agency_id = 'cedar_county' and identification_method_code = 'not_applicable'
            and availability_code = 'available' and month in (select distinct month from internal.fct_incident) order by all
        """).fetchall()
    needed = {}
    for month, hour, load in loads:
        service, units, share, wait = told[month, hour]
        assert units_needed(load, service, 60, 0.1) == units
        assert wait_share(load, units) == pytest.approx(share, abs=2e-5)
        assert wait_share(load, units) * service / (units - load) == pytest.approx(wait, rel=1e-3, abs=0.01)
        needed[month] = needed.get(month, 0) + units
    crews = dict(
        known.execute("""
            select month, (sum((cleared - dispatched) * officers) / count(cleared)) / avg(cleared - dispatched) from unit group by all
        """).fetchall()
    )
    assert len(heads) >= 4
    for month, hours, headcount in heads:
        if month in needed:
            assert hours == needed[month]
            assert headcount == ceil(needed[month] * 365 / 7 * crews[month] / 1960)


def test_later_harm_is_that_of_true_people_one_by_one(clean, known):
    """PG6: true people and times of the files; only who may be linked is taken from the release."""
    settings, _ = clean
    with open_release(settings) as con:
        linked = con.execute("select record_id, entity from internal.bridge_person_record where role_code = 'subject'")
        known.register("may_link", linked.fetch_arrow_table())
        told = {
            (group, outcome, days): tuple(counts)
            for group, outcome, days, *counts in con.execute("""
                select response_group_code, outcome_code, window_days, sum(taken_count), sum(died_count), sum(censored_count),
                    sum(denominator_count), sum(outcome_count)
                from internal.met_program__later_harm where agency_id = 'cedar_county' group by all
            """).fetchall()
        }
    whose = "(select number as id, true_record.entity, true_person from true_record join may_link on agency_id || ':' || number = record_id and true_record.entity = may_link.entity)"
    forms = known.execute(f"""
        select true_person, cast(coalesce(came, met) as bigint) as met_at, coalesce(number, form) as encounter,
            case when model in ('POLICE', 'CIT') then 'police_only' when model not in ('CORESP', 'MOBILE', 'NOPOLICE') then null
                when model = 'CORESP' or number in (select number from unit where is_police and onscene is not null)
                then 'team_with_police' else 'no_police' end as kind,
            enforcement in ('booked', 'arrested') as arrested, hold = 'involuntary' as held, force = 'Y' as force, injury = 'Y' as injured
        from form left join call using (number) left join {whose} as w on w.id = form and w.entity = 'contact' order by met_at, form
    """).fetchall()
    zone = "timezone('America/Denver', cast({} as timestamp))"
    stays: dict[int, list[tuple[float, float]]] = {}
    harm: dict[int, list[tuple[float, str, set]]] = {}
    for person, number, start, end in known.execute(f"""
        select true_person, IncidentNumber, epoch({zone.format("Booked")}), coalesce(epoch({zone.format("Released")}), 1e12)
        from booking join {whose} as w on w.id = BookingNumber and w.entity = 'jail_booking' order by all
    """).fetchall():
        stays.setdefault(person, []).append((start, end))
        harm.setdefault(person, []).append((start, number, {"arrested"}))
    died = dict(known.execute(f"""
        select true_person, epoch(cast(death_date as timestamp)) from true_person join {whose} as w using (true_person) where w.entity = 'death'
    """).fetchall())  # fmt: skip
    for person, at, encounter, _, *flags in forms:
        had = {name for name, flag in zip(("arrested", "held", "force", "injured"), flags, strict=True) if flag}
        harm.setdefault(person, []).append((at, encounter, had))
    last = max(at for _, at, *_ in forms)

    def at_liberty(person: int, start: float, end: float) -> float:
        """Seconds that no stay covers."""
        free, at = 0.0, start
        for begin, until in stays.get(person, []):
            if until > at and begin < end:
                free += max(begin - at, 0)
                at = max(at, until)
        return free + max(end - at, 0)

    true: dict[tuple, list[int]] = {}
    seen = set()
    for person, at, encounter, kind, arrested, held, *_ in forms:
        if kind is None:
            continue
        is_new = person is not None and not (arrested or held) and (person, encounter) not in seen
        if is_new:
            seen.add((person, encounter))
        later = sorted((s, what) for s, e, what in harm[person] if s > at and e != encounter) if is_new else []
        first = {o: next((s for s, what in later if o in what), None) for o in ("arrested", "held", "force", "injured")}
        first["died"] = died.get(person)
        first["any"] = min((s for s in first.values() if s is not None), default=None)
        for outcome, days in product(first, (7, 30)):
            counts, window = true.setdefault((kind, outcome, days), [0] * 5), days * 86400
            if arrested or held:
                counts[0] += 1
            if not is_new:
                continue
            follows = at_liberty(person, at, last)
            after = None if first[outcome] is None else at_liberty(person, at, first[outcome])
            dead = (
                None if first["died"] is None or outcome in ("died", "any") else at_liberty(person, at, first["died"])
            )
            if dead is not None and dead < min(follows, window) and (after is None or after > dead):
                counts[1] += 1
            elif follows < window:
                counts[2] += 1
            else:
                counts[3] += 1
                counts[4] += after is not None and after <= window
    assert told == {key: tuple(counts) for key, counts in true.items()}
    assert told["no_police", "any", 30][4] >= 5


def test_every_metric_is_held_against_the_truth_or_says_why_not():
    """Each id of the list of metrics; and each test that is named as a comparison is one of this file."""
    with (PROJECT / "seeds" / "codes" / "codes_metric.csv").open(newline="", encoding="utf-8") as file:
        ids = {row["metric_id"] for row in csv.DictReader(file)}
    told = {i for c in COUNTED for i in c.metric_ids}
    assert ids == told | set(TESTED) | set(NOT_COMPARED)
    assert not told & set(TESTED) and not (told | set(TESTED)) & set(NOT_COMPARED)
    assert set(TESTED.values()) <= set(globals())


def test_the_demo_study_reads_the_county_s_calls_and_sees_its_final_codes_shift(clean, tmp_path):
    """evaluations/demo_county on four months: its rows are the truth's calls, and teams re-code as the truth has it."""
    pytest.importorskip("diff_diff", reason="the extra `evaluate` is not installed")
    import yaml

    from orchestration.evaluation.staggered_analysis import analyze
    from orchestration.evaluation.study import STUDIES, load_study

    settings, truth = clean
    said = yaml.safe_load((STUDIES / "demo_county" / "study.yml").read_text(encoding="utf-8"))
    said["population"]["data"]["last"] = "2024-04"
    said["treatment"]["starts"][1]["month"] = "2024-03"  # the middle of the period
    (tmp_path / "demo_county").mkdir()
    (tmp_path / "demo_county" / "study.yml").write_text(yaml.safe_dump(said), encoding="utf-8")
    study = load_study(tmp_path / "demo_county")
    with open_release(settings) as con:
        a = analyze(con, study)
    assert all(x.remain - y.left_out == y.remain for x, y in pairwise(a.flow))
    calls = next(m for m in a.outcomes if m.outcome.name == "calls").main
    with duckdb.connect() as con:
        eligible = con.execute(
            f"select count(*) from read_parquet('{truth / 'call.parquet'}') where eligible_core"
        ).fetchone()[0]
    # The truth's eligible calls have no weapon and repeat no other call, which dispatch does not know when it opens one.
    assert eligible <= calls.rows <= 1.15 * eligible
    recoded = next(s for s in a.shifts if "re-coded" in s.label)
    assert recoded.effect.low > 0
