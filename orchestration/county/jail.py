"""The jail's bookings: those that the county's calls led to, and those of other agencies; what the court made of them."""

from __future__ import annotations

from orchestration.county.identity import upper_name
from orchestration.county.parameters import Parameters
from orchestration.county.period import Period

DRAWS = ("a", "b", "c", "d", "e", "f", "g", "h", "filed", "ruling", "ruled")


def causes_sql(p: Parameters) -> str:
    """Bookings of the block: the call, when the person was handed over, and who; those of other agencies without call."""
    return f"""
select i, number, s + d + case when patrol > 0 then e1 else g4 + e4 end as from_s, subject as p, is_contact, 0 as copy_no from followed where close_code = 'BKD'
union all
select i, null, s + u_gap % 604800, caller, false, 1 from followed
where close_code = 'BKD' and u_queue < {p.below("booking_elsewhere")}
"""


def bookings_sql(period: Period, p: Parameters, rows: str) -> str:
    """Rows of the export from ``rows``: causes with draws, running number ``n`` and the person as written."""
    changes = [
        (at, after - before) for (_, before), (at, after) in zip(period.offsets, period.offsets[1:], strict=False)
    ]
    springs = [at for at, change in changes if change > 0]
    night = " or ".join(f"(_s >= {at} and _s < {at + 6 * 3600})" for at in springs) or "false"
    clock_late = f"({night}) and f < {p.below('dst_clock')}"
    return f"""
with booked as (select *, from_s + span_booking_lag(a) as _s, span_stay(b) as stay from ({rows})),
timed as (
    select *, {clock_late} as is_clock_late, c < {p.below("clock_skew")} as is_skewed,
        d < {p.below("booking_without_number")} as is_unnumbered
    from booked
),
said as (
    select *, _s - case when is_clock_late then 3600 else 0 end
        + case when is_skewed then case when c % 2 = 0 then span_skew(e) else -span_skew(e) end else 0 end as said_s,
        _s + stay > {period.end + 4 * 86400} as is_in, filed < {p.below("court_filed")} as is_filed,
        _s + span_court_lag(ruled) as ruled_s
    from timed
)
select n as _n, _s, i as _i, is_filed as _filed, ruled_s as _ruled_s, ruling as _ruling, p as _p, is_anonymous as _anonymous, number as _caused_by, is_contact as _is_contact,
    concat_ws('|', nullif(person_dirt, ''), case when is_clock_late then 'dst_clock' end,
        case when is_skewed then 'clock_skew' end, case when number is not null and is_unnumbered
        then 'booking_without_number' end) as _dirt,
    'B' || strftime(clock(_s), '%y') || '-' || substr(cast({10**9} + n + 1 as varchar), 4) as BookingNumber,
    case when not is_unnumbered then number end as IncidentNumber,
    make_timestamp(cast((wall(_s) + said_s - _s) * 1000000 as bigint)) as Booked,
    case when is_in then null when g < {p.below("negative_interval")} then clock(_s - 3600) else clock(_s + stay) end as Released,
    mix_charge(g) as ChargeLevel, case when is_in then 'IN' else mix_release(h) end as ReleaseType,
    w_number as PersonNumber, {upper_name("w_last", "w_first")} as PersonName,
    strftime(w_birth, '%m/%d/%Y') as BirthDate, w_phone as Phone, upper(w_address) as HomeAddress,
    case when sex = 'woman' then 'F' else 'M' end as Sex, upper(race_ethnicity) as Race,
    case when housing = 'UNSHELTERED' then 'N' when is_anonymous then null else 'Y' end as HasAddress
from said
"""


def court_sql(period: Period) -> str:
    """Rows of the court's list over ``bookings``: one for each case filed, decided or pending when the list was made."""
    closed = period.end + 4 * 86400
    return f"""
select _n, _s, _p, _anonymous, _caused_by, '' as _dirt, 'CE' || substr(BookingNumber, 2) as CourtNumber, BookingNumber,
    day_text(least(_ruled_s, {closed})) as EventDate, case when _ruled_s < {closed} then 'RULING' else 'HEARING' end as EventKind,
    case when _ruled_s < {closed} then mix_court(_ruling) else 'PENDING' end as Outcome, ChargeLevel
from bookings where _filed and _s < {closed}
"""


NUMBER = "BookingNumber"
# The changed month: the vendor's new export has other names, one column for the time in custody, and no phone.
CHANGED = """
    BookingNumber as "Booking #", IncidentNumber as "Case #", strftime(Booked, '%m/%d/%Y %H:%M:%S') as "Booking Date/Time",
    strftime(Released, '%m/%d/%Y %H:%M:%S') as "Release Date/Time", ChargeLevel as "Charge Level",
    ReleaseType as "Release Type", PersonNumber as "Inmate #", split_part(PersonName, ', ', 1) as "Last Name",
    split_part(PersonName, ', ', 2) as "First Name", BirthDate as "DOB", HomeAddress as "Address", Sex as "Sex", Race as "Race"
"""
