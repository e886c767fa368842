"""The county's own files and truth as tables: what an independent query counts. Nothing of the warehouse is read."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.engine import text
from orchestration.settings import PROJECT

ZONE = "America/Denver"
# Seeds and code files hold definitions, such as which disposition is an arrest; they are read as they are.
DEFINED = {
    "type_tier": "seeds/codes/codes_call_type.csv",
    "disposition_axes": "seeds/codes/codes_disposition.csv",
    "local_type": "agencies/cedar_county/codes/call_type.csv",
    "local_disposition": "agencies/cedar_county/codes/disposition.csv",
    "price": "seeds/costs/cost_parameter.csv",
    "price_index": "seeds/costs/price_index.csv",
    "staffing": "seeds/targets/staffing_parameter.csv",
}
FEEDS = {
    "trip": "cedar_county/transports",
    "force": "cedar_county/force_reports",
    "roster": "cedar_county/roster",
    "training": "cedar_county/training",
    "position": "cedar_county/positions",
    "booking": "cedar_jail/jail_bookings",
    "court": "cedar_jail/court_events",
    "visit": "cedar_health/ed_visits",
    "stay": "cedar_health/stays",
    "held": "cedar_health/holds",
    "capacity": "cedar_health/capacity",
    "referral": "cedar_care/referrals",
    "service": "cedar_care/services",
    "enrollment": "cedar_care/enrollments",
}
_TEAMS = "('CORESP', 'MOBILE', 'NOPOLICE')"


def _local(column: str) -> str:
    return f"cast({column} as timestamp)"


def _at(column: str) -> str:
    """The instant of a local time; of an hour that comes twice, the first."""
    return f"epoch(timezone('{ZONE}', {_local(column)}))"


TABLES = {
    # One row per event. exclusion: why it is no community call.
    "call": f"""
        select event.IncidentNumber as number, MasterIncident as master, {_local("Received")} as local_at,
            {_at("Received")} as came, {_at("Closed")} as closed_at, strftime({_local("Received")}, '%Y-%m') as month,
            opened.standard_code as opened, closed.standard_code as closed, opens.bh_tier = '1' as is_bh_open, opens.bh_kind_code as open_kind,
            closes.bh_tier = '1' as is_bh_close, closes.bh_kind_code as close_kind,
            cast(PriorityOpen as integer) as priority, Beat as beat, Sector as sector, CloseCode as close_code,
            TeamEligible as eligible,
            case when MasterIncident is not null then 'duplicate' when CallSource = 'ONVIEW' then 'self_initiated'
                when CancelledBeforeArrival = 'Y' then 'cancelled' else 'none' end as exclusion
        from read_csv('{{drop}}/cedar_county/cad_incidents_*_*-*.csv', all_varchar = true) as event
        join local_type as opened on TypeOpen = opened.local_code join local_type as closed on TypeClose = closed.local_code
        join type_tier as opens on opened.standard_code = opens.call_type_code
        join type_tier as closes on closed.standard_code = closes.call_type_code""",
    # One row per unit and assignment; times in seconds.
    "unit": f"""
        select IncidentNumber as number, Unit as unit, UnitKind as kind, Program as model, cast(Officers as integer) as officers,
            cast(Clinicians as integer) as clinicians, ShiftNumber as shift, cast(Miles as double) as miles,
            {_local("Dispatched")} as local_at, strftime({_local("Dispatched")}, '%Y-%m') as month,
            {", ".join(f"{_at(c)} as {c.lower()}" for c in ("Dispatched", "Enroute", "OnScene", "LeftScene", "AtDestination", "HandedOver", "Cleared"))},
            Cancelled is not null as is_cancelled, Program in {_TEAMS} as is_team, cast(Officers as integer) > 0 as is_police,
            UnitKind in ('CITCAR', 'CORE', 'MCT') or cast(Clinicians as integer) > 0 as is_capable
        from read_csv('{{drop}}/cedar_county/cad_units_*.csv', all_varchar = true)""",
    # One row per line of a form: a disposition with its four axes. place: the main one first, else the gravest.
    "line": """
        select form.*, axes.*, case when MainOne = 'Y' then 0 else cast(primary_rank as integer) end as place from (
            select *, row_number() over () as line from read_csv('{drop}/cedar_county/contact_forms_*.csv', all_varchar = true)
        ) as form join local_disposition as local on form.Disposition = local.local_code
        join disposition_axes as axes on local.standard_code = axes.disposition_code""",
    # One row per form, with how the contact ended.
    "form": f"""
        with ended as (
            select FormNumber, case when bool_or(enforcement_code = 'booked') then 'booked'
                    when bool_or(enforcement_code = 'arrested_unspecified') then 'arrested'
                    when bool_or(enforcement_code = 'cited') then 'cited' else 'none' end as enforcement,
                case when bool_or(legal_hold_code = 'involuntary') then 'involuntary'
                    when bool_or(legal_hold_code = 'voluntary') then 'voluntary' else 'none' end as hold,
                coalesce(arg_min(destination_code, place) filter (destination_code not in ('none', 'not_recorded')),
                    max(case when destination_code = 'not_recorded' then 'unknown' end), 'none') as destination,
                coalesce(arg_min(service_code, place) filter (service_code not in ('none', 'not_recorded')), 'none') as service,
                arg_min(disposition_code, place) as main, list(distinct disposition_code) as all_codes
            from line group by FormNumber
        ),
        one as (select * from line qualify row_number() over (partition by FormNumber order by line) = 1)
        select one.FormNumber as form, IncidentNumber as number, Program as model, ended.* exclude (FormNumber),
            cast(OccurredDate || ' ' || OccurredTime as timestamp) as local_at, left(OccurredDate, 7) as month,
            {_at("OccurredDate || ' ' || OccurredTime || ':00'")} as met, {_at("Written")} as written_at,
            CITAsked as cit_asked, CITSent as cit_sent, CITArrived as cit_came, ForceUsed as force, Handcuffs as handcuffs,
            Injury as injury, Injured as injured, Techniques as techniques, Restrained as restrained, EDIndicated as ed_due,
            ArrestableOffense as arrestable, Discretion as discretion, cast(ReportMinutes as integer) as report_minutes,
            Weapon as weapon, ThreatensOthers as threat, RaceEthnicity as race, AgeBand as age_band, AgeBand in ('0-11', '12-17') as is_minor,
            ProgramNumber as program, opened.standard_code as opened
        from one join ended using (FormNumber) left join local_type as opened on TypeOpen = opened.local_code""",
}


def sent(folder: Path) -> duckdb.DuckDBPyConnection:
    """Tables over the files of a clean county of more than 5,000 calls, whose forms are text: `folder`/drop and /truth.

    call, unit, line and form are typed; each feed stands under its name in FEEDS as texts; the truth's tables begin with
    true_ (true_call, true_record, true_cost, ...), and `rate` holds the parameters used.
    """
    con = duckdb.connect()
    con.execute(f"set timezone = '{ZONE}'")
    for name, path in DEFINED.items():
        con.execute(f"create view {name} as from read_csv({text(str(PROJECT / path))}, all_varchar = true)")
    for name, feed in FEEDS.items():
        pattern = text(f"{folder}/drop/{feed}_*.csv")
        con.execute(f"create view {name} as from read_csv({pattern}, all_varchar = true, union_by_name = true)")
    for path in sorted((folder / "truth").glob("*.parquet")):
        con.execute(f"create view true_{path.stem} as from read_parquet({text(str(path))})")
    con.execute(f"create view rate as from read_csv({text(f'{folder}/truth/rate.csv')}, all_varchar = true)")
    for name, query in TABLES.items():
        con.execute(f"create table {name} as {query.replace('{drop}', f'{folder}/drop')}")
    return con
