"""Searches everything that leaves the identity store for the identifiers of a truth folder.

Looked for are names, birth dates, phones and addresses of all true persons, in every column of DuckDB databases and
Parquet files and in the bytes of all other files (logs, manifests, the event database of Dagster). All is cut into
words the same way, upper case without accents, so that spelling, commas and quotes do not hide anything.

So that short common words do not count: of names, first and last name side by side, either way round, are a find
anywhere. A single name counts only where it is all that a cell of a table holds, has at least four letters, is no word
of the project's own seeds, and the column holds at least three different ones: a column of the code `unknown` or of
beats is none, a column of last names is. A birth date counts only where it lies eighteen years before the first month
of the records (later days stand in calendars), in one of three spellings; a phone as its ten digits in a row of their
own; an address as its words one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow

from orchestration.engine import connect, name, text
from orchestration.settings import Settings

LONGEST = 6  # words of the longest needle that is looked for
SINGLE_NAMES = 3  # so many different single names make a column of names
CHUNK = 4_000_000  # bytes of a file that are searched at a time
LINE = 1_000  # letters of a line that are cut into words at a time
OVERLAP = 200  # what a cut would part: longer than any identifier
Say = Callable[[str], None]


@dataclass(frozen=True)
class Find:
    """Identifiers found in one place. kind: name, birth_date, phone, address, single_name. The values are not told."""

    place: str
    kind: str
    different: int


def words_sql(value: str) -> str:
    """SQL: the words of a text, as a list: upper case, no accents; apostrophes go, all else that is no letter or digit parts."""
    return f"list_filter(string_split_regex(replace(upper(strip_accents({value})), '''', ''), '[^\\p{{L}}0-9]+'), w -> w <> '')"


def load_needles(con: duckdb.DuckDBPyConnection, truth: Path) -> None:
    """Makes table `needle` (kind, phrase, length) of truth/person.parquet, phrases as words with one blank between."""
    seeds = con.execute("select coalesce(max(month), '9999-12') from (select min(month) as month from "
                        f"read_parquet({text(str(truth / 'record.parquet'))}) where month <> 'unknown')").fetchone()[0]  # fmt: skip
    person = f"read_parquet({text(str(truth / 'person.parquet'))})"
    has = {row[0] for row in con.execute(f"describe select * from {person}").fetchall()}
    addresses = [c for c in ("address", "old_address") if c in has]
    lasts = [c for c in ("last_name", "old_last_name") if c in has]
    names = [f"{a} || ' ' || {b}" for last in lasts for a, b in (("first_name", last), (last, "first_name"))]
    parts = [f"select 'name' as kind, {n} as value from {person}" for n in names]
    parts += [f"select 'address', {a} from {person}" for a in addresses]
    parts += [f"select 'single_name', {c} from {person}" for c in ("first_name", *lasts)]
    parts += [
        f"select 'birth_date', strftime(try_cast(birth_date as date), {text(f)}) from {person}"
        f" where try_cast(birth_date as date) < date '{seeds}-01' - interval 18 year"
        for f in ("%Y-%m-%d", "%m/%d/%Y", "%Y%m%d")
    ]
    parts.append(f"select 'phone', regexp_replace(phone, '[^0-9]', '', 'g') from {person} where length(phone) >= 10")
    con.execute(
        f"""
        create or replace temp table needle as
        select distinct kind, array_to_string(words, ' ') as phrase, len(words) as length
        from (select kind, {words_sql("value")} as words from ({" union all ".join(parts)}) where value is not null)
        where len(words) between 1 and {LONGEST} and (kind <> 'name' or len(words) >= 2)
        """
    )
    con.execute(
        f"delete from needle where kind = 'single_name' and (length(phrase) < 4 or phrase in"
        f" (select unnest({words_sql('said')}) from (select unnest(?) as said)))",
        [_own_words()],
    )
    con.execute("delete from needle where kind = 'address' and length < 2")


def _own_words() -> list[str]:
    """The text of the project's seeds: words that a table may hold without naming anybody."""
    from orchestration.settings import PROJECT

    return [
        p.read_text(encoding="utf-8") for p in sorted((PROJECT / "seeds").rglob("*")) if p.suffix in (".csv", ".yml")
    ]


def _search(con: duckdb.DuckDBPyConnection, place: str, values: str, is_cell: bool) -> list[Find]:
    """Finds in the texts of a query with one column `value`. is_cell: whether each is the whole of a table's cell."""
    rows = con.execute(
        f"""
        with told as (select distinct value from ({values}) where value is not null),
        cut as materialized (select value, {words_sql("value")} as words from told),
        -- a phone is found whatever stands between its digits
        digits as (
            select unnest(regexp_extract_all(value, '(?:^|[^0-9])(\\+?1?[-. (]*[0-9]{{3}}[-. )]*[0-9]{{3}}[-. ]*[0-9]{{4}})(?:$|[^0-9])', 1)) as phone
            from told
        ),
        -- only where the first word of an identifier stands may the rest of it follow
        starts as (select words, unnest(range(1, len(words) + 1)) as i from cut),
        wanted as (select distinct split_part(phrase, ' ', 1) as first_word, length from needle),
        seen as (
            select array_to_string(words[i:i + length - 1], ' ') as phrase from starts join wanted on words[i] = first_word
            union select right(regexp_replace(phone, '[^0-9]', '', 'g'), 10) from digits
        ),
        whole as (select distinct array_to_string(words, ' ') as phrase from cut where len(words) = 1)
        select kind, count(distinct phrase) from needle
        where kind <> 'single_name' and phrase in (select phrase from seen) group by kind
        union all
        select kind, count(*) from needle
        where kind = 'single_name' and {str(is_cell).lower()} and phrase in (select phrase from whole)
        group by kind having count(*) >= {SINGLE_NAMES}
        order by kind
        """
    ).fetchall()
    return [Find(place, kind, different) for kind, different in rows]


