"""Calls: who calls when and where about what, which program takes them, who goes, and how they end.

Over one block of calls ``arrivals`` draws who calls when and where, and ``happen`` works out what follows, but for the
persons and the wait, which need the calls before. ``view_sql`` puts all together.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.county.draws import draw, share
from orchestration.county.parameters import WHOLE, Parameters, choose_sql, lookup_sql, read_table, thresholds
from orchestration.county.period import Hours, Period
from orchestration.county.programs import BY_KEY, PROGRAMS, by_program_sql, outcome_sql, served_sql

TYPES = {row["code"]: row for row in read_table("call_types.csv")}
OUTCOMES = {row["text"]: row for row in read_table("outcomes.csv")}
UNMAPPED_TYPE = "ZZTEST 99"
EXPLICIT = {"mental_health": "MENTAL", "suicide": "SUICID", "substance": "OVRDOS", "cognitive": "DEMENT"}
SENSITIVE = ("MENTAL", "SUICID", "DOMVIO", "SEXOFF")
DRIFTED = {"WELCHK": "WLFCHK", "MENTAL": "BHCRIS"}  # from mid-period, by dirt code_drift
_DRAWS = read_table("call_draws.csv")
DRAWS = tuple(row["name"] for row in _DRAWS)
KEPT = tuple(row["name"] for row in _DRAWS if row["kept"] == "1")  # those that later steps use as well
ASSIGNING = ("subject", "caller", "callers", "near", "follow", "pool")  # those by which persons and pools are assigned


def arrivals(seed: int, hours: Hours, first: int, n: int, p: Parameters) -> pa.Table:
    """Calls ``first`` to ``first + n``: number, instant, source, district, whether it repeats the one before, draws."""
    i = np.arange(first, first + n)
    hour = np.searchsorted(hours.below, i, side="right") - 1
    within = draw(seed, "call within", first, n).astype(np.int64)
    s = hours.at[hour] + ((i - hours.below[hour]) * WHOLE + within) // hours.n[hour] * 3600 // WHOLE
    sources = thresholds(p.named("mix.source"))
    source = np.searchsorted(
        np.array(list(sources.values()), dtype=np.uint64), draw(seed, "call source", first, n), "right"
    )
    on_view = source == list(sources).index("ONVIEW")
    districts = np.array(list(p.mix("sector").values()), dtype=np.uint64)
    sector = np.searchsorted(districts, draw(seed, "call sector", first, n), "right")
    repeats = (i % 2 == 1) & ~on_view & (draw(seed, "call repeats", first, n) < p.below("duplicate", scale=2.5))
    repeats[1:] &= ~on_view[:-1]
    repeats[0] = False  # a block begins with an even number, which repeats none
    at = np.flatnonzero(repeats)
    master_s = np.where(repeats, np.roll(s, 1), s)
    s[at] = master_s[at] + 60 + share(draw(seed, "call gap", first, n)[at], 540)
    sector[at] = sector[at - 1]
    columns = {name: draw(seed, f"call {name}", first, n).copy() for name in DRAWS}
    for name in ("bh", "kind", "open", "explicit", "beat"):  # the same event: the same matter at the same place
        columns[name][at] = columns[name][at - 1]
    return pa.table(
        {
            "i": i,
            "s": s,
            "master_s": master_s,
            "source": _coded(source, list(sources)),
            "on_view": on_view,
            "district": sector.astype(np.int8),
            "sector": _coded(sector, list("ABCD")),
            "is_dup": repeats,
            **{f"u_{name}": values for name, values in columns.items()},
        }
    )


def _coded(index: np.ndarray, texts: list[str]) -> pa.DictionaryArray:
    """Texts by their place in a list."""
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int8)), pa.array(texts))


def happen(con: duckdb.DuckDBPyConnection, drawn: pa.Table, calls: int, period: Period, p: Parameters) -> pa.Table:
    """``drawn`` with what follows from it: one row per call in the same order, spans in seconds."""
    con.register("drawn", drawn)
    found = con.execute(_happened_sql(calls, period, p)).to_arrow_table()
    con.unregister("drawn")
    kept = [name for name in drawn.column_names if not name.startswith("u_") or name[2:] in (*KEPT, *ASSIGNING)]
    return pa.table({**{name: drawn[name] for name in kept}, **{name: found[name] for name in found.column_names}})


def _types(column: str) -> dict[str, int]:
    return thresholds({code: int(row[column]) for code, row in TYPES.items()})


def _happened_sql(calls: int, period: Period, p: Parameters) -> str:
    width = max(6, len(str(calls)))
    explicit = lookup_sql("kind", EXPLICIT)
    priority = lookup_sql("type_open", {code: int(row["priority"]) for code, row in TYPES.items()})
    close = lookup_sql("outcome", {k: row["close_code"] for k, row in OUTCOMES.items()})
    place = lookup_sql("outcome", {k: row["place"] for k, row in OUTCOMES.items() if row["place"]})
    drifts = "".join(f"when {{0}} = '{old}' then '{new}' " for old, new in DRIFTED.items())
    drifted = f"case when s < {period.middle} or u_close >= {p.below('code_drift')} then {{0}} {drifts}else {{0}} end"
    wave = BY_KEY["cit"]
    cit_share = (
        f"case when hour between 7 and 14 then {p.below('cit_day')} "
        f"when hour between 15 and 22 then {p.below('cit_evening')} else {p.below('cit_night')} end"
    )
    return f"""
