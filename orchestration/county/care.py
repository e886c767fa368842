"""The community treatment provider: referrals, services, enrollments and consents.

Referrals to substance use treatment are 42 CFR Part 2 records. A person is asked for consent at the first referral.
"""

from __future__ import annotations

from orchestration.county.parameters import Parameters
from orchestration.county.period import DAY, Period
from orchestration.county.programs import PROGRAMS

DRAWS = ("a", "b", "c", "d", "e", "f", "g", "h", "k", "v", "w")
PERSON = """w_number as ClientNumber, w_first as FirstName, w_last as LastName, w_birth as BirthDate, w_phone as Phone,
    w_address as Address"""


def causes_sql(p: Parameters) -> str:
    """Referrals of the block: contacts that ended without arrest, more often where a program was."""
    base = p.below("referral")
    cases = " ".join(f"when {g.code} then {p.below('referral', scale=p[f'effect.{g.key}.referral'])}" for g in PROGRAMS)
    return f"""
select i, number, met_s + span_referral_lag(u_team) as from_s, subject as p, kind, program, 0 as copy_no
from followed where is_contact and fate <> 'arrest' and u_callers < case program {cases} else {base} end
"""


def referrals_sql(period: Period, p: Parameters, rows: str) -> str:
    """One row per referral from ``rows``, with what services, enrollments and the export need."""
    closed = period.end + 4 * DAY
    return f"""
with drawn as (
    select *, from_s as _s, a < {p.below("referral_accepted")} as is_accepted,
        case when b < {p.below("linked")} then 'in_time' when b < {p.below("linked") + p.below("linked_late")} then 'late'
            end as link,
        c < {p.below("sud_provider", scale=2)} and kind = 'substance' or c < {p.below("sud_provider", scale=0.5)} as is_sud,
        v < {p.below("silent_week")} as may_fail,
        program not between 1 and 3 and w < {p.below("referral_without_number")} as is_unnumbered
    from ({rows})
),
linked as (
    select *, case when is_accepted and link = 'in_time' then from_s + span_link_lag(d)
        when is_accepted and link = 'late' then from_s + span_late_lag(d) end as kept_s
    from drawn
)
select *, case when kept_s <= {closed} then kept_s end as seen_s, coalesce(kept_s > {closed}, false) as is_pending,
    kept_s <= {closed} and e < {p.below("enrolled")} as is_enrolled,
    kept_s <= {closed} and f < {p.below("second_service")} and kept_s + span_service_gap(g) <= {closed} as came_again,
    person_dirt as dirt,
    concat_ws('|', nullif(person_dirt, ''), case when is_unnumbered then 'referral_without_number' end) as referral_dirt,
    'RF' || substr(cast({10**9} + n + 1 as varchar), 3) as referral_number, span_paid(k) // 4 as paid
from linked
"""


HIDDEN = "n as _n, p as _p, is_anonymous as _anonymous, number as _caused_by, may_fail as _may_fail"
PART2 = (
    "case when is_sud then 'Y' else 'N' end as Part2, case when is_sud then 'PART2' else 'TREATMENT' end as LegalBasis"
)