def _columns(con: duckdb.DuckDBPyConnection, relation: str) -> Iterable[str]:
    """Columns that can hold an identifier: all but true and false."""
    for column, kind, *_ in con.execute(f"describe select * from {relation}").fetchall():
        if kind != "BOOLEAN":
            yield column


def search_relation(con: duckdb.DuckDBPyConnection, place: str, relation: str) -> list[Find]:
    """Finds in every column of a table, view or table function; the whole table is looked at first."""
    columns = list(_columns(con, relation))
    cells = ", ".join(f"cast({name(c)} as varchar)" for c in columns)
    if not columns or not _search(con, place, f"select unnest([{cells}]) as value from {relation}", True):
        return []
    return [
        find
        for column in columns
        for find in _search(
            con, f"{place}.{column}", f"select cast({name(column)} as varchar) as value from {relation}", True
        )
    ]


def search_database(con: duckdb.DuckDBPyConnection, path: Path) -> list[Find]:
    """Finds in every table of a DuckDB file."""
    con.execute(f"attach {text(str(path))} as searched (read_only)")
    try:
        tables = con.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'searched' order by all"
        ).fetchall()
        return [
            find
            for schema, table in tables
            for find in search_relation(con, f"{path.name}:{schema}.{table}", f"searched.{name(schema)}.{name(table)}")
        ]
    finally:
        con.execute("detach searched")


def _pieces(printable: str) -> Iterable[str]:
    """The lines of a text; long ones, such as a whole JSON file, in overlapping pieces."""
    for line in printable.split("\n"):
        for start in range(0, max(len(line), 1), LINE):
            yield line[max(start - OVERLAP, 0) : start + LINE]


def search_file(con: duckdb.DuckDBPyConnection, path: Path) -> list[Find]:
    """Finds in one file: a DuckDB database, or anything else by its bytes."""
    if path.suffix == ".duckdb":
        return search_database(con, path)
    found: dict[str, int] = {}
    with path.open("rb") as file:
        kept = b""
        while block := file.read(CHUNK):
            printable = re.sub(rb"[\x00-\x1f\x7f]+", b"\n", kept + block).decode("utf-8", "replace")
            con.register("lines", pyarrow.table({"value": list(_pieces(printable))}))
            for find in _search(con, str(path), "select value from lines", False):
                found[find.kind] = max(found.get(find.kind, 0), find.different)
            con.unregister("lines")
            kept = block[-OVERLAP:]
    return [Find(str(path), kind, different) for kind, different in found.items()]


def places(settings: Settings) -> list[Path]:
    """What leaves the identity store: the warehouse, input, ledger, releases, logs and Dagster's own storage.

    Not landing, identity and results, which hold persons by design and are closed to others; and not dbt, which holds
    the parsed project alone.
    """
    roots = (settings.warehouse, settings.input, settings.home / "ledger", settings.releases, settings.logs,
             settings.dagster_home, settings.home / "requests")  # fmt: skip
    return [
        path
        for root in roots
        for path in ([root] if root.is_file() else sorted(root.rglob("*")))
        if path.is_file() and not path.is_symlink() and path.suffix not in (".wal", ".lock")
    ]


def search_home(settings: Settings, truth: Path, say: Say = lambda _: None) -> list[Find]:
    """Everything found in `places` of the persons of a truth folder. Raises FileNotFoundError without one."""
    if not (truth / "person.parquet").exists():
        raise FileNotFoundError(f"{truth} holds no person.parquet: name the truth folder that `crisis county` wrote")
    with connect(settings=settings) as con:
        load_needles(con, truth)
        (count,) = con.execute("select count(*) from needle").fetchone()
        files = places(settings)
        say(f"{count:,} identifiers are looked for in {len(files):,} files")
        tables: dict[Path, list[Path]] = {}  # Parquet files of one table are read together
        for path in files:
            if path.suffix == ".parquet":
                tables.setdefault(_table_of(settings, path), []).append(path)
        found = [find for table, paths in tables.items() for find in search_parquet(con, str(table), paths)]
        return found + [f for path in files if path.suffix != ".parquet" for f in search_file(con, path)]


def search_parquet(con: duckdb.DuckDBPyConnection, place: str, paths: list[Path]) -> list[Find]:
    """Finds in the Parquet files of one table."""
    listed = ", ".join(text(str(p)) for p in paths)
    return search_relation(con, place, f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)")


def _table_of(settings: Settings, path: Path) -> Path:
    """The folder of an input table, whose files are partitions; else the file itself."""
    if path.is_relative_to(settings.input):
        return settings.input / path.relative_to(settings.input).parts[0]
    return path
