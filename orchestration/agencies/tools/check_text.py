"""The report of a check as lines of text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from orchestration.agencies.tools.check import Report

FIELDS_A_LINE = 8


def share(part: int, whole: int) -> str:
    """A share as a percentage, with <0.1% for what is not quite nothing."""
    if not whole:
        return "-"
    found = part / whole
    return "<0.1%" if 0 < found < 0.001 else f"{found:.1%}"


def row_numbers(rows: list[int], count: int) -> str:
    more = count - len(rows)
    return ", ".join(map(str, rows)) + (f" and {more:,} more" if more > 0 else "")


def report_lines(report: Report) -> Iterator[str]:
    """Lines to print; a heading stands alone and what belongs to it is set in by two."""
    yield f"agency {report.agency}: {len(report.files)} file(s), {report.where}"
    yield from _files(report)
    yield from _entities(report)
    yield from _presence(report)
    yield from _rejects(report)
    yield from _codes(report)
    yield from _intervals(report)
    yield from _imputed(report)
    yield from _keys(report)
    yield from _months(report)
    yield from _unclassed(report)
    yield from _tiers(report)
    yield ""
    if report.fits:
        yield "fits"
        return
    yield "does not fit:"
    for problem in report.problems:
        yield f"  {problem}"


def _table(rows: list[tuple], numbers_from: int = 1) -> Iterator[str]:
    """Columns under each other: texts to the left, numbers to the right."""
    texts = [[f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))]
    for row in texts:
        cells = [
            c.ljust(w) if i < numbers_from else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  " + "  ".join(cells).rstrip()


def _files(report: Report) -> Iterator[str]:
    yield ""
    yield "files by feed"
    rows = [
        (f.file, (f.feed or "none") + (f", variant {f.variant}" if f.variant else ""), f.rows) for f in report.files
    ]
    yield from _table([("file", "feed", "rows"), *rows], 2)
    for f in report.files:
        if f.padded:
            yield f"  {f.file}: {f.padded:,} short line(s) filled up"
        if f.told:
            yield f"  {f.file}: {f.told}"


def _entities(report: Report) -> Iterator[str]:
    if report.entities:
        yield ""
        yield "rows by entity"
        head = ("feed", "entity", "rows", "accepted", "rejected", "folded", "not applicable")
        rows = [(e.feed, e.entity, e.rows, e.accepted, e.rejected, e.folded, e.not_applicable) for e in report.entities]
        yield from _table([head, *rows], 2)


def _presence(report: Report) -> Iterator[str]:
    if not report.unmapped:
        return
    yield ""
    yield "fields not mapped"
    grouped = defaultdict(list)
    for u in report.unmapped:
        grouped[u.entity, "said to be lacking" if u.lacking else u.presence].append(u)
    for (entity, presence), found in grouped.items():
        if presence == "conditional":
            yield f"  {entity}, needed under a condition:"
            yield from (f"    {u.field}: {u.condition}" for u in found)
        else:
            yield f"  {entity}, {presence}: {', '.join(u.field for u in found)}"


def _rejects(report: Report) -> Iterator[str]:
    if not report.rejects:
        return
    yield ""
    yield "rejected rows (numbers count from 1, the header not among them)"
    for r in report.rejects:
        at = ".".join(p for p in (r.entity, r.field) if p) or "whole line"
        yield f"  {r.file}: {r.rule} at {at}: {r.count:,} row(s): {row_numbers(r.rows, r.count)}"
        yield f"    {r.meaning}; do: {r.remedy}"


def _codes(report: Report) -> Iterator[str]:
    if not report.codes:
        return
    yield ""
    yield "codes not mapped: no row in codes/, or one that says decide (they become `other`)"
    for c in report.codes:
        yield f"  {c.entity}.{c.field}: {c.codes:,} code(s) in {c.rows:,} row(s); see codes/{c.code_list}.csv"
        if c.why_hidden:
            yield f"    not shown: {c.why_hidden}"
        for code, n in c.shown:
            yield f"    {n:>8,}  {code}"
        if c.shown and c.codes > len(c.shown):
            yield f"    and {c.codes - len(c.shown):,} more"


def _intervals(report: Report) -> Iterator[str]:
    if not report.intervals:
        return
    yield ""
    yield "intervals between mapped times that follow each other (share of accepted rows; valid is 0 to 24 hours)"
    rows = [("entity", "from", "to", "rows", "valid", "missing", "negative", "over a day")]
    for i in report.intervals:
        parts = (share(n, i.rows) for n in (i.valid, i.missing, i.negative, i.over_a_day))
        rows.append((i.entity, i.start, i.end, i.rows, *parts))
    yield from _table(rows, 3)


def _imputed(report: Report) -> Iterator[str]:
    if not report.imputed:
        return
    yield ""
    yield "times that are not as sent, or not certain (accepted rows)"
    for i in report.imputed:
        yield f"  {i.entity}.{i.field}: {i.rule}: {i.rows:,} row(s), {i.meaning}"


def _keys(report: Report) -> Iterator[str]:
    found = [e for e in report.entities if e.keys]
    if not found:
        return
    yield ""
    yield "keys (of accepted rows)"
    rows = [("feed", "entity", "what repeats means", "keys", "repeated in a file", "rows too many", "in several files")]
    for e in found:
        what = "folded" if e.folds else "one row wins" if e.repeated_keys else ""
        rows.append((e.feed, e.entity, what, e.keys, e.repeated_keys, e.extra_rows, e.keys_in_several_files))
    yield from _table(rows, 3)


def _months(report: Report) -> Iterator[str]:
    found = [e for e in report.entities if e.months]
    if not found:
        return
    yield ""
    yield "months (accepted rows)"
    for e in found:
        months = sorted(e.months.items())
        said = [f"{m} {n:,}" for m, n in months]
        if len(said) > 36:
            said = [*said[:18], f"… {len(said) - 36} months …", *said[-18:]]
        yield f"  {e.feed}.{e.entity}:"
        for at in range(0, len(said), FIELDS_A_LINE):
            yield "    " + ", ".join(said[at : at + FIELDS_A_LINE])


def _unclassed(report: Report) -> Iterator[str]:
    found = {f: c for f, c in report.unclassed.items() if c}
    if not found:
        return
    yield ""
    yield "columns that no expression names and agency.yml does not class (they stop at the landing zone)"
    for feed, columns in found.items():
        yield f"  {feed}: {', '.join(columns)}"


def _tiers(report: Report) -> Iterator[str]:
    if not report.tiers:
        return
    yield ""
    yield "behavioral-health tier of the call type (accepted rows; none: the type has no tier)"
    rows = [("entity", "tier", "at open", "at close")]
    rows += [
        (
            t.entity,
            t.tier,
            "not mapped" if t.at_open is None else t.at_open,
            "not mapped" if t.at_close is None else t.at_close,
        )
        for t in report.tiers
    ]
    yield from _table(rows, 2)
