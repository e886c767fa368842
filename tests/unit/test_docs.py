"""The pages' examples are valid and give what the pages print: each is loaded, checked and run over its files."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
import yaml

from orchestration.agencies import check_agency, load_agency
from orchestration.landing import Manifest, land_drop
from orchestration.layers.input import build_input, create_input_views, load_state
from orchestration.layers.ledger import Ledger
from orchestration.release.metrics import headline_of
from orchestration.settings import PROJECT, Settings
from orchestration.yaml_file import read_yaml

PAGE = PROJECT / "docs" / "agencies.md"
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Example:
    """An agency.yml of the page with what stands below it. The fence says what a block is: `csv in cad.csv`."""

    said: dict
    heading: str
    templates: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> dict:
        return self.said["agency"]

    def write(self, folder: Path) -> Path:
        """Writes the agency's folder and its template; gives the folder."""
        home = folder / self.facts["agency_id"]
        (home / "codes").mkdir(parents=True)
        (home / "agency.yml").write_text(yaml.safe_dump(self.said, sort_keys=False))
        for name, text in self.templates.items():
            (folder / name).write_text(text)
        for name, text in self.codes.items():
            (home / "codes" / f"{name}.csv").write_text(text)
        return home

    @property
    def encoding(self) -> str:
        return next((f["encoding"] for f in self.said["feeds"].values() if "encoding" in f), "utf-8")


def examples() -> list[Example]:
    """The page's agency files in order, those without an `agency` part with that of the first."""
    text, found = PAGE.read_text(encoding="utf-8"), []
    for fence in FENCE.finditer(text):
        kind, body = fence[1].split(), fence[2]
        if kind == ["yaml", "agency"]:
            said = yaml.safe_load(body)
            heading = re.findall(r"^#+ (.*)$", text[: fence.start()], re.MULTILINE)[-1]
            found.append(Example({"agency": found[0].facts, **said} if found else said, heading))
        elif kind[:1] in (["yaml"], ["csv"]):
            _, part, name = kind
            example = found[-1]
            parts = {"template": example.templates, "codes": example.codes, "in": example.files, "out": example.results}
            parts[part][name] = body
    return found


EXAMPLES = examples()


@pytest.fixture(params=EXAMPLES, ids=[re.sub(r"\W+", "_", e.heading).lower() for e in EXAMPLES])
def example(request) -> Example:
    return request.param


def test_an_example_is_a_valid_agency_and_gives_what_the_page_prints(example, tmp_path):
    agency = load_agency(example.write(tmp_path / "agencies"))
    check_agency(agency)
    settings, drop = Settings(home=tmp_path / "home", threads=1), tmp_path / "drop"
    settings.ensure_home()
    drop.mkdir()
    for name, text in example.files.items():
        (drop / name).write_text(text, encoding=example.encoding)
    said: list[str] = []
    land_drop(settings, agency, drop, say=said.append)
    build_input(settings, agency, Ledger(settings.home), said.append)
    assert len(Manifest(settings, agency.id).accepted()) == len(example.files) > 0, said
    months = load_state(settings, agency.id).months
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        create_input_views(con, settings, [(agency.id, m) for m in months])
        for entity, printed in example.results.items():
            header, *rows = csv.reader(io.StringIO(printed))
            columns = ", ".join(f"coalesce({c}::varchar, '')" for c in header)
            found = con.execute(f"select {columns} from input.{entity} order by {', '.join(map(str, range(1, len(header) + 1)))}").fetchall()  # fmt: skip
            assert found == sorted(map(tuple, rows)), entity


def test_every_example_shows_files_and_results():
    assert len(EXAMPLES) > 20
    assert [e.heading for e in EXAMPLES if not e.files or not e.results] == []


def test_links_of_the_pages_lead_somewhere():
    pages = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_key_and_rule_of_the_mapping_language_stands_on_the_page():
    from orchestration.agencies import folder, mapping

    models = (
        folder.AgencyFacts, folder._AgencyFile, folder.Feed, folder.Variant, folder.Version, folder.Lookup,
        folder.EntityMapping, folder.FieldMapping, folder.Code,
    )  # fmt: skip
    words = {name for model in models for name in model.model_fields} | set(mapping.RULES) | set(folder.EPOCHS)
    text = PAGE.read_text(encoding="utf-8")
    assert sorted(w for w in words if not re.search(rf"(?<!\w){w}(?!\w)", text)) == []


def test_every_metric_names_the_column_that_answers_it():
    for path in (PROJECT / "dbt_project" / "models" / "metrics").glob("_*.yml"):
        for model in read_yaml(path).get("models", []):
            meta, columns = model["config"]["meta"], {c["name"] for c in model["columns"]}
            for metric_id in meta.get("metric_ids", ()):
                assert headline_of(meta, metric_id) in columns, f"{model['name']} {metric_id}"
