"""Profiles files column by column, whole files, in DuckDB: counts, shapes, placeholders, and values that repeat."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from orchestration.agencies.tools.reading import columns_of_file, guess_feed, load_file, name, sheet_names, text
from orchestration.agencies.tools.shapes import MASK, Shape, shape_of
from orchestration.agencies.tools.words import words
from orchestration.settings import Settings

MOST_CODES = 400  # a column with more texts than this is not one of codes
LEAST_REPEATS = 5  # nor is one whose texts come back less often on average
SIDE_TABLE_ROWS = 2_000
_MEANINGS = {"description", "meaning", "name", "label", "text", "definition"}

MISSING_WORDS = (
    "-", "--", "---", "NULL", "null", "Null", "(null)", "<null>", "<Null>", "None", "NaN", "nan", "#N/A", "?", ".",
)  # fmt: skip
WITHHELD_WORDS = (
    "REDACTED",
    "[REDACTED]",
    "Redacted",
    "WITHHELD",
    "CONFIDENTIAL",
    "SUPPRESSED",
    "***",
    "XXXX",
    "XXXXX",
)
_PLACEHOLDER_HINT = (
    "(contains(v, '1900') or contains(v, '1899') or contains(v, '1753') or contains(v, '0001') or contains(v, '9999'))"
)
MISSING_NUMBERS = ("-1", "-9", "-99", "-999", "-9999", "-99999", "99999", "999999")
PLACEHOLDER_DAYS = r"^(1900-0?1-0?1|1899-12-3[01]|1753-0?1-0?1|0001-0?1-0?1|9999-12-31|0?1/0?1/(1900|1753|0001)|12/30/1899|12/31/9999)([T ].*)?$"


@dataclass(frozen=True)
class Column:
    """One column: counts of rows, its shape, placeholders seen with their counts.

    filled: rows with a text that is no placeholder. distinct: different texts among them. values: text and count
    of every text, if there are few enough and they repeat; else empty. looks_like: phone or email, or ''.
    low, high: smallest and largest number, for columns of numbers.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    shape: Shape
    values: tuple[tuple[str, int], ...] = ()
    missing: tuple[tuple[str, int], ...] = ()
    withheld: tuple[tuple[str, int], ...] = ()
    is_padded: bool = False
    looks_like: str = ""
    low: float = 0
    high: float = 0

    @property
    def is_unique(self) -> bool:
        return 0 < self.filled == self.distinct

    @property
    def has_codes(self) -> bool:
        return 0 < self.distinct <= MOST_CODES and self.filled >= LEAST_REPEATS * self.distinct


@dataclass(frozen=True)
class FileProfile:
    """One file. format, delimiter and sheet as agency.yml says them; malformed: rows that do not fit the header.

    codes: of a small file, its first column's texts with those of the column `meaning`, for tables of codes.
    """

    path: Path
    format: str
    delimiter: str
    sheets: tuple[str, ...]
    rows: int
    malformed: int
    columns: tuple[Column, ...]
    codes: dict[str, str] = field(default_factory=dict)
    meaning: str = ""

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)

    def column(self, column: str) -> Column:
        return next(c for c in self.columns if c.name == column)


def profile_file(settings: Settings, con: duckdb.DuckDBPyConnection, path: Path) -> FileProfile:
    """Profiles one file. Raises Refusal when it cannot be read."""
    feed = guess_feed(path)
    header = columns_of_file(path, feed)
    rows, malformed = load_file(con, path, feed)
    columns = profile_columns(con, header)
    codes: dict[str, str] = {}
    meaning = ""
    if (
        0 < rows <= SIDE_TABLE_ROWS
        and 2 <= sum(c.filled > 0 for c in columns) <= 6
        and columns[0].distinct >= 0.9 * columns[0].filled > 0
    ):
        told = [c.name for c in columns[1:] if c.filled and set(words(c.name)) & _MEANINGS]
        key, meaning = name(header[0]), told[0] if told else header[1]
        codes = dict(
            con.execute(
                f"select trim({key}), trim({name(meaning)}) from raw where {key} <> '' order by _row desc"
            ).fetchall()
        )
    return FileProfile(
        path=path,
        format=feed.format,
        delimiter=feed.delimiter,
        sheets=tuple(sheet_names(path)) if feed.format == "xlsx" else (),
        rows=rows,
        malformed=len(malformed),
        columns=columns,
        codes={k: v or "" for k, v in codes.items()},
        meaning=meaning,
    )


def profile_columns(con: duckdb.DuckDBPyConnection, header: list[str]) -> tuple[Column, ...]:
    """The profile of every column of `raw`."""
    return tuple(_column(con, c) for c in header)


