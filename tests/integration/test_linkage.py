"""Linkage through its surface: files in, person keys and events out."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from orchestration.agencies import load_agency
from orchestration.county import write_county
from orchestration.landing import land_drop
from orchestration.layers.input import build_input
from orchestration.layers.ledger import Ledger
from orchestration.layers.linkage import build_links, judge_links
from orchestration.layers.links import link_files
from orchestration.linkage.people import link_people, links_are_stale
from orchestration.linkage.store import forget, open_store, store_path
from orchestration.settings import PROJECT, Settings
from tests.linkage_home import CALL, CONSENT, JAIL, VISIT, PeopleHome, person

ANNA = {"born": "1980-02-03", "phone": "555-010-1234", "address": "12 North Main Street, Apt 4"}


@pytest.fixture
def home(tmp_path):
    return PeopleHome.make(tmp_path)


def test_records_of_one_person_share_a_key_across_entities_and_spellings(home):
    home.forms([
        {"form": "F1", **person("Anna", "Sample", **ANNA)},
        {"form": "F2", **person("Ana", "Sample", **ANNA)},
        {"form": "F3", **person("Boris", "Other", "1971-05-06", "555-010-9876", "7 Oak Ave")},
    ])  # fmt: skip
    home.take_in("maple", "jail_1.csv", JAIL, [
        {"booking": "B1", "booked": "2024-05-03 08:00:00", "last": "SAMPLE", "first": "ANNA", "born": "02/03/1980"},
    ])  # fmt: skip
    home.take_in("maple", "cad_1.csv", CALL, [
        {"call": "C1", "received": "2024-05-02 09:50:00", "caller": "Anna Sample", "phone": "(555) 010-1234"},
    ])  # fmt: skip
    home.link()
    assert home.people() == {frozenset({"F1", "F2", "B1", "C1"}), frozenset({"F3"})}


def test_two_john_does_are_two_anonymous_contacts(home):
    """T15 of the reference cases: not one familiar face."""
    home.forms([
        {"form": "F1", **person("John", "Doe")},
        {"form": "F2", **person("John", "Doe")},
        {"form": "F3", **person("John", "Doe", "1900-01-01", "000-000-0000", "Transient")},
    ])  # fmt: skip
    home.link()
    assert home.keys() == {"F1": None, "F2": None, "F3": None}
    assert home.events() == []


def test_twins_and_a_father_of_the_same_name_stay_apart(home):
    home.forms([
        {"form": "F1", **person("Marcus", "Twin", **ANNA)},
        {"form": "F2", **person("Dolores", "Twin", **ANNA)},
        {"form": "F3", **person("M", "Twin", **ANNA)},
        {"form": "F4", **person("Hector", "Elder", "1950-01-02", "555-010-2222", "9 Elm St")},
        {"form": "F5", **person("Hector", "Elder", "1983-11-27", "555-010-2222", "9 Elm St")},
    ])  # fmt: skip
    home.link()
    keys = home.keys()
    assert keys["F1"] != keys["F2"]
    assert keys["F4"] != keys["F5"]
    assert keys["F3"] != keys["F2"]  # M is Marcus at most


def test_an_agencys_own_number_is_an_exact_key_and_a_placeholder_is_none(home):
    home.forms([
        {"form": "F1", **person("Anna", "Sample", number="PN-7")},
        {"form": "F2", **person("Maria", "Married", "1980-02-03", number="pn-7")},
        {"form": "F3", **person("Zoe", "Elsewhere", "1990-02-03", number="UNKNOWN")},
        {"form": "F4", **person("Carl", "Nowhere", "1960-02-03", number="UNKNOWN")},
    ])  # fmt: skip
    home.link()
    assert home.people() == {frozenset({"F1", "F2"}), frozenset({"F3"}), frozenset({"F4"})}


def test_running_again_changes_nothing(home):
    home.forms([{"form": "F1", **person("Anna", "Sample", **ANNA)}])
    first = home.link()
    keys, events = home.keys(), home.stored("select * from event order by seq")
    assert first.changed == [("maple", "2024-05")]
    assert not home.link().is_fresh
    again = home.link(force=True)
    assert again.is_fresh and again.changed == []
    assert home.keys() == keys
    assert home.stored("select * from event order by seq") == events
    assert home.stored("select zone, count(*) from run group by zone order by zone") == [("care", 1), ("justice", 1)]


def test_a_lost_identity_store_is_noticed_and_its_keys_are_given_anew(home):
    home.forms([{"form": "F1", **person("Anna", "Sample", **ANNA)}])
    home.link()
    keys, day = home.keys(), date(2024, 7, 1)
    assert not links_are_stale(home.settings, day)
    store_path(home.settings).unlink()
    assert links_are_stale(home.settings, day)
    assert home.link().is_fresh
    assert home.events() == [("created", "F1")]
    assert home.keys()["F1"] not in {None, keys["F1"]}
    assert not links_are_stale(home.settings, day)


def test_a_lost_file_of_links_is_noticed_and_written_again(home):
    home.forms([{"form": "F1", **person("Anna", "Sample", **ANNA)}])
    home.link()
    keys, day = home.keys(), date(2024, 7, 1)
    file, *_ = link_files(home.settings)
    file.unlink()
    assert links_are_stale(home.settings, day)
    assert home.link().changed == [("maple", "2024-05")]
    assert home.keys() == keys
    assert not links_are_stale(home.settings, day)


def test_new_evidence_merges_and_the_key_given_first_stays(home):
    home.forms([{"form": "F1", **person("Anna", "Sample", "1980-02-03", "555-010-1234")}])
    home.link("2024-06-01")
    home.forms([{"form": "F2", **person("Anna", "Sample", "", "555-010-7777", "12 Main St")}], "forms_2.csv")
    home.link("2024-06-02")
    before = home.keys()
    assert before["F1"] != before["F2"]
    home.forms([{"form": "F3", **person("Anna", "Sample", "1980-02-03", "555-010-7777", "12 Main St")}], "forms_3.csv")
    home.link("2024-06-03")
    assert set(home.keys().values()) == {before["F1"]}
    assert home.events() == [("created", "F1"), ("created", "F2"), ("merged", "F2"), ("joined", "F3")]
    assert home.stored(
        "select person_key, previous_key, cast(date as varchar) from event where kind = 'merged' and zone = 'justice'"
    ) == [(before["F1"], before["F2"], "2024-06-03")]


def test_a_corrected_record_splits_a_person_and_the_larger_part_keeps_the_key(home):
    rows = [
        {"form": "F1", **person("Anna", "Sample", "1980-02-03", "555-010-1234")},
        {"form": "F2", **person("Anna", "Sample", "", "555-010-7777", "12 Main St")},
        {"form": "F3", **person("Anna", "Sample", "1980-02-03", "555-010-7777", "12 Main St")},
        {"form": "F4", **person("Anna", "Sample", "1980-02-03", "555-010-1234")},
    ]
    home.forms(rows)
    home.link("2024-06-01")
    (key,) = set(home.keys().values())
    home.forms([{"form": "F3", **person("Boris", "Other", "1971-05-06", "555-010-9876")}], "forms_2.csv")
    home.link("2024-06-02")
    keys = home.keys()
    assert keys["F1"] == keys["F4"] == key
    assert len({keys["F1"], keys["F2"], keys["F3"]}) == 3
    assert sorted(home.events()[4:]) == [("split", "F2"), ("split", "F3")]


# -- the gate


@pytest.fixture
def judged(home, monkeypatch):
    """Builds and judges as a run does, and gives the tables that the gate asked. A first run is done."""
    import expectations

    asked, whole = set(), expectations.judge

    def noted(*given):
        results = whole(*given)
        asked.update(r.table for r in results)
        return results

    def build_and_judge() -> set[str]:
        asked.clear()
        build_links(home.settings, Ledger(home.settings.home))
        is_open = judge_links(home.settings, Ledger(home.settings.home))
        assert is_open == (gate(home).state == "open")
        return set(asked)

    monkeypatch.setattr(expectations, "judge", noted)
    home.forms([{"form": f, **person("Anna", "Sample", **ANNA)} for f in ("F1", "F2")])
    assert build_and_judge() == {"person_link", "person"}
    return build_and_judge


def gate(home):
    return Ledger(home.settings.home).gates("linkage")["linkage", "*", "*"]


def test_what_linkage_did_not_change_is_not_judged_again_and_its_findings_stay(home, judged):
    before = Ledger(home.settings.home).findings("linkage")
    assert judged() == set()
    home.forms([{"form": "F1", **person("Anna", "Sample", occurred="2024-05-02 11:00:00", **ANNA)}], "forms_2.csv")
    assert judged() == set(), "a corrected record of the same person changes no link and no key"
    assert Ledger(home.settings.home).findings("linkage") == before
    assert gate(home).state == "open"


def test_a_changed_link_file_is_judged(home, judged):
    (file,) = home.settings.input.glob("person_link/*/*/justice.parquet")
    con = duckdb.connect()
    con.execute(f"create table link as from read_parquet('{file}', hive_partitioning = false)")
    con.execute(f"copy (select * replace ('guess' as match_method_code) from link) to '{file}' (format parquet)")
    assert "person_link" in judged()
    assert "person_link.method_listed" in gate(home).reason
    assert judged() == {"person_link"}, "what stopped the gate is asked again, and nothing else"


def test_a_changed_store_is_judged_though_no_link_changed(home, judged):
    with open_store(home.settings) as con:
        con.execute("delete from store.event where record_id like '%F1'")
    assert "person" in judged()
    assert "person.every_change_has_its_event" in gate(home).reason


# -- zones


def visit(name: str, **over) -> dict:
    return {
        "visit": name, "arrived": "2024-05-04 12:00:00", "last": "Sample", "first": "Anna", "born": "1980-02-03",
        "phone": "555-010-1234", "part2": "no",
    } | over  # fmt: skip


def test_care_records_enter_with_consent_or_a_stated_basis_and_justice_never_shows_them(home):
    home.forms([{"form": "F1", **person("Anna", "Sample", **ANNA)}])
    home.link()
    alone = home.keys()
    home.take_in("elm", "visits_1.csv", VISIT, [
        visit("V1", consent="K1"), visit("V2", basis="hipaa_treatment"), visit("V3"), visit("V4", basis="part2_consent"),
        visit("V5", basis="hipaa_treatment", part2="yes"), visit("V6", consent="K1", part2="yes"),
        visit("V7", consent="K2"), visit("V8", consent="K3"), visit("V9", consent="K4"), visit("V10", basis="hipaa_treatment", part2=""),
    ])  # fmt: skip
    home.take_in("elm", "consents_1.csv", CONSENT, [
        {"consent": "K1", "status": "signed", "scope": "linkage", "given": "2024-01-01"},
        {"consent": "K2", "status": "signed", "scope": "evaluation", "given": "2024-01-01"},
        {"consent": "K3", "status": "none", "scope": "linkage", "given": "2024-01-01"},
        {"consent": "K4", "status": "signed", "scope": "linkage", "given": "2024-01-01", "expires": "2024-06-30"},
    ])  # fmt: skip
    home.link()
    assert home.people("care") == {frozenset({"F1", "V1", "V2", "V6"})}
    assert set(home.keys("care")) == {"F1", "V1", "V2", "V6"}, "what may not enter has no row at all"
    assert home.keys("justice") == alone
    assert home.keys("care")["F1"] != alone["F1"], "each zone has its own keys"


def test_a_consent_speaks_for_its_clients_records_and_a_refusal_beats_another_basis(home):
    home.take_in("elm", "visits_1.csv", VISIT, [
        visit("V1", number="P1", part2="yes"), visit("V2", number="P2", part2="yes"),
        visit("V3", number="P2", basis="hipaa_treatment"), visit("V4", number="P3", basis="hipaa_treatment"),
        visit("V5", number="P4", part2="yes"),
    ])  # fmt: skip
    given = {"status": "signed", "scope": "linkage"}
    home.take_in("elm", "consents_1.csv", CONSENT, [
        {"consent": "K1", "number": "P1", "given": "2024-01-01", **given},
        {"consent": "K2", "number": "P2", "given": "2024-01-01", **given},
        {"consent": "K3", "number": "P2", "given": "2024-02-01", "status": "none", "scope": "linkage"},
        {"consent": "K4", "number": "P4", "given": "2024-02-01", "status": "none", "scope": "linkage"},
        {"consent": "K5", "number": "P4", "given": "2024-03-01", **given},
    ])  # fmt: skip
    home.link()
    assert set(home.keys("care")) == {"V1", "V4", "V5"}


def test_a_care_record_never_bridges_two_justice_records(home):
    home.forms([
        {"form": "F1", **person("Anna", "Sample", "1980-02-03", "555-010-1234")},
        {"form": "F2", **person("Anna", "Sample", "", "555-010-7777", "12 Main St")},
    ])  # fmt: skip
    home.take_in("elm", "visits_1.csv", VISIT, [
        visit("V1", phone="555-010-7777", address="12 Main St", basis="hipaa_treatment"),
    ])  # fmt: skip
    home.link()
    assert home.people("care") == {frozenset({"F1", "F2", "V1"})}
    assert home.people("justice") == {frozenset({"F1"}), frozenset({"F2"})}


def test_consent_that_ends_takes_the_record_out_at_the_next_build(home):
    home.take_in("elm", "visits_1.csv", VISIT, [visit("V1", consent="K1"), visit("V2", consent="K2")])
    home.take_in("elm", "consents_1.csv", CONSENT, [
        {"consent": "K1", "status": "signed", "scope": "linkage", "given": "2024-01-01", "expires": "2024-07-01"},
        {"consent": "K2", "status": "verbal", "scope": "care_coordination|linkage", "given": "2024-01-01"},
    ])  # fmt: skip
    home.link("2024-07-01")
    assert home.people("care") == {frozenset({"V1", "V2"})}
    assert not home.link("2024-07-01").is_fresh
    home.link("2024-07-02")  # nothing landed: the day alone ends K1
    assert home.people("care") == {frozenset({"V2"})}
    home.take_in("elm", "consents_2.csv", CONSENT, [
        {"consent": "K2", "status": "revoked", "scope": "linkage", "given": "2024-01-01", "revoked": "2024-07-03 09:00:00"},
    ])  # fmt: skip
    home.link("2024-07-04")
    assert home.people("care") == set()
    events = home.stored(
        "select kind, split_part(record_id, ':', 2), cast(date as varchar) from event where kind = 'withdrawn' order by seq"
    )
    assert events == [("withdrawn", "V1", "2024-07-02"), ("withdrawn", "V2", "2024-07-04")]


def test_minors_are_off_until_a_setting_turns_them_on(tmp_path):
    rows = [
        {"form": "F1", **person("Anna", "Sample", "2006-05-03", "555-010-1234")},  # 18 on the day after the contact
        {"form": "F2", **person("Bea", "Sample", "2006-05-02", "555-010-5678")},  # 18 on the day of the contact
        {"form": "F3", **person("Cleo", "Sample", "", "555-010-1111", age="17")},
    ]
    for minors, linked in ((False, {"F2"}), (True, {"F1", "F2", "F3"})):
        home = PeopleHome.make(tmp_path / str(minors), link_minors=minors)
        home.forms(rows)
        home.link()
        assert set(home.keys()) == linked


def test_agencies_are_linked_only_if_they_say_so_and_sealed_records_leave(tmp_path):
    home = PeopleHome.make(tmp_path / "no", linkable=False)
    home.forms([{"form": "F1", **person("Anna", "Sample", **ANNA)}])
    home.link()
    assert home.keys() == {}
    home = PeopleHome.make(tmp_path / "yes")
    home.forms([{"form": f, **person("Anna", "Sample", **ANNA)} for f in ("F1", "F2")])
    home.link("2024-06-01")
    (home.settings.identity / "sealed.csv").write_text(
        "entity,entity_id,since,reason\ncontact,maple:F1,2024-06-02,expunged\n"
    )
    home.link("2024-06-02")
    assert set(home.keys()) == {"F2"}
    assert home.events()[-1] == ("withdrawn", "F1")


def test_the_store_is_for_its_owner_alone_and_holds_no_values(home):
    home.forms([{"form": "F1", **person("Anna", "Sample", **ANNA)}])
    home.link()
    path = home.settings.identity / "people.duckdb"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for table in ("assignment", "event", "person", "edge", "run"):
        assert "SAMPLE" not in str(home.stored(f"select * from {table}")).upper()


def test_forgetting_a_record_erases_it_from_the_store_and_leaves_the_others(home):
    home.forms([{"form": f, **person("Anna", "Sample", **ANNA)} for f in ("F1", "F2")])
    home.take_in("elm", "visits_1.csv", VISIT, [visit("V1", basis="hipaa_treatment")])
    home.link()
    with open_store(home.settings) as con:
        forget(con, ["contact/subject/maple:F1"])
    for table in ("assignment", "event"):
        assert home.stored(f"select count(*) from {table} where record_id like '%F1'") == [(0,)]
        assert home.stored(f"select count(*) from {table} where record_id like '%F2'") == [(2,)], "one for each zone"
    keys = home.keys()
    home.link(force=True)
    assert home.keys()["F2"] == keys["F2"]


def test_a_name_that_was_never_seen_is_a_typing_error_of_a_common_one(home):
    """Twelve people are called Michael, so the name is in use; Mchael is not."""
    home.forms(
        [
            {"form": f"F{i}", **person("Michael", f"Sample{chr(97 + i)}", "", f"555-010-10{i:02d}", f"{i} Oak Ave")}
            for i in range(12)
        ]
    )
    home.link()
    home.forms([{"form": "X", **person("Mchael", "Samplea", "", "555-010-1000", "0 Oak Ave")}], "forms_2.csv")
    home.link()
    assert home.keys()["X"] == home.keys()["F0"]


def test_calls_alone_teach_the_model_what_they_can(tmp_path):
    """Callers leave names and telephones and no birth date: enough to train on, though not on every rule."""
    write_county(tmp_path / "drop", calls=24_000, months=1, feeds=("cad",), threads=2)
    settings = Settings(home=tmp_path / "home", agency_paths=(PROJECT / "agencies",), threads=2, memory_limit="4GB")
    settings.ensure_home()
    agency = load_agency(PROJECT / "agencies" / "cedar_county")
    land_drop(settings, agency, tmp_path / "drop" / "cedar_county")
    build_input(settings, agency, Ledger(settings.home))
    linked = link_people(settings, date(2026, 1, 1)).zones["justice"]
    assert linked["profiles"] > 3000  # from here on the model is trained
    assert 0 < linked["people"] < linked["profiles"]
