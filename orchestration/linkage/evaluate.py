"""How good linkage is, against a truth: pairwise precision and recall, in total, by kind of dirt and by group.

Pairs are never made. A table of records by true person and key gives all counts: n records that share something are
n * (n - 1) / 2 pairs. A pair touches a group if one of its records is in it; so what is asked of a group is asked of all
pairs that could have gone wrong for it. Pairs that touch a group are all pairs less those without it.

Judged are records with enough to link on, by the stated rule of records.py, which knows no truth. The same over all
records that truly have a name stands beside it: what nobody could link is lost to repeat contacts all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from orchestration.engine import connect, text
from orchestration.layers.links import create_link_view, link_files
from orchestration.settings import Settings

GROUPS = ("race_ethnicity", "sex", "age_band", "housing_status", "language", "name_origin")
ENOUGH_PAIRS = 1000  # a group with fewer true pairs is shown and not judged


@dataclass(frozen=True)
class Score:
    """Pairs of one slice. kind: 'all', 'dirt', or the name of a group; value: which."""

    kind: str
    value: str
    records: int
    true_pairs: int
    found_pairs: int
    right_pairs: int

    @property
    def precision(self) -> float | None:
        return self.right_pairs / self.found_pairs if self.found_pairs else None

    @property
    def recall(self) -> float | None:
        return self.right_pairs / self.true_pairs if self.true_pairs else None


def worst(whole: Score, slices: list[Score]) -> tuple[Score, str, float] | None:
    """The group furthest below the whole: its score, 'precision' or 'recall', and the distance."""
    gaps = [
        (s, measure, getattr(whole, measure) - value)
        for s in slices
        if s.kind in GROUPS and s.true_pairs >= ENOUGH_PAIRS
        for measure in ("precision", "recall")
        if (value := getattr(s, measure)) is not None and getattr(whole, measure) is not None
    ]
    return max(gaps, key=lambda gap: gap[2], default=None)


@dataclass(frozen=True)
class Report:
    """Scores of a zone. whole: records with enough to link on; every_record: all of the zone.

    left_out: records of the truth that may not be linked in the zone, or did not come in.
    """

    zone: str
    whole: Score
    every_record: Score
    slices: list[Score]
    left_out: int
    anonymous_truly: int
    anonymous_found: int


def evaluate(settings: Settings, truth: Path, zone: str) -> Report:
    """Compares input/person_link with a truth folder (person.parquet, record.parquet). Raises FileNotFoundError."""
    if not any(path.stem == zone for path in link_files(settings)):
        raise FileNotFoundError(f"no links of zone {zone} in {settings.input}: run `crisis linkage run` first")
    with connect(settings=settings) as con:
        create_link_view(con, settings, "every_link")
        con.execute(f"create view link as select * from every_link where zone = {text(zone)}")
        for table in ("person", "record"):
            con.execute(f"create view {table} as select * from read_parquet({text(str(truth / f'{table}.parquet'))})")
        return score(con, zone)


def score(con: duckdb.DuckDBPyConnection, zone: str) -> Report:
    """Scores views link (as input/person_link), person and record (as the truth folder)."""
    con.execute(
        """
        create or replace temp table judged as
        with truth as (
            select entity, agency_id || ':' || number as entity_id, any_value(true_person) as true_person,
                bool_or(is_anonymous) as is_truly_anonymous, coalesce(any_value(dirt), '') as dirt
            from record group by all
        ),
        both_known as (
            select row_number() over () as record_no, truth.*, link.is_anonymous, person_key
            from truth join link using (entity, entity_id)
        )
        -- a truly anonymous record is a person of its own: nothing should be linked to it
        select *, case when is_truly_anonymous or true_person is null then 'record ' || record_no
                else 'person ' || true_person end as true_key,
            coalesce(person_key, 'record ' || record_no) as found_key
        from both_known
        """
    )
    counts = con.execute(
        "select (select count(*) from record) - count(*), count(*) filter (is_truly_anonymous), count(*) filter (is_anonymous) from judged"
    ).fetchone()
    con.execute(
        "create or replace temp table mark (kind varchar, value varchar, record_no bigint);"
        " insert into mark select 'all', '', record_no from judged where not is_anonymous;"
        " insert into mark select 'dirt', kind, record_no from"
        " (select record_no, unnest(if(dirt = '', ['none'], string_split(dirt, '|'))) as kind from judged where not is_anonymous)"
    )
    has = {row[0] for row in con.execute("describe person").fetchall()}
    for group in GROUPS:
        if group in has:
            con.execute(
                f"insert into mark select {text(group)}, coalesce(cast({group} as varchar), 'unknown'), record_no"
                " from judged join person using (true_person) where not is_anonymous"
            )
    slices = [Score(*row) for row in _slices(con, "judged where not is_anonymous")]
    con.execute(
        "create or replace temp table mark as select 'every record' as kind, '' as value, record_no from judged"
    )
    every = [Score(*row) for row in _slices(con, "judged")]
    whole = next((s for s in slices if s.kind == "all"), NOTHING)
    return Report(zone, whole, every[0] if every else NOTHING, [s for s in slices if s.kind != "all"], *counts)


NOTHING = Score("all", "", 0, 0, 0, 0)


def _slices(con: duckdb.DuckDBPyConnection, judged: str) -> list[tuple]:
    """Scores of the slices in table `mark`, over the pairs of the records in `judged`."""
    # of n records that share a key, k of them marked, all pairs but those of the n - k others touch the slice
    touching = "cast(sum(n * (n - 1) // 2 - (n - k) * (n - k - 1) // 2) as bigint)"
    return con.execute(
        f"""
        with marked as (
            select kind, value, true_key, found_key, count(*) as k from mark join (from {judged}) using (record_no) group by all
        ),
        by_true as (
            select kind, value, {touching} as pairs
            from (select kind, value, true_key, sum(k) as k from marked group by all)
            join (select true_key, count(*) as n from {judged} group by all) using (true_key) group by all
        ),
        by_found as (
            select kind, value, {touching} as pairs
            from (select kind, value, found_key, sum(k) as k from marked group by all)
            join (select found_key, count(*) as n from {judged} group by all) using (found_key) group by all
        ),
        by_both as (
            select kind, value, {touching} as pairs from marked
            join (select true_key, found_key, count(*) as n from {judged} group by all) using (true_key, found_key) group by all
        ),
        sizes as (select kind, value, count(*) as records from mark group by all)
        select kind, value, records, by_true.pairs, by_found.pairs, by_both.pairs
        from sizes join by_true using (kind, value) join by_found using (kind, value) join by_both using (kind, value)
        order by kind, value
        """
    ).fetchall()


def print_report(report: Report, console) -> None:
    """Prints a report as one table, the worst group below it."""
    title = f"Linkage of people against the truth, zone {report.zone}"
    whole = replace(report.whole, kind="enough to link on")
    print_scores(title, whole, [report.every_record, whole, *report.slices], console)
    console.print(
        f"{report.left_out:,} records of the truth are not in this zone; {report.anonymous_truly:,} of the rest are truly"
        f" anonymous, {report.anonymous_found:,} had too little to link on"
    )


def print_scores(title: str, whole: Score, scores: list[Score], console) -> None:
    """Prints scores as one table, the group furthest below the whole under it."""
    from rich.table import Table

    table = Table(title=title)
    for column in ("slice", "value", "records", "true pairs", "found pairs", "precision", "recall"):
        table.add_column(column, justify="left" if column in ("slice", "value") else "right")
    for s in scores:
        shares = ["" if v is None else f"{v:.4f}" for v in (s.precision, s.recall)]
        table.add_row(s.kind, s.value, f"{s.records:,}", f"{s.true_pairs:,}", f"{s.found_pairs:,}", *shares)
    console.print(table)
    if found := worst(whole, scores):
        score_of, measure, gap = found
        console.print(
            f"worst group: {score_of.kind} {score_of.value}, {measure} {getattr(score_of, measure):.4f},"
            f" {100 * gap:.1f} points below the whole"
        )