def _in(said: tuple[str, ...]) -> str:
    return f"v in ({', '.join(text(w) for w in said)})"


def _column(con: duckdb.DuckDBPyConnection, column: str) -> Column:
    """The profile of one column of `raw`: its different texts are counted once, the rest is asked of them."""
    con.execute(
        f"create or replace temp table texts as select trim({name(column)}) as v, count(*) as n,"
        f" bool_or({name(column)} <> trim({name(column)})) as padded from raw group by 1"
    )
    rows, padded = con.execute("select coalesce(sum(n), 0), coalesce(bool_or(padded), false) from texts").fetchone()
    special = f"({_in(MISSING_WORDS)} or {_in(WITHHELD_WORDS)} or ({_PLACEHOLDER_HINT} and regexp_matches(v, {text(PLACEHOLDER_DAYS)})))"
    taken = con.execute(f"select v, n from texts where {special} order by n desc, v").fetchall()
    missing = [(v, n) for v, n in taken if v not in WITHHELD_WORDS][:10]
    withheld = [(v, n) for v, n in taken if v in WITHHELD_WORDS]
    gone = f" or {special}" if taken else ""
    con.execute(f"delete from texts where v is null or v = ''{gone}")
    numbers, low = _numbers(con)
    if numbers[0] and numbers[1] >= 0.97 * numbers[0] and low < 0:
        odd = con.execute(
            f"select count(*) from texts where try_cast(v as double) < 0 and not {_in(MISSING_NUMBERS)}"
        ).fetchone()[0]
        if not odd:
            missing += _take(con, f"try_cast(v as double) < 0 and {_in(MISSING_NUMBERS)}")
            numbers, low = _numbers(con)
    filled, distinct = con.execute("select coalesce(sum(n), 0)::bigint, count(*) from texts").fetchone()

    def ask(condition: str) -> int:
        return con.execute(f"select coalesce(sum(n), 0)::bigint from texts where {condition}").fetchone()[0]

    masks = (
        []
        if numbers[2] == numbers[0]
        else con.execute(
            f"select {MASK.format('v')} as mask, sum(n)::bigint as n, min(v) from texts group by 1 order by 2 desc, 1 limit 60"
        ).fetchall()
    )
    shape = shape_of(masks, numbers, ask)
    if shape.kind == "epoch" and set(words(column)) & {"number", "id"}:
        shape = replace(shape, kind="integer", formats=())
    found = Column(
        name=column,
        rows=int(rows),
        filled=filled,
        distinct=distinct,
        shape=shape,
        missing=tuple(missing),
        withheld=tuple(withheld),
        is_padded=bool(padded),
        looks_like=_person_like(masks, filled),
        low=numbers[3],
        high=numbers[4],
    )
    if not found.has_codes:
        return found
    values = con.execute("select v, n from texts order by n desc, v").fetchall()
    return Column(**{**found.__dict__, "values": tuple(values)})


def _take(con: duckdb.DuckDBPyConnection, condition: str) -> list[tuple[str, int]]:
    """Takes the texts that meet the condition out of `texts`; gives them with their counts."""
    taken = con.execute(f"select v, n from texts where {condition} order by n desc, v limit 10").fetchall()
    if taken:
        con.execute(f"delete from texts where {condition}")
    return taken


def _numbers(con: duckdb.DuckDBPyConnection) -> tuple[tuple[int, int, int, float, float], float]:
    """(texts, whole numbers, numbers, smallest, largest) and the smallest again.

    A number with leading zeros counts as whole: what it is used for is told by its header.
    """
    said = con.execute(
        "select coalesce(sum(n), 0)::bigint, coalesce(sum(n) filter (number is not null and not regexp_matches(v, '[^0-9+-]')"
        " and length(v) < 19), 0)::bigint, coalesce(sum(n) filter (number is not null), 0)::bigint,"
        " coalesce(min(number), 0), coalesce(max(number), 0) from (select v, n, try_cast(v as double) as number from texts)"
    ).fetchone()
    return said, said[3]


_PHONES = ("999-999-9999", "(999) 999-9999", "(999)999-9999", "999.999.9999", "9-999-999-9999", "+99999999999")


def _person_like(masks: list[tuple[str, int, str]], filled: int) -> str:
    """Whether the texts look like telephone numbers or e-mail addresses whatever the header says."""
    phones = sum(n for mask, n, _ in masks if mask in _PHONES)
    emails = sum(n for mask, n, _ in masks if "@" in mask)
    if filled and phones >= 0.2 * filled:
        return "phone"
    return "email" if filled and emails >= 0.2 * filled else ""
