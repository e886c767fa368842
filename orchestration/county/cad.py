"""The sheriff's dispatch export: a wide table of events, a table of units, and the status log of the teams' cars."""

from __future__ import annotations

from orchestration.county.calls import EXPLICIT, SENSITIVE, UNMAPPED_TYPE
from orchestration.county.identity import upper_name
from orchestration.county.parameters import WHOLE, Parameters, lookup_sql
from orchestration.county.period import DAY, Period
from orchestration.county.programs import BY_KEY


def marked_sql(period: Period, p: Parameters) -> str:
    """``calls`` with their callers as written (``callers``), and the dirt of the event's row."""
    sensitive = ", ".join(f"'{code}'" for code in SENSITIVE)
    begin, end = period.corrected
    misdated = (
        f"s >= {begin - DAY} and s < {begin} and u_late < {p.below('wrong_date')}" if begin > period.begin else "false"
    )
    return f"""
with flagged as (
    select c.*, u_redact < {p.below("redacted_any")}
            or (type_open in ({sensitive}) and u_redact < {p.below("redacted_sensitive")}) as is_redacted,
        u_pad < {p.below("padded_beat")} as is_padded,
        u_double < {p.below("doubled_row")} as is_doubled,
        u_double >= {WHOLE - p.below("unparsable_time")} as is_unparsable,
        u_asked >= {WHOLE - p.below("placeholder")} as is_placeholder,
        s >= {begin} and s < {end} as is_fixed, {misdated} as is_misdated,
        s >= {begin} and s < {end} and u_late < {p.below("late_disposition")} as is_late,
        type_open <> code_open or own_close <> code_close as is_drifted,
        not (is_dup or is_cancelled) and u_shut < {p.below("reopened")} as is_reopened
    from calls as c
)
select f.*, w.w_first, w.w_last, w.w_phone, w.is_anonymous, w.person_dirt
from flagged as f
left join callers as w using (i)
"""


def events_sql(period: Period, p: Parameters, corrected: bool, wanted: str) -> str:
    """Rows of the events' export. The corrected export holds one month again, with what had been missing."""
    if corrected:
        received, late, times = "clock(s)", "false", "1"
        close = (
            f"case when u_late >= {WHOLE - WHOLE // 33} and bh then {lookup_sql('kind', EXPLICIT)} else code_close end"
        )
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
order by i, copy_no
"""


CALLER_RECORDS = """
select 'cedar_county' as agency_id, 'incident' as entity, number, 'caller' as role, caller as true_person, is_anonymous,
    concat_ws('|', nullif(person_dirt, ''), case when is_redacted then 'redacted' end,
        case when is_unparsable then 'unparsable_time' end, case when is_misdated then 'wrong_date' end) as dirt,
    month_text(s) as month
from marked where not on_view order by i
"""

# Units of a call: which, and its seconds from dispatch of the first.
_UNITS = """
select c.*, j, case j when 1 then 0 when 2 then g2 when 3 then g3 else g4 end as go,
    case j when 1 then t1 when 2 then t2 when 3 then t3 else 60 end as turnout,
    case j when 1 then m1 when 2 then m2 when 3 then m3 else m4 end as travel,
    case j when 1 then e1 when 2 then e2 when 3 then e3 else e4 end as clear,
    (j = 1 or (j = 4 and patrol = 0)) and place is not null and not is_cancelled as carries,
    case when j < 4 then 'patrol' else ['co', 'team', 'alt'][team] end as family
