"""The hospital: visits of the emergency department, holds, stays and deaths."""

from __future__ import annotations

from orchestration.county.parameters import WHOLE, Parameters
from orchestration.county.period import Period

DRAWS = ("a", "b", "c", "d", "e", "f", "g", "h", "k")
FACILITY = "H-1"


def causes_sql(p: Parameters) -> str:
    """Visits of the block: those that a contact led to, and those that no call brought."""
    return f"""
select i, number, s + d + case when patrol > 0 then e1 else g4 + e4 end - handed - 120 as from_s, subject as p,
    fate, outcome, kind, patrol, team, 0 as copy_no
from followed where is_contact and fate in ('hold', 'ed') and place = 'hospital'
union all
select i, number, s + d + case when patrol > 0 then e1 else g4 + e4 end + 900, subject, fate, outcome, kind, patrol, team, 0
from followed where is_contact and fate in ('hold', 'ed') and place is null
union all
select i, null, s + u_gap % 604800, caller, 'walk', null, kind, 0, 0, 1
from followed where is_contact and fate in ('hold', 'ed') and u_queue < {p.below("ed_walk_in")}
"""


def visits_sql(period: Period, p: Parameters, rows: str) -> str:
    """One row per visit from ``rows``, with what the hold, the stay and the export need."""
    return f"""
with timed as (
    select *, from_s as _s, span_visit(a) as long, c < {p.below("clock_skew")} as is_skewed,
        d < {p.below("visit_without_number")} as is_unnumbered, e < case when fate = 'hold' then {p.below("admitted_hold")}
            else {p.below("admitted_ed")} end as is_admitted
    from ({rows})
)
select *, from_s + case when is_skewed then case when c % 2 = 0 then span_skew(b) else -span_skew(b) end else 0 end as said_s,
    concat_ws('|', nullif(person_dirt, ''), case when is_skewed then 'clock_skew' end,
        case when number is not null and is_unnumbered then 'visit_without_number' end) as dirt,
    'E' || strftime(clock(_s), '%y') || '-' || substr(cast({10**9} + n + 1 as varchar), 4) as visit_number,
    case when fate = 'hold' then 'HO' || strftime(clock(_s), '%y') || '-' || substr(cast({10**9} + n + 1 as varchar), 4) end
        as hold_number,
    case when is_admitted then 'IP' || strftime(clock(_s), '%y') || '-' || substr(cast({10**9} + n + 1 as varchar), 4) end
        as stay_number,
    from_s + long as out_s, span_inpatient(f) as stay, span_paid(g) as paid, span_day_paid(h) as day_paid
from timed
"""


PERSON = """w_number as MRN, w_first as FirstName, w_last as LastName, strftime(w_birth, '%Y%m%d') as DOB,
    case when w_phone is null then null else '(' || substr(w_phone, 1, 3) || ') ' || substr(w_phone, 5) end as Phone,
    w_address as Address"""
HIDDEN = "n as _n, _s, p as _p, is_anonymous as _anonymous, dirt as _dirt, number as _caused_by"


