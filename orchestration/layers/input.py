"""The input layer: landed files become rows of the standard, once, in one pass into all their months.

Files: input/<entity>/agency_id=…/month=…/<file>_<n>.parquet holds every accepted row of a file, all versions;
input/superseded/<entity>/<agency>.parquet names the rows that a newer version or another row of their key replaces;
input/state/<agency>.json holds what each month is made of, and the write ids that its gates were closed under.
Identifying fields go to identity/<entity>/agency_id=…/ and nowhere else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow

from orchestration.agencies import Agency, Feed, compile_entity, filled, find_traits, pieces_sql, source_columns
from orchestration.engine import connect, name, text
from orchestration.files import save_json
from orchestration.landing import LandedFile, Manifest, Refusal, count_padded, header_of, read_raw
from orchestration.landing.zone import refuse
from orchestration.layers.fingerprint import digest
from orchestration.layers.ledger import Ledger, new_write_id
from orchestration.layers.links import create_link_view
from orchestration.settings import Settings
from orchestration.standard import Entity, load_standard, mapped_entities

Say = Callable[[str], None]
RECONCILIATION = (
    "agency_id", "feed", "source_file", "entity", "rows_landed", "rows_accepted",
    "rows_rejected", "rows_superseded", "rows_folded", "rows_not_applicable",
)  # fmt: skip


@dataclass
class InputState:
    """What the input layer holds of one agency.

    files: {sha256: {feed, file_name, version, rows, made_of, entities: {entity: {landed, rejected, folded, not_applicable,
    months: {month: rows}}}}}. months: {month: {write_id, fingerprint, entities: {entity: fingerprint}}}. links: months that share a key and are judged together.
    replaced: {entity: {sha256: {superseded|folded: rows}}}.
    """

    agency: dict = field(default_factory=dict)
    fields: dict[str, list[str]] = field(default_factory=dict)
    codes: list[list] = field(default_factory=list)
    files: dict[str, dict] = field(default_factory=dict)
    months: dict[str, dict] = field(default_factory=dict)
    links: list[list[str]] = field(default_factory=list)
    replaced: dict[str, dict] = field(default_factory=dict)
    resolved_for: str = ""

    def months_of(self, sha256: str) -> set[str]:
        entities = self.files.get(sha256, {}).get("entities", {})
        return {m for e in entities.values() for m in e["months"]}

    def reconciliation(self, agency_id: str) -> list[tuple]:
        """One row per file and entity, columns as in RECONCILIATION."""
        rows = []
        for sha, file in sorted(self.files.items()):
            for entity, n in sorted(file["entities"].items()):
                gone = self.replaced.get(entity, {}).get(sha, {})
                superseded, folded = gone.get("superseded", 0), gone.get("folded", 0)
                accepted = sum(n["months"].values()) - superseded - folded
                folded += n["folded"]
                rows.append(
                    (
                        agency_id,
                        file["feed"],
                        sha,
                        entity,
                        n["landed"],
                        accepted,
                        n["rejected"],
                        superseded,
                        folded,
                        n["not_applicable"],
                    )
                )
        return rows

    def judged_with(self, month: str) -> set[str]:
        """The month and every month that is linked to it through a key that moved."""
        found, todo = set(), [month]
        while todo:
            this = todo.pop()
            if this not in found:
                found.add(this)
                todo += [m for pair in self.links if this in pair for m in pair]
        return found


def _state_path(settings: Settings, agency_id: str) -> Path:
    return settings.input / "state" / f"{agency_id}.json"


def load_state(settings: Settings, agency_id: str) -> InputState:
    """The state of one agency; empty when nothing was ever read."""
    path = _state_path(settings, agency_id)
    return InputState(**json.loads(path.read_text())) if path.exists() else InputState()


def input_agencies(settings: Settings) -> list[str]:
    """Agencies that the input layer holds, sorted."""
    return sorted(p.stem for p in (settings.input / "state").glob("*.json"))


def _save_state(settings: Settings, agency_id: str, state: InputState) -> None:
    save_json(_state_path(settings, agency_id), state.__dict__)


@contextmanager
def _scratch(settings: Settings):
    """An in-memory DuckDB whose spill files lie in the identity store, since raw rows may spill."""
    spill = settings.identity / ".spill"
    spill.mkdir(mode=0o700, parents=True, exist_ok=True)
    con = connect(settings=settings, spill=spill)
    try:
        yield con
    finally:
        con.close()
        shutil.rmtree(spill, ignore_errors=True)


def file_version(feed: Feed, file_name: str) -> str | None:
    """The version that a file's name tells; None where the feed does not read it off names."""
    version = feed.version
    if not version or not version.file_name:
        return None
    found = re.search(version.file_name, file_name)
    return found.group(1) if found else ""


