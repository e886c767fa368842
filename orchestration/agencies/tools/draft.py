"""Writes a draft agency folder from guesses: agency.yml with every guess marked as one, and codes/<list>.csv."""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestration.agencies.tools.code_guess import NO_GUESS, guess_code
from orchestration.agencies.tools.guess import (
    VERSION_WORDS,
    EntityGuess,
    FeedGuess,
    FieldGuess,
    SideTable,
    guess_feeds,
    with_repeats,
)
from orchestration.agencies.tools.profile import MISSING_WORDS, Column, FileProfile, profile_file
from orchestration.agencies.tools.reading import (
    ANSWER_WORDS,
    FieldMapping,
    Refusal,
    guess_feed,
    load_file,
    scratch,
    standard,
)
from orchestration.agencies.tools.reading import name as quoted
from orchestration.agencies.tools.shapes import column_sql
from orchestration.agencies.tools.words import class_reason, identifying_reason, words
from orchestration.settings import Settings
from orchestration.standard.template import agency_facts, yaml_scalar

ASK_ZONE = "DECIDE_THE_TIME_ZONE"
_E, _C, _M, _P = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
ZONES = {
    **dict.fromkeys(["CT", "DC", "DE", "GA", "MA", "MD", "ME", "NC", "NH", "NJ", "NY", "OH", "PA", "RI", "SC", "VA", "VT", "WV"], (_E,)),
    **dict.fromkeys(["AL", "AR", "IA", "IL", "LA", "MN", "MO", "MS", "OK", "WI"], (_C,)),
    **dict.fromkeys(["CO", "MT", "NM", "UT", "WY"], (_M,)),
    **dict.fromkeys(["CA", "NV", "WA"], (_P,)),
    **dict.fromkeys(["FL", "KY"], (_E, _C)),
    "IN": ("America/Indiana/Indianapolis", _C), "MI": ("America/Detroit", _C), "TN": (_C, _E), "TX": (_C, _M),
    **dict.fromkeys(["KS", "NE", "ND", "SD"], (_C, _M)), "ID": ("America/Boise", _P), "OR": (_P, "America/Boise"),
    "AZ": ("America/Phoenix",), "AK": ("America/Anchorage",), "HI": ("Pacific/Honolulu",), "PR": ("America/Puerto_Rico",),
}  # fmt: skip


class DraftError(ValueError):
    """A draft cannot be written; the message says why and what to do."""


@dataclass(frozen=True)
class Draft:
    """What was written: the folder, its files, lines that say what was guessed, and the files that feeds take."""

    folder: Path
    files: tuple[Path, ...]
    said: tuple[str, ...]
    fed: tuple[Path, ...]


def new_agency(
    settings: Settings, name: str, paths: Sequence[Path], out: Path, zone: str | None = None, state: str | None = None
) -> Draft:
    """Profiles the files and writes a draft folder OUT/NAME. Raises DraftError."""
    folder = out / name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise DraftError(
            f"'{name}' cannot name an agency: use lower-case letters, digits and underscores, starting with a letter"
        )
    if folder.exists():
        raise DraftError(
            f"{folder}: is there already, and a draft never writes over it; move it away, or name another --out"
        )
    if zone is not None:
        _check_zone(zone)
    profiles = []
    with scratch(settings) as con:
        for path in paths:
            try:
                profiles.append(profile_file(settings, con, path))
                _check_header(profiles[-1])
            except Refusal as refusal:
                raise DraftError(f"{path}: {refusal}") from refusal
        feeds, tables = guess_feeds(profiles, standard())
        feeds = [with_repeats(feed, _shares_repeated(con, feed)) for feed in feeds]
    codes = code_files(feeds, tables)
    texts = {folder / "agency.yml": agency_text(name, feeds, tables, zone, state)}
    texts |= {folder / "codes" / f"{list_name}.csv": said for list_name, said in codes.items()}
    for path, said in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said, encoding="utf-8")
    fed = tuple(f.path for feed in feeds if feed.entities for f in feed.all_files)
    fed += tuple(table.file.path for feed in feeds for table in feed.lookups)
    return Draft(folder, tuple(texts), tuple(_said(profiles, feeds, tables)), fed)


