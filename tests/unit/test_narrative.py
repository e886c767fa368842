"""The narrative rules: what made-up sentences tell, what a denial undoes, and what a rule may not be."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest

from orchestration.standard import code_list
from orchestration.standard.narrative import RULES, narrative_rules, narrative_sql, rule_sql

# Every rule has a sentence that it alone must find: rule, sentence.
FOUND = {
    "suicide_thought": "RP advises her brother is suicidal and has a knife.",
    "kill_self": "He told his mother that he will KILL HIMSELF tonight.",
    "harm_self": "Daughter has been cutting herself since this morning.",
    "end_life": "Caller's friend texted that she wants to die.",
    "jump_threat": "Male on the bridge threatening to jump.",
    "mh_crisis": "Roommate is having a mental health crisis.",
    "mh_condition": "Subject is known to have schizophrenia.",
    "hallucination": "Neighbor is hearing voices and yelling at the wall.",
    "off_medication": "Son is off his meds and pacing.",
    "edp": "Officer reports EDP in the lobby.",
    "involuntary_hold": "Placed on an involuntary hold and taken in.",
    "anxiety_panic": "Woman says she is having a panic attack.",
    "overdose": "Possible overdose in the restroom.",
    "naloxone": "Medics gave two doses of Narcan.",
    "withdrawal": "Subject is going through withdrawal and shaking.",
    "drug_crisis": "Mother says he relapsed into his addiction.",
    "intoxicated": "Drunk male refusing to leave the bar.",
    "dementia": "Husband with dementia walked away from home.",
    "autism": "Autistic teen is frightened by the alarm.",
    "developmental": "Adult with an intellectual disability is lost.",
    "brain_injury": "Patient has a traumatic brain injury and is upset.",
    "acting_strange": "Man acting strangely by the fountain.",
}
# What is said not to be so, or means another thing.
UNDONE = [
    "Denies suicidal ideation.",
    "Subject is not suicidal.",
    "She denied any suicidal or homicidal thoughts.",
    "He did not want to harm himself.",
    "Denied wanting to kill himself.",
    "No history of mental illness.",
    "No known mental illness, no history of dementia.",
    "Not hearing voices, denies hallucinations.",
    "Needs jumper cables for a dead battery.",
    "It was not an overdose, patient fainted.",
    "No narcan given.",
    "Disputed withdrawal of funds at the bank.",
    "Does not appear to be in crisis.",
    "No history of any drug overdose.",
    "No longer wants to die.",
    "He is not threatening to jump.",
    "Denied having any plan or intent to kill herself.",
    "Flyers for autism awareness taken from the desk.",
    "Out of bread and milk, cat on the roof.",
    "Drunk male asleep on a bench.",
]
KINDS = [
    ("Suicidal and bipolar, off her meds.", "mental_health|suicide"),
    ("Overdose; says he wants to die.", "substance|suicide"),
    ("Denies suicidal thoughts. Later said he would kill himself.", "suicide"),
    ("Not suicidal but hearing voices.", "mental_health"),
    ("Dementia, acting strangely.", "cognitive"),
    ("Officers could not locate the suicidal male.", "suicide"),
    ("Denies suicidal intent and is hearing voices.", "mental_health"),
    ("No weapons. Caller's son is in crisis, not drunk.", "mental_health"),
]


def told(sentence: str | None) -> tuple[str, str]:
    answer, kinds = narrative_sql("said")
    with duckdb.connect() as con:
        return con.execute(f"select {answer}, {kinds} from (select ?::varchar as said)", [sentence]).fetchone()


@pytest.mark.parametrize("rule", narrative_rules(), ids=lambda r: r.rule_id)
def test_each_rule_finds_its_sentence(rule) -> None:
    sentence = FOUND[rule.rule_id]
    with duckdb.connect() as con:
        found = {
            r.rule_id
            for r in narrative_rules()
            if con.execute(f"select {rule_sql(r, 'said')} from (select ? as said)", [sentence]).fetchone()[0]
        }
    assert found == {rule.rule_id}
    assert told(sentence) == (("yes", rule.bh_kind_code) if rule.tier == 1 else ("no", "none"))


@pytest.mark.parametrize("sentence", UNDONE)
def test_what_is_denied_or_means_another_thing_is_a_no(sentence: str) -> None:
    assert told(sentence) == ("no", "none")


@pytest.mark.parametrize(("sentence", "kinds"), KINDS)
def test_kinds_are_sorted_and_a_denial_undoes_its_own_words_only(sentence: str, kinds: str) -> None:
    assert told(sentence) == ("yes", kinds)
    assert told(sentence.upper()) == ("yes", kinds)


@pytest.mark.parametrize("sentence", [None, "", "   "])
def test_no_text_is_not_a_no(sentence: str | None) -> None:
    assert told(sentence) == ("not_recorded", "not_recorded")


def test_rules_are_whole_and_their_words_are_the_standard_s() -> None:
    rules = narrative_rules()
    assert 10 <= len(rules) <= 25
    assert {r.bh_kind_code for r in rules if r.tier == 1} == {"mental_health", "suicide", "substance", "cognitive"}
    assert all(r.negation and r.source and r.version and r.valid_from for r in rules)
    assert {"yes", "no", "not_recorded"} <= set(code_list("answer"))
    assert {"none", "not_recorded"} <= set(code_list("bh_kind"))
    assert {r.rule_id: r.tier for r in rules}["intoxicated"] == 2


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("bh_kind_code", "none", "bh_kind_code"),
        ("tier", "4", "tier"),
        ("pattern", "", "pattern"),
        ("rule_id", "kill_self", "once"),
    ],
)
def test_a_rule_that_cannot_be_used_is_named(tmp_path: Path, column: str, value: str, said: str) -> None:
    with RULES.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[0][column] = value
    path = tmp_path / "rules.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(ValueError, match=said):
        narrative_rules(path)


def test_without_rules_a_text_tells_nothing() -> None:
    answer, kinds = narrative_sql("said", ())
    with duckdb.connect() as con:
        assert con.execute(f"select {answer}, {kinds} from (select 'x' as said)").fetchone() == ("no", "none")
