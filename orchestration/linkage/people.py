"""People are linked: records become profiles, profiles groups, groups keys; what changed goes to the identity store.

One way for all runs. A first run finds every profile new; an increment compares the new ones with all, and groups anew
only what they touch. The model is frozen, pairs do not depend on other records, and groups not on other groups: so an
increment ends as a run over all would.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from orchestration.agencies import Agency, find_agencies, load_agency
from orchestration.engine import text
from orchestration.files import save_json
from orchestration.layers.fingerprint import digest
from orchestration.layers.input import create_input_views, input_agencies, load_state
from orchestration.layers.links import FILE_COLUMNS, LINK_COLUMNS, link_files, link_state, link_state_file
from orchestration.linkage import store
from orchestration.linkage.cluster import group, reach
from orchestration.linkage.model import (
    Frozen,
    Model,
    add_traits,
    count_terms,
    find_hot_keys,
    make_blocks,
    make_pairs,
    score_pairs,
    train,
)
from orchestration.linkage.records import VALUES, normalize, read_raw
from orchestration.linkage.zones import ZONES, admit, consents
from orchestration.settings import Settings

Say = Callable[[str], None]
GROWTH = 4  # times as many profiles as the model was trained on: time to train it again


@dataclass
class Linked:
    """What a build of linkage did. changed: (agency, month) pairs whose person_link files changed.

    zones: {zone: {records, anonymous, people, profiles, new_profiles, pairs, created, joined, merged, split, withdrawn}}.
    """

    changed: list[tuple[str, str]] = field(default_factory=list)
    zones: dict[str, dict[str, int]] = field(default_factory=dict)
    is_fresh: bool = True


def link_people(
    settings: Settings, as_of: date, say: Say = lambda _: None, retrain: bool = False, force: bool = False
) -> Linked:
    """Links the people of all agencies that may be linked, and writes input/person_link; the caller holds the lock.

    as_of: the day on which consents are judged. retrain: learn the model anew, on what is there now. force: look even
    if nothing seems to have changed.
    """
    if not (force or retrain or links_are_stale(settings, as_of)):
        return Linked(is_fresh=False)
    model, agencies, found = Model.load(), linkable_agencies(settings), Linked()
    made_of = _made_of(settings, model, agencies)
    with store.open_store(settings) as con:
        turn = read_records(con, settings, model, agencies, as_of)
        admit(con, model, settings.link_minors, "admitted")
        con.execute(f"create or replace temp table person_link as {empty_output()}")
        for zone in ZONES:
            found.zones[zone] = link_zone(con, model, zone, as_of, retrain)
            say(f"{zone}: " + said(found.zones[zone]))
            if hint := _grown(con, zone):
                say(f"{zone}: {hint}")
        files = write_links(con, settings, link_state(settings).get("files", {}), found)
    state = {"made_of": made_of, "from": str(as_of), "until": str(turn or date.max), "files": files}
    save_json(link_state_file(settings), state)
    return found


def links_are_stale(settings: Settings, as_of: date) -> bool:
    """Whether rows, model, seals, agencies or consents in force changed since people were linked last, or the identity
    store or a file of links is gone."""
    state, there = link_state(settings), {*link_files(settings)}
    if not (state and store.store_path(settings).exists() and state["from"] <= str(as_of) < state["until"]):
        return True
    if not {settings.input / "person_link" / file for file in state["files"]} <= there:
        return True
    return state["made_of"] != _made_of(settings, Model.load(), linkable_agencies(settings))


def said(counts: dict[str, int]) -> str:
    """The counts of a zone in words."""
    changes = ", ".join(
        f"{counts[k]:,} {k}" for k in ("created", "joined", "merged", "split", "withdrawn") if counts[k]
    )
    return (
        f"{counts['records']:,} records ({counts['anonymous']:,} anonymous), {counts['people']:,} people;"
        f" {counts['new_profiles']:,} new profiles, {counts['pairs']:,} pairs compared; {changes or 'no change'}"
    )


def linkable_agencies(settings: Settings) -> dict[str, Agency]:
    """Agencies that the input layer holds and whose agency.yml says that their records may be linked."""
    folders, held = find_agencies(settings.agency_paths), input_agencies(settings)
    loaded = {a: load_agency(folders[a]) for a in held if a in folders}
    return {a: agency for a, agency in loaded.items() if agency.linkable}


def _made_of(settings: Settings, model: Model, agencies: dict[str, Agency]) -> str:
    """What linkage is made of: rows, model, who may be linked, what is sealed."""
    rows = {}
    for agency_id, agency in agencies.items():
        state = load_state(settings, agency_id)
        rows[agency_id] = [agency.agency.agency_type_code, state.resolved_for]
    sealed = sealed_file(settings)
    sealed_now = sealed.read_text() if sealed.exists() else ""
    return digest(rows, model.digest, model.said["zones"], settings.link_minors, sealed_now, _code_digest())


def _code_digest() -> str:
    """Changes with the code of linkage and its seeds."""
    from orchestration.linkage.records import SEEDS

    files = sorted([*Path(__file__).parent.glob("*.py"), *SEEDS.glob("*.csv")])
    return hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()[:16]


def sealed_file(settings: Settings) -> Path:
    """identity/sealed.csv: entity, entity_id, since, reason; records that must not be linked any more."""
    return settings.identity / "sealed.csv"


def read_records(
    con: duckdb.DuckDBPyConnection, settings: Settings, model: Model, agencies: dict[str, Agency], as_of: date
) -> date | None:
    """Makes tables `record`, `agency`, `sealed` and `consent` from the input layer.

    Returns the next day on which another set of consents holds.
    """
    pairs = [(a, m) for a in agencies for m in load_state(settings, a).months]
    create_input_views(con, settings, pairs)
    files: dict[str, list[Path]] = {}
    for agency_id in agencies:
        for path in settings.identity.glob(f"*/agency_id={agency_id}/*.parquet"):
            files.setdefault(path.parent.parent.name, []).append(path)
    read_raw(con, files)
    normalize(con, "raw_record", "record")
    con.execute("drop table raw_record")
    con.execute("create or replace temp table agency (agency_id varchar, agency_type_code varchar)")
    for agency_id, agency in agencies.items():
        con.execute("insert into agency values (?, ?)", [agency_id, agency.agency.agency_type_code])
    con.execute("create or replace temp table sealed (entity varchar, entity_id varchar)")
    if sealed_file(settings).exists():
        con.execute(
            f"insert into sealed select entity, entity_id from read_csv({text(str(sealed_file(settings)))}, all_varchar = true)"
        )
    return consents(con, model, as_of, files.get("consent", ()), "consent")


def link_zone(con: duckdb.DuckDBPyConnection, model: Model, zone: str, as_of: date, retrain: bool) -> dict[str, int]:
    """Links one zone: reads tables `record` and `admitted`, adds to the store and to table `person_link`."""
    make_profiles(con, zone)
    (profiles,) = con.execute("select count(*) from profile").fetchone()
    frozen = None if retrain else store.load_model(con, zone, model)
    is_new_model = frozen is None and profiles > 0
    if is_new_model:
        count_terms(con, model, "profile")
    if profiles:
        add_traits(con, model, "profile", "compared")
        make_blocks(con, model, "compared")
    if is_new_model:
        find_hot_keys(con, model, "compared")
        frozen = train(con, model, "compared", store.next_version(con, zone))
    con.execute(f"create or replace temp table previous as {store.current_sql(zone)}")
    con.execute(
        "create or replace temp table new_profile as select profile_no from profile"
        + ("" if is_new_model else " anti join previous using (profile_id)")
    )
    (new,) = con.execute("select count(*) from new_profile").fetchone()
    pairs = compare_new(con, model, frozen, zone) if new else _no_new_edges(con)
    conflicts = group_touched(con, model, zone, frozen)
    give_keys(con, zone)
    find_changes(con)
    store.append(con, zone, frozen, is_new_model, as_of)
    add_output(con, zone)
    counts = dict(con.execute("select kind, count(*) from new_event group by kind").fetchall())
    counts = {k: counts.get(k, 0) for k in ("created", "joined", "merged", "split", "withdrawn")}
    records, anonymous, people = con.execute(
        f"select count(*), count(*) filter (is_anonymous), count(distinct person_key) from person_link where zone = {text(zone)}"
    ).fetchone()
    return counts | {
        "records": records, "anonymous": anonymous, "people": people, "profiles": profiles, "new_profiles": new,
        "pairs": pairs, "conflicts": conflicts,
    }  # fmt: skip


def make_profiles(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Makes tables `zone_record` (record_id, profile_id) of what may be linked and is not anonymous, and `profile`
    (profile_no, profile_id, VALUES): one row for each distinct combination of values."""
    values = ", ".join(VALUES)
    marked = ", ".join(f"coalesce(cast({v} as varchar), '')" for v in VALUES)
    con.execute(
        f"""
        create or replace temp table zone_record as
        select record_id, month, cast(md5(concat_ws('|', {text(store.salt(con))}, {marked})) as uuid) as profile_id, {values}
        from record semi join (select record_id from admitted where zone = {text(zone)}) using (record_id)
        where not is_anonymous
        """
    )
    con.execute(
        f"""
        create or replace temp table profile as
        select row_number() over (order by profile_id) as profile_no, * from (
            select distinct profile_id, {values} from zone_record)
        """
    )