def _shares_repeated(con, feed: FeedGuess) -> list[float]:
    """Of each file's keys, the share that the next file has too; the files in the order of their names."""
    shares = []
    con.execute("create or replace temp table file_keys (file integer, id ubigint)")
    files = sorted(
        ((f.path.name, f, layout) for layout in feed.layouts for f in layout.files if layout.entities),
        key=lambda f: f[0],
    )
    if len(files) < 2:
        return []
    for number, (_, profile, layout) in enumerate(files):
        first = layout.entities[0]
        columns = [c for g in first.usable if g.field.name in first.entity.key for c in g.columns]
        if not columns:
            return []
        load_file(con, profile.path, guess_feed(profile.path))
        keys = ", ".join(f"trim({quoted(c)})" for c in columns)
        con.execute(
            f"insert into file_keys select distinct {number}, hash({keys}) from raw where {quoted(columns[0])} <> ''"
        )
    for number in range(len(files) - 1):
        both = con.execute(
            "select count(*), count(newer.id) from file_keys as older left join (select id from file_keys where file = ?) as newer"
            " using (id) where older.file = ?", [number + 1, number]
        ).fetchone()  # fmt: skip
        shares.append(both[1] / both[0] if both[0] else 0.0)
    return shares


def _check_header(profile: FileProfile) -> None:
    """Refuses a file whose first line is a row: its values must not become names of columns in a draft."""
    like_values = [
        h for h in profile.header if "@" in h or (sum(c.isdigit() for c in h) >= 5 and not any(c.isalpha() for c in h))
    ]
    if like_values:
        raise DraftError(
            f"{profile.path}: line 1 seems to be a row and not the names of the columns ({len(like_values)} of"
            f" {len(profile.header)} look like values); export the file with its header row"
        )


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DraftError(f"--zone {zone}: no such IANA time zone; write one such as America/Chicago") from error


def _said(profiles: Sequence[FileProfile], feeds: Sequence[FeedGuess], tables: Sequence[SideTable]):
    for feed in feeds:
        rows, n = sum(f.rows for f in feed.all_files), len(feed.all_files)
        filled = ", ".join(f"{e.entity.name} ({len(e.usable)} fields)" for e in feed.entities) or "no entity guessed"
        yield f"feed {feed.name}: {n} file{'s' * (n > 1)}, {rows:,} rows, {len(feed.columns)} columns: {filled}"
        for note in (*feed.notes, *([feed.repeats] if feed.repeats else [])):
            yield f"  {note}"
    for table in tables:
        yield f"{table.file.path.name}: codes of {table.feed}.{table.column} ({table.matched} of {table.of} explained)"
    known = {t.file.path for t in tables} | {f.path for feed in feeds for f in feed.all_files}
    for profile in profiles:
        if profile.path not in known:
            yield f"{profile.path.name}: not guessed; a small table whose codes stand in no other file"
        if profile.malformed:
            yield f"{profile.path.name}: {profile.malformed:,} row(s) do not fit the header and will be rejected; if they are short, `ragged: pad` fills them up"


# --- agency.yml


def _comment(said: str, indent: int) -> list[str]:
    mark = " " * indent + "# "
    return textwrap.wrap(
        said, 112, initial_indent=mark, subsequent_indent=mark, break_long_words=False, break_on_hyphens=False
    )


def _shown(said: str) -> str:
    """A text of the file's header as it may stand in a comment."""
    return " ".join(said.split())


