"""Guesses a standard code for an agency's own code, by the words of both; what is not plain stays undecided."""

from __future__ import annotations

import re
from functools import cache

from orchestration.standard import code_table

# Words that local codes use, as the codes of a list; all words of the phrase must stand in the local text.
PHRASES: dict[str, tuple[tuple[str, str], ...]] = {
    "call_type": (
        ("emotionally disturb", "EDP"), ("emot disturb", "EDP"), ("edp", "EDP"), ("mental", "EDP"), ("crisis complaint", "EDP"),
        ("psych", "EDP"), ("behavioral health", "EDP"), ("5150", "EDP"), ("suicide threat", "SUICTHRT"), ("attempted suicide", "SUICTHRT"),
        ("suicide attempt", "SUICTHRT"), ("threat to jump", "SUICTHRT"), ("suicidal", "SUICTHRT"), ("suicide", "SUICIDE"), ("overdose", "OD"),
        ("welfare", "WELFARE"), ("check well being", "WELFARE"), ("wellbeing", "WELFARE"), ("intoxicated", "INTOX"), ("trespass", "TRESPASS"),
        ("disturbance", "DISORD"), ("noise", "NOISE"), ("fight", "FIGHT"), ("suspicious person", "PERSUSP"), ("suspicious", "SUSP"),
        ("unknown trouble", "TROUBLE"), ("harassment", "HARR"), ("missing person", "PERMISS"), ("runaway", "RUNAWAY"), ("narcotics", "DRUGS"),
        ("threats", "THREATS"), ("assault", "ASSAULT"), ("assist", "ASSIST"), ("animal", "ANIMAL"),
        ("burglary alarm", "ALRBA"), ("disturbing peace", "DISORD"), ("hang up", "911H"), ("traffic stop", "TSTOP"),
    ),
    "cad_disposition": (
        ("report", "report_taken"), ("booking", "booked"), ("booked", "booked"), ("arrest", "arrested_unspecified"), ("citation", "cited"),
        ("cited", "cited"), ("advised", "advised"), ("gone on arrival", "gone_on_arrival"), ("goa", "gone_on_arrival"),
        ("unable locate", "unable_to_locate"), ("utl", "unable_to_locate"), ("unfounded", "unfounded"), ("false alarm", "false_alarm"),
        ("cancel", "cancelled"), ("cancelled", "cancelled"), ("canceled", "cancelled"), ("duplicate", "duplicate"), ("assist", "assisted"),
        ("transport", "transported"), ("tow", "towed"), ("warning", "warned"), ("no service", "no_service"), ("all ok", "all_in_order"),
        ("sent", "sent_on_way"), ("dispo pending", "not_closed"),
    ),
    "call_source": (
        ("911", "911"), ("onview", "on_view"), ("on view", "on_view"), ("alarm", "alarm"), ("other than 911", "non_emergency_line"),
        ("officer initiated", "on_view"), ("self initiated", "on_view"), ("non emergency", "non_emergency_line"), ("phone", "non_emergency_line"),
    ),
    "sex_gender": (("female", "woman"), ("male", "man"), ("f", "woman"), ("m", "man")),
    "location_type": (
        ("apartment", "residence"), ("house", "residence"), ("residence", "residence"), ("home", "residence"), ("street", "street"),
        ("parking", "street"), ("hotel", "business"), ("hospital", "health"), ("school", "school"),
    ),
    "disposition": (
        ("emergent detention", "hold"), ("no action", "no_action"), ("mobile crisis", "mobile_crisis"), ("arrest", "arrested"),
    ),
}  # fmt: skip
_NOISE = {"the", "of", "a", "an", "and", "or", "to", "for", "in", "on", "by", "p", "e", "f"}
NO_GUESS = "guess: none; decide"


def _plain(said: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", said.lower()))


@cache
def _known(list_name: str) -> tuple[dict[str, str], frozenset[str], tuple[tuple[frozenset[str], str, str], ...]]:
    """(codes and labels in plain letters to code, all codes, phrases by falling length as (words, phrase, code))."""
    table = code_table(list_name)
    codes = frozenset(row[0] for row in table.rows)
    exact: dict[str, str] = {}
    for row in table.rows:
        for said in (row[1], row[0]):
            exact.setdefault(_plain(said), row[0])
    phrases = [(frozenset(p.split()), p, c) for p, c in PHRASES.get(list_name, ()) if c in codes]
    for row in table.rows:
        label = _plain(row[1])
        useful = frozenset(label.split()) - _NOISE
        if useful and row[0] not in _STATES and len(label) > 3:
            phrases.append((useful, label, row[0]))
    return exact, codes, tuple(sorted(phrases, key=lambda p: (-len(p[0]), -len(p[1]))))


_STATES = {"unknown", "not_recorded", "not_applicable", "refused", "withheld", "other", "none"}


def _words_of(said: str) -> frozenset[str]:
    """Words of a text, also without a plural s."""
    found = _plain(said).split()
    return frozenset(found) | {w[:-1] for w in found if len(w) > 3 and w.endswith("s")}


def _fits(wanted: frozenset[str], have: frozenset[str]) -> bool:
    """Whether every word is there; words of five letters and more may be the start of one."""
    return all(w in have or (len(w) >= 5 and any(h.startswith(w) for h in have)) for w in wanted)


def guess_code(list_name: str, local: str, meaning: str = "") -> tuple[str, str]:
    """(standard code, why) of a local code; `meaning` is its description in a table of codes, if there is one.

    ('other', 'guess: none; decide') where no word tells.
    """
    exact, codes, phrases = _known(list_name)
    for said, source in ((local, "the code"), (meaning, "its description")):
        if said and _plain(said) in exact:
            return exact[_plain(said)], f"guess: {source} is this code's name"
    for said, source in ((meaning, "its description"), (local, "the code")):
        if not said:
            continue
        have = _words_of(said)
        for wanted, phrase, code in phrases:
            if _fits(wanted, have) and ("alarm" not in have or "alarm" in wanted):  # a burglary alarm is no burglary
                return code, f"guess: {source} says '{phrase}'"
    return ("other" if "other" in codes else sorted(codes)[0]), NO_GUESS
