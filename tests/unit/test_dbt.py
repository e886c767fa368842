"""The parse of the dbt project: made once for all homes, and anew when a file changes."""

import shutil
from dataclasses import replace

import pytest

from orchestration.layers import dbt
from orchestration.layers.dbt import DbtProject
from orchestration.settings import PROJECT, Settings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A project of one model, which no process has parsed."""
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT / "dbt_project" / "macros", project / "macros")
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(PROJECT / "dbt_project" / name, project)
    shutil.copytree(PROJECT / "seeds" / "joins", tmp_path / "seeds" / "joins")
    (project / "models" / "marts").mkdir(parents=True)
    (project / "models" / "marts" / "one.sql").write_text("select 1 as n")
    monkeypatch.setattr(dbt, "_parsed", {})
    return Settings(home=tmp_path / "first", dbt_project=project, seeds=tmp_path / "seeds")


def no_parse(monkeypatch):
    monkeypatch.setattr(DbtProject, "_parse", lambda self: pytest.fail("parsed once more"))


def test_a_second_home_takes_the_parse_of_the_first(settings, tmp_path, monkeypatch):
    first = DbtProject(settings).manifest
    no_parse(monkeypatch)
    second = DbtProject(replace(settings, home=tmp_path / "second"))
    assert second.manifest == first
    assert [m.name for m in second.models.values()] == ["one"]
    assert (second.target / "semantic_manifest.json").exists()


def test_a_changed_model_is_parsed_anew_and_replaces_what_was_kept(settings, tmp_path):
    old = DbtProject(settings)
    digest = next(iter(old.models.values())).digest
    (settings.dbt_project / "models" / "marts" / "one.sql").write_text("select 2 as n")
    new = DbtProject(replace(settings, home=tmp_path / "second"))
    assert next(iter(new.models.values())).digest != digest
    assert [p.name for p in new.kept.parent.iterdir()] == [new.kept.name]


def test_a_moved_checkout_reads_its_own_seeds(settings, tmp_path, monkeypatch):
    _ = DbtProject(settings).manifest
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / "dbt_project").rename(moved / "dbt_project")
    (tmp_path / "seeds").rename(moved / "seeds")
    no_parse(monkeypatch)
    project = DbtProject(
        replace(settings, home=tmp_path / "second", dbt_project=moved / "dbt_project", seeds=moved / "seeds")
    )
    (seed,) = project.seeds
    assert project.seed(seed)[2].resolve().is_relative_to(moved)


def test_a_read_only_project_is_parsed_in_the_home(settings):
    (settings.dbt_project / "target").write_text("no folder can be made here")
    project = DbtProject(settings)
    assert [m.name for m in project.models.values()] == ["one"]
    assert (project.target / "manifest.json").exists()