def agency_text(
    name: str, feeds: Sequence[FeedGuess], tables: Sequence[SideTable], zone: str | None, state: str | None
) -> str:
    """The draft agency.yml."""
    blocks = [
        _comment(
            "A draft, guessed from the files. Every line marked `guess` is to be read by somebody who knows the agency;"
            " take the mark off what is right. docs/new_agency.md goes through it step by step; docs/dictionary/ explains the fields.", 0
        ),
        _facts(name, feeds, zone, state),
        _placeholders(feeds),
        _classes(feeds),
        ["feeds:" if any(f.entities for f in feeds) else "feeds: {}", *(line for f in feeds for line in _feed(f)),
         *(line for f in feeds for t in f.lookups for line in _side_feed(t))],
        [line for t in tables if not any(t in f.lookups for f in feeds) for line in _comment(
            f"{_shown(t.file.path.name)} is no feed (guess): it lists the codes of {t.feed}.{_shown(t.column)}, {t.matched} of"
            f" {t.of} of them, but is not looked up{'' if t.can_look_up else ', for it repeats codes'}. Its descriptions stand in the"
            " notes of codes/. Do not put it into the drop folder.", 0)],
    ]  # fmt: skip
    return "\n\n".join("\n".join(b) for b in blocks if b) + "\n"


_TYPES = {"ems_response": "ems", "jail_booking": "jail", "ed_visit": "hospital"}


def _facts(name: str, feeds: Sequence[FeedGuess], zone: str | None, state: str | None) -> list[str]:
    from orchestration.standard import code_list

    kind = next((_TYPES[e.entity.name] for f in feeds for e in f.entities[:1] if e.entity.name in _TYPES), "police")
    kind = kind if kind in code_list("agency_type") else "police"
    facts = {
        "agency_id": name,
        "agency_name": name.replace("_", " ").title(),
        "agency_type_code": kind,
        "time_zone": zone or ASK_ZONE,
    }
    lines = agency_facts({**facts, **({"state": state.upper()} if state else {})})
    out = []
    for line in lines:
        if line.startswith("  agency_name:"):
            line = f"  agency_name: {yaml_scalar(facts['agency_name'])}  # guess: from the folder's name; its full name"
        elif line.startswith("  agency_type_code:"):
            line = f"  agency_type_code: {kind}  # guess; a code of seeds/codes/codes_agency_type.csv"
        elif line.startswith("  time_zone:"):
            out += _zone_question(zone, state)
            line = f"  time_zone: {zone or ASK_ZONE}"
        out.append(line.rstrip())
    return out


def _zone_question(zone: str | None, state: str | None) -> list[str]:
    if zone:
        return _comment("question: is this the zone of the clock that wrote the times? It was given with --zone.", 2)
    likely = ZONES.get((state or "").upper())
    hint = f" In {state.upper()}: {' or '.join(likely)}." if likely and state else ""
    return _comment(
        "question: which zone's clock wrote the times? Put its IANA name, such as America/Chicago, in place of"
        f" {ASK_ZONE} below; until then the folder does not load.{hint}", 2
    )  # fmt: skip


def _placeholders(feeds: Sequence[FeedGuess]) -> list[str]:
    """`missing`, `missing_by_column` and `withheld` from the texts that were seen."""
    everywhere: dict[str, list[str]] = {}
    by_column: dict[str, Counter[str]] = {}
    withheld: dict[str, int] = Counter()
    for feed in feeds:
        for column in (c for layout in feed.layouts for c in layout.columns):
            for word, count in column.missing:
                if word in MISSING_WORDS and word != "None":
                    everywhere.setdefault(word, []).append(f"{_shown(column.name)} {count:,}")
                elif not _is_identifying(column):
                    by_column.setdefault(column.name, Counter())[word] += count
            for word, count in column.withheld:
                withheld[word] += count
    lines = []
    if everywhere:
        for word, seen in everywhere.items():
            lines += _comment(
                f"guess: {word!r} means nothing was recorded; seen in {', '.join(seen[:8])}{' and others' * (len(seen) > 8)}",
                0,
            )
        lines.append(f"missing: [{', '.join(_quoted(w) for w in everywhere)}]")
    if by_column:
        lines += _comment(
            "guess: placeholders of single columns. 'None' may also be an answer, such as no weapon: decide.", 0
        )
        lines.append("missing_by_column:")
        for column, seen in by_column.items():
            counts = ", ".join(f"{n:,} rows" for n in seen.values())
            lines.append(f"  {_quoted(column)}: [{', '.join(_quoted(w) for w in seen)}]  # {counts}")
    if withheld:
        lines += _comment(
            f"guess: the value exists and is kept back ({sum(withheld.values()):,} fields of rows); that is not missing",
            0,
        )
        lines.append(f"withheld: [{', '.join(_quoted(w) for w in withheld)}]")
    return lines