REJECTED = "_rejected"
LARGEST_DICTIONARY = 1000  # codes have fewer values, ids and times have more: theirs are given up sooner, at equal size


def _write_entity(
    con,
    agency: Agency,
    entity: Entity,
    landed: LandedFile,
    mapped: set[str],
    sql: str,
    identity_sql: str,
    incoming: Path,
) -> dict:
    """Writes the rows of one entity by month, and their identity, to `incoming`; fills table `rejected`.

    mapped: fields that the mapping fills; columns of the others are not written.

    Returns {landed rows this applies to, rejected, months: {month: rows}}.
    """
    stem = landed.sha256[:16]
    left_out = {"agency_id", "month"} | {c.name for f in entity.fields if f.name not in mapped for c in f.columns()}
    columns = ", ".join(c.name for c in entity.columns if c.name not in left_out)
    rows = incoming / "input" / entity.name / f"agency_id={agency.id}"
    rows.mkdir(parents=True)
    con.execute(
        f"copy (select case when _broken is null then month else '{REJECTED}' end as month, {columns},"
        f" _version as source_version, _broken from ({sql}) as mapped) to {text(str(rows))}"
        f" (format parquet, parquet_version v2, dictionary_size_limit {LARGEST_DICTIONARY}, partition_by (month),"
        f" filename_pattern '{stem}_{{i}}', overwrite_or_ignore)"
    )
    rejects = rows / f"month={REJECTED}"
    if rejects.exists():
        con.execute(
            "insert into rejected select ?, source_row, split_part(_broken, ':', 1), split_part(_broken, ':', 2)"
            f" from read_parquet({text(str(rejects / '*.parquet'))})",
            [entity.name],
        )
        shutil.rmtree(rejects)
    con.execute("insert into rejected select ?, source_row, 'line_malformed', '' from malformed", [entity.name])
    (rejected,) = con.execute("select count(*) from rejected where entity = ?", [entity.name]).fetchone()
    persons = [c.name for f in entity.fields if f.is_identifying and f.name in mapped for c in f.columns()]
    if persons:
        store = incoming / "identity" / entity.name / f"agency_id={agency.id}"
        store.mkdir(parents=True)
        known = " or ".join(f"{c} is not null" for c in persons)
        kept = " and source_row not in (select source_row from rejected)" if rejected else ""
        con.execute(
            f"copy (select {entity.id}, {', '.join(persons)}, source_file, source_row, source_part from ({identity_sql}) as mapped where ({known}){kept})"
            f" to {text(str(store / f'{stem}.parquet'))} (format parquet)"
        )
    months: dict[str, int] = defaultdict(int)
    for path in sorted(rows.glob("*/*.parquet")):
        months[path.parent.name.removeprefix("month=")] += _rows_in(con, path)
    return {"rejected": rejected, "months": dict(sorted(months.items()))}


def _newest(settings: Settings, agency: Agency, files: list[LandedFile]) -> dict[str, Path]:
    """The newest landed file of each feed."""
    in_order = sorted(files, key=lambda f: (file_version(agency.feeds[f.feed], f.file_name) or "", f.seq))
    return {f.feed: settings.landing / f.path for f in in_order}


def load_lookups(con, agency: Agency, layout: Feed, newest: Mapping[str, Path]) -> None:
    """Makes a table lookup_<name> of the newest file of each side table that a layout looks up. Raises Refusal.

    newest: {feed: file}. `raw` is another file's afterwards.
    """
    for lookup_name, lookup in layout.lookups.items():
        if lookup.feed not in newest:
            raise Refusal(
                "side_table_missing",
                f"the side table '{lookup.feed}' that the mapping looks up has not been landed",
                "Drop its file beside this one.",
            )
        read_raw(con, newest[lookup.feed], agency.feeds[lookup.feed])
        table = name("lookup_" + lookup_name)
        con.execute(f"create or replace temp table {table} as select * from loaded")
        key = name(lookup.key)
        (repeats,) = con.execute(f"select count({key}) - count(distinct trim({key})) from {table}").fetchone()
        if repeats:
            raise Refusal(
                "side_table_key_repeats",
                f"{repeats} row(s) of the side table '{lookup.feed}' repeat a value of its key '{lookup.key}'",
                "Send a side table with one row a key, or map the codes in codes/*.csv.",
            )


