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
from orchestration.agencies.tools.guess import EntityGuess, FeedGuess, FieldGuess, SideTable, guess_feeds
from orchestration.agencies.tools.profile import MISSING_WORDS, Column, FileProfile, profile_file
from orchestration.agencies.tools.reading import ANSWER_WORDS, Refusal, scratch, standard
from orchestration.agencies.tools.words import identifying_reason, words
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
    feeds, tables = guess_feeds(profiles, standard(), zone or ASK_ZONE)
    codes = code_files(feeds, tables)
    texts = {folder / "agency.yml": agency_text(name, feeds, tables, zone, state)}
    texts |= {folder / "codes" / f"{list_name}.csv": said for list_name, said in codes.items()}
    for path, said in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said, encoding="utf-8")
    fed = tuple(f.path for feed in feeds if feed.entities for f in feed.files)
    return Draft(folder, tuple(texts), tuple(_said(profiles, feeds, tables)), fed)


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
        rows, n = sum(f.rows for f in feed.files), len(feed.files)
        filled = ", ".join(f"{e.entity.name} ({len(e.usable)} fields)" for e in feed.entities) or "no entity guessed"
        yield f"feed {feed.name}: {n} file{'s' * (n > 1)}, {rows:,} rows, {len(feed.columns)} columns: {filled}"
        for note in feed.notes:
            yield f"  {note}"
    for table in tables:
        yield f"{table.file.path.name}: codes of {table.feed}.{table.column} ({table.matched} of {table.of} explained)"
    known = {t.file.path for t in tables} | {f.path for feed in feeds for f in feed.files}
    for profile in profiles:
        if profile.path not in known:
            yield f"{profile.path.name}: not guessed; a small table whose codes stand in no other file"
        if profile.malformed:
            yield f"{profile.path.name}: {profile.malformed:,} row(s) do not fit the header; they will be rejected"


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
        ["feeds:" if any(f.entities for f in feeds) else "feeds: {}", *(line for f in feeds for line in _feed(f))],
        [line for t in tables for line in _comment(
            f"{_shown(t.file.path.name)} is no feed (guess): it lists the codes of {t.feed}.{_shown(t.column)}, {t.matched} of"
            f" {t.of} of them. Its descriptions stand in the notes of codes/. Do not put it into the drop folder.", 0)],
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
        f" {ASK_ZONE}, here and wherever else it stands below; until then the folder does not load.{hint}", 2
    )  # fmt: skip


def _placeholders(feeds: Sequence[FeedGuess]) -> list[str]:
    """`missing`, `missing_by_column` and `withheld` from the texts that were seen."""
    everywhere: dict[str, list[str]] = {}
    by_column: dict[str, dict[str, int]] = {}
    withheld: dict[str, int] = Counter()
    for feed in feeds:
        for column in feed.columns:
            for word, count in column.missing:
                if word in MISSING_WORDS and word != "None":
                    everywhere.setdefault(word, []).append(f"{_shown(column.name)} {count:,}")
                elif not _is_identifying(column):
                    by_column.setdefault(column.name, {})[word] = count
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


def _feed(feed: FeedGuess) -> list[str]:
    first = feed.files[0]
    names = ", ".join(_shown(f.path.name) for f in feed.files[:3]) + (" and others" if len(feed.files) > 3 else "")
    lines = _comment(f"guess: {len(feed.files)} file(s) with the same header are one feed: {names}", 2)
    for note in feed.notes:
        lines += _comment(f"guess: {note}", 2)
    lines.append(f"  {feed.name}:")
    patterns = [_quoted(p) for p in feed.patterns]
    lines.append(
        f"    files: {patterns[0] if len(patterns) == 1 else '[' + ', '.join(patterns) + ']'}  # guess: digits of the name as *"
    )
    lines.append(f"    format: {first.format}")
    if first.format == "csv" and first.delimiter != ",":
        lines.append(f"    delimiter: {_quoted(first.delimiter)}")
    if first.format == "xlsx":
        lines.append(f"    sheet: 1  # guess: the first of {len(first.sheets)}")
    lines += _version(feed)
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
    lines += _unmapped(feed)
    if not feed.entities:  # a feed must fill something, so all of it waits in comments
        return [line if line.lstrip().startswith("#") else f"# {line}" for line in lines]
    return lines


def _version(feed: FeedGuess) -> list[str]:
    from orchestration.agencies.tools.guess import VERSION_WORDS

    column = next((c for c in feed.columns if set(words(c.name)) & VERSION_WORDS and c.shape.is_time), None)
    if column:
        return [
            f"    # version: {{column: {_quoted(column.name)}}}  # guess: take the mark off if the newest row of a key counts"
        ]
    return []


def _entity(guess: EntityGuess) -> list[str]:
    lines = [f"      {guess.entity.name}:"]
    why = f"guess: {guess.why_rows}" if guess.why_rows else "guess"
    lines.append(f"        rows: {guess.rows}  # {why}")
    if guess.where:
        lines.append(f"        where: {yaml_scalar(guess.where)}  # guess")
    lines.append("        fields:")
    for field in guess.fields:
        lines += _field(field)
    if guess.lacking:
        lines += _comment(f"required by the standard, and no column seems to hold it: {', '.join(guess.lacking)}", 10)
    return lines


def _field(guess: FieldGuess) -> list[str]:
    line = f"{guess.field.name}: {yaml_scalar(guess.expression)}"
    lines = [f"          {line if guess.is_usable else '# ' + line}  # guess: {_shown(guess.reason)}"]
    if guess.field.is_identifying:
        lines[0] += "; identifying"
    return lines


def _unmapped(feed: FeedGuess) -> list[str]:
    if not feed.unmapped:
        return []
    lines = _comment(
        "Columns that no field names; they go no further than the landing zone. Class them, or map them:", 4
    )
    for column in feed.unmapped:
        why = _is_identifying(column)
        said = f"identifying (guess: {why})" if why else "unclassed: decide"
        shape = column.shape.kind if column.filled else "empty"
        lines.append(
            f"    #   {_quoted(_shown(column.name))}: {said}  # {shape}, {column.filled:,} of {column.rows:,} filled"
        )
    return lines


# --- codes/<list>.csv


def code_files(feeds: Sequence[FeedGuess], tables: Sequence[SideTable]) -> dict[str, str]:
    """The text of codes/<list>.csv by list: every local code with a guess and its count."""
    counts: dict[str, Counter[str]] = {}
    meanings: dict[str, dict[str, str]] = {}
    for feed in feeds:
        explained = {t.column: t.file.codes for t in tables if t.feed == feed.name}
        for guess in (g for e in feed.entities for g in e.usable):
            column = guess.codes
            if column is None or not column.values or _is_identifying(column) or guess.field.is_identifying:
                continue
            list_name = guess.field.code_list or "answer"
            counts.setdefault(list_name, Counter()).update(dict(column.values))
            meanings.setdefault(list_name, {}).update(explained.get(column.name, {}))
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
        code, why = guess_code(list_name, local, meaning)
        if list_name == "answer" and (local.upper() in known or why == NO_GUESS):
            continue  # the house knows the word, or nobody should guess a yes or no
        said = f"; {meaning}" if meaning else ""
        writer.writerow([local, code, "", "", f"{why}; {count:,} row{'s' * (count != 1)}{said}"])
        rows += 1
    return out.getvalue() if rows else ""