def _quoted(said: str) -> str:
    import json

    return json.dumps(said, ensure_ascii=False)


def _is_identifying(column: Column) -> str:
    """Why a column is taken for identifying, or ''."""
    return identifying_reason(column.name, column.shape.is_time) or (
        f"its texts look like {column.looks_like}" if column.looks_like else ""
    )


def _classes(feeds: Sequence[FeedGuess]) -> list[str]:
    """`columns`: the class of every column that no field names, where its header tells one."""
    mapped = {c.lower() for f in feeds for one in f.layouts for e in one.entities for g in e.usable for c in g.columns}
    told, asked, seen = [], [], set()
    for column in (c for f in feeds if f.entities for one in f.layouts for c in one.unmapped):
        if column.name.lower() in seen | mapped:
            continue
        seen.add(column.name.lower())
        key, filled = _quoted(column.name), f"{column.filled:,} of {column.rows:,} filled"
        shape = column.shape.kind if column.filled else "empty"
        kind, why = ("identifying", found) if (found := _is_identifying(column)) else class_reason(column.name)
        if kind == "not_sensitive" and not (column.has_codes or column.shape.kind == "empty"):
            kind = ""
        if kind:
            told.append(f"  {key}: {kind}  # guess: {why}; {shape}, {filled}")
        else:
            asked.append(f"  # {key}: unclassed: decide  # {shape}, {filled}")
    if not told and not asked:
        return []
    lines = _comment(
        "Columns that no field names: identifying and sensitive ones stop at the landing zone; not_sensitive ones travel on,"
        " as `extras`. Class every one as not_sensitive, sensitive or identifying, or map it to a field.", 0
    )  # fmt: skip
    return [*lines, "columns:" if told else "# columns:", *told, *asked]


def _side_feed(table: SideTable) -> list[str]:
    profile = table.file
    lines = _comment(
        f"guess: lists the codes of {table.feed}.{_shown(table.column)}, {table.matched} of {table.of} of them; drop it beside the"
        " calls, a newer one when codes change", 2
    )  # fmt: skip
    lines += [f"  {table.name}:", f"    files: {_quoted(table.pattern)}  # guess: digits of the name as *"]
    return [*lines, *_format(profile), "    entities: {}"]


def _format(profile: FileProfile) -> list[str]:
    lines = [f"    format: {profile.format}"]
    if profile.format == "csv" and profile.delimiter != ",":
        lines.append(f"    delimiter: {_quoted(profile.delimiter)}")
    if profile.format == "xlsx":
        lines.append(f"    sheet: 1  # guess: the first of {len(profile.sheets)}")
    return lines


def _feed(feed: FeedGuess) -> list[str]:
    first, files = feed.files[0], feed.all_files
    names = ", ".join(_shown(f.path.name) for f in files[:3]) + (" and others" if len(files) > 3 else "")
    same = "with the same header" if not feed.variants else "with much the same header"
    lines = _comment(f"guess: {len(files)} file(s) {same} are one feed: {names}", 2)
    for note in feed.notes:
        lines += _comment(f"guess: {note}", 2)
    lines.append(f"  {feed.name}:")
    patterns = [_quoted(p) for p in feed.patterns]
    lines.append(
        f"    files: {patterns[0] if len(patterns) == 1 else '[' + ', '.join(patterns) + ']'}  # guess: digits of the name as *"
    )
    lines += [*_format(first), *_version(feed)]
    if feed.lookups:
        lines.append("    lookups:")
    for table in feed.lookups:
        key = _quoted(table.file.columns[0].name)
        lines.append(
            f"      {table.name}: {{feed: {table.name}, key: {key}, equals: {_quoted(column_sql(table.column))}}}"
            f"  # guess: {table.matched} of {table.of} codes stand there"
        )
    if not feed.entities:
        lines += _comment(
            "no entity guessed: no column seems to be its number, or none its time. docs/templates/agency.yml has all.",
            4,
        )
        lines.append("    entities: {}")
    else:
        lines.append("    entities:")
    for entity in feed.entities:
        lines += _entity(entity)
    lines += _variants(feed)
    if not feed.entities:  # a feed must fill something, so all of it waits in comments
        return [line if line.lstrip().startswith("#") else f"# {line}" for line in lines]
    return lines


