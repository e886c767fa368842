"""Times the metrics layer model by model, beside hand-written scripts of the same metrics.

Writes the files of the fictional county and runs the whole road over them (not timed). More calls than one county's
are more counties: the rows that the metrics read are repeated under other agencies', records' and persons' names, so
that every system of the county grows with its calls. Then the layer is built as its asset builds it, and the scripts
of metrics_by_hand run over the same marts, each in a process of its own. Both results are compared.

    python benchmarks/metrics.py                   one county of a million calls
    python benchmarks/metrics.py --counties 10     10 million calls; needs about 20 GB of disk
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from road import heading, print_machine
from steps import peak_bytes, timed

SCRIPTS = Path(__file__).with_name("metrics_by_hand")
# Later ones read what earlier ones make, as models read models.
ORDER = (
    "response", "workload", "staffing", "identification", "training", "wellness", "diversion", "program", "outcome",
    "needs", "cost", "quality", "indicator",
)  # fmt: skip
SHORTEST = 0.01  # shares of the layer's seconds below this are printed as one line


def alone(work, *given):
    """What the function gives in a fresh process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def settings_of(folder: Path):
    from orchestration.settings import Settings

    warnings.simplefilter("ignore")
    return Settings(home=folder / "home", memory_limit="4GB")


# ---------------------------------------------------------------- what is measured on


def make_home(folder: Path, calls: int, months: int) -> None:
    """The warehouse of one county, made by the whole road."""
    from orchestration.county import AGENCIES, write_county
    from orchestration.run import run_road

    settings = settings_of(folder)
    write_county(settings.drop, calls, months)
    outcome = run_road(settings, list(AGENCIES), report=lambda layer, said: say(f"{layer}: {said}"))
    if not outcome.success:
        raise SystemExit(f"the run did not succeed: {outcome}")


def repeat_county(folder: Path, counties: int) -> None:
    """Repeats the rows that the metrics read, under other names; the ledger learns of the new agencies' months."""
    from orchestration.layers.models import Warehouse

    warehouse = Warehouse.open(settings_of(folder))
    with warehouse.connect() as con:
        for schema, table in read_by_metrics(warehouse):
            columns = [c for c, *_ in con.execute(f"describe {schema}.{table}").fetchall()]
            agency = next((c for c in ("agency_id", "first_agency_id") if c in columns), None)
            for number in range(2, counties + 1) if agency else ():
                renamed = ", ".join(f"{other_name(c, number)} as {c}" for c in columns if is_name(c))
                con.execute(
                    f"insert into {schema}.{table} select * replace ({renamed}) from {schema}.{table}"
                    f" where starts_with({agency}, 'cedar_')"
                )
            say(f"{schema}.{table}: {con.execute(f'select count(*) from {schema}.{table}').fetchone()[0]:,} rows")
    repeat_months(warehouse, counties)


def repeat_months(warehouse, counties: int) -> None:
    """Notes in the ledger that the repeated agencies' months are in the warehouse."""
    from orchestration.layers.models import LOADED

    write_ids = warehouse.write_ids()
    for agency, months in warehouse.loaded().items():
        for month, made in months.items():
            names = [agency.replace("cedar_", f"cedar{number}_") for number in range(2, counties + 1)]
            taken = {(LOADED, name, month): json.dumps(made, sort_keys=True) for name in names}
            warehouse.ledger.set_fingerprints("staging", taken, write_ids["staging", month])


def is_name(column: str) -> bool:
    """Whether the column names an agency, a record of one, or a person."""
    return column.endswith(("_id", "person_key"))


def other_name(column: str, number: int) -> str:
    if column.endswith("person_key"):
        return f"{column} || '{number}'"
    return f"replace({column}, 'cedar_', 'cedar{number}_')"