def _made_of(agency: Agency, layout_of: str, files: list[LandedFile]) -> str:
    """What a file's rows are made of beside its bytes: the mapping, and the side tables that its feed looks up."""
    feed = agency.feeds[layout_of]
    layouts = feed.layouts().values()
    sides = {lookup.feed for layout in layouts for lookup in layout.lookups.values()}
    landed = sorted(f.sha256 for f in files if f.feed in sides)
    return digest(agency.mapping_fingerprint, landed) if landed else agency.mapping_fingerprint


def _read_file(
    settings: Settings, agency: Agency, landed: LandedFile, files: list[LandedFile], incoming: Path, say: Say
) -> dict:
    """Reads one landed file into `incoming`; returns its entry in the state. Raises Refusal."""
    standard = load_standard()
    path = settings.landing / landed.path
    feed = agency.feeds[landed.feed].as_sent(header_of(path, agency.feeds[landed.feed]))
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True)
    entities: dict[str, dict] = {}
    rejected_file = settings.results / "input" / agency.id / f"{landed.sha256}.parquet"
    rejected_file.parent.mkdir(parents=True, exist_ok=True)
    months, version = (
        (settings.first_month, settings.last_month),
        file_version(agency.feeds[landed.feed], landed.file_name),
    )
    with _scratch(settings) as con:
        load_lookups(con, agency, feed, _newest(settings, agency, files))
        rows_landed = read_raw(con, path, feed)
        con.execute("set preserve_insertion_order = false")  # every row carries its number
        con.execute("create temp table rejected (entity varchar, source_row bigint, rule varchar, field varchar)")
        (malformed,) = con.execute("select count(*) from malformed").fetchone()
        padded = count_padded(con, feed)
        columns = _present(con, [*source_columns(agency, landed.feed, feed), *agency.columns])
        traits = find_traits(con, agency, columns)
        for entity_name, mapping in feed.entities.items():
            entity = standard[entity_name]
            compiled = (agency, landed.feed, entity_name, landed.sha256, version, months, traits)
            sql = compile_entity(*compiled, layout=feed)
            identity_sql = compile_entity(*compiled, only=entity.identity_fields, layout=feed)
            try:
                written = _write_entity(con, agency, entity, landed, filled(mapping), sql, identity_sql, incoming)
                pieces = rows_landed
                if mapping.each or mapping.group:
                    sql = pieces_sql(agency, landed.feed, entity_name, feed)
                    pieces = malformed + con.execute(sql).fetchone()[0]
            except duckdb.Error as error:
                raise Refusal(
                    "mapping_failed",
                    f"an expression of {entity_name} failed on a row of the file ({type(error).__name__})",
                    "Use try_cast and try_strptime in agency.yml, so that one bad row is rejected alone.",
                ) from None
            applies = sum(written["months"].values()) + written["rejected"]
            folded = pieces - applies if mapping.group else 0
            all_rows = rows_landed if mapping.group else pieces
            counts = {"landed": all_rows, "folded": folded, "not_applicable": all_rows - applies - folded}
            entities[entity_name] = counts | written
        con.execute(f"copy (select * from rejected order by all) to {text(str(rejected_file))} (format parquet)")
        rejected_file.chmod(0o600)
    rejects = max((e["rejected"] for e in entities.values()), default=0)
    note = f"; {rejects:,} rejected, see results/input/{agency.id}/{rejected_file.name}" if rejects else ""
    note += f"; {padded:,} short lines filled up" if padded else ""
    say(f"  {agency.id}/{landed.file_name}: {rows_landed:,} rows{note}")
    return {
        "feed": landed.feed,
        "file_name": landed.file_name,
        "version": version or "",
        "rows": rows_landed,
        "padded": padded,
        "made_of": _made_of(agency, landed.feed, files),
        "entities": entities,
    }


def _present(con, columns: Iterable[str]) -> list[str]:
    """Those of the columns that the file has, as it spells them."""
    wanted = {c.lower() for c in columns}
    return [c for (c, *_) in con.execute("describe loaded").fetchall() if c.lower() in wanted]


