"""What the texts of a column look like: whole numbers, dates and times with their formats, plain text.

A mask is a text with every digit written 9 and every letter written A: '7/26/2020 4:00 PM' has the mask
'9/99/9999 9:99 AA'. Masks are counted in DuckDB; what they mean is said here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.agencies.tools.reading import FieldMapping, name, text

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
MASK = f"translate({{0}}, '0123456789{LETTERS}', '{'9' * 10}{'A' * 52}')"

MOST = 0.97  # a column is of a kind when this share of its texts is


@dataclass(frozen=True)
class Shape:
    """kind: empty, integer, number, date, time, timestamp, epoch or text.

    formats: strptime formats, most frequent first; none if DuckDB casts the text as it stands.
    share: of the texts that are of the kind. offset: 'utc' or 'local' when the times carry an offset from UTC.
    midnight: every time of day is 00:00. months_first: whether day and month could be told apart.
    """

    kind: str
    formats: tuple[str, ...] = ()
    share: float = 1.0
    offset: str = ""
    midnight: bool = False
    doubtful_order: bool = False

    @property
    def is_time(self) -> bool:
        return self.kind in ("date", "timestamp", "epoch")


_DATES = (  # mask of the date, formats to try in turn
    (r"9{4}-99?-99?", ("%Y-%m-%d",)),
    (r"9{4}/99?/99?", ("%Y/%m/%d",)),
    (r"99?/99?/9{4}", ("%m/%d/%Y", "%d/%m/%Y")),
    (r"99?-99?-9{4}", ("%m-%d-%Y", "%d-%m-%Y")),
    (r"99?\.99?\.9{4}", ("%d.%m.%Y", "%m.%d.%Y")),
    (r"99?/99?/99", ("%m/%d/%y", "%d/%m/%y")),
    (r"99?-99?-99", ("%m-%d-%y", "%d-%m-%y")),
    (r"99?-AAA-9{4}", ("%d-%b-%Y",)),
    (r"99?-AAA-99", ("%d-%b-%y",)),
    (r"99? AAA 9{4}", ("%d %b %Y",)),
    (r"AAA 99?,? 9{4}", ("%b %d, %Y", "%b %d %Y")),
    (r"A{4,9} 99?, 9{4}", ("%B %d, %Y",)),
    (r"9{8}", ("%Y%m%d", "%m%d%Y")),
)
_TIMES = (
    (r"99?:99:99\.9{1,6}", "%H:%M:%S.%f"),
    (r"99?:99:99 ?AA", "%I:%M:%S %p"),
    (r"99?:99 ?AA", "%I:%M %p"),
    (r"99?:99:99", "%H:%M:%S"),
    (r"99?:99", "%H:%M"),
)
_OFFSET = r"(?P<offset> ?(?:[+-]99(?::?99)?|A))?"


def _format_of(mask: str) -> tuple[str, tuple[str, ...], bool] | None:
    """(kind, formats to try, carries an offset) of one mask, or None for what is no date or time."""
    for pattern, time in _TIMES:
        if re.fullmatch(pattern, mask):
            return "time", (time if " AA" in mask or "AA" not in mask else time.replace(" %p", "%p"),), False
    for date_mask, dates in _DATES:
        if re.fullmatch(date_mask, mask):
            return "date", dates, False
        for pattern, time in _TIMES:
            found = re.fullmatch(rf"{date_mask}(?P<gap>[A ]| {{2}}|, ){pattern}{_OFFSET}", mask)
            if found and date_mask != r"9{8}":
                clock = time if " AA" in mask or not time.endswith("%p") else time.replace(" %p", "%p")
                gap = "T" if found["gap"] == "A" else found["gap"]
                return "timestamp", tuple(f"{d}{gap}{clock}" for d in dates), bool(found["offset"])
    return None


_CASTS = re.compile(r"%Y[-/]%m[-/]%d([ T]%H:%M(:%S(\.%f)?)?)?")  # forms that DuckDB's own cast reads


def shape_of(masks: Iterable[tuple[str, int, str]], numbers: tuple[int, int, int, float, float], ask) -> Shape:
    """The shape of a column.

    masks: (mask, number of texts, smallest text of it), most frequent first.
    numbers: texts in all, whole numbers among them, numbers among them, smallest and largest number.
    ask: a function from a SQL condition over `v` to the number of texts that it holds for.
    """
    total, integers, any_number, low, high = numbers
    if not total:
        return Shape("empty")
    if integers >= MOST * total:
        return _whole_number(total, integers, low, high, ask)
    if any_number >= MOST * total:
        return Shape("number", share=any_number / total)
    return _clock(list(masks), total, ask) or Shape("text")


def _whole_number(total: int, integers: int, low: float, high: float, ask) -> Shape:
    share = integers / total
    if low > 3e11 and high < 5e12:
        return Shape("epoch", ("ms",), share)
    if low > 3e8 and high < 5e9:
        return Shape("epoch", ("s",), share)
    if low > 19_000_000 and high < 21_000_000 and ask(_parses("%Y%m%d")) >= MOST * total:
        return Shape("date", ("%Y%m%d",), share)
    return Shape("integer", share=share)


def _parses(form: str) -> str:
    return f"try_strptime(v, {text(form)}) is not null"


def _clock(masks: list[tuple[str, int, str]], total: int, ask) -> Shape | None:
    found: dict[str, dict[tuple[str, ...], int]] = {}
    offsets = 0
    for mask, count, _ in masks:
        said = _format_of(mask)
        if said:
            kind, formats, has_offset = said
            found.setdefault(kind, {}).setdefault(formats, 0)
            found[kind][formats] += count
            offsets += count if has_offset else 0
    counts = {kind: sum(n.values()) for kind, n in found.items()}
    if sum(counts.values()) < MOST * total:
        return None
    # Dates among times of day and date cannot be told their hour: the column is of times, the rest stay dates.
    kind = max(counts, key=counts.get)
    if kind == "date" and counts.get("timestamp"):
        kind = "timestamp"
    chosen, doubtful = [], False
    for formats, _ in sorted(found[kind].items(), key=lambda item: -item[1]):
        best, unsure = _choose(formats, ask)
        doubtful |= unsure
        chosen.append(best)
    share = counts[kind] / total
    if offsets >= MOST * counts[kind]:
        utc = ask("regexp_matches(v, '(Z|[+-]00(:?00)?)$')")
        midnight = ask("regexp_matches(v, '[T ]0?0:00(:00(\\.0+)?)? ?(Z|[+-]\\d\\d(:?\\d\\d)?)$')")
        return Shape(kind, (), share, "utc" if utc >= MOST * offsets else "local", midnight >= 0.5 * total)
    midnight = (
        kind == "timestamp" and ask("regexp_matches(v, '[T ](0?0:00(:00(\\.0+)?)?|12:00(:00)? ?AM)$')") >= MOST * total
    )
    plain = all(_CASTS.fullmatch(f) for f in chosen)
    return Shape(kind, () if plain else tuple(dict.fromkeys(chosen)), share, "", midnight, doubtful)


def _choose(formats: tuple[str, ...], ask) -> tuple[str, bool]:
    """The format that most texts fit, and whether another fits as many."""
    if len(formats) == 1:
        return formats[0], False
    fits = [ask(_parses(f)) for f in formats]
    best = max(range(len(formats)), key=lambda i: fits[i])
    return formats[best], "," not in formats[0] and sorted(fits)[-2] == fits[best]


def column_sql(column: str) -> str:
    """A column as it is written in agency.yml: quoted only if it must be."""
    return (
        column if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", column) and column.lower() not in RESERVED else name(column)
    )


RESERVED = frozenset(
    [
        "all",
        "and",
        "any",
        "as",
        "asc",
        "between",
        "both",
        "by",
        "case",
        "cast",
        "check",
        "collate",
        "column",
        "constraint",
        "create",
        "default",
        "desc",
        "describe",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "exists",
        "false",
        "fetch",
        "for",
        "foreign",
        "from",
        "full",
        "group",
        "having",
        "in",
        "initially",
        "inner",
        "intersect",
        "into",
        "is",
        "join",
        "lateral",
        "leading",
        "left",
        "like",
        "limit",
        "natural",
        "not",
        "null",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "outer",
        "placing",
        "primary",
        "qualify",
        "references",
        "right",
        "select",
        "show",
        "similar",
        "some",
        "summarize",
        "symmetric",
        "table",
        "then",
        "to",
        "trailing",
        "true",
        "union",
        "unique",
        "unpivot",
        "pivot",
        "using",
        "variadic",
        "when",
        "where",
        "window",
        "with",
    ]
)


def _strptime(source: str, formats: tuple[str, ...]) -> str:
    said = text(formats[0]) if len(formats) == 1 else f"[{', '.join(text(f) for f in formats)}]"
    return f"try_strptime({source}, {said})"


def column_mapping(column: str) -> FieldMapping:
    return FieldMapping(column=column)


def time_mapping(column: str, shape: Shape) -> FieldMapping:
    """A field that is a time or a date, out of one column; texts that do not fit are left to be rejected."""
    if shape.kind == "epoch":
        return FieldMapping(column=column, format=("epoch_ms" if shape.formats == ("ms",) else "epoch_s",), zone="UTC")
    if shape.offset == "utc" and not shape.midnight:
        return FieldMapping(column=column, zone="UTC")
    if shape.offset:
        return FieldMapping(expression=f"regexp_replace({column_sql(column)}, ' ?(Z|[+-]\\d\\d(:?\\d\\d)?)$', '')")
    return FieldMapping(column=column, format=shape.formats)


def joined_mapping(day: str, day_shape: Shape, clock: str, clock_shape: Shape) -> FieldMapping | None:
    """A date column and a time column as one time: with formats where each holds nothing else, else as SQL."""
    days = day_shape.formats or ("%Y-%m-%d", "%Y/%m/%d")
    clocks = ("hhmm",) if clock_shape.kind == "integer" else clock_shape.formats
    if day_shape.kind == "date" and clock_shape.kind in ("integer", "time") and clocks:
        plain = not day_shape.formats and all(c in ("%H:%M:%S", "%H:%M") for c in clocks)
        return FieldMapping(
            date=day, time=clock, format=() if plain else tuple(f"{d} {c}" for d in days for c in clocks)
        )
    sql = joined_sql(day, day_shape, clock, clock_shape)
    return FieldMapping(expression=sql) if sql else None


def _day_sql(column: str, shape: Shape) -> str:
    c = column_sql(column)
    if shape.formats and shape.kind != "epoch":
        return f"strftime({_strptime(c, shape.formats)}, '%Y-%m-%d')"
    return f"strftime(try_cast({c} as timestamp), '%Y-%m-%d')"


def _clock_sql(column: str, shape: Shape) -> str | None:
    c = column_sql(column)
    if shape.kind == "time":
        return f"strftime({_strptime(c, shape.formats or ('%H:%M:%S', '%H:%M'))}, '%H:%M:%S')"
    if shape.kind == "timestamp":
        if shape.formats:
            return f"strftime({_strptime(c, shape.formats)}, '%H:%M:%S')"
        return f"strftime(try_cast({c} as timestamp), '%H:%M:%S')"
    if shape.kind == "integer":  # 5 is five past midnight, 1430 half past two
        return f"strftime(try_strptime(lpad({c}, 4, '0'), '%H%M'), '%H:%M:%S')"
    return None


def joined_sql(day: str, day_shape: Shape, clock: str, clock_shape: Shape) -> str | None:
    """A date column and a time column as one time; null where the time of day is missing."""
    time = _clock_sql(clock, clock_shape)
    if time is None:
        return None
    both = f"{column_sql(day)} || ' ' || {column_sql(clock)}"
    return f"coalesce({_day_sql(day, day_shape)} || ' ' || {time}, {both})"
