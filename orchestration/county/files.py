"""Appending rows to the vendors' exports and to the truth, block by block; the same bytes every time."""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq


@dataclass
class Files:
    """Files being written below ``folder``; rows come from queries, in their order. Use as a context."""

    con: duckdb.DuckDBPyConnection
    folder: Path
    open: dict[Path, object] = field(default_factory=dict)

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_) -> None:
        for target in self.open.values():
            target.close()

    def csv(self, name: str, query: str) -> int:
        """Append a query's rows to a CSV file; the first rows bring the header. The number of rows."""
        path = self.folder / name
        begins = path not in self.open
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path if begins and path.suffix != ".gz" else self.folder / f"{path.name}.part"
        rows = self.con.execute(f"copy ({query}) to '{part}' (format csv, header {str(begins).lower()})").fetchone()[0]
        if begins:
            self.open[path] = _packed(path) if path.suffix == ".gz" else path.open("r+b")
            if path.suffix != ".gz":
                self.open[path].seek(0, os.SEEK_END)
        if part != path:
            with part.open("rb") as source:
                if path.suffix == ".gz":
                    shutil.copyfileobj(source, self.open[path], 1 << 20)
                else:
                    _splice(source, self.open[path])
            part.unlink()
        return rows

    def parquet(self, name: str, query: str) -> int:
        """Append a query's rows to a Parquet file. The number of rows."""
        path = self.folder / name
        table = self.con.execute(query).to_arrow_table()
        if path not in self.open:
            path.parent.mkdir(parents=True, exist_ok=True)
            repeating = [
                field.name for field in table.schema if pa.types.is_string(field.type) and "number" not in field.name
            ]
            self.open[path] = pq.ParquetWriter(path, table.schema, compression="zstd", use_dictionary=repeating)
        self.open[path].write_table(table)
        return table.num_rows


def _packed(path: Path) -> gzip.GzipFile:
    """A gzip file without name or date in its header."""
    return gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=path.open("wb"), mtime=0)


def _splice(source, target) -> None:
    """Copy a file to the end of another inside the kernel."""
    target.flush()
    size = os.fstat(source.fileno()).st_size
    while (done := source.tell()) < size:
        source.seek(done + os.sendfile(target.fileno(), source.fileno(), done, size - done))


# ---------------------------------------------------------------- sheets

_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def _parts(sheet: str) -> dict[str, str]:
    return {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/></Types>',
        "_rels/.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>'
        f'<sheet name="{sheet}" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    }


def write_sheet(con: duckdb.DuckDBPyConnection, path: Path, sheet: str, table: str) -> None:
    """Write a table as a workbook of one sheet of texts, in the order of its column ``row_no``.

    Stored, not packed, and without dates, so its bytes repeat.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as book:
        for name, text in _parts(sheet).items():
            book.writestr(zipfile.ZipInfo(name), text)
        with book.open(zipfile.ZipInfo("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as part:
            for piece in _sheet_xml(con, table):
                part.write(piece.encode())


def _sheet_xml(con: duckdb.DuckDBPyConnection, table: str, block: int = 5000) -> Iterator[str]:
    """The XML of the sheet, in pieces of ``block`` rows."""
    columns = [row[0] for row in con.execute(f"describe {table}").fetchall() if row[0] != "row_no"]
    cells = " || ".join(
        f'coalesce(\'<c r="{_column(n)}\' || (row_no + 1) || \'" t="inlineStr"><is><t xml:space="preserve">\' || '
        f"{_escaped(name)} || '</t></is></c>', '')"
        for n, name in enumerate(columns)
    )
    yield f'{_HEAD}<worksheet xmlns="{_SHEET}"><sheetData><row r="1">'
    yield "".join(f'<c r="{_column(n)}1" t="inlineStr"><is><t>{name}</t></is></c>' for n, name in enumerate(columns))
    yield "</row>"
    pieces = con.execute(f"""
        select string_agg('<row r="' || (row_no + 1) || '">' || {cells} || '</row>', '' order by row_no)
        from {table} group by row_no // {block} order by row_no // {block}
    """)
    while piece := pieces.fetchone():
        yield piece[0]
    yield "</sheetData></worksheet>"


def _escaped(name: str) -> str:
    """SQL for a cell's text with the three characters that XML forbids replaced."""
    return f"replace(replace(replace(cast(\"{name}\" as varchar), '&', '&amp;'), '<', '&lt;'), '>', '&gt;')"


def _column(n: int) -> str:
    """Letters of the n-th column of a sheet, from 0."""
    return (chr(64 + n // 26) if n >= 26 else "") + chr(65 + n % 26)
