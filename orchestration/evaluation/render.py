"""Writes the blocks of a study's report: CSV and LaTeX for each table, one page of HTML, one PDF, one Word document."""

from __future__ import annotations

import csv
import html
import io
import re
from pathlib import Path

from orchestration.evaluation.blocks import Block, Figure, Heading, Listing, Paragraph, TableBlock
from orchestration.evaluation.tables import docx, is_number_column, latex, shown

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#22262b;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;font-size:.85rem;width:100%}th,td{text-align:left;padding:.25rem .5rem;
border-bottom:1px solid #d5d8dc;vertical-align:top}td{font-variant-numeric:tabular-nums}caption{text-align:left;
font-weight:600;padding:.5rem 0}.wide{overflow-x:auto}.note{color:#555;font-size:.85rem}svg{max-width:100%;height:auto}
"""


def table_csv(table: TableBlock) -> str:
    """The table as CSV, numbers as they are."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns, rows = table.data or (table.columns, table.rows)
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def page(title: str, blocks: list[Block], figures: dict[str, str]) -> str:
    """One page of HTML that needs neither scripts nor a network."""
    parts = []
    for b in blocks:
        match b:
            case Heading(text):
                parts.append(f"<h2>{html.escape(text)}</h2>")
            case Paragraph(text, strong):
                said = html.escape(text)
                parts.append(f"<p>{f'<strong>{said}</strong>' if strong else said}</p>")
            case Listing(items):
                parts.append("<ul>" + "".join(f"<li>{html.escape(i)}</li>" for i in items) + "</ul>")
            case Figure(name, caption, alt):
                svg = figures[name].replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt, quote=True)}" ', 1)
                parts.append(f"<figure>{svg}<figcaption>{html.escape(caption)}</figcaption></figure>")
            case TableBlock() if b.in_report:
                head = "".join(f'<th scope="col">{html.escape(c)}</th>' for c in b.columns)
                rows = "".join(
                    "<tr>" + "".join(f"<td>{html.escape(shown(v))}</td>" for v in r) + "</tr>" for r in b.rows
                )
                parts.append(
                    f'<div class="wide"><table><caption>{html.escape(b.title)}</caption><thead><tr>{head}</tr></thead>'
                    f'<tbody>{rows}</tbody></table></div><p class="note">{html.escape(b.note)}</p>'
                )
            case TableBlock():
                parts.append(f'<p><a href="tables/{b.name}.csv">{html.escape(b.title)}, {len(b.rows)} rows</a></p>')
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _typst(text: str) -> str:
    return re.sub(r"([\\#*_$<>@`\[\]~=/])", r"\\\1", text).replace("\n", " ")


def _typst_text(text: str) -> str:
    """A typst string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


TYPST_HEAD = """\
#set document(title: {title}, date: none)
#set page(paper: "us-letter", margin: (x: 1.6cm, y: 1.8cm), numbering: "1 / 1", footer-descent: 30%)
#set text(size: 9.5pt, lang: "en")
#set par(justify: false, leading: 0.6em)
#show heading.where(level: 1): set text(size: 17pt)
#show heading.where(level: 2): set text(size: 12.5pt)
#show heading: set block(above: 1.3em, below: 0.8em)
#show table.cell.where(y: 0): set text(weight: "bold")
#show figure.where(kind: table): set figure.caption(position: top)
#show figure.caption: set align(left)
#show figure: set align(left)

"""


def typst_source(title: str, blocks: list[Block]) -> str:
    """The report as typst markup; figures are read from figures/NAME.svg beside it."""
    parts = [TYPST_HEAD.format(title=_typst_text(title)), f"= {_typst(title)}\n"]
    for b in blocks:
        match b:
            case Heading(text, on_new_page):
                parts.append(("#pagebreak(weak: true)\n" if on_new_page else "") + f"== {_typst(text)}\n")
            case Paragraph(text, strong):
                parts.append((f"#strong[{_typst(text)}]" if strong else _typst(text)) + "\n")
            case Listing(items):
                parts.append("\n".join(f"- {_typst(i)}" for i in items) + "\n")
            case Figure(name, caption, alt):
                parts.append(
                    f"#figure(image({_typst_text(f'figures/{name}.svg')}, alt: {_typst_text(alt)}, width: 88%),"
                    f" caption: [{_typst(caption)}])\n"
                )
            case TableBlock() if b.in_report:
                parts.append(_typst_table(b))
            case TableBlock():
                parts.append(f"_All {len(b.rows)} rows of “{_typst(b.title)}” are in tables\\/{b.name}.csv._\n")
    return "\n".join(parts)


def _typst_table(table: TableBlock) -> str:
    wide = len(table.columns) > 8
    widths = ", ".join(table.widths or [_width(table, i) for i in range(len(table.columns))])
    align = ", ".join("right" if is_number_column(table, i) else "left" for i in range(len(table.columns)))
    cells = [f"[{_typst(c)}]" for c in table.columns]
    rows = [", ".join(f"[{_typst(shown(v))}]" for v in r) for r in table.rows]
    size = "7pt" if wide else "8.5pt"
    note = f"#text(size: 8pt, fill: luma(80))[{_typst(table.note)}]\n" if table.note else ""
    return (
        f"#show figure.where(kind: table): set block(breakable: {str(len(table.rows) > 20).lower()})\n"
        f"#figure(kind: table, caption: [{_typst(table.title)}])[#set text(size: {size})\n#table(columns: ({widths}),"
        f" align: ({align}), stroke: (x: none, y: 0.4pt + luma(200)), inset: (x: 3pt, y: 3.5pt),\n"
        f"table.header({', '.join(cells)}),\n" + ",\n".join(rows) + f")]\n{note}"
    )


def _width(table: TableBlock, i: int) -> str:
    longest = max(len(shown(r[i])) for r in table.rows)
    return f"{min(longest, 60)}fr" if longest > 22 else "auto"


def write_report(folder: Path, title: str, blocks: list[Block], figures: dict[str, str]) -> list[Path]:
    """Writes tables/*.csv, *.tex, tables.docx, figures/*.svg, report.html, .typ and .pdf; gives their paths."""
    import typst

    written = []

    def write(name: str, content: str) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        written.append(path)

    for b in blocks:
        if isinstance(b, TableBlock):
            write(f"tables/{b.name}.csv", table_csv(b))
            if b.in_report:
                write(f"tables/{b.name}.tex", latex(b))
    for name, svg in figures.items():
        write(f"figures/{name}.svg", svg)
    write("report.html", page(title, blocks, figures))
    write("report.typ", typst_source(title, blocks))
    typst.compile(folder / "report.typ", output=folder / "report.pdf", root=folder, ignore_system_fonts=True)
    (folder / "tables.docx").write_bytes(docx(title, [b for b in blocks if isinstance(b, TableBlock) and b.in_report]))
    return [*written, folder / "report.pdf", folder / "tables.docx"]
