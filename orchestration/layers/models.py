"""The layers that dbt builds: staging, marts and metrics.

A layer asks the gates of all months that it reads, closes its own gates under a new write id that it also writes
into the warehouse, tells dbt the window to write, and notes what each partition was made of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import duckdb

from orchestration.engine import connect, text
from orchestration.layers.dbt import DbtProject, Model, versions
from orchestration.layers.fingerprint import MONTHS, WHOLE, digest, expected, reach
from orchestration.layers.input import create_input_views, input_agencies, load_state, open_months
from orchestration.layers.ledger import EVERY_AGENCY, Ledger, new_write_id
from orchestration.layers.links import LINK_GATE, link_digests, link_files, links_are_open
from orchestration.layers.months import UNKNOWN, shift, widen
from orchestration.settings import Settings
from orchestration.standard import mapped_entities

DBT_LAYERS = ("staging", "marts", "metrics")
UPSTREAM = {"staging": "input", "marts": "staging", "metrics": "marts"}
LOADED = "@input"  # the ledger's name for what staging took in, by agency and month
VIEW = "@view "  # and before a view's name, for the code it was made with


class GateClosed(RuntimeError):
    """A layer may not read what lies before it; the message names the gates and why they are closed."""


@dataclass
class Warehouse:
    """The warehouse of one home: dbt project, ledger and settings together."""

    settings: Settings
    project: DbtProject
    ledger: Ledger
    _write_ids: tuple[tuple, dict] = ((), {})

    @classmethod
    def open(cls, settings: Settings) -> Warehouse:
        settings.ensure_home()
        return cls(settings, _project(settings), Ledger(settings.home))

    def connect(self, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        return connect(self.settings.warehouse, self.settings, read_only)

    # -- what is there, and what should be

    def write_ids(self) -> dict[tuple[str, str], str]:
        """Write ids that stand in the warehouse itself: {(layer, month): write_id}."""
        if not self.settings.warehouse.exists():
            return {}
        if self._write_ids[0] != self._version():
            self._write_ids = (self._version(), self._read_write_ids())
        return self._write_ids[1]

    def _version(self) -> tuple:
        """Changes whenever the warehouse file does."""
        stat = self.settings.warehouse.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _read_write_ids(self) -> dict[tuple[str, str], str]:
        with self.connect(read_only=True) as con:
            if not con.execute(
                "select 1 from duckdb_tables() where schema_name = 'meta' and table_name = 'layer_write'"
            ).fetchone():
                return {}
            return {
                (layer, month): write_id for layer, month, write_id in con.execute("from meta.layer_write").fetchall()
            }

    def open_gates(self, layer: str) -> set[str]:
        """Months (and '*' for whole tables) whose gate is open for what lies in the warehouse now."""
        there = self.write_ids()
        gates = self.ledger.gates(layer)
        return {m for (_, _, m), g in gates.items() if g.state == "open" and there.get((layer, m)) == g.write_id}

    def loaded(self) -> dict[str, dict[str, dict[str, str]]]:
        """Input that staging took in last: {agency_id: {month: {entity: fingerprint}}}."""
        there = self.write_ids()
        found: dict[str, dict[str, dict[str, str]]] = {}
        for (table, agency, month), fingerprints in self.ledger.fingerprints("staging").items():
            if table == LOADED and ("staging", month) in there:
                found.setdefault(agency, {})[month] = json.loads(fingerprints)
        return found

    def taken(self) -> dict[str, dict[str, dict[str, str]]]:
        """Input that the warehouse does hold, as staging took it in: {month: {agency_id: {entity: fingerprint}}}."""
        found: dict[str, dict[str, dict[str, str]]] = {}
        for agency, months in self.loaded().items():
            for month, made in months.items():
                if made:
                    found.setdefault(month, {})[agency] = made
        return found

    def wanted(self) -> dict[str, dict[str, dict[str, str]]]:
        """Input that the warehouse should hold: {month: {agency_id: {entity: fingerprint}}}.

        An open month as it lies there now; a held-back month as it was last taken in; an emptied month not at all.
        """
        loaded = self.loaded()
        found: dict[str, dict[str, dict[str, str]]] = {}
        for agency in input_agencies(self.settings):
            open_now = open_months(self.settings, self.ledger, agency)
            for month in load_state(self.settings, agency).months:
                held = loaded.get(agency, {}).get(month, {})
                if made := open_now.get(month, held):
                    found.setdefault(month, {})[agency] = made
        return found

    def facts(self) -> dict[str, dict[str, str]]:
        """Digests of the agency-level tables: {table: {agency_id: digest}}."""
        states = {a: load_state(self.settings, a) for a in input_agencies(self.settings)}
        return {
            "agency": {a: digest(s.agency) for a, s in states.items()},
            "agency_field": {a: digest(s.fields) for a, s in states.items()},
            "agency_code": {a: digest(s.codes) for a, s in states.items()},
            "reconciliation": {a: digest(s.reconciliation(a)) for a, s in states.items()},
            "person_link": link_digests(self.settings),
        }

    def _wanted_if_open(self) -> dict[str, dict[str, dict[str, str]]]:
        """As wanted, if every input gate were open."""
        found: dict[str, dict[str, dict[str, str]]] = {}
        for agency in input_agencies(self.settings):
            for month, made in load_state(self.settings, agency).months.items():
                if made["entities"]:
                    found.setdefault(month, {})[agency] = made["entities"]
        return found

    def expected(self, wanted=None) -> dict[str, dict[tuple[str, str], str]]:
        """Fingerprints that every partition should have: {layer: {(table, month): fingerprint}}."""
        wanted = self.wanted() if wanted is None else wanted
        idle = self._idle(wanted)
        models = {u: m for u, m in self.project.models.items() if m.name not in idle}
        return expected(models, self.project.seeds, versions(), wanted, self.facts())

    def _idle(self, wanted) -> set[str]:
        """Staging models of entities that no agency ever sent and no model reads: their tables are not made."""
        sent = {entity for agencies in wanted.values() for made in agencies.values() for entity in made}
        read = {p for m in self.project.models.values() for p in m.parents}
        built = {table for table, _, _ in self.ledger.fingerprints("staging")}
        entities = {e.name for e in mapped_entities()}
        return {
            m.name
            for m in self.project.layer("staging")
            if m.is_partitioned
            and m.unique_id not in read
            and m.name not in built
            and not sent & m.inputs
            and m.inputs <= entities
        }

    def stale(self, wanted=None) -> dict[str, list[tuple[str, str]]]:
        """Partitions whose fingerprint no longer matches: {layer: [(table, month)]}, in order of the layers."""
        should, there = self.expected(wanted), self.write_ids()
        found: dict[str, list[tuple[str, str]]] = {}
        for layer in DBT_LAYERS:
            made = {(t, m): f for (t, _, m), f in self.ledger.fingerprints(layer).items() if not t.startswith("@")}
            partitions = should.get(layer, {})
            wrong = [key for key, value in partitions.items() if made.get(key) != value or (layer, key[1]) not in there]
            gone = [key for key in made if key not in partitions and (layer, key[1]) in there]
            if wrong or gone:
                found[layer] = sorted({*wrong, *gone})
        return found

    def to_do(self) -> dict[str, set[str]]:
        """Months that a run has to build or judge, by layer: stale ones and ones whose gate is closed."""
        found = {layer: {m for _, m in partitions} for layer, partitions in self.stale().items()}
        months = {*self.wanted(), WHOLE}
        for layer in DBT_LAYERS:
            found.setdefault(layer, set()).update(months - self.open_gates(layer))
        return found

    def may_build(self) -> set[str]:
        """Models that a run may have to build or judge; empty if there is none.

        Stale ones, those that are if the unjudged input passes, all of a layer whose gate is closed; and of each
        layer one that keeps the layers in order.
        """
        found = {t for wanted in (None, self._wanted_if_open()) for ps in self.stale(wanted).values() for t, _ in ps}
        months = {*self.wanted(), *self._wanted_if_open(), WHOLE}
        for layer in DBT_LAYERS:
            made, is_closed = self.ledger.fingerprints(layer), not months <= self.open_gates(layer)
            for model in self.project.layer(layer):
                is_old_view = model.materialized == "view" and _view_made(made, model) != model.digest
                if is_closed or is_old_view:
                    found.add(model.name)
        return found | self._ties() if found else found

    def _ties(self) -> set[str]:
        """Models by which Dagster sees that each layer waits for the gate of the one before, whatever else is chosen.

        The staging table of all agencies' months waits for all input; then a table and a reader of it, layer by layer.
        """
        models = self.project.models
        found = {m.name for m in self.project.layer("staging") if MONTHS in m.inputs}
        for before, layer in pairwise(DBT_LAYERS):
            read = ((p, m) for m in self.project.layer(layer) for p in m.parents if p in models)
            parent, reader = next(
                (p, m) for p, m in read if models[p].layer == before and models[p].materialized != "view"
            )
            found |= {models[parent].name, reader.name}
        return found

    def readers_of(self, table: str) -> set[str]:
        """Models that read an input table, themselves or through others."""
        models, found = self.project.models, set()
        for unique_id, model in models.items():  # parents first
            if table in model.inputs or found & set(model.parents):
                found.add(unique_id)
        return {models[u].name for u in found}

    # -- building

    def window(self, layer: str, requested: Iterable[str]) -> set[str]:
        """Months that the layer writes when these are asked for: they, and existing months that read them."""
        months = {m for m in requested if m != WHOLE}
        existing = {*self.wanted(), *(m for _, m in self.write_ids())} - {WHOLE}
        if layer != "staging":  # a month that the layer before never wrote has a turn of its own
            existing &= {m for kind, m in self.write_ids() if kind == UPSTREAM[layer]} | months
        reached = [r for m, r in reach(self.project.models).items() if self._is_up_to(layer, m)]
        back, ahead = (max((r[i] for r in reached), default=0) for i in (0, 1))
        return widen(months, back, ahead) & existing

    def _is_up_to(self, layer: str, unique_id: str) -> bool:
        return DBT_LAYERS.index(self.project.models[unique_id].layer) <= DBT_LAYERS.index(layer)

    def reads(self, layer: str, months: Iterable[str]) -> set[str]:
        """Months of the layer before that the layer reads to write these."""
        models = self.project.layer(layer)
        return widen(
            months, max((m.lookback for m in models), default=0), max((m.lookahead for m in models), default=0)
        )

    def require_open(self, layer: str, months: Iterable[str]) -> None:
        """Raises GateClosed unless every gate that the layer reads is open."""
        before = UPSTREAM[layer]
        if before == "input":  # of it staging reads open pairs only
            self._require_links()
            return
        existing = {m for (kind, m) in self.write_ids() if kind == before}
        closed = ({*self.reads(layer, months), WHOLE} & {*existing, *months, WHOLE}) - self.open_gates(before)
        if closed:
            gates = self.ledger.gates(before)
            why = [_why(before, m, gates.get((before, EVERY_AGENCY, m)), self.write_ids()) for m in sorted(closed)[:5]]
            more = f" and {len(closed) - 5} more" if len(closed) > 5 else ""
            raise GateClosed(f"{layer} does not run: " + "; ".join(why) + more + ". See `crisis gates`.")

    def _require_links(self) -> None:
        """Raises GateClosed where links are there whose gate is not open."""
        if link_files(self.settings) and not links_are_open(self.settings, self.ledger):
            gate = self.ledger.gates("linkage").get(("linkage", *LINK_GATE))
            why = gate.reason if gate and gate.state != "open" else "it was opened for other links than lie there now"
            raise GateClosed(f"staging does not run: gate linkage is closed: {why}. See `crisis gates`.")

    def build(self, layer: str, requested: Iterable[str], say: Callable[[str], None] = lambda _: None) -> list[str]:
        """Builds one layer for the requested months and those that read them; returns the months written.

        The caller holds the writer lock. Raises GateClosed, DbtFailure.
        """
        months = sorted(self.window(layer, requested))
        self.require_open(layer, months)
        taken: dict[tuple[str, str], dict[str, str]] = {}
        pairs = self._pairs(layer, months, taken)
        models = self._to_build(layer, months)
        write_id = new_write_id()
        self.ledger.close(layer, [(EVERY_AGENCY, m) for m in [*months, WHOLE]], write_id)
        # Forgotten before they are written: a table that a killed run left is not taken for what it was before.
        self.ledger.forget_tables(layer, [_ledger_name(m) for m in models], [*months, WHOLE])
        written = self.write_ids() | dict.fromkeys(((layer, m) for m in [*months, WHOLE]), write_id)
        self._prepare(layer, months, pairs, write_id)
        if models:
            self.project.invoke("run", "--select", *(m.name for m in models))
        self._write_ids = (self._version(), written)  # the lock is ours: nobody else wrote meanwhile
        if layer == "staging":
            made = {(LOADED, a, m): json.dumps(of, sort_keys=True) for (a, m), of in taken.items()}
            self.ledger.set_fingerprints(layer, made, write_id)
        # Of a month whose turn is still to come a table holds the rows of before, or none.
        should, names = self.expected(self.taken()).get(layer, {}), {m.name for m in models}
        made = {(t, EVERY_AGENCY, m): f for (t, m), f in should.items() if t in names and m in {*months, WHOLE}}
        made |= {(VIEW + m.name, EVERY_AGENCY, WHOLE): m.digest for m in models if m.materialized == "view"}
        self.ledger.set_fingerprints(layer, made, write_id)
        say(f"{len(models)} of {len(self.project.layer(layer))} models, {len(pairs)} agency-months")
        return months

    def _to_build(self, layer: str, months: list[str]) -> list[Model]:
        """Models that are not as they should be: of tables by month, in one of these months."""
        there, gates = self.write_ids(), self.ledger.gates(layer)

        def is_ours(month: str) -> bool:
            gate = gates.get((layer, EVERY_AGENCY, month))
            return gate is not None and gate.write_id == there.get((layer, month))

        made, should = self.ledger.fingerprints(layer), self.expected().get(layer, {})
        idle = self._idle(self.wanted()) if layer == "staging" else set()
        ours = {m for m in [*months, WHOLE] if is_ours(m)}
        found = []
        for model in self.project.layer(layer):
            if model.name in idle:
                continue
            if model.materialized == "view":
                wanted = {WHOLE: model.digest}
            else:
                wanted = {m: should.get((model.name, m)) for m in (months if model.is_partitioned else [WHOLE])}
            have = {m: made.get((_ledger_name(model), EVERY_AGENCY, m)) for m in wanted}
            is_new = not any(table == _ledger_name(model) for table, _, _ in made)
            if is_new or have != wanted or not set(wanted) <= ours:
                found.append(model)
        return found

    def _pairs(self, layer: str, months: list[str], taken: dict) -> list[tuple[str, str]]:
        """(agency, month) pairs to delete and insert. For staging `taken` gets what the open ones are made of."""
        if layer == "staging":
            for agency in input_agencies(self.settings):
                open_now = open_months(self.settings, self.ledger, agency)
                taken.update({(agency, m): open_now[m] for m in months if m in open_now})
            return sorted(taken)
        return [(agency, month) for month in months for agency in sorted(self._agencies_in(month))]

    def _agencies_in(self, month: str) -> set[str]:
        return {a for a, loaded in self.loaded().items() if month in loaded}

    def _prepare(self, layer: str, months: list[str], pairs: list[tuple[str, str]], write_id: str) -> None:
        """Writes the write id, the window and the input views into the warehouse."""
        with self.connect() as con:
            con.execute("create schema if not exists meta")
            con.execute("create table if not exists meta.layer_write (layer varchar, month varchar, write_id varchar)")
            con.execute("create table if not exists meta.seed_write (seed varchar, digest varchar)")
            con.execute("begin")
            con.execute(
                "delete from meta.layer_write where layer = ? and month in (select unnest(?))",
                [layer, [*months, WHOLE]],
            )
            con.execute("insert into meta.layer_write select ?, unnest(?), ?", [layer, [*months, WHOLE], write_id])
            con.execute(
                "create or replace table meta.layer_window (agency_id varchar, month varchar, offset_months integer, read_month varchar)"
            )
            rows = [r for pair in pairs for r in _window_rows(*pair)]
            if rows:
                con.execute(
                    "insert into meta.layer_window select unnest(?), unnest(?), unnest(?), unnest(?)",
                    [list(column) for column in zip(*rows, strict=True)],
                )
            con.execute("commit")
            if layer == "staging":
                create_input_views(con, self.settings, pairs)
            seeds = dict(con.execute("from meta.seed_write").fetchall())
            self._load_seeds(con, {s: d for s, d in self.project.seeds.items() if seeds.get(s) != d})

    def _load_seeds(self, con: duckdb.DuckDBPyConnection, changed: dict[str, str]) -> None:
        """Loads seeds whose content is not in the warehouse yet: {seed: digest}; dbt's own way takes ten times longer."""
        for seed, found in changed.items():
            schema, table, path, types = self.project.seed(seed)
            declared = ", ".join(f"{text(c)}: {text(t)}" for c, t in types.items())
            con.execute(f"create schema if not exists {schema}")
            con.execute(
                f"create or replace table {schema}.{table} as"
                f" from read_csv({text(str(path))}, header=true, auto_detect=false, quote='\"', columns={{{declared}}})"
            )
            con.execute("delete from meta.seed_write where seed = ?", [seed])
            con.execute("insert into meta.seed_write values (?, ?)", [seed, found])