def shrunk(feed: Feed, entry: dict, others: Iterable[dict]) -> Refusal | None:
    """Why a snapshot is not taken in: it is smaller than the one before it by more than the feed allows."""
    before = [e for e in others if e["feed"] == entry["feed"] and e["version"] < entry["version"]]
    if feed.snapshot == "none" or feed.max_shrink is None or not before:
        return None
    last = max(before, key=lambda e: e["version"])
    share = 1 - entry["rows"] / last["rows"] if last["rows"] else 0.0
    if share <= feed.max_shrink:
        return None
    return Refusal(
        "snapshot_shrank",
        f"the snapshot has {entry['rows']:,} rows, {share:.1%} fewer than the {last['rows']:,} of the one before;"
        f" {feed.max_shrink:.1%} is allowed",
        "Send the whole snapshot; if the records are gone for good, raise max_shrink in agency.yml.",
    )


def _drop_rows(settings: Settings, agency_id: str, sha256: str) -> None:
    for path in settings.input.glob(f"*/agency_id={agency_id}/month=*/{sha256[:16]}_*.parquet"):
        path.unlink()
    for path in settings.identity.glob(f"*/agency_id={agency_id}/{sha256[:16]}.parquet"):
        path.unlink()


def _move_in(settings: Settings, incoming: Path) -> None:
    for part, home in (("input", settings.input), ("identity", settings.identity)):
        for path in (incoming / part).rglob("*.parquet"):
            target = home / path.relative_to(incoming / part)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
            if part == "identity":
                target.chmod(0o600)
    shutil.rmtree(incoming)


def entity_files(settings: Settings, entity: str, agency_id: str, month: str = "*") -> list[str]:
    """Parquet files of one entity, agency and month, sorted."""
    return sorted(str(p) for p in settings.input.glob(f"{entity}/agency_id={agency_id}/month={month}/*.parquet"))


def superseded_file(settings: Settings, entity: str, agency_id: str) -> Path:
    return settings.input / "superseded" / entity / f"{agency_id}.parquet"


def _all_versions(entity: Entity, files: list[str]) -> str:
    """SQL of the rows of an entity's files. A column that a file does not have is null in its rows."""
    empty = ", ".join(f"cast(null as {c.type}) as {c.name}" for c in entity.columns)
    listed = ", ".join(text(f) for f in files)
    return (
        f"select {empty}, cast(null as varchar) as source_version where false union all by name select * from"
        f" read_parquet([{listed}], hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
    )


def _resolve_entity(
    con, settings: Settings, agency: Agency, entity: Entity, order: dict[str, int], many: set[str], old: set[str]
):
    """Finds rows that another row replaces: table `gone`, and linked months. old: files whose rows are all replaced."""
    files = entity_files(settings, entity.name, agency.id)
    con.execute(
        "create or replace temp table gone"
        " (source_file varchar, source_row bigint, source_part integer, month varchar, status varchar)"
    )
    if not files:
        return
    con.execute("create or replace temp table landed_order (source_file varchar, seq integer, is_many boolean)")
    con.executemany("insert into landed_order values (?, ?, ?)", [(s, n, s in many) for s, n in order.items()])
    own, group = entity.id, entity.group_id
    con.execute(f"create or replace temp view input_rows as {_all_versions(entity, files)}")
    # A child's rows go with its parent's: the file that last told of the parent tells which children there are.
    parents = entity_files(settings, entity.parent, agency.id) if entity.parent else []
    told = f"select {group} as _group, source_file, source_version from input_rows"
    if parents:
        told += f" union all select {group}, source_file, source_version from ({_all_versions(load_standard()[entity.parent], parents)})"
    several = (
        f"select {own} as _group from input_rows group by {own} having count(*) > 1"
        if own == group
        else f"select _group from ({told}) group by _group having count(distinct source_file) > 1"
        f" union select {group} from input_rows group by {group} having count(*) > count(distinct {own})"
    )
    con.execute(
        f"""
        create or replace temp table ranked as
        with several as ({several}),
        told as ({told}),
        winner as (
            select _group, arg_max(source_file, row(source_version, seq)) as winning_file
            from told join landed_order using (source_file)
            where _group in (select _group from several)
            group by _group
        ),
        rows as (
            select {own} as _own, {group} as _group, source_file, source_row, source_part, month, source_version, is_many
            from input_rows join landed_order using (source_file)
            where {group} in (select _group from several)
        )
        select rows.*, winner.winning_file, row_number() over (
            partition by rows._own, source_file = winning_file
            order by
                source_version desc,
                case when is_many then source_row else -source_row end,
                case when is_many then source_part else -source_part end
        ) as place
        from rows join winner using (_group)
        """
    )
    con.execute(
        """
        insert into gone
        select source_file, source_row, source_part, month, case when source_file = winning_file and is_many then 'folded' else 'superseded' end
        from ranked where source_file <> winning_file or place > 1
        """
    )
    if old:
        con.execute("create or replace temp table old_snapshot as select unnest(?) as source_file", [sorted(old)])
        con.execute(
            """
            insert into gone
            select source_file, source_row, source_part, month, 'superseded'
            from input_rows semi join old_snapshot using (source_file)
            anti join gone using (source_file, source_row, source_part)
            """
        )