def exports(period: Period, p: Parameters) -> dict[str, str]:
    """Queries over ``visit`` by feed: ed_visits, holds, stays."""
    seen = "case when not is_unnumbered then number end"
    closed = period.end + 4 * 86400
    return {
        "ed_visits": f"""
            select {HIDDEN}, visit_number as VisitNumber, '{FACILITY}' as Facility, {seen} as CadNumber, hold_number as HoldNumber,
                clock(said_s) as Arrived, clock(said_s + least(long // 10, 1800)) as Triaged,
                clock(said_s + long * 7 // 10) as Decided, clock(said_s + long) as Departed,
                case when fate = 'walk' then 'SELF' when outcome = 'AMBULANCE TO ED' then 'EMS' when patrol = 0 then 'MCT'
                    else 'POLICE' end as Arrival,
                case kind when 'suicide' then 'SUI' when 'substance' then 'SUD' when 'cognitive' then 'MED' else 'PSY' end
                    as Complaint,
                case when kind = 'substance' then case when k % 3 = 0 then 'B' else 'S' end when kind = 'cognitive' then 'N'
                    when k % 5 = 0 then 'B' else 'M' end as DxGroup,
                case when fate = 'hold' then 'INV' else 'VOL' end as LegalStatus,
                case when is_admitted then 'ADM' when fate = 'hold' and k % 10 = 0 then 'TRF' when k % 25 = 0 then 'AMA'
                    when fate = 'walk' and k % 12 = 0 then 'LWBS' when k % 9 = 0 then 'CSU' else 'DC' end as Disposition,
                cast(paid as decimal(12, 2)) / 100 as Paid, paid as _paid,
                case when kind = 'substance' and k % 2 = 0 then 'Y' else 'N' end as Part2,
                'PUBLIC HEALTH' as LegalBasis, housing as Housing, sex as Sex, race_ethnicity as Race, {PERSON}
            from visit""",
        "holds": f"""
            select {HIDDEN}, hold_number as HoldNumber, {seen} as CadNumber, 'M-1' as HoldType, 'Invented Statute 27' as Statute,
                case when patrol = 0 or team = 1 and k % 2 = 0 then 'CLIN' else 'OFF' end as StartedBy,
                case when kind = 'suicide' then 'SELF' when kind = 'cognitive' then 'GRAVE' when k % 3 = 0 then 'SELF;OTHERS'
                    else 'OTHERS' end as Criteria,
                clock(said_s) as Started,
                case when _s + span_hold(b) > {closed} then null else clock(said_s + span_hold(b)) end as Released,
                case when _s + span_hold(b) > {closed} then 'OPEN' when is_admitted and k % 3 = 0 then 'CONV'
                    when is_admitted then 'ADM' when k % 10 = 0 then 'TRF' else 'REL' end as Outcome,
                'N' as Part2, 'STATE LAW' as LegalBasis, '{FACILITY}' as Facility, {PERSON}
            from visit where fate = 'hold'""",
        "stays": f"""
            select {HIDDEN}, stay_number as StayNumber, visit_number as VisitNumber, hold_number as HoldNumber,
                '{FACILITY}' as Facility, clock(said_s + long) as Admitted,
                case when _s + long + stay > {closed} then null else clock(said_s + long + stay) end as Discharged,
                case when kind = 'substance' then 'S' when k % 5 = 0 then 'B' else 'M' end as DxGroup,
                case when fate = 'hold' then 'INV' else 'VOL' end as LegalStatus,
                case when _s + long + stay > {closed} then 'STILL' when k % 9 = 0 then 'RES' when k % 13 = 0 then 'AMA'
                    when housing = 'SHELTER' then 'SHELTER' else 'HOME' end as Disposition,
                cast(day_paid * (1 + stay // 86400) as decimal(14, 2)) / 100 as Paid, day_paid * (1 + stay // 86400) as _paid,
                'N' as Part2, 'PUBLIC HEALTH' as LegalBasis, {PERSON}
            from visit where is_admitted""",
    }


NUMBERS = {"ed_visits": "VisitNumber", "holds": "HoldNumber", "stays": "StayNumber", "deaths": "DeathNumber"}
ENTITIES = {"ed_visits": "ed_visit", "holds": "hold", "stays": "inpatient_stay", "deaths": "death"}


def deaths_sql(period: Period, rows: str) -> str:
    """Deaths of the period from ``rows``: persons with draws, n, and the person as written."""
    return f"""
select n as _n, dies as _s, p as _p, is_anonymous as _anonymous, person_dirt as _dirt, cast(null as varchar) as _caused_by,
    'D' || substr(cast({10**9} + n + 1 as varchar), 4) as DeathNumber, day_text(dies) as DeathDate,
    case when a < {WHOLE // 10 * 7} then 'NAT' when a < {WHOLE // 100 * 88} then 'ACC' when a < {WHOLE // 100 * 96} then 'SUI'
        when a < {WHOLE // 100 * 98} then 'HOM' else 'PEND' end as Manner,
    case when a >= {WHOLE // 10 * 7} and a < {WHOLE // 100 * 80} then 'Y' else 'N' end as Overdose,
    'N' as DuringResponse, 'N' as InCustody, 'ME' as Source, sex as Sex, race_ethnicity as Race, {PERSON}
from ({rows})
"""
