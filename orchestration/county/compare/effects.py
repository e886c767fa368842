"""What each program changes, told from a release: served contacts against those that no program served.

Among eligible calls chance decides who is served, and nothing but the program decides how a contact ends, how long it
takes, whether it is referred or re-coded. So in a clean county these may be compared as they are. Repeats hang on how
many contacts a month has, so they are compared within months; and one is told from another by chance only, so what
is compared is how many more there are, not their ratio.
"""

from __future__ import annotations

from math import pi

import duckdb

from orchestration.county.compare.figure import Compared, Truth, share
from orchestration.county.compare.seen import ENDS
from orchestration.county.programs import PROGRAMS

KEYS = tuple(program.key for program in PROGRAMS)
NONE = "none"
DAYS = 30  # within which a contact is a repeat
LEAST = 2  # events and rows below which no ratio has a standard error


def effects(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """Every effect of the truth, by program and outcome, with the shares without a program first."""
    found = []
    for ending in ENDS:
        found += _ratios(seen, truth, ending, f"ending = '{ending}'", "true")
    found += _ratios(seen, truth, "referral", "incident_id in (select incident_id from referral)", "ending <> 'arrest'")
    return [*found, *_scene(seen, truth), *_recode(seen, truth), *_forms(seen, truth), *_repeats(seen, truth)]


def _counts(seen: duckdb.DuckDBPyConnection, table: str, holds: str, among: str) -> dict[str, tuple[int, int]]:
    """(rows of which `holds`, rows) by program, of those `among`; (0, 0) for a program that served nobody."""
    rows = seen.execute(
        f"select program, count(*) filter (where {holds}), count(*) from {table} where {among} group by all"
    ).fetchall()
    return dict.fromkeys((*KEYS, NONE), (0, 0)) | {key: (events, n) for key, events, n in rows}


def _ratios(seen: duckdb.DuckDBPyConnection, truth: Truth, outcome: str, holds: str, among: str) -> list[Compared]:
    """The share without a program, and each program's ratio to it with the standard error of its logarithm."""
    counts = _counts(seen, "contact", holds, among)
    b, m = counts[NONE]
    found = [share("rate", f"{outcome}, no program", truth.rates[outcome], b, m, (outcome,))]
    for key in KEYS:
        a, n = counts[key]
        told = a >= LEAST and b >= LEAST
        found.append(
            Compared(
                "effect", f"{key}: {outcome}", "ratio", truth.effects[key, outcome],
                (a / n) / (b / m) if told else None, (1 / a - 1 / n + 1 / b - 1 / m) ** 0.5 if told else None, n,
                (f"effect.{key}.{outcome}", *(["call.outcome"] if outcome in ENDS else [])),
            )
        )  # fmt: skip
    return found


def _scene(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """Mean time on scene of the first unit dispatched, or of the team where no police went, against no program."""
    spans = {
        key: (mean, (spread or 0) ** 2 / n, n)
        for key, mean, spread, n in seen.execute(
            "select program, avg(scene_seconds), stddev_samp(scene_seconds), count(scene_seconds) from contact"
            " where scene_seconds is not null group by all"
        ).fetchall()
    }
    if NONE not in spans:
        return []
    base, square, n = spans[NONE]
    true = truth.one("select avg(scene_seconds) from call where is_contact and program is null")
    found = [Compared("rate", "time on scene, no program", "seconds", true, base, None, n, ("call.scene_seconds",))]
    for key in KEYS:
        mean, own, n = spans.get(key, (None, None, 0))
        told = n >= LEAST
        found.append(
            Compared(
                "effect", f"{key}: time on scene", "ratio", truth.effects[key, "scene"], mean / base if told else None,
                (own / mean**2 + square / base**2) ** 0.5 if told else None, n,
                (f"effect.{key}.scene",),
            )
        )  # fmt: skip
    return found


def _recode(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """Share of calls of another type that have an explicit one at close, by program and without."""
    counts = _counts(seen, "contact", "bh_close = 'yes'", "bh_open = 'no'")
    found = [share("rate", "re-coded, no program", truth.rates["bh_upgrade"], *counts[NONE], ("bh_upgrade",))]
    return found + [
        share("effect", f"{key}: re-coded", truth.effects[key, "recode"], *counts[key], (f"effect.{key}.recode",))
        for key in KEYS
    ]


def _forms(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """Share of attended calls with a form, by program and without: what programs fill in is seen once forms are lost."""
    counts = _counts(seen, "call", "has_form", "is_attended")
    met = dict(
        truth.con.execute(
            f"select coalesce(program, '{NONE}'), avg(cast(is_contact as integer)) from call"
            " where scene_seconds is not null group by all"
        ).fetchall()
    )
    of = ("call.is_contact", "call.program")
    found = [share("rate", "calls with a form, no program", met[NONE], *counts[NONE], of, is_counted=True)]
    return found + [
        share("effect", f"{key}: calls with a form", met[key], *counts[key], of, is_counted=True)
        for key in KEYS
        if key in met
    ]


def _repeats(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """Later contacts of the same person within 30 days, served less unserved, within months; and those without a program.

    Told of contacts that 30 days of records follow. Standard errors count persons, not contacts.
    """
    seen.execute(f"""
        create or replace temp table followed as
        with later as (
            select person_key, program, strftime(received_at, '%Y-%m') as month, received_at, count(*) over (
                partition by person_key order by received_at
                range between current row and interval {DAYS} day following exclude current row) as repeats
            from contact where person_key is not null
        )
        select * from later where received_at <= (select max(received_at) from contact) - interval {DAYS} day
    """)
    found = [_repeats_without(seen, truth)]
    chain = _chain(truth)
    for key in KEYS:
        gap, error, n = seen.execute(f"""
            with chosen as (select *, program = '{key}' as served from followed where program in ('{key}', '{NONE}')),
            cell as (
                select month, avg(repeats) filter (where served) as with_it, avg(repeats) filter (where not served) as without,
                    count(*) filter (where served) as n, count(*) filter (where not served) as m
                from chosen group by all having n > 0 and m > 0
            ),
            part as (
                select person_key, sum(case when served then (repeats - with_it) / n else (without - repeats) / m end
                    * n / (select sum(n) from cell)) as pull
                from chosen join cell using (month) group by all
            )
            select sum((with_it - without) * n) / sum(n), (select sqrt(sum(pull * pull)) from part), coalesce(sum(n), 0)
            from cell
        """).fetchone()
        true = truth.rates["repeat"] * (truth.effects[key, "repeat"] - 1) * chain
        found.append(
            Compared(
                "effect", f"{key}: repeat contacts added", "per contact", true, gap, error or None, n,
                (f"effect.{key}.repeat", "repeat"),
            )
        )  # fmt: skip
    return found


def _chain(truth: Truth) -> float:
    """Contacts of the same person that one contact brought about stands for, itself and what it brings about in turn.

    The lag of a contact is the square of an even draw, times 30 days. That two lags add up to at most 30 days has the
    chance pi/4 (a quarter of a disc), three pi/6 (an eighth of a ball).
    """
    served = dict(truth.con.execute("select coalesce(program, 'none'), count(*) from call where is_contact group by all").fetchall())  # fmt: skip
    each = sum(n * truth.effects.get((key, "repeat"), 1.0) for key, n in served.items()) / sum(served.values())
    brings = truth.rates["repeat"] * each
    return 1 + brings * pi / 4 + brings**2 * pi / 6


def _repeats_without(seen: duckdb.DuckDBPyConnection, truth: Truth) -> Compared:
    """How many contacts of the same person follow one that no program served: by linked persons, and by the true ones.

    The truth holds no times, so both go by the times of the release.
    """
    truth.con.register("times", seen.execute("select incident_number, received_at from call").to_arrow_table())
    true = truth.one(f"""
        with later as (
            select program, received_at, max(received_at) over () as last, count(*) over (
                partition by true_person order by received_at
                range between current row and interval {DAYS} day following exclude current row) as repeats
            from call join times using (incident_number) where is_contact and received_at is not null
        )
        select avg(repeats) from later where program is null and received_at <= last - interval {DAYS} day
    """)
    mean, error, n = seen.execute(f"""
        with chosen as (select *, avg(repeats) over () as mean, count(*) over () as n from followed where program = '{NONE}'),
        part as (select sum(repeats - mean) / any_value(n) as pull from chosen group by person_key)
        select avg(repeats), (select sqrt(sum(pull * pull)) from part), count(*) from chosen
    """).fetchone()
    of = ("repeat", "call.true_person")
    return Compared("rate", "repeat contacts, no program", "per contact", true, mean, error or None, n, of)
