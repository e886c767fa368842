"""The sheriff's dispatch export: a wide table of events, a table of units, and the status log of the teams' cars."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.county import identity, office
from orchestration.county.calls import EXPLICIT, SENSITIVE, UNMAPPED_TYPE
from orchestration.county.identity import upper_name
from orchestration.county.parameters import WHOLE, Parameters, lookup_sql
from orchestration.county.people import People
from orchestration.county.period import DAY, Period
from orchestration.county.programs import BY_KEY

# Whether some team's rule takes the call there and then.
_OPEN = "(open_core or open_mct or open_alt)"


def marked_sql(period: Period, p: Parameters) -> str:
    """``calls``, which have their callers as written, with the dirt of the event's row."""
    sensitive = ", ".join(f"'{code}'" for code in SENSITIVE)
    begin, end = period.corrected
    misdated = (
        f"s >= {begin - DAY} and s < {begin} and u_late < {p.below('wrong_date')}" if begin > period.begin else "false"
    )
    return f"""
select *, u_redact < {p.below("redacted_any")}
            or (type_open in ({sensitive}) and u_redact < {p.below("redacted_sensitive")}) as is_redacted,
        u_pad < {p.below("padded_beat")} as is_padded,
        u_double < {p.below("doubled_row")} as is_doubled,
        u_double >= {WHOLE - p.below("unparsable_time")} as is_unparsable,
        u_asked >= {WHOLE - p.below("placeholder")} as is_placeholder,
        s >= {begin} and s < {end} as is_fixed, {misdated} as is_misdated,
        s >= {begin} and s < {end} and u_late < {p.below("late_disposition")} as is_late,
        s >= {begin} and s < {end} and bh and u_late >= {WHOLE - p.below("late_recode")} as is_recoded,
        not (is_dup or is_cancelled) and u_shut < {p.below("reopened")} as is_reopened
from calls
"""


def callers_sql(people: People, p: Parameters) -> str:
    """The caller of each of the rows of ``asked_by`` as written; nulls where nobody called."""
    written = identity.written_sql(people.person_sql("select * from asked_by"), p, "caller", "M")
    names = ("w_first", "w_last", "w_phone", "is_anonymous", "person_dirt")
    return f"select {', '.join(f'case when not on_view then {name} end as {name}' for name in names)} from ({written})"