def read_by_metrics(warehouse) -> list[tuple[str, str]]:
    """Tables of staging and marts that the models of the metrics layer read, themselves or through views."""
    models, found = warehouse.project.models, set()

    def visit(unique_id: str) -> None:
        for parent in models[unique_id].parents:
            model = models.get(parent)
            if model is None or model.layer == "metrics":
                continue
            if model.materialized == "view":
                visit(parent)
            else:
                found.add((model.schema, model.name))

    for unique_id, model in models.items():
        if model.layer == "metrics":
            visit(unique_id)
    return sorted(found)


# ---------------------------------------------------------------- the two sides


def build_layer(folder: Path) -> dict:
    """Seconds, peak memory, and seconds of each model of the layer, built from nothing."""
    from orchestration.layers.lock import writer_lock
    from orchestration.layers.models import WHOLE, Warehouse

    settings = settings_of(folder)
    warehouse = Warehouse.open(settings)
    project = warehouse.project
    months = sorted({m for layer, m in warehouse.write_ids() if layer == "marts"} - {WHOLE})
    warehouse.ledger.forget_tables("metrics", [m.name for m in project.layer("metrics")], [*months, WHOLE])
    project._parse()
    results, invoke = [], project.invoke
    project.invoke = lambda *command: results.extend(invoke(*command))
    with writer_lock(settings.home, "benchmark"), timed() as took:
        warehouse.build("metrics", months)
    models = {r.node.name: r.execution_time for r in results}
    return took | {"memory": peak_bytes(), "models": models}


def run_scripts(folder: Path) -> dict:
    """Seconds, peak memory, and seconds of each statement of the hand-written scripts, by what it makes."""
    import duckdb

    settings = settings_of(folder)
    database = folder / "by_hand.duckdb"
    database.unlink(missing_ok=True)
    made: dict[str, float] = {}
    con = duckdb.connect(str(database), config={"threads": settings.threads, "memory_limit": settings.memory_limit})
    con.execute(f"set timezone = 'UTC'; attach '{settings.warehouse}' as warehouse (read_only)")
    with timed() as took:
        for family in ORDER:
            for statement in con.extract_statements((SCRIPTS / f"{family}.sql").read_text()):
                started = time.perf_counter()
                con.execute(statement)
                name = made_by(statement.query) or f"shared by {family}"
                made[name] = made.get(name, 0) + time.perf_counter() - started
    con.close()
    return took | {"memory": peak_bytes(), "models": made}


def made_by(statement: str) -> str | None:
    """The metric table that a statement makes."""
    words = statement.split("create table ", 1)
    return words[1].split()[0] if len(words) == 2 else None


def compare(folder: Path) -> dict[str, tuple[int, int, int]]:
    """By table: rows of the layer that are available, and rows that only one side has, in the columns both have."""
    import duckdb

    with duckdb.connect(config={"memory_limit": "4GB"}) as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"attach '{settings_of(folder).warehouse}' as warehouse (read_only)")
        con.execute(f"attach '{folder / 'by_hand.duckdb'}' as by_hand (read_only)")
        return {table: differences(con, table) for table in tables_by_hand(con)}


def tables_by_hand(con) -> Iterator[str]:
    for (name,) in con.execute(
        "select table_name from duckdb_tables() where database_name = 'by_hand' and table_name like 'met\\_%' escape '\\'"
        " order by 1"
    ).fetchall():
        yield name


def differences(con, table: str) -> tuple[int, int, int]:
    columns = con.execute(f"describe by_hand.{table}").fetchall()
    picked = ", ".join(
        # Sums of floating numbers hang on their order.
        f"round(cast({c} as double), 3) as {c}"
        if kind.startswith(("DOUBLE", "DECIMAL", "FLOAT"))
        else f"cast({c} as varchar) as {c}"
        for c, kind, *_ in columns
    )
    told = {c for c, *_ in con.execute(f"describe warehouse.metrics.{table}").fetchall()}
    available = "where availability_code = 'available'" if "availability_code" in told else ""
    layer = f"select {picked} from warehouse.metrics.{table} {available}"
    by_hand = f"select {picked} from by_hand.{table}"
    return con.execute(
        f"select (select count(*) from ({layer})), (select count(*) from ({layer} except all {by_hand})),"
        f" (select count(*) from ({by_hand} except all {layer}))"
    ).fetchone()


