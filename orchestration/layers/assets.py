"""The layers as Dagster assets, with their gates as blocking checks between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from orchestration.agencies import Agency, AgencyError, check_agency, load_agency
from orchestration.landing import land_drop
from orchestration.layers.fingerprint import WHOLE
from orchestration.layers.gates import judge_input, judge_layer, judge_whole, stopping
from orchestration.layers.input import build_input, load_state
from orchestration.layers.ledger import EVERY_AGENCY, new_write_id
from orchestration.layers.linkage import build_links, judge_links
from orchestration.layers.links import LINK_GATE
from orchestration.layers.lock import writer_lock
from orchestration.layers.models import DBT_LAYERS, Warehouse, selection
from orchestration.layers.months import UNKNOWN, month_range, partition_keys
from orchestration.release import publish as release
from orchestration.settings import Settings
from orchestration.standard import load_standard, mapped_entities

Report = Callable[[str, str], None]  # (layer, what it says)
SINGLE_RUN = dg.BackfillPolicy.single_run()


@dataclass
class Road:
    """What every asset of one code location shares."""

    settings: Settings
    report: Report

    def __post_init__(self):
        self.partitions = dg.StaticPartitionsDefinition(
            partition_keys(self.settings.first_month, self.settings.last_month)
        )
        self._warehouse: Warehouse | None = None

    @property
    def warehouse(self) -> Warehouse:
        if self._warehouse is None:
            self._warehouse = Warehouse.open(self.settings)
        return self._warehouse

    def months(self, context) -> list[str]:
        """Months that the run asks for; without partition tags, all that have something to do."""
        tags = context.run.tags
        if "dagster/partition" in tags:
            return [tags["dagster/partition"]]
        first, last = (tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
        if first is None:
            return sorted({m for months in self.warehouse.to_do().values() for m in months} - {WHOLE})
        if first == UNKNOWN:
            return [UNKNOWN] if last == UNKNOWN else [UNKNOWN, *month_range(self.settings.first_month, last)]
        return month_range(first, last)

    @contextmanager
    def step(self, layer: str) -> Iterator[Callable[[str], None]]:
        """Times a step; what is said inside stands in its closing line."""
        started, said = time.perf_counter(), []
        yield said.append
        self.report(layer, f"{'; '.join(said)}{' ' if said else ''}({time.perf_counter() - started:.1f} s)")


def writer_resource(road: Road) -> dg.ResourceDefinition:
    """Holds the writer lock from the first writing step of a run to its last gate (one process runs all steps)."""

    @dg.resource
    def writer(context):
        what = f"run {context.run_id[:8]}" if context.run_id else "a run"
        with writer_lock(road.settings.home, what, lambda text: (context.log.info(text), road.report("lock", text))):
            yield road.warehouse

    return writer


def _spec_key(layer: str, agency_id: str, table: str) -> dg.AssetKey:
    return dg.AssetKey([layer, agency_id, table])


def landing_asset(road: Road, agency_id: str, feed: str) -> dg.AssetsDefinition:
    """Lands the files of one feed from the drop folder."""

    @dg.asset(
        key=_spec_key("landing", agency_id, feed),
        group_name="landing",
        required_resource_keys={"writer"},
        description=f"Files of the feed '{feed}' of {agency_id}, as they came, with their manifest.",
    )
    def landed(context) -> dg.MaterializeResult:
        settings = road.settings
        try:
            agency = load_agency(_folder(settings, agency_id))
        except AgencyError as error:
            context.log.error(str(error))
            return dg.MaterializeResult(metadata={"stopped": str(error)})
        rows = land_drop(settings, agency, settings.drop / agency_id, feed, context.log.warning)
        refused = [f"{r.file_name}: {r.rule}: {r.reason}. {r.remedy}" for r in rows if r.status == "refused"]
        return dg.MaterializeResult(metadata={"files_landed": len(rows) - len(refused), "refused": refused})

    return landed


def _folder(settings: Settings, agency_id: str) -> Path:
    from orchestration.agencies import find_agencies

    return find_agencies(settings.agency_paths)[agency_id]


def _entities(agency: Agency) -> list[str]:
    return sorted({e for feed in agency.feeds.values() for e in feed.entities})


def input_assets(road: Road, agency: Agency) -> tuple[dg.AssetsDefinition, dg.AssetChecksDefinition]:
    """The agency's rows in the standard, one asset per entity, and their gate."""
    agency_id, entities = agency.id, _entities(agency)
    keys = {e: _spec_key("input", agency_id, e) for e in entities}
    upstream = [_spec_key("landing", agency_id, feed) for feed in agency.feeds]

    @dg.multi_asset(
        name=f"input_{agency_id}",
        specs=[
            dg.AssetSpec(key, deps=upstream, group_name="input", description=load_standard()[e].description)
            for e, key in keys.items()
        ],
        partitions_def=road.partitions,
        backfill_policy=SINGLE_RUN,
        required_resource_keys={"writer"},
    )
    def rows(context):
        settings, warehouse = road.settings, road.warehouse
        with road.step(f"input {agency_id}") as say:
            try:
                now = load_agency(_folder(settings, agency_id))
                check_agency(now)
                changed = build_input(settings, now, warehouse.ledger, context.log.info)
                say(f"{len(changed)} month(s) changed")
            except AgencyError as error:
                context.log.error(str(error))
                say(f"stopped: {error}")
        state = load_state(settings, agency_id)
        for entity, key in keys.items():
            counts = [f["entities"][entity] for f in state.files.values() if entity in f["entities"]]
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "files": len(counts),
                    "rows_landed": sum(c["landed"] for c in counts),
                    "rows_rejected": sum(c["rejected"] for c in counts),
                },
            )

    @dg.multi_asset_check(
        name=f"gate_input_{agency_id}",
        specs=[
            # Blocking gives the order (the gate before staging); the result is a warning, so other agencies go on.
            dg.AssetCheckSpec(
                "gate", asset=key, blocking=True, description="Great Expectations suite of the input layer"
            )
            for key in keys.values()
        ],
        required_resource_keys={"writer"},
    )
    def gate(context):
        with road.step(f"gate input {agency_id}") as say:
            opened, error = {}, ""
            try:
                opened = judge_input(road.warehouse, agency_id, road.months(context))
            except Exception as raised:
                error = f"the check did not finish ({type(raised).__name__}); the gate stays closed"
                context.log.error(f"gate input {agency_id}: {error}", exc_info=False)
            held = sorted(m for m, is_open in opened.items() if not is_open)
            why = stopping(road.warehouse, "input", [(agency_id, m) for m in held])
            say(
                error
                or f"{len(opened) - len(held)} month(s) open"
                + (f", {len(held)} held back: {'; '.join(why[:3])}" if held else "")
            )
        for entity, key in keys.items():
            mine = [w for w in why if w.startswith(f"{entity}.")]
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name="gate",
                passed=not (error or held),
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"open": len(opened) - len(held), "held_back": held, "reasons": mine or why},
                description=error or (f"{len(held)} month(s) held back" if held else None),
            )

    return rows, gate