def _links(con) -> list[list[str]]:
    """Months that share a key group, as sorted pairs with the first of them."""
    rows = con.execute(
        "select distinct first_month, month from (select month, min(month) over (partition by _group) as first_month from ranked)"
        " where month <> first_month order by all"
    ).fetchall()
    return [list(r) for r in rows]


def _resolve(
    settings: Settings, agency: Agency, state: InputState, files: list[LandedFile]
) -> tuple[dict[str, dict[str, str]], dict[str, dict], list, dict]:
    """Compares all versions of all keys of the agency.

    Returns ({month: {entity: digest of its replaced rows}}, replaced counts, links, {entity: path of the new list}).
    """
    digests: dict[str, dict[str, str]] = defaultdict(dict)
    replaced: dict[str, dict] = {}
    links: set[tuple[str, str]] = set()
    lists: dict[str, Path] = {}
    order = {f.sha256: f.seq for f in files}
    old = _old_snapshots(agency, state, order)
    with _scratch(settings) as con:
        for entity in mapped_entities():
            many = {
                f.sha256 for f in files
                if agency.feeds[f.feed].folds(entity.name)
            }  # fmt: skip
            con.execute("create or replace temp table ranked (month varchar, _group varchar)")
            _resolve_entity(con, settings, agency, entity, order, many, old)
            links |= {tuple(pair) for pair in _links(con)}
            target = superseded_file(settings, entity.name, agency.id)
            target.parent.mkdir(parents=True, exist_ok=True)
            lists[entity.name] = target.with_suffix(".new")
            con.execute(f"copy (select * from gone order by all) to {text(str(lists[entity.name]))} (format parquet)")
            for month, made in con.execute(
                "select month, md5(string_agg(source_file || source_row || '.' || source_part || status, ','"
                " order by source_file, source_row, source_part)) from gone group by month"
            ).fetchall():
                digests[month][entity.name] = made
            for sha, status, n in con.execute("select source_file, status, count(*) from gone group by all").fetchall():
                replaced.setdefault(entity.name, {}).setdefault(sha, {})[status] = n
    return dict(digests), replaced, sorted(list(p) for p in links), lists


def _old_snapshots(agency: Agency, state: InputState, order: dict[str, int]) -> set[str]:
    """Files that a newer complete snapshot of their feed replaces whole."""
    found = set()
    for feed_name, feed in agency.feeds.items():
        if feed.snapshot == "complete":
            mine = {sha: (f["version"], order[sha]) for sha, f in state.files.items() if f["feed"] == feed_name}
            found |= {sha for sha in mine if mine[sha] != max(mine.values())}
    return found


def is_stale(settings: Settings, agency: Agency) -> bool:
    """Whether a landed file is unread, or was read under another mapping or other side tables."""
    state = load_state(settings, agency.id)
    files = Manifest(settings, agency.id).accepted()
    return {f.sha256: _made_of(agency, f.feed, files) for f in files} != {
        s: f["made_of"] for s, f in state.files.items()
    }


