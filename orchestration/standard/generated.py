"""All that follows from the standard and lies in the repository: what it should be, what is stale, and writing it.

Every generated file says so near its top. A staging model without that mark is written by hand and left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestration.evaluation.published_report import published_page
from orchestration.settings import PROJECT
from orchestration.standard.codes import CodeTable, code_list_names, code_table
from orchestration.standard.contract import Entity, load_standard
from orchestration.standard.dictionary import code_page, entity_page, index_page
from orchestration.standard.metrics_page import metrics_page
from orchestration.standard.staging import (
    columns_not_named,
    contract_yml,
    mart_contract_yml,
    mart_sql,
    sources_yml,
    staging_sql,
)
from orchestration.standard.template import agency_template
from orchestration.standard.warehouse_page import published_models, warehouse_page

MARK = "Generated from "
REMEDY = "run crisis standard write"
STAGING = Path("dbt_project/models/staging")
MARTS = Path("dbt_project/models/marts")
DICTIONARY = Path("docs/dictionary")
METRICS = Path("docs/metrics.md")
PUBLISHED = Path("docs/published.md")
TEMPLATE = Path("docs/templates/agency.yml")


@dataclass(frozen=True)
class Problem:
    """A file that is not what the standard asks for, and what to do about it."""

    path: Path
    what: str
    remedy: str = REMEDY

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.remedy}"


def _standard(root: Path) -> tuple[dict[str, Entity], dict[str, CodeTable]]:
    codes = root / "seeds" / "codes"
    return load_standard(root / "seeds" / "standard"), {n: code_table(n, codes) for n in code_list_names(codes)}


def _sql_path(entity: Entity) -> Path:
    return STAGING / entity.family / f"stg_{entity.name}.sql"


def _hand_written(root: Path, entity: Entity) -> Path | None:
    """The staging model of an entity that somebody wrote, in whatever area; None if there is none."""
    found = [p for p in sorted((root / STAGING).rglob(f"stg_{entity.name}.sql")) if not _is_generated(p)]
    return found[0].relative_to(root) if found else None


def _is_generated(path: Path) -> bool:
    return MARK in "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:5])


def generated_files(root: Path = PROJECT) -> dict[Path, str]:
    """Every generated file below the repository's root, by its path from there."""
    standard, lists = _standard(root)
    mapped = [e for e in standard.values() if e.is_mapped]
    files = {STAGING / "_input.yml": sources_yml(mapped)}
    for entity in mapped:
        files[STAGING / entity.family / f"_stg_{entity.name}.yml"] = contract_yml(entity, standard)
        if not entity.derived and _hand_written(root, entity) is None:
            files[_sql_path(entity)] = staging_sql(entity, standard)
        if entity.has_plain_mart:
            folder = MARTS / ("care" if entity.is_care else entity.family)
            files[folder / f"_fct_{entity.name}.yml"] = mart_contract_yml(entity, standard)
            files[folder / f"fct_{entity.name}.sql"] = mart_sql(entity, standard)
    for entity in standard.values():
        files[DICTIONARY / f"{entity.name}.md"] = entity_page(entity, standard)
    for name, codes in lists.items():
        files[DICTIONARY / "codes" / f"{name}.md"] = code_page(codes, standard)
    files[DICTIONARY / "README.md"] = index_page(standard, lists)
    models = published_models(root / "dbt_project" / "models")
    files[DICTIONARY / "warehouse.md"] = warehouse_page(models)
    files[METRICS] = metrics_page(root, models)
    files[PUBLISHED] = published_page(root)
    files[TEMPLATE] = agency_template(standard)
    return files


def _left_over(root: Path, files: dict[Path, str]) -> list[Path]:
    """Generated files that the standard no longer asks for."""
    models = [p for folder in (STAGING, MARTS) for kind in ("*.yml", "*.sql") for p in (root / folder).rglob(kind)]
    there = [*models, *(root / DICTIONARY).rglob("*.md")]
    return [p for p in sorted(q.relative_to(root) for q in there if _is_generated(q)) if p not in files]


def stale_files(root: Path = PROJECT) -> list[Problem]:
    """Generated files that are missing, differ from what the standard gives, or are left over."""
    files, found = generated_files(root), []
    for path, content in files.items():
        if not (root / path).exists():
            found.append(Problem(path, "is not there"))
        elif (root / path).read_text(encoding="utf-8") != content:
            found.append(Problem(path, "is not what the standard gives"))
    return found + [Problem(p, "is no longer asked for") for p in _left_over(root, files)]


def hand_written_problems(root: Path = PROJECT) -> list[Problem]:
    """Staging models written by hand that are missing or do not name a column of the standard."""
    standard, _ = _standard(root)
    found = []
    for entity in (e for e in standard.values() if e.is_mapped):
        path = _hand_written(root, entity)
        if path is None:
            if entity.derived:
                found.append(
                    Problem(_sql_path(entity), "is not there", "write it: staging adds columns to this entity")
                )
            continue
        lost = columns_not_named(entity, standard, (root / path).read_text(encoding="utf-8"))
        if lost:
            found.append(Problem(path, f"lacks {', '.join(lost)}", "add them by hand"))
    return found


def write_files(root: Path = PROJECT) -> list[Path]:
    """Writes what is stale and removes what is left over; returns the paths that changed, from the root."""
    changed = _write(root)
    return sorted({*changed, *_write(root)}) if changed else []  # the warehouse's page reads contracts just written


def _write(root: Path) -> list[Path]:
    files, changed = generated_files(root), []
    for path in _left_over(root, files):
        (root / path).unlink()
        changed.append(path)
    for path, content in files.items():
        place = root / path
        if not place.exists() or place.read_text(encoding="utf-8") != content:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content, encoding="utf-8")
            changed.append(path)
    return changed