with timed as (select *, cast(wall(s) // 3600 % 24 as integer) as hour from drawn),
seen as (
    select *, u_bh < case when on_view then {p.below("bh_on_view")} else {p.below("bh_community")} end as bh,
        mix_kind(u_kind) as kind
    from timed
),
opened as (
    select *, bh and u_explicit < {p.below("bh_type_at_open")} as is_explicit,
        case when u_odd < {p.below("unmapped_type")} then '{UNMAPPED_TYPE}'
            when bh and u_explicit < {p.below("bh_type_at_open")} then {explicit}
            when bh then {choose_sql("u_open", _types("weight_bh"))}
            when u_explicit >= {WHOLE - p.below("bh_type_false")} then 'MENTAL'
            when on_view then {choose_sql("u_open", _types("weight_on_view"))}
            else {choose_sql("u_open", _types("weight_other"))} end as type_open
    from seen
),
ranked as (
    select *, cast(coalesce({priority}, 5) as tinyint) as priority, bh and u_weapon < {p.below("weapon")} as has_weapon
    from opened
),
routed as (
    select *, not on_view and not is_dup and u_off < {p.below("cancelled")} as is_cancelled,
        not on_view and not is_dup and priority >= 4 and u_off >= {WHOLE - p.below("phone")} as is_phone,
        {", ".join(f"not is_dup and not on_view and not has_weapon and {g.open_sql(period)} as open_{g.key}" for g in PROGRAMS)},
        u_cit < cast({cit_share} as bigint) + case when sector = 'B' and s >= {wave.start(period, "B")}
            then {p.below("cit_wave")} else 0 end as has_cit
    from ranked
),
met as (
    select *, not (is_dup or is_cancelled or is_phone) as is_met,
        case when is_dup or is_cancelled or is_phone then 0 {served_sql(p, "u_serve")} else 0 end as team
    from routed
),
served as (
    select *, bh and is_met as is_contact,
        case when team > 0 then team when is_met and has_cit and patrol > 0 then {wave.code} else 0 end as program
    from (
        select *, case when is_dup or is_phone or team = 3
                    or (team = 2 and not has_weapon and u_patrol < {p.below("mct_alone")}) then 0
                when is_cancelled then cast(u_gap < {p.below("cancelled_after_dispatch")} as integer)
                when on_view then 1 + cast(u_patrol >= {round(0.85 * WHOLE)} as integer)
                else cast(mix_patrol_units(u_patrol) as integer) end as patrol
        from met
    )
),
fated as (
    select *, case when is_contact then {outcome_sql(p, "u_end", "program")} end as fate,
        case when is_contact then {outcome_sql(p, "u_end", "0")} end as fate_without
    from served
),
ended as (
    select *, case fate when 'arrest' then mix_arrest_text(u_text) when 'hold' then 'INVOL HOLD'
            when 'ed' then mix_ed_text(u_text) when 'rest' then mix_rest_text(u_text) end as outcome,
        case when bh and not is_explicit and u_upgrade < {by_program_sql(p, "program", "recode", p["bh_upgrade"], WHOLE)}
                then {explicit}
            when is_explicit and u_downgrade < {p.below("bh_downgrade")} then 'WELCHK'
            when u_close < {p.below("type_change")} then {choose_sql("u_downgrade", _types("weight_other"))}
            else type_open end as own_close
    from fated
),
coded as (
    select *, {drifted.format("type_open")} as code_open, {drifted.format("own_close")} as code_close,
        case when is_dup then case when u_off < {p.below("merged")} then 'MRG' else 'DUP' end
            when is_cancelled then 'CAN' when is_phone then 'TEL' when bh then {close}
            when on_view and type_open in ('PATCHK', 'TRSTOP') then case when u_end < {round(0.02 * WHOLE)} then 'BKD'
                when u_end < {round(0.2 * WHOLE)} then 'CIT' else 'WRN' end
            else mix_close_other(u_end) end as close_code,
        case when on_view then 0 else span_entry(u_entry) end as entered,
        case when on_view then 0 else greatest(span_taking(u_taking), span_entry(u_entry)) end as taken,
        case when on_view then 0 else span_entry(u_entry) + span_processing(u_process) end as ready,
        span_scene(case when patrol > 0 or team = 0 then u_scene else u_scene4 end)
            * case when bh then {p.whole("bh_scene_percent")} else 100 end // 100 as scene,
        {by_program_sql(p, "program", "scene", 1, 100)} as scene_percent
    from ended
),
moved as (
    select *,
        case when bh then {place} when patrol > 0 and close_code in ('BKD', 'ARR') then 'jail' end as place,
        case when on_view then 0 else span_turnout(u_turnout) end as t1,
        case when on_view then 0 when priority <= 2 then span_travel_urgent(u_travel) else span_travel_routine(u_travel)
            end as m1,
        scene * scene_percent // 100 as c1,
        case when patrol >= 2 then span_gap(u_gap) else 0 end as g2,
        case when patrol >= 2 then span_turnout(u_turnout2) else 0 end as t2,
        case when patrol < 2 then 0 when priority <= 2 then span_travel_urgent(u_travel2)
            else span_travel_routine(u_travel2) end as m2,
        case when patrol >= 2 then span_scene(u_scene2) * scene_percent // 150 else 0 end as c2,
        case when patrol >= 3 then span_gap(u_gap) + span_gap(u_turnout2) else 0 end as g3,
        case when patrol >= 3 then span_turnout(u_turnout3) else 0 end as t3,
        case when patrol < 3 then 0 when priority <= 2 then span_travel_urgent(u_travel3)
            else span_travel_routine(u_travel3) end as m3,
        case when patrol >= 3 then span_scene(u_scene3) * scene_percent // 150 else 0 end as c3,
        case when team in (1, 2) and patrol > 0 then span_team_delay(u_team) else 0 end as g4,
        case when team = 0 then 0 when team = 2 then span_travel_team(u_travel4) else span_travel_urgent(u_travel4) end as m4,
        case when team = 0 then 0 when patrol > 0 then span_scene(u_scene4) * scene_percent // 100
            else scene * scene_percent // 100 end as c4,
        span_cancel(u_travel) as off1
    from coded
),
carried as (
    select *, case when place is null then 0 else span_drive(u_drive) end as ride,
        case when place = 'jail' then span_wall_jail(u_wall) when place is not null then span_wall_hospital(u_wall)
            else 0 end as handed
    from moved
)
select hour, bh, kind, type_open, code_open, code_close, type_open <> code_open or own_close <> code_close as is_drifted,
    priority, has_weapon, is_cancelled, is_phone, is_met, is_contact, {", ".join(f"open_{g.key}" for g in PROGRAMS)},
    team, program, has_cit, fate, fate_without, outcome, patrol, close_code, place, entered, taken, ready,
    scene, t1, m1, c1, g2, t2, m2, g3, t3, m3, g4, m4, c4, ride, handed, off1,
    t1 + m1 + c1 + case when place is null then 0 else ride + handed + 120 end as e1, t2 + m2 + c2 as e2,
    t3 + m3 + c3 as e3, 60 + m4 + c4 + case when place is null or patrol > 0 then 0 else ride + handed + 120 end as e4,
    {_number_sql("i", "s", width)} as number, case when is_dup then {_number_sql("i - 1", "master_s", width)} end as master
from carried
"""


def view_sql(name: str) -> str:
    """A view over ``assigned``: calls with subject, caller, wait, pool and units, and what can be told from them.

    ``d`` is when the first unit is dispatched and ``shut`` when the event ends, in seconds after receipt; ``met_s`` is
    the instant at which the person is met.
    """
    return f"""
create or replace temp view {name} as
select *,
    span_closing(u_shut) + case when is_dup then entered + 120 when is_phone then taken + span_phone(u_travel)
        when is_cancelled then case when patrol > 0 then d + off1 else off1 end
        else greatest(taken, d + greatest(case when patrol >= 1 then e1 else 0 end,
            case when patrol >= 2 then g2 + e2 else 0 end, case when patrol >= 3 then g3 + e3 else 0 end,
            case when team > 0 then g4 + e4 else 0 end)) end as shut,
    case when is_contact then s + d + case when patrol > 0 then t1 + m1 else g4 + 60 + m4 end end as met_s
from assigned
"""


def _number_sql(i: str, s: str, width: int) -> str:
    """The event's number: C, two digits of the local year, a running number of at least six digits."""
    return f"'C' || year_text({s}) || '-' || substr(cast({10**width} + {i} + 1 as varchar), 2)"
