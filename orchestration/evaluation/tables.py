"""The tables of a report for those who write: LaTeX for each, and one document of Word with all; the same bytes each time."""

from __future__ import annotations

import io
import re
import zipfile

from orchestration.evaluation.blocks import TableBlock

LONG = 40  # rows from which on a table of LaTeX runs over pages
WIDE_TEXT = 40  # characters from which on a cell of LaTeX is broken into lines
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can say


def shown(value) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def is_number_column(table: TableBlock, i: int) -> bool:
    return i > 0 and all(re.match(r"^[+-]?[\d,.]+( %)?$", shown(r[i])) for r in table.rows)


def _escaped(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}"}  # fmt: skip
    return re.sub(r"[\\~^<>{}$&#_%]", lambda m: special.get(m[0], "\\" + m[0]), text)


def latex(table: TableBlock) -> str:
    """A table to \\input; needs booktabs, and longtable where it is long."""
    is_long = len(table.rows) > LONG
    kinds = "".join(_column(table, i) for i in range(len(table.columns)))
    line = lambda cells: " & ".join(_escaped(shown(c)) for c in cells) + r" \\"  # noqa: E731
    head = [r"\toprule", line(table.columns), r"\midrule"]
    body = [line(r) for r in table.rows]
    caption = rf"\caption{{{_escaped(table.title)}}}\label{{tab:{table.name}}}"
    note = [rf"\par\footnotesize {_escaped(table.note)}"] if table.note else []
    if is_long:
        lines = [
            rf"\begin{{longtable}}{{{kinds}}}", caption + r" \\", *head, r"\endhead", *body, r"\bottomrule",
            r"\end{longtable}", *note,
        ]  # fmt: skip
    else:
        lines = [
            r"\begin{table}[htbp]", r"\centering", r"\small", caption, rf"\begin{{tabular}}{{{kinds}}}", *head, *body,
            r"\bottomrule", r"\end{tabular}", *note, r"\end{table}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _column(table: TableBlock, i: int) -> str:
    if is_number_column(table, i):
        return "r"
    return "p{5cm}" if max((len(shown(r[i])) for r in table.rows), default=0) > WIDE_TEXT else "l"


def docx(title: str, tables: list[TableBlock]) -> bytes:
    """A Word document of tables, each with its title above and its note below."""
    from datetime import datetime

    from docx import Document
    from docx.enum.section import WD_ORIENT
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    document = Document()
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = section.page_height, section.page_width
    said = document.core_properties
    said.title, said.author, said.comments = title, "", ""
    said.created = said.modified = datetime(*FIRST_DAY)
    document.add_heading(title, level=1)
    for i, table in enumerate(tables, start=1):
        document.add_paragraph(f"Table {i}. {table.title}", style="Caption").paragraph_format.keep_with_next = True
        # Filled by row: asking a table of Word for its cells one by one takes its whole grid each time.
        grid = document.add_table(rows=0, cols=len(table.columns), style="Light List")
        for n, row in enumerate((table.columns, *table.rows)):
            for k, (cell, value) in enumerate(zip(grid.add_row().cells, row, strict=True)):
                paragraph = cell.paragraphs[0]
                run = paragraph.add_run(shown(value))
                run.font.size, run.bold = Pt(8), n == 0
                if is_number_column(table, k):
                    paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        if table.note:
            document.add_paragraph().add_run(table.note).font.size = Pt(8)
    out = io.BytesIO()
    document.save(out)
    return _without_times(out.getvalue())


def _without_times(archive: bytes) -> bytes:
    """The same archive, every file in it of the first day that there is."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, FIRST_DAY)
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return out.getvalue()