def events_sql(period: Period, p: Parameters, corrected: bool, wanted: str) -> str:
    """Rows of the events' export. The corrected export holds one month again, with what had been missing."""
    if corrected:
        received, late, times = "clock(s)", "false", "1"
        close = f"case when is_recoded then {lookup_sql('kind', EXPLICIT)} else code_close end"
        where, exported = "is_fixed or is_misdated", period.stamp(18)
    else:
        received = (
            "case when is_unparsable then substr(cast(clock(s) as varchar), 1, 4) || '-13-45 25:61:00' "
            f"when is_misdated then cast(clock(s + {DAY}) as varchar) else cast(clock(s) as varchar) end"
        )
        late, times = "is_late", "1 + cast(is_doubled as integer)"
        close, where, exported = "code_close", "true", period.stamp(4)

    def shown(text: str) -> str:
        return f"case when is_redacted then 'REDACTED' else {text} end"

    return f"""
select number as IncidentNumber, master as MasterIncident, source as CallSource, {received} as Received,
    clock(s + entered) as Queued, clock(s + taken) as CallTakingDone,
    case when is_placeholder then timestamp '1900-01-01' else clock(s + shut + case when is_reopened then 5400 else 0 end)
        end as Closed,
    code_open as TypeOpen, {close} as TypeClose, priority as PriorityOpen,
    case when u_prio < {p.below("priority_change")} then 1 + (priority + i) % 5 else priority end as PriorityClose,
    case when not ({late}) then close_code end as CloseCode,
    case when is_cancelled then 'Y' when is_dup then null else 'N' end as CancelledBeforeArrival,
    case when is_dup then null when close_code in ('RPT', 'BKD', 'ARR', 'CIT', 'TRH') then 'Y' else 'N' end as Report,
    case when bh and u_asked < {WHOLE // 8} then 'Y' when u_asked > {WHOLE * 9 // 10} then null else 'N' end as CITAsked,
    case when team > 0 then 'Y' when u_asked > {WHOLE * 9 // 10} then null else 'N' end as ClinicianAsked,
    case when is_phone and bh and u_asked < {p.below("to_988")} then 'Y' else 'N' end as To988,
    case when source = '988' and bh then 'Y' else 'N' end as From988,
    case when waited > 0 then 'Y' else 'N' end as Held, waited as HeldSeconds,
    case when is_reopened then 'Y' else 'N' end as Reopened,
    case team when 1 then 'P-CORE' when 2 then 'P-MCT' when 3 then 'P-ALT' end as Program,
    case when is_dup or on_view then null when {_OPEN} then 'Y' else 'N' end as TeamEligible,
    case when has_weapon and not (is_dup or on_view) then 'WEAPON' end as NotEligible,
    mix_location(u_place) as PlaceKind,
    sector || mix_beat(u_beat) || case when is_padded then '    ' else '' end as Beat,
    sector as Sector, 'District ' || sector as District, '0000' || cast(1 + strpos('ABCD', sector) as varchar) as Zip,
    {shown("cast(1 + (cast(u_beat as bigint) + u_place) % 9900 as varchar) || ' Nowhere Ave'")} as Address,
    {shown(f"case when u_place < {WHOLE // 5} then 'Apt ' || cast(1 + i % 40 as varchar) end")} as Apartment,
    {shown(f"case when u_place > {WHOLE // 4 * 3} then 'Pretend Place ' || cast(i % 50 as varchar) end")} as PlaceName,
    {shown("case when i % 3 = 0 then 'Crossing Rd' end")} as CrossStreet,
    {shown("'0.' || substr(cast(10000 + i * 37 % 5000 as varchar), 2)")} as Latitude,
    {shown("'0.' || substr(cast(10000 + i * 53 % 5000 as varchar), 2)")} as Longitude,
    case when is_redacted then 'REDACTED' else {upper_name("w_last", "w_first")} end as CallerName,
    {shown("w_phone")} as CallerPhone,
    {shown("case when i % 7 = 0 and not on_view then 'Pretend Place' end")} as CallerPlace,
    '{exported}' as ExportedAt
from (select *, unnest(range({times})) as copy_no from marked where ({where}) and {wanted})
"""


CALLER_RECORDS = """
select 'cedar_county' as agency_id, 'incident' as entity, number, 'caller' as role, caller as true_person, is_anonymous,
    concat_ws('|', nullif(person_dirt, ''), case when is_redacted then 'redacted' end,
        case when is_unparsable then 'unparsable_time' end, case when is_misdated then 'wrong_date' end) as dirt,
    month_text(s) as month
from marked where not on_view
"""