def _version(feed: FeedGuess) -> list[str]:
    """`snapshot` and `version`, where files repeat records or a column tells when a row was written."""
    column = next(
        (c for c in feed.columns if set(words(c.name)) & VERSION_WORDS and c.shape.is_time and _sorts(c)), None
    )
    by_column = f"{{column: {_quoted(column.name)}}}" if column else ""
    if not feed.repeats:
        if not column:
            return []
        return [f"    # version: {by_column}  # guess: take the mark off if the newest row of a key counts"]
    lines = ["    snapshot: partial  # guess: write complete if a record that the newest file lacks is gone"]
    lines = [*_comment(f"guess: {feed.repeats}, so the newest row of a key counts", 4), *lines]
    if feed.version:
        return [*lines, f"    version: {{file_name: {_quoted(feed.version)}}}  # guess: the date in the file's name"]
    if column:
        return [*lines, f"    version: {by_column}  # guess: when the row was last written"]
    return [
        *lines,
        "    # version: {file_name: }  # decide: no name holds a date that sorts; without one, the file that came last counts",
    ]


def _sorts(column: Column) -> bool:
    """Whether later times are later texts."""
    return not column.shape.formats or column.shape.kind == "epoch"


def _entity(guess: EntityGuess) -> list[str]:
    lines = [f"      {guess.entity.name}:"]
    why = f"guess: {guess.why_rows}" if guess.why_rows else "guess"
    lines.append(f"        rows: {guess.rows}  # {why}")
    if guess.where:
        lines.append(f"        where: {yaml_scalar(guess.where)}  # guess")
    if guess.one_date:
        lines.append(f"        one_date: [{', '.join(guess.one_date)}]  # guess: they share one printed date")
    if guess.lacking:
        lines += _comment(
            "question: does the source lack these? Map each that it has; if it has none, take the mark off", 8
        )
        lines.append(f"        # lacks: [{', '.join(guess.lacking)}]")
    lines.append("        fields:")
    for field in guess.fields:
        lines += _field(field)
    return lines


def _variants(feed: FeedGuess) -> list[str]:
    """Every variant, by what it says otherwise."""
    lines = ["    variants:"] if feed.variants else []
    base = {e.entity.name: e for e in feed.entities}
    for variant in feed.variants:
        files = ", ".join(_shown(f.path.name) for f in variant.files[:3])
        lines += [f"      {variant.name}:  # guess: {files}"]
        lines.append(f"        when: [{', '.join(_quoted(c) for c in variant.when)}]  # guess: columns that tell it")
        mine = {e.entity.name: e for e in variant.entities}
        changes = [line for name, e in mine.items() for line in _changes(e, base.get(name))]
        changes += [
            f"          {name}: null  # guess: this layout has no key or time of it"
            for name in base
            if name not in mine
        ]
        lines += ["        entities:", *changes] if changes else ["        entities: {}"]
    return lines


def _changes(guess: EntityGuess, base: EntityGuess | None) -> list[str]:
    """What a variant says of an entity otherwise than the base; none if it says the same."""
    if base is None:
        return [" " * 4 + line for line in _entity(guess)]
    lines = []
    if guess.rows != base.rows:
        lines.append(f"            rows: {guess.rows}  # guess: {guess.why_rows or 'no key repeats'}")
    if guess.one_date != base.one_date:
        lines.append(f"            one_date: [{', '.join(guess.one_date)}]  # guess: times that share one printed date")
    if guess.where != base.where:
        lines.append(f"            where: {yaml_scalar(guess.where) if guess.where else 'null'}  # guess")
    before = {f.field.name: f for f in base.usable}
    fields = []
    for field in guess.usable:
        was = before.pop(field.field.name, None)
        if was is None or was.said != field.said:
            fields += [" " * 4 + line for line in _field(field)]
    fields += [f"              {f}: null  # guess: this layout has no such column" for f in before]
    lines += ["            fields:", *fields] if fields else []
    return [f"          {guess.entity.name}:", *lines] if lines else []


