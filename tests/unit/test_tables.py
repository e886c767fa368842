"""Tables for LaTeX and Word: what they say, and that the same table gives the same bytes at any time."""

from __future__ import annotations

import io
import zipfile

import pytest

docx_package = pytest.importorskip("docx", reason="the extra `evaluate` is not installed")

from orchestration.evaluation import tables  # noqa: E402
from orchestration.evaluation.findings import TableBlock  # noqa: E402

TABLE = TableBlock(
    "main", "Reports & shares", ("what", "rows", "p"),
    (("50 % of a_b {x}", 1234, "<0.001"), ("a text that is longer than forty characters by far", 20, "0.040")),
    ("rows",), "Note: 95 %.",
)  # fmt: skip


def test_latex_says_what_the_table_says_with_special_characters_escaped():
    assert tables.latex(TABLE) == "\n".join(
        [
            r"\begin{table}[htbp]", r"\centering", r"\small", r"\caption{Reports \& shares}\label{tab:main}",
            r"\begin{tabular}{p{5cm}rl}", r"\toprule", r"what & rows & p \\", r"\midrule",
            r"50 \% of a\_b \{x\} & 1,234 & \textless{}0.001 \\",
            r"a text that is longer than forty characters by far & 20 & 0.040 \\", r"\bottomrule", r"\end{tabular}",
            r"\par\footnotesize Note: 95 \%.", r"\end{table}", "",
        ]
    )  # fmt: skip


def test_a_long_table_runs_over_pages():
    long = TableBlock("curve", "All", ("n",), tuple((i,) for i in range(50)))
    said = tables.latex(long)
    assert said.startswith("\\begin{longtable}") and "\\endhead" in said and said.count(r"\\") == 52


def test_a_word_document_holds_every_cell():
    document = docx_package.Document(io.BytesIO(tables.docx("A title", [TABLE, TABLE])))
    assert [p.text for p in document.paragraphs][:2] == ["A title", "Table 1. Reports & shares"]
    assert len(document.tables) == 2
    cells = [[c.text for c in row.cells] for row in document.tables[1].rows]
    assert cells == [["what", "rows", "p"], ["50 % of a_b {x}", "1,234", "<0.001"], [TABLE.rows[1][0], "20", "0.040"]]


def test_a_word_document_has_the_same_bytes_at_another_time(monkeypatch):
    import time

    first = tables.docx("A title", [TABLE])
    later = time.localtime(time.time() + 90_000)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    assert tables.docx("A title", [TABLE]) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"202" not in archive.read("docProps/core.xml").replace(b"2006", b"")