def build_input(settings: Settings, agency: Agency, ledger: Ledger, say: Say = lambda _: None) -> list[str]:
    """Reads what is unread or was read under another mapping; returns the months that changed.

    The gates of every month that changes are closed before its rows are moved in. The caller holds the writer lock.
    """
    manifest, state = Manifest(settings, agency.id), load_state(settings, agency.id)
    incoming: dict[str, tuple[Path, dict]] = {}
    landed_files = manifest.accepted()
    in_order = sorted(landed_files, key=lambda f: (file_version(agency.feeds[f.feed], f.file_name) or "", f.seq))
    for landed in in_order:
        known = state.files.get(landed.sha256)
        if known and known["made_of"] == _made_of(agency, landed.feed, landed_files):
            continue
        folder = settings.identity / ".incoming" / landed.sha256
        try:
            entry = _read_file(settings, agency, landed, landed_files, folder, say)
            others = state.files | {s: e for s, (_, e) in incoming.items()}
            if refusal := shrunk(agency.feeds[landed.feed], entry, others.values()):
                raise refusal
            incoming[landed.sha256] = folder, entry
        except Refusal as refusal:
            shutil.rmtree(folder, ignore_errors=True)
            refuse(settings, landed, refusal)
            say(f"refused {agency.id}/{landed.file_name}: {refusal}")
    files = manifest.accepted()
    gone = set(state.files) - {f.sha256 for f in files}
    _swap_files(settings, agency, ledger, state, incoming, gone)
    return _settle(settings, agency, ledger, state, files)


def _swap_files(
    settings, agency: Agency, ledger: Ledger, state: InputState, incoming: dict, gone: Iterable[str]
) -> None:
    """Replaces the rows of files in place: gates closed and noted first, then rows moved."""
    touched = {m for sha in [*incoming, *gone] for m in state.months_of(sha)}
    touched |= {m for _, entry in incoming.values() for e in entry["entities"].values() for m in e["months"]}
    if touched:
        _close(settings, agency, ledger, state, dict.fromkeys(touched, ""))
    for sha in gone:
        _drop_rows(settings, agency.id, sha)
        del state.files[sha]
    for sha, (folder, entry) in incoming.items():
        _drop_rows(settings, agency.id, sha)
        _move_in(settings, folder)
        state.files[sha] = entry
    if incoming or gone:
        state.resolved_for = ""
        _save_state(settings, agency.id, state)


def _close(settings: Settings, agency: Agency, ledger: Ledger, state: InputState, fingerprints: dict[str, str]) -> None:
    """Closes gates under one new write id and writes the same id into the state."""
    write_id = new_write_id()
    ledger.close("input", [(agency.id, m) for m in fingerprints], write_id)
    for month, fingerprint in fingerprints.items():
        state.months[month] = {"write_id": write_id, "fingerprint": fingerprint, "entities": {}}
    _save_state(settings, agency.id, state)


def _layouts(agency: Agency) -> list[Feed]:
    return [layout for feed in agency.feeds.values() for layout in feed.layouts().values()]


def _settle(
    settings: Settings, agency: Agency, ledger: Ledger, state: InputState, files: list[LandedFile]
) -> list[str]:
    """Tells current rows from replaced ones and brings gates, fingerprints and agency facts up to date."""
    state.agency = agency.agency.model_dump(mode="json")
    state.fields = {
        entity: sorted(
            {f for layout in _layouts(agency) if entity in layout.entities for f in filled(layout.entities[entity])}
        )
        for entity in (e.name for e in mapped_entities())
    }
    state.codes = [
        [
            list_name,
            r.local_code,
            r.standard_code,
            r.valid_from and str(r.valid_from),
            r.valid_to and str(r.valid_to),
            r.note,
        ]
        for list_name, rows in sorted(agency.codes.items())
        for r in rows
    ]
    made_of = digest(agency.mapping_fingerprint, sorted((f.sha256, f.seq) for f in files))
    if state.resolved_for == made_of:
        _save_state(settings, agency.id, state)
        return []
    digests, replaced, links, lists = _resolve(settings, agency, state, files)
    made: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    for sha, file in sorted(state.files.items()):
        for entity, counts in file["entities"].items():
            for month in counts["months"]:
                made[month][entity].append([sha, file["made_of"]])
    parts = {
        m: {e: digest(duckdb.__version__, files, digests.get(m, {}).get(e, "")) for e, files in sorted(of.items())}
        for m, of in made.items()
    }
    fresh = {m: digest(of) for m, of in parts.items()}
    changed = {m: f for m, f in fresh.items() if state.months.get(m, {}).get("fingerprint") != f}
    emptied = sorted(set(state.months) - set(fresh))
    changed |= {m: "empty" for m in emptied if state.months[m]["fingerprint"] != "empty"}
    if changed:
        _close(settings, agency, ledger, state, changed)
    for month, of in state.months.items():
        of["entities"] = parts.get(month, {})
    for entity, path in lists.items():
        os.replace(path, superseded_file(settings, entity, agency.id))
    state.replaced, state.links, state.resolved_for = replaced, links, made_of
    _save_state(settings, agency.id, state)
    return sorted(changed)