from (
    select *, unnest(list_filter([case when patrol >= 1 or close_code = 'MRG' then 1 end,
        case when patrol >= 2 then 2 end, case when patrol >= 3 then 3 end, case when team > 0 then 4 end],
        lambda u: u is not null)) as j from calls where {where}
) as c
"""


def units_sql(period: Period, p: Parameters, officers: int, where: str) -> str:
    """Rows of the units' export: one per event and unit, with the dirt of real exports."""
    own = f"(u_unit + cast(j as bigint) * 2654435761 + i * 40503) % {WHOLE}"
    again = f"(u_queue + cast(j as bigint) * 2246822519 + i * 30341) % {WHOLE}"
    trained = officers // 4  # the first quarter was trained before, the second in the wave
    wave = BY_KEY["cit"].start(period, "B")
    return f"""
with units as ({_UNITS.format(where=where)}),
drawn as (
    select u.*, {own} as x, {again} as y, pool as pool_no, units as on_duty,
        is_cancelled or (is_dup and j = 1) as is_off
    from units as u
),
crewed as (
    select *, j = 1 and has_cit or j in (2, 3) and y % 100 < 20 as cit,
        case when family in ('team', 'alt') then 0 when family = 'co' or y // 128 % 10 < 7 then 1 else 2 end as officers,
        case family when 'team' then 2 when 'alt' then 1 when 'co' then 1 else 0 end as clinicians,
        s + case when is_dup then entered else d end + go as out,
        case when cit then x // 64 % {trained}
                + case when sector = 'B' and s >= {wave} and x % 2 = 0 then {trained} else 0 end
            else {2 * trained} + x // 64 % {officers - 2 * trained} end as officer
    from drawn
)
select i, j, s, is_off, x, y, family, clear as busy, officers as officers_sent,
    case program when 1 then 'core' when 2 then 'mct' when 3 then 'alt' when 4 then 'cit' end as program_key,
    number as IncidentNumber,
    case family when 'team' then 'MC' || cast(1 + i % 4 as varchar) when 'co' then 'CR' || cast(1 + i % 3 as varchar)
        when 'alt' then 'CM' || cast(1 + i % 3 as varchar)
        else sector || cast(10 + pool_no * 20 + (x + j) % on_duty as varchar) end as Unit,
    1 as Assignment,
    case family when 'team' then 'MCT' when 'alt' then 'COMM' when 'co' then 'CORE'
        else case when cit then 'CITCAR' else 'CAR' end end as UnitKind,
    case family when 'team' then 'MOBILE' when 'alt' then 'NOPOLICE' when 'co' then 'CORESP'
        else case when cit then 'CIT' else 'POLICE' end end as Program,
    case when y >= {p.below("missing_officer_count")} or family in ('team', 'alt') then officers end as Officers,
    clinicians as Clinicians, clock(out) as Dispatched, clock(out + least(5, turnout)) as Acknowledged,
    case when not is_off or off1 > turnout then clock(out + turnout) end as Enroute,
    case when is_off or x < {p.below("missing_arrival")} then null
        when x >= {WHOLE - p.below("negative_interval")} then clock(out - 300) else clock(out + turnout + travel) end as OnScene,
    case when carries then clock(out + clear - ride - handed - 120) end as LeftScene,
    case when carries then clock(out + clear - handed - 120) end as AtDestination,
    case when carries then clock(out + clear - 120) end as HandedOver,
    case when is_off then null when y >= {WHOLE - p.below("placeholder")} then timestamp '1900-01-01'
        else clock(out + clear) end as Cleared,
    case when is_off then clock(out + case when is_dup then 90 else off1 end) end as Cancelled,
    case when family in ('patrol', 'co') then 'R-' || cast(1000 + officer as varchar) end as OfficerNumber,
    case when family in ('patrol', 'co') then officer_name end as OfficerName
from crewed
left join officer using (officer)
"""


UNIT_COLUMNS = (
    "IncidentNumber, Unit, Assignment, UnitKind, Program, Officers, Clinicians, Dispatched, Acknowledged, Enroute, "
    "OnScene, LeftScene, AtDestination, HandedOver, Cleared, Cancelled, OfficerName, OfficerNumber"
)


def status_sql(units: str) -> str:
    """Rows of the status log: the teams' cars, whose computers log every press of a button. Order is that of the unit."""
    steps = ("DSP Dispatched", "ACK Acknowledged", "ENR Enroute", "ARR OnScene", "LVS LeftScene", "DST AtDestination",
             "HND HandedOver", "CLR Cleared", "CAN Cancelled")  # fmt: skip
    items = ", ".join("{{'status': '{}', 'stamp': {}}}".format(*step.split()) for step in steps)
    return f"""
select IncidentNumber, Unit, row_number() over (partition by i, j order by stamp, place) as Sequence,
    status as Status, stamp as Stamp
from (
    select i, j, IncidentNumber, Unit, unnest([{items}], recursive := true), unnest(range({len(steps)})) as place
    from ({units}) where j = 4
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
    "code_drift": "is_drifted",
    "unmapped_type": f"type_open = '{UNMAPPED_TYPE}'",
    "duplicate": "is_dup and close_code = 'DUP'",
    "merged": "is_dup and close_code = 'MRG'",
    "reopened": "is_reopened",
}


def task_sql(units: str) -> str:
    """What the truth needs of units: who was busy how long, and what spoils the row."""
    return f"select s, program_key, is_off, family, busy, officers_sent, Clinicians as clinicians, x, y from ({units})"


def unit_dirt(p: Parameters) -> dict[str, str]:
    """Kinds of dirt on units: what holds in the rows of ``units_sql``."""
    return {
        "missing_arrival": f"not is_off and x < {p.below('missing_arrival')}",
        "negative_interval": f"not is_off and x >= {WHOLE - p.below('negative_interval')}",
        "missing_officer_count": f"family in ('patrol', 'co') and y < {p.below('missing_officer_count')}",
        "placeholder": f"not is_off and y >= {WHOLE - p.below('placeholder')}",
    }
