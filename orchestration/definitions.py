"""The Dagster code location: build_definitions(settings), nothing else; tests build the same graph."""

from __future__ import annotations

import logging

import dagster as dg

from orchestration.agencies import AgencyError, find_agencies, load_agency
from orchestration.layers.assets import Report, Road, all_assets, writer_resource
from orchestration.settings import Settings

ROAD = "road"


def build_definitions(settings: Settings, report: Report = lambda layer, said: None) -> dg.Definitions:
    """The whole graph for the agencies on the search paths. An agency that cannot be loaded is left out and named."""
    settings.ensure_home()
    agencies = []
    for folder in find_agencies(settings.agency_paths).values():
        try:
            agencies.append(load_agency(folder))
        except AgencyError as error:
            logging.getLogger("orchestration").error("left out: %s", error)
    road = Road(settings, report)
    assets, checks = all_assets(road, agencies)
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=[
            dg.define_asset_job(
                ROAD, selection="*", partitions_def=road.partitions, description="From landing to release."
            )
        ],
        resources={"writer": writer_resource(road)},
        # One process runs all steps: the writer lock is held from input to the last gate.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    return build_definitions(Settings.from_environment())
