"""Forms for agencies without a system: a workbook and a CSV per entity, and the agency.yml that loads them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from orchestration.standard.codes import code_table
from orchestration.standard.contract import Entity, Field
from orchestration.standard.dictionary import KIND_HELP, presence_words
from orchestration.standard.template import agency_facts

SHEET = "records"
LAST_ROW = 1_048_576
WHEN = datetime(2000, 1, 1)  # of every form, so that the same standard gives the same bytes
HEADER_COLORS = {"required": "1F3864", "conditional": "8EA9DB", "optional": "D9D9D9"}
# Excel shows no more of an input message and of its title.
MESSAGE_LENGTH, TITLE_LENGTH = 255, 32
HELP_HEADER = ("field", "what it means", "needed", "what to write", "allowed values", "class", "standard", "example")


def write_forms(standard: Mapping[str, Entity], out: Path, entities: Iterable[str] = ()) -> list[Path]:
    """Writes out/agency.yml and out/forms/<entity>.{xlsx,csv}; all entities that files can fill unless some are named.

    Returns the files. Raises KeyError for an unknown entity, FileExistsError rather than write over another file.
    """
    mapped = {name: e for name, e in standard.items() if e.is_mapped}
    wanted = list(dict.fromkeys(entities)) or list(mapped)
    unknown = [name for name in wanted if name not in mapped]
    if unknown:
        raise KeyError(f"no such entity that forms can fill: {', '.join(unknown)}; known: {', '.join(mapped)}")
    chosen = [mapped[name] for name in wanted]
    made = {out / "agency.yml": agency_yml(chosen, agency_id_of(out)).encode()}
    for entity in chosen:
        made[out / "forms" / f"{entity.name}.xlsx"] = workbook(entity)
        made[out / "forms" / f"{entity.name}.csv"] = header_csv(entity).encode()
    kept = [str(path) for path, content in made.items() if path.exists() and path.read_bytes() != content]
    if kept:
        raise FileExistsError(f"there are other files already, perhaps filled in: {', '.join(kept)}")
    (out / "forms").mkdir(parents=True, exist_ok=True)
    for path, content in made.items():
        path.write_bytes(content)
    return list(made)


def agency_id_of(folder: Path) -> str:
    """The id that an agency in this folder can have: its name, or what comes closest to it."""
    plain = re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower()).strip("_")
    return plain if re.match(r"[a-z]", plain) else f"agency_{plain}".rstrip("_")


def header_csv(entity: Entity) -> str:
    """The CSV form: the header alone."""
    return ",".join(f.name for f in entity.fields) + "\n"


def _is_date(field: Field) -> bool:
    return field.kind == "date" or (field.kind == "text" and field.name.endswith("_date"))


def agency_yml(entities: Iterable[Entity], agency_id: str) -> str:
    """The agency.yml that loads the forms as they are: every field from the column of its name, codes as themselves."""
    name = agency_id.replace("_", " ").title()
    lines = [
        "# Loads the forms in forms/ as they are: fields from the columns of their names, codes as themselves.",
        "# Filled forms go to the drop folder under the form's name, with a date or number behind it if you like,",
        "# such as contact_2024-05.xlsx. Correct the facts below before the first run, above all the time zone.",
        *agency_facts({"agency_id": agency_id, "agency_name": name}),
        "feeds:",
    ]
    for entity in entities:
        names = [f.name for f in entity.fields]
        lines += [
            f"  {entity.name}_xlsx:",
            f"    files: {_patterns(entity.name, 'xlsx')}",
            "    format: xlsx",
            f"    sheet: {SHEET}",
            f"    entities: &{entity.name}",
            f"      {entity.name}:",
            "        # An empty line is no record.",
            f"        where: coalesce({', '.join(names)}) is not null",
            "        fields:",
            # A date cell reads as its midnight.
            *(f"          {f.name}: {f'left({f.name}, 10)' if _is_date(f) else f.name}" for f in entity.fields),
            f"  {entity.name}_csv:",
            f"    files: {_patterns(entity.name, 'csv')}",
            "    format: csv",
            f"    entities: *{entity.name}",
        ]
    return "\n".join(lines) + "\n"


def _patterns(entity: str, extension: str) -> str:
    """File names of a form: its name, alone or with a number behind it; never those of another form."""
    return f'["{entity}.{extension}", "{entity}[-_. (][(0-9]*.{extension}"]'


def workbook(entity: Entity) -> bytes:
    """The XLSX form: sheet `records` to fill in, `help`, `codes`, and hidden `lists` for the drop-downs."""
    from openpyxl import Workbook

    book = Workbook()
    book.properties.creator = "crisis standard forms"
    book.properties.title = entity.name
    book.properties.created = WHEN
    records = book.active
    records.title = SHEET
    _fill_help(book.create_sheet("help"), entity)
    lists = sorted({name for name in map(_list_of, entity.fields) if name})
    _fill_codes(book.create_sheet("codes"), lists)
    _fill_records(records, entity, _fill_lists(book.create_sheet("lists"), lists))
    raw = io.BytesIO()
    book.save(raw)
    return _timeless(raw.getvalue())


def _list_of(field: Field) -> str | None:
    return "answer" if field.kind == "answer" else field.code_list


def _fill_records(sheet, entity: Entity, ranges: Mapping[str, str]) -> None:
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter

    for index, field in enumerate(entity.fields, start=1):
        letter = get_column_letter(index)
        cell = sheet.cell(1, index, field.name)
        cell.font = Font(bold=True, color="FFFFFF" if field.presence == "required" else "000000")
        cell.fill = PatternFill("solid", start_color=HEADER_COLORS[field.presence])
        column = sheet.column_dimensions[letter]
        column.width = max(len(field.name) + 3, 21 if field.kind == "timestamp" else 12)
        column.number_format = _number_format(field)
        validation = _validation(field, ranges)
        validation.add(f"{letter}2:{letter}{LAST_ROW}")
        sheet.add_data_validation(validation)
    sheet.freeze_panes = "A2"


def _number_format(field: Field) -> str:
    if field.kind == "timestamp":
        return "yyyy-mm-dd hh:mm:ss"
    if _is_date(field):
        return "yyyy-mm-dd"
    # As text, so that leading zeros stay and nothing is made a date.
    return "General" if field.kind in ("integer", "decimal") else "@"


def _validation(field: Field, ranges: Mapping[str, str]):
    """What Excel lets into the column of a field, and the message that it shows there."""
    from openpyxl.worksheet.datavalidation import DataValidation

    rules: dict[str, dict] = {
        "timestamp": {"type": "date", "operator": "between", "formula1": "DATE(1990,1,1)", "formula2": "DATE(2040,1,1)"},
        "date": {"type": "date", "operator": "between", "formula1": "DATE(1900,1,1)", "formula2": "DATE(2040,1,1)"},
        "integer": {"type": "whole", "operator": "between", "formula1": "0", "formula2": "2147483647"},
        "decimal": {"type": "decimal", "operator": "between", "formula1": "-999999999999", "formula2": "999999999999"},
    }  # fmt: skip
    kind = "date" if _is_date(field) else field.kind
    # Several codes stand in one cell, which no drop-down can offer.
    listed = {"type": "list", "formula1": ranges[_list_of(field)]} if kind in ("code", "answer") else {}
    message = f"{field.description} ({presence_words(field)}) {KIND_HELP[kind]}"
    return DataValidation(
        **(listed or rules.get(kind, {})),
        allow_blank=True,
        showInputMessage=True,
        showErrorMessage=True,
        promptTitle=field.name[:TITLE_LENGTH],
        prompt=message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 3] + "...",
        errorTitle=field.name[:TITLE_LENGTH],
        error="Choose one of the list; the sheet codes explains them." if listed else KIND_HELP[kind],
    )


def _fill_help(sheet, entity: Entity) -> None:
    rows = [
        (
            field.name,
            field.description,
            presence_words(field),
            KIND_HELP["date" if _is_date(field) else field.kind] + (f" Unit: {field.unit}." if field.unit else ""),
            f"list {_list_of(field)}, on the sheet codes" if _list_of(field) else "",
            "identifying: goes to the identity store only" if field.is_identifying else field.classification,
            field.source or "",
            ", ".join(field.examples),
        )
        for field in entity.fields
    ]
    _fill_table(sheet, HELP_HEADER, rows, widths=(30, 50, 18, 45, 30, 20, 30, 24))


def _fill_codes(sheet, lists: Iterable[str]) -> None:
    rows = []
    for name in lists:
        codes = code_table(name)
        shown = [codes.columns.index(c) if c in codes.columns else None for c in ("label", "definition")]
        rows += [(name, row[0], *("" if i is None else row[i] for i in shown)) for row in codes.rows]
    _fill_table(sheet, ("list", "code", "label", "definition"), rows, widths=(26, 30, 36, 80))


def _fill_lists(sheet, lists: Iterable[str]) -> dict[str, str]:
    """Puts the codes of each list into a column of the hidden sheet; returns the cells of each list."""
    from openpyxl.utils import get_column_letter

    ranges = {}
    for index, name in enumerate(lists, start=1):
        codes, letter = code_table(name).rows, get_column_letter(index)
        for row, text in enumerate([name, *(c[0] for c in codes)], start=1):
            sheet.cell(row, index, text).number_format = "@"
        ranges[name] = f"lists!${letter}$2:${letter}${len(codes) + 1}"
    sheet.sheet_state = "hidden"
    return ranges


def _fill_table(sheet, header: tuple[str, ...], rows: Iterable[tuple[str, ...]], widths: tuple[int, ...]) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    for number, row in enumerate([header, *rows], start=1):
        for index, text in enumerate(row, start=1):
            cell = sheet.cell(number, index, text)
            cell.data_type = "s"  # never a formula
            cell.font = Font(bold=number == 1)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    for index, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.freeze_panes = "A2"


def _timeless(content: bytes) -> bytes:
    """The same workbook without the time of its making: fixed dates in its properties and in the archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as made, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as fixed:
        for member in made.infolist():
            data = made.read(member)
            if member.filename == "docProps/core.xml":
                data = re.sub(
                    rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + WHEN.strftime("%Y-%m-%dT%H:%M:%SZ").encode(), data
                )
            info = zipfile.ZipInfo(member.filename, date_time=WHEN.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            fixed.writestr(info, data)
    return out.getvalue()