_NO_COLUMN = ("null", "true", "false", "item", "item_number")  # words that mean something else in a mapping


def mapping_text(said: FieldMapping) -> str:
    """A field's mapping as agency.yml has it: a plain column or expression, or an object."""
    if said.expression:
        return yaml_scalar(said.expression)
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", said.column or "") and said.column.lower() not in _NO_COLUMN
    if plain and said == FieldMapping(column=said.column):
        return yaml_scalar(said.column)
    parts = [(k, v) for k in ("column", "date", "time") if (v := getattr(said, k))]
    parts += [("zone", said.zone)] if said.zone != "agency" else []
    parts += [("separator", said.separator)] if said.separator != "|" else []
    shown = [f"{k}: {_plain_or_quoted(v)}" for k, v in parts]
    if said.format:
        formats = [_plain_or_quoted(f) for f in said.format]
        shown.insert(
            2 if said.date else 1, f"format: {formats[0] if len(formats) == 1 else '[' + ', '.join(formats) + ']'}"
        )
    return "{" + ", ".join(shown) + "}"


def _plain_or_quoted(said: str) -> str:
    return (
        said
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*( [A-Za-z0-9_]+)*", said) and yaml_scalar(said) == said
        else _quoted(said)
    )


def _field(guess: FieldGuess) -> list[str]:
    line = f"{guess.field.name}: {mapping_text(guess.said)}"
    lines = [f"          {line if guess.is_usable else '# ' + line}  # guess: {_shown(guess.reason)}"]
    if guess.field.is_identifying:
        lines[0] += "; identifying"
    return lines


# --- codes/<list>.csv


def code_files(feeds: Sequence[FeedGuess], tables: Sequence[SideTable]) -> dict[str, str]:
    """The text of codes/<list>.csv by list: every local code with a guess and its count."""
    counts: dict[str, Counter[str]] = {}
    meanings: dict[str, dict[str, str]] = {}
    for feed in feeds:
        explained = {t.column: t.file.codes for t in tables if t.feed == feed.name}
        for guess in (g for layout in feed.layouts for e in layout.entities for g in e.usable):
            column = guess.codes
            if column is None or not column.values or _is_identifying(column) or guess.field.is_identifying:
                continue
            list_name = guess.field.code_list or "answer"
            count, meaning = counts.setdefault(list_name, Counter()), meanings.setdefault(list_name, {})
            for said, n in column.values:
                if guess.meanings is not None:  # the mapping sends the side table's text
                    text = guess.meanings.get(said) or said
                    count[text] += n
                    meaning[text] = f"{meaning[text]}, {said}" if meaning.get(text) else f"sent as {said}"
                elif guess.field.kind == "codes":
                    count.update({p.strip(): n for p in said.split(guess.said.separator) if p.strip()})
                else:
                    count[said] += n
            if guess.meanings is None:
                meaning.update(explained.get(column.name, {}))
    found = {n: _code_rows(n, c, meanings.get(n, {})) for n, c in counts.items()}
    return {n: text for n, text in found.items() if text}


def _code_rows(list_name: str, counts: Mapping[str, int], meanings: Mapping[str, str]) -> str:
    known = {w for said in ANSWER_WORDS.values() for w in said}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["local_code", "standard_code", "valid_from", "valid_to", "note"])
    rows = 0
    for local, count in sorted(counts.items(), key=lambda c: (-c[1], c[0])):
        meaning = meanings.get(local, "")
        code, why = guess_code(list_name, local, "" if meaning.startswith("sent as ") else meaning)
        if list_name == "answer" and (local.upper() in known or why == NO_GUESS):
            continue  # the house knows the word, or nobody should guess a yes or no
        said = f"; {meaning}" if meaning else ""
        writer.writerow([local, code, "", "", f"{why}; {count:,} row{'s' * (count != 1)}{said}"])
        rows += 1
    return out.getvalue() if rows else ""
