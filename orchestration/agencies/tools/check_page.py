"""The report of a check as one self-contained HTML page: inline style, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from orchestration.agencies.tools.check import DAY, MOST_REJECTED, Report
from orchestration.agencies.tools.check_text import row_numbers, share

# Blue, grey, orange and black are told apart by people who cannot tell red from green; each part is named as well.
STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.note { color: #444; font-size: .9rem; }
.verdict { border-left: .5rem solid; padding: .5rem .75rem; margin: 1rem 0; background: #f4f6f8; }
.fits { border-color: #0b5fa5; } .not { border-color: #b34700; }
.verdict ul { margin: .25rem 0; padding-left: 1.1rem; } li { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; color: #444; font-size: .9rem; padding-bottom: .25rem; }
th, td { text-align: left; padding: .3rem 1.25rem .3rem 0; border-bottom: 1px solid #d5d9dd; vertical-align: top; overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; overflow-wrap: normal; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
.bar { display: flex; height: .9rem; min-width: 6rem; border: 1px solid #777; background: #fff; }
.bar i { display: block; height: 100%; }
.valid { background: #0b5fa5; } .missing { background: #c9ced3; } .over { background: #111; }
.negative { background: repeating-linear-gradient(45deg, #e07b00 0 4px, #fff 4px 6px); }
.key { display: inline-flex; align-items: center; gap: .35rem; margin-right: 1rem; font-size: .9rem; }
.key i { width: 1rem; height: .8rem; border: 1px solid #777; display: inline-block; }
@media (max-width: 40rem) {
  body { padding: .75rem; font-size: 15px; }
  table.cards thead { position: absolute; left: -9999px; }
  table.cards tr { display: block; padding: .5rem 0; border-bottom: 1px solid #aab; }
  table.cards td { display: flex; gap: 1rem; border: 0; padding: .1rem 0; text-align: left; white-space: normal; }
  table.cards td::before { content: attr(data-label); color: #444; flex: 0 0 40%; }
  table.cards td > * { min-width: 0; flex: 1; }
}
@media print { body { max-width: none; } }
"""


def _cell(value: object, label: str) -> str:
    at = f' data-label="{escape(label)}"'
    if isinstance(value, int):
        return f'<td class="n"{at}><span>{value:,}</span></td>'
    if isinstance(value, _Html):
        return f"<td{at}><div>{value.said}</div></td>"
    number = isinstance(value, str) and value.endswith("%")
    return f"<td{' class=' + chr(34) + 'n' + chr(34) if number else ''}{at}><span>{escape(str(value))}</span></td>"


class _Html:
    """HTML that is written as it stands."""

    def __init__(self, said: str):
        self.said = said


def _code(said: str) -> _Html:
    return _Html(f"<code>{escape(said)}</code>")