LINK_KEY = dg.AssetKey(["linkage", "person_link"])


def linkage_assets(road: Road, input_keys: list[dg.AssetKey]) -> tuple[dg.AssetsDefinition, dg.AssetChecksDefinition]:
    """Who is who over all agencies' input, and its blocking gate."""

    @dg.asset(
        key=LINK_KEY,
        group_name="linkage",
        deps=input_keys,
        required_resource_keys={"writer"},
        description="Which records are of one person, by zone. Keys are kept in the identity store.",
    )
    def links(context) -> dg.MaterializeResult:
        with road.step("linkage") as say:
            linked = build_links(road.settings, road.warehouse.ledger)
            zones = linked.zones if linked else {}
            say(
                "; ".join(f"{z}: {n['records']:,} records, {n['people']:,} people" for z, n in zones.items())
                or "nothing changed"
            )
        return dg.MaterializeResult(metadata={z: dict(counts) for z, counts in zones.items()})

    @dg.asset_check(
        asset=LINK_KEY,
        name="gate",
        blocking=True,
        required_resource_keys={"writer"},
        description="Great Expectations suites of the links and the identity store",
    )
    def gate() -> dg.AssetCheckResult:
        with road.step("gate linkage") as say:
            is_open = judge_links(road.settings, road.warehouse.ledger)
            why = stopping(road.warehouse, "linkage", [LINK_GATE])
            say("open" if is_open else f"closed: {'; '.join(why[:3])}")
        return dg.AssetCheckResult(
            passed=is_open,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"reasons": why},
            description=why[0] if why else None,
        )

    return links, gate


