"""The search for identifiers finds them wherever they are put, and nothing where only common words stand."""

from __future__ import annotations

import sqlite3

import duckdb
import pytest

from orchestration.linkage.search import search_home
from orchestration.settings import Settings


@pytest.fixture
def home(tmp_path):
    settings = Settings(home=tmp_path / "home", threads=2, memory_limit="1GB")
    settings.ensure_home()
    truth = tmp_path / "truth"
    truth.mkdir()
    people = [
        ("Zoë", "O'Quimby", "1981-04-09", "555-010-4321", "12 Example St"),
        ("May", "Street", "1950-11-30", "291-010-1111", "7 Fable Ln"),
        ("Grace", "Center", "1999-01-02", "391-010-2222", "9 Myth Way"),
        ("Alfonsina", "Baxterly", "1964-02-03", "391-010-3333", "44 Riddle Rd"),
        ("Thaddeus", "Quillfeather", "1971-07-08", "391-010-4444", "45 Riddle Rd"),
    ]
    duckdb.sql(
        f"copy (select * from (values {', '.join(map(repr_sql, people))}) as t(first_name, last_name, birth_date, phone, address)) to '{truth}/person.parquet'"
    )
    duckdb.sql(f"copy (select '2024-01' as month) to '{truth}/record.parquet'")
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(
            "create schema marts; create table marts.fct (contact_id varchar, text varchar, day date, n bigint)"
        )
        con.execute(
            "insert into marts.fct values ('a:1', 'May Day parade at the Street Center, with grace', date '2024-05-01', 5550104320)"
        )
    return settings, truth


def repr_sql(row) -> str:
    return "(" + ", ".join("'" + v.replace("'", "''") + "'" for v in row) + ")"


def kinds(home) -> set[str]:
    return {find.kind for find in search_home(*home)}


def test_common_words_that_are_also_names_are_no_find(home):
    assert search_home(*home) == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("seen with OQUIMBY, ZOE today", "name"),
        ("May Street", "name"),
        ("born 04/09/1981.", "birth_date"),
        ("call (555) 010 4321", "phone"),
        ("5550104321", "phone"),
        ("at 12 EXAMPLE ST #4", "address"),
    ],
)
def test_an_identifier_put_into_a_mart_is_found(home, value, kind):
    with duckdb.connect(str(home[0].warehouse)) as con:
        con.execute("update marts.fct set text = ?", [value])
    assert kinds(home) == {kind}


def test_numbers_dates_and_columns_of_single_names_are_found(home):
    with duckdb.connect(str(home[0].warehouse)) as con:
        con.execute("update marts.fct set n = 5550104321, day = date '1964-02-03'")
        con.execute("create table marts.who as select unnest(['Baxterly', 'Quillfeather', 'Alfonsina']) as label")
    found = {(f.place.split(":")[-1], f.kind) for f in search_home(*home)}
    assert found == {("marts.fct.n", "phone"), ("marts.fct.day", "birth_date"), ("marts.who.label", "single_name")}


def test_releases_logs_and_event_databases_are_searched(home):
    settings, _ = home
    (settings.releases / "r1" / "general").mkdir(parents=True)
    duckdb.sql(f"copy (select 'Quillfeather Thaddeus' as note) to '{settings.releases}/r1/general/t.parquet'")
    (settings.logs / "run.log").write_text("x" * 10 + "\nWARN no match for Alfonsina Baxterly\n")
    with sqlite3.connect(settings.dagster_home / "events.db") as con:
        con.execute("create table event_logs (event text)")
        con.execute("""insert into event_logs values ('{"metadata": {"address": "9 Myth Way"}}')""")
    places = {(f.place.rsplit("/", 1)[-1], f.kind) for f in search_home(*home)}
    assert places == {("t.parquet.note", "name"), ("run.log", "name"), ("events.db", "address")}
