"""Reads landed files as text: CSV (plain or gz) and XLSX into a DuckDB table `raw` with `_row` from 1."""

from __future__ import annotations

import csv
import gzip
import zipfile
import zlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow

from orchestration.agencies.folder import Feed
from orchestration.engine import name, text

NOWHERE = "\x01no value\x01"  # stands in no file
MAGIC = {
    b"PK\x03\x04": "a ZIP or Excel file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls)",
}


@dataclass
class Refusal(Exception):
    """Why a file cannot be used: the rule, where in the file, and what to do. Never holds a value of the file."""

    rule: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.reason}. {self.remedy}"


def check_container(path: Path, feed: Feed) -> None:
    """Refuses a file that is not what its name says or that was cut off. Reads gz and zip to the end."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise Refusal("empty_file", "the file holds no bytes", "Export it again.")
    kind = next((label for magic, label in MAGIC.items() if head.startswith(magic)), None)
    if path.suffix == ".gz":
        if not head.startswith(b"\x1f\x8b"):
            raise Refusal(
                "not_as_named", "the name ends in .gz but the content is not gzip", "Name it as it is, or compress it."
            )
        head = _check_gzip(path)
        kind = next((label for magic, label in MAGIC.items() if head.startswith(magic)), None)
    if feed.format == "xlsx":
        if not head.startswith(b"PK\x03\x04"):
            raise Refusal(
                "not_as_named",
                "the content is not an Excel workbook (.xlsx)",
                "Export the sheet as .xlsx, or map the feed as csv.",
            )
        try:
            with zipfile.ZipFile(path) as workbook:
                workbook.testzip()
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise Refusal("truncated", "the workbook is cut off or damaged", "Send the file again.") from error
    elif kind or b"\x00" in head or head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        found = kind or ("a web page" if b"<" in head[:64] else "binary")
        raise Refusal("not_as_named", f"the content is {found}, not CSV", "Export the feed as CSV text in UTF-8.")


def _check_gzip(path: Path) -> bytes:
    """Reads a gz file to its end and gives its first bytes."""
    head = b""
    try:
        with gzip.open(path) as file:
            head = file.read(512)
            while file.read(1 << 20):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Refusal("truncated", "the gzip file is cut off or damaged", "Send the file again.") from error
    return head


def _open_text(path: Path, feed: Feed):
    opener = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8-sig" if feed.encoding == "utf-8" else feed.encoding, newline="")


def _unique(header: list[str]) -> list[str]:
    """Column names as in the header, trimmed; an empty or repeated one gets its position."""
    names: list[str] = []
    for index, column in enumerate(header):
        column = column.strip() or f"column{index:02d}"
        if column.lower() in (n.lower() for n in names):
            column = f"{column}_{index:02d}"
        names.append(column)
    return names


def header_of(path: Path, feed: Feed) -> list[str]:
    """Column names of the file. Raises Refusal when there is no readable header or no such sheet."""
    if feed.format == "xlsx":
        return _sheet_columns(_sheet(path, feed, rows=0))
    try:
        with _open_text(path, feed) as file:
            lines = csv.reader(file, delimiter=feed.delimiter)
            header = next(islice(lines, feed.header_row - 1, None), None)
    except UnicodeDecodeError as error:
        raise Refusal(
            "not_utf8",
            f"the header, line {feed.header_row}, is not UTF-8 text",
            "Export the file in UTF-8, or say `encoding: latin-1` in agency.yml.",
        ) from error
    if not header:
        raise Refusal(
            "no_header", f"line {feed.header_row} holds no column names", "Export the file with its header row."
        )
    return _unique(header)


def _sheet_columns(sheet) -> list[str]:
    return _unique(["" if c.name.startswith("__UNNAMED__") else c.name for c in sheet.available_columns()])


def _sheet(path: Path, feed: Feed, rows: int | None = None):
    """The feed's sheet of a workbook, every cell as text. Raises Refusal."""
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
    except Exception as error:
        raise Refusal(
            "unreadable", "the workbook cannot be opened", "Save it again as .xlsx without a password."
        ) from error
    sheets, wanted = book.sheet_names, feed.sheet
    if isinstance(wanted, int) and 1 <= wanted <= len(sheets):
        wanted = sheets[wanted - 1]
    if wanted not in sheets:
        raise Refusal(
            "unknown_sheet",
            f"the mapping asks for sheet {wanted!r}, the workbook has {len(sheets)} sheet(s) and not that one",
            "Correct `sheet` in agency.yml, or the workbook.",
        )
    return book.load_sheet(wanted, dtypes="string", n_rows=rows, header_row=feed.header_row - 1)


