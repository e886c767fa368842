"""Studies: what the validator refuses, and that a study changed after it was frozen is no longer final."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml

from orchestration.evaluation.freeze import (
    EXPLORATORY,
    FINAL,
    freeze,
    kind_of_run,
    record_look,
    study_hash,
)
from orchestration.evaluation.study import STUDIES, StudyError, load_study, study_folder

DAY = date(2026, 11, 23)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the Denver study that a test may change."""
    (tmp_path / "denver_star").mkdir()
    shutil.copy(STUDIES / "denver_star" / "study.yml", tmp_path / "denver_star" / "study.yml")
    return tmp_path / "denver_star"


def changed(folder: Path, *path, to) -> Path:
    """Sets one key of the study file; `to=None` removes it."""
    said = yaml.safe_load((folder / "study.yml").read_text())
    place = said
    for key in path[:-1]:
        place = place[key]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    (folder / "study.yml").write_text(yaml.safe_dump(said, sort_keys=False))
    return folder


@pytest.mark.parametrize("name", sorted(p.parent.name for p in STUDIES.glob("*/study.yml")))
def test_every_study_of_the_repository_is_valid_and_frozen_as_it_is(name):
    found = study_folder(name)
    assert load_study(found).study_id == name
    assert kind_of_run(found, study_hash(found), exploratory=False) == FINAL


FORMS = {"column": "field_form_recorded", "in": ["yes"]}


def test_a_causal_population_known_only_after_arrival_is_refused(folder):
    with pytest.raises(StudyError) as error:
        load_study(changed(folder, "population", "where", to=[FORMS]))
    said = str(error.value)
    assert "denver_star/study.yml: population.where.0.column: 'field_form_recorded' is known only after arrival" in said
    assert "call type at open, place and time" in said


@pytest.mark.parametrize("column", ["call_type_initial_code", "precinct", "occurred_local_at"])
def test_a_causal_population_known_before_arrival_is_taken(folder, column):
    load_study(changed(folder, "population", "where", to=[{"column": column, "in": ["x"]}]))


@pytest.mark.parametrize(("key", "to"), [("claim", "descriptive"), ("identification_model", "inverse weights")])
def test_such_a_population_is_taken_if_it_claims_no_effect_or_models_the_selection(folder, key, to):
    changed(folder, "population", "where", to=[FORMS])
    path = ("population", key) if key == "identification_model" else (key,)
    load_study(changed(folder, *path, to=to))


@pytest.mark.parametrize(
    ("path", "to", "key", "said"),
    [
        (("question",), None, "question", "is missing; add it"),
        (("colour",), "red", "colour", "is not a key of a study"),
        (("estimand",), "guess", "estimand", "'guess' is not known; choose 'intent_to_treat'"),
        (("estimand",), "served_against_not_served", "claim", "triage decides who is served"),
        (("estimators",), ["log_count"], "estimators", "no log of y + c"),
        (("suppression",), 5, "suppression", "no cell of 1 to 10 leaves the internal tier"),
        (("treatment", "starts"), "June 2020", "treatment.starts", "write it as 2020-06"),
        (("treatment", "where", "units"), ["999"], "treatment (downtown_broadway)", "999 not among unit.in"),
        (("main", "base"), "never", "main.base", "'never' is not defined; choose one of"),
        (("bases", 0, "months", "last"), "2020-07", "bases.december_to_may", "reaches into the treated months"),
        (("placebos", 0, "base", "first"), "2018-12", "placebos.june_2019.base", "outside population.data"),
        (("form_and_recode_shift",), None, "form_and_recode_shift", "is missing"),
        (("study_id",), "other", "study_id", "is not the folder's name"),
        (("clustering",), "month", "clustering", "cluster by the unit that is treated"),
        (("outcomes", 1, "role"), "primary", "outcomes", "exactly one outcome is primary"),
    ],
)  # fmt: skip
def test_an_error_names_file_key_rule_and_remedy(folder, path, to, key, said):
    with pytest.raises(StudyError) as error:
        load_study(changed(folder, *path, to=to))
    line = next(x for x in str(error.value).splitlines() if f"study.yml: {key}:" in x)
    assert said in line


def test_a_study_that_is_not_there_names_those_that_are():
    with pytest.raises(StudyError, match=r"there are: .*denver_star"):
        study_folder("nowhere")


def test_a_study_is_final_only_as_it_was_frozen(folder, tmp_path):
    with pytest.raises(StudyError, match="is not frozen; run"):
        kind_of_run(folder, study_hash(folder), exploratory=False)
    freeze(folder, tmp_path, "denver_star", DAY)
    assert kind_of_run(folder, study_hash(folder), exploratory=False) == FINAL
    changed(folder, "title", to="Another title")
    with pytest.raises(StudyError, match="changed after it was frozen"):
        kind_of_run(folder, study_hash(folder), exploratory=False)
    assert kind_of_run(folder, study_hash(folder), exploratory=True) == EXPLORATORY
    with pytest.raises(StudyError, match=r"the study is frozen as .* and the file is now"):
        freeze(folder, tmp_path, "denver_star", DAY)


def test_a_study_cannot_be_frozen_anew_once_another_version_was_looked_at(folder, tmp_path):
    record_look(tmp_path, "denver_star", study_hash(folder), "r1", EXPLORATORY, DAY)
    changed(folder, "title", to="Another title")
    with pytest.raises(StudyError, match="results of another version were seen on 2026-11-23"):
        freeze(folder, tmp_path, "denver_star", DAY)
    assert not (folder / "frozen.yml").exists()