def compare_new(con: duckdb.DuckDBPyConnection, model: Model, frozen: Frozen, zone: str) -> int:
    """Makes table `new_edge` (l, r, weight, is_exact) of pairs with a new profile; returns the pairs compared."""
    pairs = make_pairs(con, "new_profile")
    if not pairs:
        return _no_new_edges(con)
    score_pairs(con, model, frozen, "compared", "scored")
    con.execute(
        f"""
        create or replace temp table new_edge as
        with named as (
            select l.profile_id as l, r.profile_id as r, weight, is_exact
            from scored join profile as l on l.profile_no = scored.l join profile as r on r.profile_no = scored.r
        )
        -- a profile that comes back finds edges that the store kept
        select * from named
        anti join (select l, r from store.edge where zone = {text(zone)} and version = {frozen.version}) using (l, r)
        """
    )
    return pairs


def _no_new_edges(con: duckdb.DuckDBPyConnection) -> int:
    con.execute("create or replace temp table new_edge (l uuid, r uuid, weight double, is_exact boolean)")
    return 0


def group_touched(con: duckdb.DuckDBPyConnection, model: Model, zone: str, frozen: Frozen | None) -> int:
    """Makes tables `edge` (l, r, weight, is_exact by profile_no) of all profiles there are, and `grouped` (profile_no,
    group_key): anew for what new or gone profiles touch, as before for the rest. Returns groups that held a conflict."""
    version = frozen.version if frozen else 0
    con.execute(
        f"""
        create or replace temp table known_edge as
        select l, r, weight, is_exact from store.edge where zone = {text(zone)} and version = {version}
        union all select l, r, weight, is_exact from new_edge
        """
    )
    con.execute(
        """
        create or replace temp table edge as
        select l.profile_no as l, r.profile_no as r, weight, is_exact
        from known_edge join profile as l on l.profile_id = known_edge.l join profile as r on r.profile_id = known_edge.r
        """
    )
    con.execute(
        """
        create or replace temp table touched_first as
        with gone as (select distinct profile_id from previous anti join profile using (profile_id)),
        beside as (
            select r as profile_id from known_edge semi join gone on gone.profile_id = l
            union select l from known_edge semi join gone on gone.profile_id = r
        )
        select profile_no from new_profile
        union select profile_no from profile semi join beside using (profile_id)
        """
    )
    reach(con, "edge", "touched_first", "touched")
    conflicts = 0
    con.execute("create or replace temp table regrouped (profile_no bigint, group_no bigint)")
    if con.execute("select count(*) from touched").fetchone()[0]:
        con.execute(
            "create or replace temp table touched_edge as select * from edge semi join touched on l = profile_no"
        )
        conflicts, _ = group(con, model, "compared", "touched", "touched_edge", "regrouped")
    con.execute(
        """
        create or replace temp table grouped as
        select profile_no, 'group ' || group_no as group_key from regrouped
        union all
        select profile_no, any_value(person_key) from profile join previous using (profile_id)
        where profile_no not in (select profile_no from touched) group by profile_no
        """
    )
    return conflicts