def check_columns(path: Path, feed: Feed, needed: list[str]) -> None:
    """Refuses a file that lacks a column which the mapping names."""
    have = {c.lower() for c in header_of(path, feed)}
    missing = [c for c in needed if c.lower() not in have]
    if missing:
        raise Refusal(
            "missing_column",
            f"line {feed.header_row}: column(s) not found: {', '.join(missing)}",
            "Export them, or change the mapping in agency.yml.",
        )


def read_raw(con: duckdb.DuckDBPyConnection, path: Path, feed: Feed) -> int:
    """Makes table `raw` (text columns and `_row`) and table `malformed` (source_row) from a landed file.

    Returns the number of rows landed, malformed lines included. Raises Refusal when the file cannot be read.
    """
    con.execute("create or replace temp table malformed (source_row bigint)")
    if feed.format == "xlsx":
        sheet = _sheet(path, feed)
        con.register("sheet", pyarrow.Table.from_batches([sheet.to_arrow()]).rename_columns(_sheet_columns(sheet)))
        con.execute("create or replace temp table loaded as select * from sheet")
        con.unregister("sheet")
    else:
        _load_csv(con, path, feed)
    con.execute("create or replace temp view raw as select rowid + 1 as _row, * from loaded")
    (loaded,) = con.execute("select count(*) from loaded").fetchone()
    (malformed,) = con.execute("select count(*) from malformed").fetchone()
    if malformed:
        con.execute(RENUMBERED)
    return loaded + malformed


def count_padded(con: duckdb.DuckDBPyConnection, feed: Feed) -> int:
    """Lines of the loaded file that were shorter than the header and were filled up."""
    if feed.ragged != "pad":
        return 0
    last = con.execute("describe loaded").fetchall()[-1][0]
    return con.execute(f"select count(*) from loaded where {name(last)} is null").fetchone()[0]


# With malformed lines left out, a row's number is its ordinal plus the malformed rows before it.
RENUMBERED = """
create or replace temp view raw as
with shift as (
    select source_row - row_number() over (order by source_row) as good_rows_before, row_number() over (order by source_row) as shift
    from malformed
),
last_shift as (select good_rows_before, max(shift) as shift from shift group by all)
select loaded.rowid + 1 + coalesce(last_shift.shift, 0) as _row, loaded.*
from loaded
asof left join last_shift on loaded.rowid + 1 > last_shift.good_rows_before
"""


def _load_csv(con: duckdb.DuckDBPyConnection, path: Path, feed: Feed) -> None:
    columns = ", ".join(f"{name(c)}: 'varchar'" for c in header_of(path, feed))
    # With short lines filled up, what is empty and what is not there are told apart: null is not there.
    padding = f"null_padding=true, parallel=false, nullstr={text(NOWHERE)}" if feed.ragged == "pad" else ""
    options = f"encoding={text(feed.encoding)}, skip={feed.header_row - 1}{', ' if padding else ''}{padding}"
    con.execute("drop table if exists reject_errors")
    con.execute("drop table if exists reject_scans")
    try:
        con.execute(
            f"create or replace temp table loaded as select * from read_csv({text(str(path))}, auto_detect=false,"
            f" header=true, columns={{{columns}}}, delim={text(feed.delimiter)}, quote='\"', escape='\"',"
            f" {options}, store_rejects=true, max_line_size=10000000)"
        )
    except duckdb.Error as error:
        # DuckDB's message quotes the line; a person's row must not reach a log.
        raise Refusal(
            "unreadable",
            f"the CSV reader failed ({type(error).__name__})",
            "Check quoting and delimiter of the export.",
        ) from None
    # `line` counts the header; one line may have several errors.
    con.execute(f"insert into malformed select distinct line - {feed.header_row} from reject_errors order by 1")