def exports(period: Period, p: Parameters) -> dict[str, str]:
    """Queries over ``referred`` by feed: referrals, services, enrollments."""
    closed = period.end + 4 * DAY
    return {
        "referrals": f"""
            select {HIDDEN}, _s, referral_dirt as _dirt, referral_number as ReferralNumber,
                case when not is_unnumbered then number end as CadNumber,
                case program when 1 then 'P-CORE' when 2 then 'P-MCT' when 3 then 'P-ALT' end as Program,
                case when is_sud then 'CARE-SUD' else 'CARE-MH' end as Provider, clock(_s) as Referred,
                case when is_sud then 'SUD' when h % 5 = 0 then 'CM' when h % 7 = 0 then 'MED' else 'OP' end as ReferralType,
                'Y' as Offered, case when is_accepted then 'Y' else 'N' end as Accepted,
                case when is_accepted then null when h % 4 = 0 then 'ALREADY' when h % 4 = 1 then 'BARRIER' else 'NO' end
                    as DeclineReason,
                case when program in (1, 2, 3) and h % 2 = 0 then 'Y' else 'N' end as WarmHandoff,
                case when is_accepted then clock(_s + {7 * DAY}) end as Appointment, clock(seen_s) as FirstKept,
                case when not is_accepted then 'DECLINED' when seen_s is not null then 'KEPT' when is_pending then 'PENDING'
                    when h % 3 = 0 then 'UNKNOWN' else 'NOSHOW' end as Status,
                '{period.stamp(4)[:10]}' as AsOfDay, {PART2}, {PERSON}
            from referred""",
        "services": f"""
            select {HIDDEN}, seen_s + case when visit = 2 then span_service_gap(g) else 0 end as _s, dirt as _dirt,
                'SV' || substr(referral_number, 3) || '-' || cast(visit as varchar) as ServiceNumber,
                referral_number as ReferralNumber, case when is_sud then 'CARE-SUD' else 'CARE-MH' end as Provider,
                case when is_sud then 'SUD' else 'OP' end as ReferralType,
                clock(seen_s + case when visit = 2 then span_service_gap(g) else 0 end) as ServiceAt, 'Y' as Kept,
                case when h % 6 = 0 then 'TELE' else 'OFFICE' end as Mode, 30 + 15 * (h % 4) as Minutes,
                cast(paid as decimal(12, 2)) / 100 as Paid, paid as _paid, {PART2}, {PERSON}
            from (select *, unnest(range(1, 2 + cast(came_again as integer))) as visit from referred
                where seen_s is not null)""",
        "enrollments": f"""
            select {HIDDEN}, seen_s as _s, dirt as _dirt, 'EN' || substr(referral_number, 3) as EnrollmentNumber,
                case when is_sud then 'P-OTP' else 'P-ACT' end as Program, referral_number as ReferralNumber,
                clock(seen_s) as Enrolled,
                case when seen_s + span_enrolled(v) <= {closed} then clock(seen_s + span_enrolled(v)) end as Exited,
                case when seen_s + span_enrolled(v) > {closed} then null when h % 10 < 4 then 'DONE' when h % 10 < 7 then 'LOST'
                    when h % 10 = 7 then 'MOVED' else 'DECLINED' end as ExitReason,
                housing as Housing, sex as Sex, race_ethnicity as Race, language as Language,
                case when is_sud then 'S' when h % 5 = 0 then 'B' else 'M' end as DxGroup, {PART2}, {PERSON}
            from referred where is_enrolled""",
    }


def lost_sql(period: Period, mark: str = "_") -> str:
    """Whether a row fell into the week of which nothing was sent; ``mark`` begins the names of the columns."""
    begin, end = period.silent
    return f"({mark}may_fail and _s >= {begin} and _s < {end})"


NUMBERS = {
    "referrals": "ReferralNumber",
    "services": "ServiceNumber",
    "enrollments": "EnrollmentNumber",
    "consents": "ConsentNumber",
}
ENTITIES = {
    "referrals": "referral",
    "services": "service_linkage",
    "enrollments": "program_enrollment",
    "consents": "consent",
}


def asked_sql(period: Period) -> str:
    """The first referral of each person who has not been asked for consent before.

    Nobody who is not known by name is asked, and for minors nobody asks.
    """
    return f"""
select * from referred
where consent = 'none' and not is_anonymous and not is_minor and _s < {period.end + 4 * DAY} and not {lost_sql(period, "")}
qualify row_number() over (partition by p order by _s, n) = 1
order by n
"""


def consents_sql(period: Period, p: Parameters) -> str:
    """Rows of the consents' export over ``asked``; a refusal is written down too."""
    closed = period.end + 4 * DAY
    return f"""
with ended as (select *, case when mind = 'withdrawn' and _s + 864000 + h % 5184000 <= {closed}
    then _s + 864000 + h % 5184000 end as revoked_s from asked)
select {HIDDEN}, _s, dirt as _dirt,
    case when mind = 'refused' then 'refused' when revoked_s is not null then 'withdrawn' else 'given' end as _consent,
    'CN' || substr(referral_number, 3) as ConsentNumber,
    case mind when 'given' then case when h % 12 = 0 then 'VERBAL' else 'SIGNED' end when 'refused' then 'REFUSED'
        else case when revoked_s is null then 'SIGNED' else 'REVOKED' end end as Status,
    case when mind = 'refused' then 'NONE' when h % 4 = 0 then 'CARE' else 'CARE;LINK;EVAL' end as Scope,
    {PART2}, 'Cedar Care (fictional)' as Discloser, 'Cedar County Crisis Program (fictional)' as Recipient,
    day_text(_s) as Given, case when mind <> 'refused' then day_text(_s + {365 * DAY}) end as Expires,
    clock(revoked_s) as Revoked, {PERSON}
from ended
"""