# ---------------------------------------------------------------- printing


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr)


def print_models(layer: dict, by_hand: dict, found: dict) -> None:
    heading("By table: seconds by the clock")
    print(f"{'':<42}{'model':>8}{'by hand':>9}{'rows':>11}  result")
    whole, short = sum(layer["models"].values()), []
    for name, seconds in sorted(layer["models"].items(), key=lambda item: -item[1]):
        if seconds < SHORTEST * whole:
            short.append(name)
            continue
        print_table(name, seconds, by_hand["models"].get(name), found.get(name))
    rest = [name for name in short if name in by_hand["models"]]
    print(f"{len(short)} tables of less than {SHORTEST:.0%} each: {sum(layer['models'][n] for n in short):.2f} s")
    print(f"  {len(rest)} of them by hand: {sum(by_hand['models'][n] for n in rest):.2f} s")
    for name, seconds in by_hand["models"].items():
        if name not in layer["models"]:
            print(f"{name:<42}{'':>8}{seconds:>9.2f}")
    differ = {t: f for t, f in found.items() if any(f[1:])}
    print(f"{len(found) - len(differ)} of {len(found)} tables equal row by row")
    for table, (_, only_layer, only_hand) in differ.items():
        print(f"NOT EQUAL: {table}: {only_layer:,} rows only in the layer, {only_hand:,} only by hand")


def print_table(name: str, seconds: float, by_hand: float | None, found: tuple[int, int, int] | None) -> None:
    result = "not by hand" if found is None else "equal" if not any(found[1:]) else "NOT EQUAL"
    hand = "" if by_hand is None else f"{by_hand:.2f}"
    print(f"{name:<42}{seconds:>8.2f}{hand:>9}{found[0] if found else '':>11}  {result}")


def print_ratio(layer: dict, by_hand: dict) -> None:
    heading("Metrics layer to hand-written scripts")
    both = [name for name in layer["models"] if name in by_hand["models"]]
    seconds, hand = sum(layer["models"][n] for n in both), sum(by_hand["models"].values())
    print(f"{len(both)} of {len(layer['models'])} tables are written by hand")
    print(f"these                {seconds:8.2f} / {hand:.2f} s = {seconds / hand:.2f}")
    print(
        f"the whole layer      wall {layer['wall']:8.2f} s   CPU {layer['cpu']:8.2f} s   peak {layer['memory'] / 2**20:,.0f} MB"
    )
    print(
        f"the scripts          wall {by_hand['wall']:8.2f} s   CPU {by_hand['cpu']:8.2f} s   peak {by_hand['memory'] / 2**20:,.0f} MB"
    )
    share = layer["wall"] - sum(layer["models"].values())
    print(f"of the layer, not in a model (dbt between models, ledger, window): {share:.2f} s")


# ---------------------------------------------------------------- command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000, help="CAD events of one county (default: 1000000)")
    parser.add_argument("--months", type=int, default=12, help="months that they lie in (default: 12)")
    parser.add_argument("--counties", type=int, default=1, help="how many times the county stands there (default: 1)")
    parser.add_argument(
        "--home", type=Path, help="folder for files and homes, kept and used again (default: temporary)"
    )
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    folder = (options.home or Path(tempfile.mkdtemp(prefix="metrics_"))).resolve()
    try:
        print_machine()
        if not (folder / "home").exists():
            alone(make_home, folder, options.calls, options.months)
            alone(repeat_county, folder, options.counties)
        layer, by_hand = alone(build_layer, folder), alone(run_scripts, folder)
        heading(f"{options.calls * options.counties:,} calls: {options.counties} counties of {options.calls:,}")
        print_models(layer, by_hand, alone(compare, folder))
        print_ratio(layer, by_hand)
    finally:
        if not options.home:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