class Translator(DagsterDbtTranslator):
    """Asset keys [layer, table]; sources of the input layer are the agencies' input assets."""

    def __init__(self, input_keys: list[dg.AssetKey]):
        super().__init__(settings=DagsterDbtTranslatorSettings(enable_asset_checks=False, enable_code_references=False))
        self.input_keys = input_keys

    def get_asset_key(self, dbt_resource_props) -> dg.AssetKey:
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props) -> str:
        schema = dbt_resource_props["schema"]
        return "marts" if schema == "intermediate" else schema

    def get_asset_spec(self, manifest, unique_id, project) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        deps, sources = [], set()
        for dep in spec.deps:
            schema, name = dep.asset_key.path
            if (schema, name) == ("input", LINK_KEY.path[-1]):
                deps.append(dg.AssetDep(LINK_KEY))
            elif schema == "input":
                sources.add(name)
            elif schema != "meta":
                deps.append(dep)
        entities = {e.name for e in mapped_entities()}
        for key in self.input_keys:
            if key.path[-1] in sources or sources - entities:
                deps.append(dg.AssetDep(key))
        return spec.replace_attributes(deps=deps)


def dbt_layer(road: Road, layer: str, translator: Translator) -> tuple[dg.AssetsDefinition, dg.AssetChecksDefinition]:
    """One dbt layer as assets, and its blocking gate."""
    project = road.warehouse.project

    @dbt_assets(
        manifest=project.manifest,
        select=selection(layer),
        name=f"{layer}_layer",
        partitions_def=road.partitions,
        backfill_policy=SINGLE_RUN,
        dagster_dbt_translator=translator,
        required_resource_keys={"writer"},
    )
    def tables(context):
        with road.step(layer) as say:
            road.warehouse.build(layer, road.months(context), say)
        for model in project.layer(layer):  # parents first
            key = dg.AssetKey([model.schema, model.name])
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key)

    judged = [dg.AssetKey([m.schema, m.name]) for m in project.layer(layer) if m.materialized != "view"]

    @dg.multi_asset_check(
        name=f"gate_{layer}",
        specs=[
            dg.AssetCheckSpec(
                "gate", asset=key, blocking=True, description=f"Great Expectations suite of the {layer} layer"
            )
            for key in judged
        ],
        can_subset=True,
        required_resource_keys={"writer"},
    )
    def gate(context):
        with road.step(f"gate {layer}") as say:
            warehouse = road.warehouse
            opened = judge_layer(warehouse, layer, warehouse.window(layer, road.months(context)))
            closed = sorted(m for m, is_open in opened.items() if not is_open)
            why = stopping(warehouse, layer, [(EVERY_AGENCY, m) for m in closed])
            say("open" if not closed else f"closed for {len(closed)}: {'; '.join(why[:3])}")
        chosen = {k.asset_key for k in context.selected_asset_check_keys}
        of = {key: [w for w in why if w.startswith(f"{key.path[-1]}.")] for key in chosen}
        is_told = not closed or any(of.values())  # else every chosen table tells that the gate is closed
        for key in (k for k in judged if k in chosen):
            mine = of[key]
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name="gate",
                passed=not mine and is_told,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={"judged": len(opened), "closed": closed, "reasons": mine if is_told else why},
                description=mine[0] if mine else None,
            )

    return tables, gate


