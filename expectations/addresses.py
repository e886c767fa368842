"""Where failing rows are noted: addresses only (key, agency, month), in files for their owner alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from expectations.datasource import Source
from expectations.loader import Check
from expectations.results import Place
from expectations.sql import Frame, literal, name, relation
from expectations.thresholds import Limits

LIMIT = 100_000  # rows of one check that one judgment notes at most, the first by address
WITHOUT_ROWS = ("rows_at_least", "no_columns")


def path_of(results_dir: Path, layer: str, check_id: str) -> Path:
    """The file of one check's failing rows."""
    return results_dir / layer / f"{check_id}.parquet"


def note(source: Source, frame: Frame, check: Check, limits: Limits, failed: list[Place], results_dir: Path) -> None:
    """Writes the addresses of a check's failing rows in the places where it failed.

    Places that this judgment does not see keep the addresses noted earlier; those it sees lose theirs. The
    file goes when nothing is left. Raises OSError and what DuckDB raises.
    """
    path = path_of(results_dir, frame.suite.layer, frame.suite.check_id(check))
    parts = []
    if path.exists() and frame.place_columns:
        earlier = f"select * from read_parquet({literal(str(path))})"
        elsewhere = f"{earlier} where not ({_in(frame, [*frame.places, *failed])})"
        if source.fetch(f"select count(*) from ({elsewhere})")[0][0]:
            parts.append(elsewhere)
    if failed and check.kind not in WITHOUT_ROWS:
        parts.append(_addresses(source, frame, check, limits, failed))
    if parts:
        _write(source, " union all by name ".join(f"({part})" for part in parts), path)
    else:
        path.unlink(missing_ok=True)


def _addresses(source: Source, frame: Frame, check: Check, limits: Limits, failed: list[Place]) -> str:
    """A select of the failing rows' addresses, the first LIMIT of them."""
    failing = frame.failing(check, limits)
    given = {row[0] for row in source.fetch(f"describe {failing}")}
    wanted = [c for c in dict.fromkeys((*frame.place_columns, *frame.suite.key)) if c in given]
    columns = ", ".join(name(c) for c in wanted) or "true as is_failing"
    where = f" where {_in(frame, failed)}" if frame.place_columns else ""
    return f"select {columns} from ({failing}) as failing{where} order by all limit {LIMIT}"


def _in(frame: Frame, places: Iterable[Place]) -> str:
    """Whether a row lies in one of the places; one without agency or month always does, lest it be lost."""
    columns = frame.place_columns
    listed = relation(columns, (p[: len(columns)] for p in places if None not in p[: len(columns)]))
    missing = " or ".join(f"{c} is null" for c in columns)
    return f"{missing} or ({', '.join(columns)}) in {listed}"


def _write(source: Source, select: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    # The file gets its mode before its content.
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    source.run(
        f"copy (select * from ({select}) order by all) to {literal(str(partial))} (format parquet, use_tmp_file false)"
    )
    partial.replace(path)