def unit_rows(calls: pa.Table, officers: pa.Array, period: Period) -> pa.Table:
    """One row per call and unit, in this order: ``j`` is 1 to 3 for patrol and 4 for a team; times in seconds.

    ``out`` is the instant of dispatch, ``turnout``, ``travel`` and ``busy`` are counted from there; ``x`` and ``y`` are
    the unit's draws. ``family`` is 0 for patrol, 1 for co-responders, 2 for the mobile team, 3 without police.
    """
    call = {name: calls[name].to_numpy() for name in _OF_UNITS}
    n, patrol, team = calls.num_rows, call["patrol"], call["team"]
    merged = pc.equal(calls["close_code"], "MRG").to_numpy(zero_copy_only=False)
    sent = np.column_stack((merged | (patrol >= 1), patrol >= 2, patrol >= 3, team > 0))
    row, place = np.nonzero(sent)

    def by_unit(*columns: np.ndarray | int) -> np.ndarray:
        return np.column_stack([np.broadcast_to(column, n) for column in columns])[sent]

    def by_call(name: str) -> np.ndarray:
        return call[name][row]

    carries = calls["place"].is_valid().to_numpy(zero_copy_only=False) & ~call["is_cancelled"]
    begins = call["s"] + np.where(call["is_dup"], call["entered"], call["d"])
    j, i, s = place + 1, by_call("i"), by_call("s")
    x = (by_call("u_unit") + j * 2654435761 + i * 40503) % WHOLE
    y = (by_call("u_queue") + j * 2246822519 + i * 30341) % WHOLE
    cit = (j == 1) & by_call("has_cit") | ((j == 2) | (j == 3)) & (y % 100 < 20)
    trained = len(officers) // 4  # the first quarter was trained before, the second in the wave
    in_wave = (by_call("district") == 1) & (s >= BY_KEY["cit"].start(period, "B")) & (x % 2 == 0)
    first = x // 64 % trained + np.where(in_wave, trained, 0)
    officer = np.where(cit, first, 2 * trained + x // 64 % (len(officers) - 2 * trained))
    return pa.table(
        {
            "i": i,
            "j": j,
            "s": s,
            "number": calls["number"].take(pa.array(row)),
            "sector": calls["sector"].take(pa.array(row)),
            "family": np.where(j < 4, 0, by_call("team")),
            "is_off": by_call("is_cancelled") | (by_call("is_dup") & (j == 1)),
            "out": begins[row] + by_unit(0, call["g2"], call["g3"], call["g4"]),
            "turnout": by_unit(call["t1"], call["t2"], call["t3"], 60),
            "travel": by_unit(call["m1"], call["m2"], call["m3"], call["m4"]),
            "busy": by_unit(call["e1"], call["e2"], call["e3"], call["e4"]),
            "carries": by_unit(carries, False, False, carries & (patrol == 0)),
            "x": x,
            "y": y,
            "cit": cit,
            "u_unit": by_call("u_unit"),
            "officer": officer,
            "officer_name": pa.DictionaryArray.from_arrays(pa.array(officer.astype(np.int32)), officers),
            **{name: by_call(name) for name in ("is_dup", "off1", "ride", "handed", "program", "pool", "units")},
        }
    )


_OF_UNITS = ("i", "s", "patrol", "team", "is_cancelled", "is_dup", "entered", "d", "g2", "g3", "g4", "t1", "t2", "t3", "m1",
             "m2", "m3", "m4", "e1", "e2", "e3", "e4", "u_unit", "u_queue", "has_cit", "district", "off1", "ride", "handed",
             "program", "pool", "units")  # fmt: skip


def units_sql(period: Period, p: Parameters) -> str:
    """Rows of the units' export from ``unit_row``: one per event and unit, with the dirt of real exports."""
    miles = f"(travel + case when carries then ride else 0 end) * {p.whole('miles_per_hour')} // 360"
    return f"""
with crewed as (
    select *, case when family >= 2 then 0 when family = 1 or y // 128 % 10 < 7 then 1 else 2 end as officers,
        case family when 2 then 2 when 0 then 0 else 1 end as clinicians
    from unit_row
)
select i, j, s, is_off, x, y, family, busy, officers as officers_sent,
    case program when 1 then 'core' when 2 then 'mct' when 3 then 'alt' when 4 then 'cit' end as program_key,
    number as IncidentNumber,
    case family when 2 then 'MC' || cast(1 + i % 4 as varchar) when 1 then 'CR' || cast(1 + i % 3 as varchar)
        when 3 then 'CM' || cast(1 + i % 3 as varchar)
        else sector || cast(10 + pool * 20 + (cast(u_unit as bigint) + j) % units as varchar) end as Unit,
    1 + case when family = 0 then (j - 1) // units else 0 end as Assignment,
    case family when 2 then 'MCT' when 3 then 'COMM' when 1 then 'CORE'
        else case when cit then 'CITCAR' else 'CAR' end end as UnitKind,
    case family when 2 then 'MOBILE' when 3 then 'NOPOLICE' when 1 then 'CORESP'
        else case when cit then 'CIT' else 'POLICE' end end as Program,
    case when y >= {p.below("missing_officer_count")} or family >= 2 then officers end as Officers,
    clinicians as Clinicians, clock(out) as Dispatched, clock(out + least(5, turnout)) as Acknowledged,
    case when not is_off or off1 > turnout then clock(out + turnout) end as Enroute,
    case when is_off or x < {p.below("missing_arrival")} then null
        when x >= {WHOLE - p.below("negative_interval")} then clock(out - 300) else clock(out + turnout + travel) end as OnScene,
    case when carries then clock(out + busy - ride - handed - 120) end as LeftScene,
    case when carries then clock(out + busy - handed - 120) end as AtDestination,
    case when carries then clock(out + busy - 120) end as HandedOver,
    case when is_off then null when y >= {WHOLE - p.below("placeholder")} then timestamp '1900-01-01'
        else clock(out + busy) end as Cleared,
    case when is_off then clock(out + case when is_dup then 90 else off1 end) end as Cancelled,
    case when family < 2 then 'R-' || cast(1000 + officer as varchar) end as OfficerNumber,
    case when family < 2 then officer_name end as OfficerName,
    case when family = 0 then {office.shift_sql(period, "out", "pool")} end as ShiftNumber,
    case when not is_off then cast({miles} as decimal(12, 1)) / 10 end as Miles
from crewed
"""


UNIT_COLUMNS = (
    "IncidentNumber, Unit, Assignment, UnitKind, Program, Officers, Clinicians, Dispatched, Acknowledged, Enroute, "
    "OnScene, LeftScene, AtDestination, HandedOver, Cleared, Cancelled, OfficerName, OfficerNumber, ShiftNumber, Miles"
)


def status_sql(units: str, where: str) -> str:
    """Rows of the status log: the teams' cars, whose computers log every press of a button. Order is that of the unit."""
    steps = ("DSP Dispatched", "ACK Acknowledged", "ENR Enroute", "ARR OnScene", "LVS LeftScene", "DST AtDestination",
             "HND HandedOver", "CLR Cleared", "CAN Cancelled")  # fmt: skip
    items = ", ".join("{{'status': '{}', 'stamp': {}}}".format(*step.split()) for step in steps)
    return f"""
select IncidentNumber, Unit, row_number() over (partition by i, j order by stamp, place) as Sequence,
    status as Status, stamp as Stamp
from (
    select i, j, IncidentNumber, Unit, unnest([{items}], recursive := true), unnest(range({len(steps)})) as place
    from ({units}) where family > 0 and {where}
)
where stamp is not null and stamp <> timestamp '1900-01-01'
order by i, j, Sequence
"""


# Kinds of dirt on events: what holds in ``marked``.
DIRT = {
    "redacted": "is_redacted",
    "padded_beat": "is_padded",
    "doubled_row": "is_doubled",
    "unparsable_time": "is_unparsable",
    "placeholder": "is_placeholder",
    "wrong_date": "is_misdated",
    "late_disposition": "is_late",
    "late_recode": "is_recoded",
    "code_drift": "is_drifted",
    "unmapped_type": f"type_open = '{UNMAPPED_TYPE}'",
    "duplicate": "is_dup and close_code = 'DUP'",
    "merged": "is_dup and close_code = 'MRG'",
    "reopened": "is_reopened",
}


def unit_dirt(p: Parameters) -> dict[str, str]:
    """Kinds of dirt on units: what holds in the rows of ``units_sql``."""
    return {
        "missing_arrival": f"not is_off and x < {p.below('missing_arrival')}",
        "negative_interval": f"not is_off and x >= {WHOLE - p.below('negative_interval')}",
        "missing_officer_count": f"family < 2 and y < {p.below('missing_officer_count')}",
        "placeholder": f"not is_off and y >= {WHOLE - p.below('placeholder')}",
    }