def release_assets(road: Road) -> tuple[dg.AssetsDefinition, dg.AssetsDefinition, dg.AssetChecksDefinition]:
    """The candidate release, its gate, and the release that `current` points to."""
    project = road.warehouse.project
    candidate_key, current_key = dg.AssetKey(["release", "candidate"]), dg.AssetKey(["release", "current"])

    @dg.asset(
        key=candidate_key,
        group_name="release",
        deps=[dg.AssetKey([m.schema, m.name]) for m in project.models.values() if m.schema in ("marts", "metrics")],
        required_resource_keys={"writer"},
        description="Parquet files of every release table by tier, not yet published.",
    )
    def candidate() -> dg.MaterializeResult:
        warehouse = road.warehouse
        with road.step("release") as say:
            warehouse.ledger.close("release", [release.RELEASE_GATE], new_write_id())
            folder = release.export_candidate(warehouse)
            digest = release.candidate_digest(folder)
            warehouse.ledger.close("release", [release.RELEASE_GATE], digest)
            say("candidate exported")
        return dg.MaterializeResult(metadata={"digest": digest})

    @dg.asset_check(
        asset=candidate_key,
        name="gate",
        blocking=True,
        required_resource_keys={"writer"},
        description="Great Expectations suite of the candidate's files",
    )
    def gate() -> dg.AssetCheckResult:
        with road.step("gate release") as say:
            is_open = judge_release(road.warehouse)
            why = stopping(road.warehouse, "release", [release.RELEASE_GATE])
            say("open" if is_open else f"closed: {'; '.join(why[:3])}")
        return dg.AssetCheckResult(
            passed=is_open,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"reasons": why},
            description=why[0] if why else None,
        )

    @dg.asset(
        key=current_key,
        group_name="release",
        deps=[candidate_key],
        required_resource_keys={"writer"},
        description="The release that readers open by default.",
    )
    def current() -> dg.MaterializeResult:
        warehouse = road.warehouse
        folder = road.settings.releases / release.CANDIDATE
        with road.step("release") as say:
            gate_row = warehouse.ledger.gates("release").get(("release", *release.RELEASE_GATE))
            if (
                not folder.exists()
                or gate_row is None
                or gate_row.state != "open"
                or gate_row.write_id != release.candidate_digest(folder)
            ):
                raise release.ReleaseRefused(
                    "the release gate is not open for the candidate that lies there. See `crisis gates`."
                )
            release.refuse_unless_whole(warehouse)
            name, is_new = release.publish(warehouse, folder)
            say(f"{name} is current" if is_new else f"nothing changed; {name} stays current")
        return dg.MaterializeResult(metadata={"release": name, "is_new": is_new})

    return candidate, current, gate


def judge_release(warehouse: Warehouse) -> bool:
    """Judges the candidate's files; opens the release gate for exactly those bytes."""
    settings = warehouse.settings
    folder = settings.releases / release.CANDIDATE
    files = release.checksums(folder)
    contents = {name.removesuffix(".parquet").replace("/", "."): {WHOLE: f["sha256"]} for name, f in files.items()}
    create = partial(release.candidate_database, folder)
    return judge_whole(
        settings, warehouse.ledger, "release", release.digest_of(files), contents, create, settings.results
    )


def all_assets(road: Road, agencies: list[Agency]) -> tuple[list, list]:
    """Every asset and every check of the road, for these agencies."""
    assets, checks = [], []
    for agency in agencies:
        assets += [landing_asset(road, agency.id, feed) for feed in agency.feeds]
        rows, gate = input_assets(road, agency)
        assets.append(rows)
        checks.append(gate)
    input_keys = [_spec_key("input", a.id, e) for a in agencies for e in _entities(a)]
    links, gate = linkage_assets(road, input_keys)
    assets.append(links)
    checks.append(gate)
    translator = Translator(input_keys)
    for layer in DBT_LAYERS:
        tables, gate = dbt_layer(road, layer, translator)
        assets.append(tables)
        checks.append(gate)
    candidate, current, gate = release_assets(road)
    return [*assets, candidate, current], [*checks, gate]