def open_months(settings: Settings, ledger: Ledger, agency_id: str) -> dict[str, dict[str, str]]:
    """{month: {entity: fingerprint}} of the agency's months whose input gate is open for the rows that lie there now."""
    state, gates = load_state(settings, agency_id), ledger.gates("input")
    found = {}
    for month, made in state.months.items():
        gate = gates.get(("input", agency_id, month))
        if gate and gate.state == "open" and gate.write_id == made["write_id"]:
            found[month] = made["entities"]
    return found


def create_input_views(con: duckdb.DuckDBPyConnection, settings: Settings, pairs: Iterable[tuple[str, str]]) -> None:
    """Makes schema `input` in the connected database: a view per entity over the current rows of the pairs,
    and the small agency-level tables over all agencies that the input layer holds."""
    pairs = sorted(pairs)
    con.execute("create schema if not exists input")
    for entity in mapped_entities():
        files = [f for agency_id, month in pairs for f in entity_files(settings, entity.name, agency_id, month)]
        if not files:
            empty = ", ".join(f"cast(null as {c.type}) as {c.name}" for c in entity.columns)
            con.execute(f"create or replace view input.{entity.name} as select {empty} where false")
            continue
        columns = ", ".join(
            c.name if c.unfilled == "null" else f"coalesce({c.name}, {c.unfilled}) as {c.name}" for c in entity.columns
        )
        sql = f"select {columns} from ({_all_versions(entity, files)}) as input_rows"
        replaced = [superseded_file(settings, entity.name, a) for a in sorted({a for a, _ in pairs})]
        replaced = [text(str(p)) for p in replaced if p.exists() and _rows_in(con, p)]
        if replaced:
            sql += (
                f" where not exists (select 1 from read_parquet([{', '.join(replaced)}]) as gone"
                " where gone.source_file = input_rows.source_file and gone.source_row = input_rows.source_row"
                " and gone.source_part = input_rows.source_part)"
            )
        con.execute(f"create or replace view input.{entity.name} as {sql}")
    _create_agency_tables(con, settings)


def _rows_in(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    return con.execute(f"select num_rows from parquet_file_metadata({text(str(path))})").fetchone()[0]


AGENCY_COLUMNS = {
    "agency_id": "varchar", "agency_name": "varchar", "agency_type_code": "varchar", "time_zone": "varchar",
    "state": "varchar", "county_fips": "varchar", "ori": "varchar", "population_served": "integer",
    "cad_vendor": "varchar", "priority_direction_code": "varchar", "is_fictional": "boolean",
}  # fmt: skip


def _create_agency_tables(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    states = {a: load_state(settings, a) for a in input_agencies(settings)}
    tables = {
        "agency": (AGENCY_COLUMNS, [tuple(s.agency[c] for c in AGENCY_COLUMNS) for s in states.values()]),
        "agency_field": (
            {"agency_id": "varchar", "entity": "varchar", "field": "varchar", "is_mapped": "boolean"},
            [(a, e.name, f.name, f.name in s.fields.get(e.name, ())) for a, s in states.items() for e in mapped_entities() for f in e.fields],
        ),
        "agency_code": (
            {"agency_id": "varchar", "code_list": "varchar", "local_code": "varchar", "standard_code": "varchar",
             "valid_from": "date", "valid_to": "date", "note": "varchar"},
            [(a, *row) for a, s in states.items() for row in s.codes],
        ),
        "agency_month": (
            {"agency_id": "varchar", "month": "varchar"},
            [(a, m) for a, s in states.items() for m, made in sorted(s.months.items()) if made["fingerprint"] != "empty"],
        ),
        "reconciliation": (
            {c: "bigint" if c.startswith("rows_") else "varchar" for c in RECONCILIATION},
            [row for a, s in states.items() for row in s.reconciliation(a)],
        ),
    }  # fmt: skip
    for table, (columns, rows) in tables.items():
        declared = ", ".join(f"cast({name(c)} as {t}) as {name(c)}" for c, t in columns.items())
        values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
        con.register("rows_of_table", pyarrow.table(dict(zip(columns, map(list, values), strict=True))))
        con.execute(f"create or replace table input.{table} as select {declared} from rows_of_table")
        con.unregister("rows_of_table")
    create_link_view(con, settings)