def _table(head: Sequence[str], rows: Iterable[Sequence], caption: str = "") -> str:
    rows = list(rows)
    numbers = [
        all(isinstance(r[i], int) or (isinstance(r[i], str) and r[i].endswith("%")) for r in rows)
        for i in range(len(head))
    ]
    top = "".join(
        f'<th scope="col"{" class=n" if n else ""}>{escape(h)}</th>' for h, n in zip(head, numbers, strict=True)
    )
    body = "".join("<tr>" + "".join(_cell(c, h) for c, h in zip(row, head, strict=True)) + "</tr>" for row in rows)
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table class="cards">{said}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _section(title: str, note: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p class=note>{escape(note)}</p>{body}</section>" if body else ""


def report_page(report: Report) -> str:
    """The page of a report."""
    parts = [
        _verdict(report),
        _section("Files", "Rows in each file, the header not counted.", _table(
            ("file", "feed", "variant", "rows", "malformed lines", "short lines filled up", "problem"),
            [(f.file, f.feed or "none", f.variant or "none", f.rows, f.malformed, f.padded, f.problem or f.told or "none") for f in report.files])),
        _section("Rows by entity", "One row of a file may fill several entities. Accepted, rejected, folded and not applicable add up to the rows.",
                 _table(("feed", "entity", "rows", "accepted", "rejected", "rejected, of those that apply", "folded", "not applicable"),
                        [(e.feed, e.entity, e.rows, e.accepted, e.rejected, share(e.rejected, e.accepted + e.rejected), e.folded, e.not_applicable)
                         for e in report.entities]) if report.entities else ""),
        _section("Fields not mapped", "Fields that the data standard requires, always or under a condition, and that no feed maps.",
                 _table(("entity", "field", "needed", "condition"),
                        [(u.entity, _code(u.field), "said to be lacking" if u.lacking else u.presence, u.condition or "none") for u in report.unmapped])
                 if report.unmapped else ""),
        _section("Rejected rows", "Row numbers count from 1, the header not among them; at most 20 are named. No value of a row stands here.",
                 _table(("file", "where", "rule", "rows", "row numbers", "what to do"),
                        [(r.file, _code(".".join(p for p in (r.entity, r.field) if p) or "whole line"), f"{r.rule}: {r.meaning}", r.count,
                          row_numbers(r.rows, r.count), r.remedy) for r in report.rejects]) if report.rejects else ""),
        _section("Codes not mapped", "Local codes without a row in codes/<list>.csv, or with one that says decide; they become “other”. Counts are rows.", _codes(report)),
        _section("Intervals", f"Time from one mapped field to the next, over accepted rows. Valid is 0 to {DAY // 3600} hours.", _intervals(report)),
        _section("Times imputed", "Accepted rows whose time is not as sent, or not certain.",
                 _table(("field", "rule", "rows", "meaning"), [(_code(f"{i.entity}.{i.field}"), i.rule, i.rows, i.meaning) for i in report.imputed])
                 if report.imputed else ""),
        _section("Keys", "Of accepted rows. A key that a feed repeats is folded if it says rows: many; otherwise one row wins.",
                 _table(("feed", "entity", "keys", "repeated in a file", "rows too many", "in several files", "repeats are"),
                        [(e.feed, e.entity, e.keys, e.repeated_keys, e.extra_rows, e.keys_in_several_files,
                          "folded" if e.folds else "one row wins" if e.repeated_keys else "none") for e in report.entities if e.keys])
                 if any(e.keys for e in report.entities) else ""),
        _section("Months", "Accepted rows by month of the event on the agency's own clock.", _months(report)),
        _section("Columns not classed", "No expression names them and agency.yml does not class them. They stop at the landing zone.",
                 _table(("feed", "columns"), [(f, _Html(", ".join(f"<code>{escape(c)}</code>" for c in columns)))
                                              for f, columns in report.unclassed.items() if columns]) if any(report.unclassed.values()) else ""),
        _section("Behavioral-health calls", "Accepted rows by tier of the call type (seeds/codes/codes_call_type.csv); none: the type has no tier.",
                 _table(("entity", "tier", "at open", "at close"),
                        [(t.entity, t.tier, "not mapped" if t.at_open is None else t.at_open, "not mapped" if t.at_close is None else t.at_close)
                         for t in report.tiers]) if report.tiers else ""),
    ]  # fmt: skip
    title = f"Check of agency {report.agency}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        f"<p class=note>Source: {len(report.files)} file(s), {escape(report.where)}; mapping and codes of the agency's folder."
        f" Nothing was written to the warehouse. Files fit when no required field is unmapped, no mapping fails and at most"
        f" {MOST_REJECTED:.0%} of the rows are rejected.</p>" + "".join(parts) + "</main></body></html>\n"
    )


def _verdict(report: Report) -> str:
    if report.fits:
        return '<div class="verdict fits"><strong>Fits.</strong> The mapping runs over these files.</div>'
    problems = "".join(f"<li>{escape(p)}</li>" for p in report.problems)
    return f'<div class="verdict not"><strong>Does not fit.</strong><ul>{problems}</ul></div>'


def _codes(report: Report) -> str:
    rows = []
    for c in report.codes:
        shown = ", ".join(f"<code>{escape(code)}</code>&nbsp;({n:,})" for code, n in c.shown)
        more = f" and {c.codes - len(c.shown):,} more" if c.shown and c.codes > len(c.shown) else ""
        said = _Html(shown + more) if c.shown else f"not shown: {c.why_hidden}"
        rows.append((_code(f"{c.entity}.{c.field}"), _code(f"codes/{c.code_list}.csv"), c.codes, c.rows, said))
    return _table(("field", "file", "codes", "rows", "codes and their rows"), rows) if rows else ""


_PARTS = (("valid", "valid"), ("missing", "missing"), ("negative", "negative"), ("over_a_day", "over a day"))


def _intervals(report: Report) -> str:
    if not report.intervals:
        return ""
    style = {"over_a_day": "over"}
    key = "".join(f'<span class="key"><i class="{style.get(p, p)}"></i>{label}</span>' for p, label in _PARTS)
    rows = []
    for i in report.intervals:
        counts = [getattr(i, p) for p, _ in _PARTS]
        said = ", ".join(f"{label} {share(n, i.rows)}" for (_, label), n in zip(_PARTS, counts, strict=True))
        widths = "".join(
            f'<i class="{style.get(p, p)}" style="width:{100 * n / i.rows:.2f}%"></i>' for (p, _), n in zip(_PARTS, counts, strict=True) if n
        ) if i.rows else ""  # fmt: skip
        bar = _Html(f'<div class="bar" role="img" aria-label="{escape(said)}">{widths}</div>')
        rows.append(
            (
                i.entity,
                _Html(f"<code>{i.start}</code> to <code>{i.end}</code>"),
                i.rows,
                bar,
                *(share(n, i.rows) for n in counts),
            )
        )
    head = ("entity", "interval", "rows", "shares", *(label for _, label in _PARTS))
    return f"<p>{key}</p>" + _table(head, rows)


def _months(report: Report) -> str:
    found = [e for e in report.entities if e.months]
    if not found:
        return ""
    months = sorted({m for e in found for m in e.months})
    return _table(
        ("month", *(f"{e.feed}.{e.entity}" for e in found)), [(m, *(e.months.get(m, 0) for e in found)) for m in months]
    )