_projects: dict[Settings, DbtProject] = {}  # of this process: reading a manifest takes half a second


def _project(settings: Settings) -> DbtProject:
    """The dbt project of a home; the one read before while no file of it changed."""
    fresh = DbtProject(settings)
    kept = _projects.get(settings)
    if kept is None or kept.digest != fresh.digest:
        kept = _projects[settings] = fresh
    return kept


def _view_made(made: dict[tuple[str, str, str], str], view: Model) -> str | None:
    """The digest of the code that a view was last made with."""
    return made.get((VIEW + view.name, EVERY_AGENCY, WHOLE))


def selection(layer: str) -> str:
    """dbt's selection of the models of a layer; intermediate views are built with the marts."""
    return " ".join(
        f"config.schema:{schema}" for schema in (("intermediate", "marts") if layer == "marts" else (layer,))
    )


def _ledger_name(model: Model) -> str:
    """What the ledger calls a model."""
    return (VIEW if model.materialized == "view" else "") + model.name


def _window_rows(agency: str, month: str) -> list[tuple[str, str, int, str]]:
    if month == UNKNOWN:
        return [(agency, month, 0, month)]
    return [(agency, month, by, shift(month, by)) for by in (-1, 0, 1)]


def _why(layer: str, month: str, gate, write_ids: dict[tuple[str, str], str]) -> str:
    where = f"gate {layer}" + (f" {month}" if month != WHOLE else " (whole tables)")
    if gate is None:
        return f"{where} was never opened"
    if gate.state == "open" and write_ids.get((layer, month)) != gate.write_id:
        return f"{where} was opened for other rows than the warehouse holds now"
    return f"{where} is closed: {gate.reason}"


def describe_models(project: DbtProject) -> list[Model]:
    """Models that readers see, in order of schema and name."""
    return sorted(
        (m for m in project.models.values() if m.schema in ("marts", "metrics")), key=lambda m: (m.schema, m.name)
    )
