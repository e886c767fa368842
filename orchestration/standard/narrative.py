"""What a narrative tells of behavioral health, by written rules (seeds/narrative/narrative_rule.csv), as DuckDB SQL.

A rule is a pattern and what undoes it: the words that its negation finds are cut out before the pattern is looked
for, so "denies suicidal thoughts" says nothing, and a second sentence still may. A negation may say {denial}, for
words that deny, and {between}, for words that may stand between a denial and what is denied; a denial does not reach
over a comma, a full stop or a "but". Only rules of tier 1 say yes; tier 2 (intoxication, odd behavior) is possible
behavioral health, as with call types. The text itself goes nowhere.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestration.engine import text
from orchestration.settings import PROJECT
from orchestration.standard.codes import code_list

RULES = PROJECT / "seeds" / "narrative" / "narrative_rule.csv"
EXPLICIT = 1
TIERS = (EXPLICIT, 2, 3)
DENIAL = (
    r"\b(?:den(?:y|ies|ied|ying)|no|not|never|without|neg(?:ative)? for|neither|ruled out|isn'?t|wasn'?t|aren'?t"
    r"|didn'?t|doesn'?t|don'?t)\b"
)
BETWEEN = (
    r"(?: (?:an?|the|any|being|be|been|to|of|at|in|on|is|are|was|has|have|having|had|he|she|they|that|this|time"
    r"|current(?:ly)?|active(?:ly)?|appear(?:s|ing)?|seem(?:s|ing)?|feel(?:s|ing)?|thoughts?|ideations?|plans?|planning"
    r"|intent(?:ions?)?|statements?|mak(?:e|ing)|say|want(?:s|ed|ing)?|wish(?:es)?|about|history|hx|known|prior|past"
    r"|recent|previous|signs?|symptoms?|evidence|diagnosis|issues?|longer|or|and|nor|suicidal|homicidal|drug|alcohol"
    r"|threatening|going)){0,6}"
)
TURN = r"\b(?:but|however|although|though|then|later|now|and (?:is|was|has|says|said|he|she|they))\b"
NO_KIND = ("none", "unknown", "not_recorded", "not_applicable", "withheld", "other")


@dataclass(frozen=True)
class NarrativeRule:
    """One pattern of one kind of behavioral health. Patterns are RE2's, and case does not matter."""

    rule_id: str
    bh_kind_code: str
    pattern: str
    negation: str
    tier: int
    valid_from: str
    version: str
    source: str
    note: str


@cache
def narrative_rules(path: Path = RULES) -> tuple[NarrativeRule, ...]:
    """All rules, in the file's order. Raises ValueError, naming the rule, where one cannot be used."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds, seen, rules = set(code_list("bh_kind")) - set(NO_KIND), set(), []
    for row in rows:
        rule = NarrativeRule(**{**row, "tier": int(row["tier"])})
        if rule.rule_id in seen or not rule.rule_id:
            raise ValueError(f"narrative rule {rule.rule_id}: an id is given once, and is not empty")
        if rule.bh_kind_code not in kinds:
            raise ValueError(f"narrative rule {rule.rule_id}: bh_kind_code is not one of {', '.join(sorted(kinds))}")
        if rule.tier not in TIERS or not rule.pattern:
            raise ValueError(f"narrative rule {rule.rule_id}: give a pattern, and a tier of {TIERS}")
        seen.add(rule.rule_id)
        rules.append(rule)
    return tuple(rules)


def rule_sql(rule: NarrativeRule, column: str) -> str:
    """A condition that holds where the rule finds its words in the column."""
    pattern = text(rule.pattern)
    found = f"regexp_matches({column}, {pattern}, 'i')"
    if not rule.negation:
        return found
    undone = rule.negation.replace("{denial}", DENIAL).replace("{between}", BETWEEN)
    clauses = f"regexp_replace({column}, {text(TURN)}, ';', 'gi')"
    left = f"regexp_replace({clauses}, {text(undone)}, ' ', 'gi')"
    return f"({found} and regexp_matches({left}, {pattern}, 'i'))"


def narrative_sql(column: str, rules: tuple[NarrativeRule, ...] | None = None) -> tuple[str, str]:
    """Two DuckDB expressions over a column of free text: the answer, and the kinds, sorted, with | between.

    No text: both not_recorded. No rule of tier 1 finds anything: no, and the kind none.
    """
    explicit = [r for r in (narrative_rules() if rules is None else rules) if r.tier == EXPLICIT]
    by_kind = {
        kind: "(" + " or ".join(rule_sql(r, column) for r in explicit if r.bh_kind_code == kind) + ")"
        for kind in sorted({r.bh_kind_code for r in explicit})
    }
    blank = f"{column} is null or trim({column}) = ''"
    any_kind = " or ".join(by_kind.values()) or "false"
    answer = f"case when {blank} then 'not_recorded' when {any_kind} then 'yes' else 'no' end"
    listed = ", ".join(f"case when {found} then {text(kind)} end" for kind, found in by_kind.items()) or "null"
    kinds = f"case when {blank} then 'not_recorded' else coalesce(nullif(concat_ws('|', {listed}), ''), 'none') end"
    return answer, kinds