def give_keys(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Makes tables `keyed` (record_id, profile_id, person_key) and `new_person` (person_key, number).

    The larger part of a group that falls apart keeps its key (of equal parts the one with the first record id); of
    several keys that come together, the one given first stays. Other groups get random new keys.
    """
    con.execute(
        """
        create or replace temp table member as
        select record_id, profile_id, group_key from zone_record
        join profile using (profile_id) join grouped using (profile_no)
        """
    )
    con.execute(
        f"""
        create or replace temp table kept as
        with overlap as (
            select previous.person_key, group_key, count(*) as records, min(record_id) as first_record
            from member join previous using (record_id) group by all
        ),
        heir as (
            select * from overlap
            qualify row_number() over (partition by person_key order by records desc, first_record) = 1
        )
        select group_key, heir.person_key from heir
        join store.person as person on person.person_key = heir.person_key and person.zone = {text(zone)}
        qualify row_number() over (partition by group_key order by run, number) = 1
        """
    )
    con.execute(
        "create or replace temp table unkept as"
        " select group_key, row_number() over (order by min(record_id)) as number"
        " from member anti join kept using (group_key) group by group_key"
    )
    con.execute(
        "create or replace temp table new_person as"
        " select replace(cast(uuid() as varchar), '-', '') as person_key, number, group_key from unkept"
    )
    con.execute(
        """
        create or replace temp table keyed as
        with key_of as (
            select group_key, person_key from kept union all select group_key, person_key from new_person
        )
        select record_id, profile_id, person_key from member join key_of using (group_key)
        """
    )


def find_changes(con: duckdb.DuckDBPyConnection) -> None:
    """Makes tables `changed` (record_id, person_key, profile_id) and `new_event` (kind, record_id, person_key, previous_key).

    A record that had no key is `created` with a new one or `joined` to one that was there; one that loses its key is
    `withdrawn`; one whose key is another now was `merged` if its old key is gone and the other was there before, else
    it was `split` off.
    """
    con.execute(
        """
        create or replace temp table changed as
        select record_id, keyed.person_key as person_key, keyed.profile_id as profile_id,
            previous.person_key as previous_key
        from keyed full join previous using (record_id)
        where keyed.person_key is distinct from previous.person_key or keyed.profile_id is distinct from previous.profile_id
        """
    )
    con.execute(
        """
        create or replace temp table new_event as
        select case
                when person_key is null then 'withdrawn'
                when previous_key is null and is_new then 'created'
                when previous_key is null then 'joined'
                when is_new or previous_key in (select person_key from keyed) then 'split'
                else 'merged' end as kind,
            record_id, person_key, previous_key
        from (
            select *, person_key in (select person_key from new_person) as is_new from changed
            where person_key is distinct from previous_key
        )
        """
    )


def add_output(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Adds the zone's records to table `person_link`.

    How a record is linked is said of the person's earlier records (by month and record id): `none` is the first of
    its person, `exact` shares the profile or an exact key with one, `probabilistic` is the rest, with the weight of its
    best pair with one; null if it hangs on them through later records only.
    """
    con.execute(
        f"""
        insert into person_link by name
        with placed as (
            select record_id, person_key, profile_no,
                row_number() over (partition by person_key order by month, record_id) as place,
                row_number() over (partition by person_key, profile_no order by month, record_id) as place_of_profile
            from keyed join zone_record using (record_id, profile_id) join profile using (profile_id)
        ),
        lead as (select profile_no, person_key, place from placed where place_of_profile = 1),
        both_ways as (
            select l as one, r as other, weight, is_exact from edge union all select r, l, weight, is_exact from edge
        ),
        best as (
            select one as profile_no, bool_or(is_exact) as is_exact, max(weight) as weight
            from both_ways
            join lead as a on a.profile_no = one
            join lead as b on b.profile_no = other and b.person_key = a.person_key and b.place < a.place
            group by one
        ),
        linked as (
            select record_id, placed.person_key, case
                    when place = 1 then 'none'
                    when place_of_profile > 1 or best.is_exact then 'exact'
                    else 'probabilistic' end as method,
                best.weight
            from placed left join best using (profile_no)
        )
        select agency_id, month, record.record_id, entity, entity_id, role_code, {text(zone)} as zone, person_key,
            is_anonymous, coalesce(method, 'none') as match_method_code,
            if(method = 'probabilistic', cast(round(weight, 2) as decimal(6, 2)), null) as match_weight
        from record semi join (select record_id from admitted where zone = {text(zone)}) using (record_id)
        left join linked using (record_id)
        """
    )


def empty_output() -> str:
    """SQL of table `person_link` without a row: the columns of the links and record_id."""
    columns = {"record_id": "varchar"} | LINK_COLUMNS
    return f"select {', '.join(f'cast(null as {t}) as {c}' for c, t in columns.items())} where false"


def write_links(
    con: duckdb.DuckDBPyConnection, settings: Settings, before: dict[str, str], found: Linked
) -> dict[str, str]:
    """Writes input/person_link/agency_id=…/month=…/<zone>.parquet where the rows changed; returns {file: digest}."""
    root = settings.input / "person_link"
    now = {
        f"agency_id={a}/month={m}/{z}.parquet": (a, m, z, made)
        for a, m, z, made in con.execute(
            "select agency_id, month, zone, md5(string_agg(concat_ws('|', record_id, coalesce(person_key, ''), is_anonymous,"
            " match_method_code, coalesce(match_weight, 0)), ';' order by record_id)) from person_link group by all order by all"
        ).fetchall()
    }
    changed = set()
    for file, (agency_id, month, zone, made) in now.items():
        path = root / file
        if before.get(file) == made and path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        con.execute(
            f"copy (select {', '.join(FILE_COLUMNS)} from person_link where agency_id = {text(agency_id)} and month = {text(month)}"
            f" and zone = {text(zone)} order by entity, entity_id, role_code, record_id) to {text(str(partial))} (format parquet)"
        )
        os.replace(partial, path)
        changed.add((agency_id, month))
    for file in set(before) - set(now):
        (root / file).unlink(missing_ok=True)
        agency_id, month, _ = file.split("/")
        changed.add((agency_id.removeprefix("agency_id="), month.removeprefix("month=")))
    found.changed = sorted(changed)
    return {file: made for file, (*_, made) in now.items()}


def _grown(con: duckdb.DuckDBPyConnection, zone: str) -> str | None:
    """A hint that the zone's model has been outgrown."""
    row = con.execute(
        "select trained_on, is_stated from store.model where zone = ? order by version desc limit 1", [zone]
    ).fetchone()
    (now,) = con.execute("select count(*) from profile").fetchone()
    if row and now > GROWTH * row[0]:
        return (
            f"the model knows {row[0]:,} profiles and there are {now:,}; train it again: crisis linkage run --retrain"
        )
    return None
