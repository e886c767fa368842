"""The linkage layer: links people over all agencies' input, and judges the links before staging reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

from orchestration.engine import connect, text
from orchestration.layers.fingerprint import WHOLE, digest
from orchestration.layers.gates import judge_whole
from orchestration.layers.ledger import Ledger, new_write_id
from orchestration.layers.links import LINK_GATE, create_link_view, links_are_open, links_digest
from orchestration.linkage.people import Linked, link_people, links_are_stale
from orchestration.linkage.store import TABLE_NAMES, store_path
from orchestration.settings import Settings


def today(settings: Settings) -> date:
    """The day on which consents are judged."""
    return settings.as_of or date.today()


def links_to_do(settings: Settings, ledger: Ledger) -> bool:
    """Whether people are to be linked, or what was linked is to be judged."""
    return links_are_stale(settings, today(settings)) or not links_are_open(settings, ledger)


def build_links(
    settings: Settings, ledger: Ledger, say: Callable[[str], None] = lambda _: None, retrain: bool = False
) -> Linked | None:
    """Links people where something changed since; None where nothing did. The caller holds the writer lock.

    retrain: learn the model anew. The gate is closed for whatever links lie there that it did not judge.
    """
    linked = None
    if retrain or links_are_stale(settings, today(settings)):
        ledger.close("linkage", [LINK_GATE], new_write_id())
        linked = link_people(settings, today(settings), say, retrain, force=True)
    if not links_are_open(settings, ledger):
        ledger.close("linkage", [LINK_GATE], links_digest(settings))
    return linked


def judge_links(settings: Settings, ledger: Ledger) -> bool:
    """Judges the links and the identity store; opens the gate for exactly these files."""
    links = links_digest(settings)
    contents = _store_contents(settings) | {"linkage.person_link": {WHOLE: links}}
    create = partial(_create_database, settings)
    return judge_whole(settings, ledger, "linkage", links, contents, create, settings.identity)


def _store_contents(settings: Settings) -> dict[str, dict[str, str]]:
    """{"linkage.table": {'*': digest of its rows, in any order}} of what a gate may look at of the identity store."""
    if not store_path(settings).exists():
        return {}
    with connect(settings=settings) as con:
        con.execute(f"attach {text(str(store_path(settings)))} as people (read_only)")
        rows = {t: con.execute(f"select count(*), sum(hash(r)) from people.{t} as r").fetchone() for t in TABLE_NAMES}
    return {f"linkage.{table}": {WHOLE: digest(*map(str, counted))} for table, counted in rows.items()}


def _create_database(settings: Settings, database: Path) -> None:
    """A DuckDB file with the links and what a gate may look at of the identity store, in the schema `linkage`."""
    with connect(database) as con:
        con.execute("create schema linkage")
        create_link_view(con, settings, "linkage.person_link")
        if store_path(settings).exists():
            con.execute(f"attach {text(str(store_path(settings)))} as people (read_only)")
            for table in TABLE_NAMES:
                con.execute(f"create table linkage.{table} as from people.{table}")
            con.execute("detach people")
