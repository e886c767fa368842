"""Parts of linkage by themselves: normalization, scores counted by hand."""

from __future__ import annotations

import duckdb
import pytest

from orchestration.linkage.evaluate import score
from orchestration.linkage.evaluate_calls import score_calls
from orchestration.linkage.records import RAW_COLUMNS, normalize, sources


def normalized(**raw) -> dict:
    """One raw record, normalized."""
    given = {"record_id": "r", "agency_id": "a", "event_date": "2024-05-02"} | raw
    columns = ", ".join(
        f"cast({'null' if given.get(c) is None else repr_sql(given[c])} as"
        f" {'date' if c == 'event_date' else 'integer' if c == 'age_years' else 'varchar'}) as {c}"
        for c in RAW_COLUMNS
    )
    with duckdb.connect() as con:
        con.execute(f"create table raw as select {columns}")
        normalize(con, "raw", "record")
        rows = con.execute("select * from record")
        return dict(zip([d[0] for d in rows.description], rows.fetchone(), strict=True))


def repr_sql(value) -> str:
    return "'" + str(value).replace("'", "''") + "'"


@pytest.mark.parametrize(
    ("written", "first", "last", "suffix"),
    [
        ("Sample, Alex Q", "ALEX", "SAMPLE", None),
        ("Alex Q. Sample", "ALEX", "SAMPLE", None),
        ("SAMPLE, ALEX, JR.", "ALEX", "SAMPLE", "JR"),
        ("Alex Sample III", "ALEX", "SAMPLE", "III"),
        ("Seán O'Neil", "SEAN", "ONEIL", None),
        ("De la Cruz, María José", "MARIA", "DELACRUZ", None),
        ("María de la Cruz", "MARIA", "DELACRUZ", None),
        ("García-López, José", "JOSE", "GARCIALOPEZ", None),
        ("Van Nguyen", "VAN", "NGUYEN", None),
        ("JOHN DOE", None, None, None),
        ("Doe, Jane", None, None, None),
        ("UNKNOWN", None, None, None),
        ("Sample, UNK", None, "SAMPLE", None),
    ],
)
def test_names_are_read_in_both_orders(written, first, last, suffix):
    found = normalized(full_name=written)
    assert (found["first_name"], found["last_name"], found["suffix"]) == (first, last, suffix)


@pytest.mark.parametrize(
    ("column", "written", "value"),
    [
        ("birth_date", "02/03/1980", "1980-02-03"),
        ("birth_date", "2/3/80", "1980-02-03"),
        ("birth_date", "1980-02-03 00:00:00", "1980-02-03"),
        ("birth_date", "1900-01-01", "None"),
        ("birth_date", "2031-01-01", "None"),  # after the event
        ("birth_date", "1980-02-30", "None"),
        ("phone", "+1 (555) 010-1234 ext. 7", "5550101234"),
        ("phone", "010-1234", "0101234"),
        ("phone", "000-000-0000", "None"),
        ("phone", "12345", "None"),
        ("address", "12 North Main Street, Apt 4B, Sampletown", "12 N MAIN ST"),
        ("address", "12 N. Main St #4", "12 N MAIN ST"),
        ("address", "Transient", "None"),
        ("person_number", " pn-7 ", "a:PN-7"),
        ("person_number", "0000", "None"),
    ],
)
def test_values_take_one_form_and_placeholders_are_nothing(column, written, value):
    raw = {"birth_date": "birth_raw", "phone": "phone_raw", "address": "address_raw", "person_number": "number_raw"}
    assert str(normalized(**{raw[column]: written})[column]) == value


@pytest.mark.parametrize(
    ("said", "is_anonymous"),
    [
        ({"full_name": "Alex Sample"}, True),
        ({"phone_raw": "555-010-1234"}, True),
        ({"full_name": "Alex Sample", "phone_raw": "555-010-1234"}, False),
        ({"full_name": "John Doe", "phone_raw": "555-010-1234"}, True),
        ({"first_raw": "Alex", "birth_raw": "1980-02-03"}, True),
        ({"first_raw": "Alex", "birth_raw": "1980-02-03", "phone_raw": "555-010-1234"}, False),
        ({"number_raw": "PN-7"}, False),
    ],
)
def test_what_is_enough_to_link_on(said, is_anonymous):
    assert normalized(**said)["is_anonymous"] is is_anonymous


def test_complaints_are_no_source_and_each_role_is_one_of_its_own():
    found = [(s.entity, s.role) for s in sources()]
    assert len(found) == len(set(found))
    assert "complaint_or_survey" not in {entity for entity, _ in found}
    assert {
        ("incident", "caller"),
        ("contact", "subject"),
        ("jail_booking", "subject"),
        ("ed_visit", "subject"),
    } <= set(found)


def test_pairs_are_counted_by_group_and_by_dirt():
    """Person 1 (group x) has records a, b, c; person 2 (group y) has d, e; f is nobody's. Keys: {a, b}, {c, d}, {e, f}.

    True pairs ab ac bc de = 4; found ab cd ef = 3; right ab = 1. Group x: true ab ac bc = 3, found ab cd = 2 (cd touches
    it), right 1. Group y: true de = 1, found cd ef = 2, right 0. Dirt 'typo' is on c alone: true ac bc = 2, found cd = 1.
    """
    with duckdb.connect() as con:
        con.execute(
            "create table record as select 'a' as agency_id, 'contact' as entity, * from (values"
            " ('a', 'subject', 1, false, ''), ('b', 'subject', 1, false, ''), ('c', 'subject', 1, false, 'typo'),"
            " ('d', 'subject', 2, false, ''), ('e', 'subject', 2, false, ''), ('f', 'subject', null, true, 'john_doe'),"
            " ('z', 'subject', 2, false, '')) as t(number, role, true_person, is_anonymous, dirt)"
        )
        con.execute("create table person as select * from (values (1, 'x'), (2, 'y')) as t(true_person, sex)")
        con.execute(
            "create table link as select 'contact' as entity, 'a:' || number as entity_id, person_key, false as is_anonymous"
            " from (values ('a', 'k1'), ('b', 'k1'), ('c', 'k2'), ('d', 'k2'), ('e', 'k3'), ('f', 'k3')) as t(number, person_key)"
        )
        report = score(con, "justice")
    found = {
        (s.kind, s.value): (s.records, s.true_pairs, s.found_pairs, s.right_pairs)
        for s in [report.whole, *report.slices]
    }
    assert found == {
        ("all", ""): (6, 4, 3, 1),
        ("sex", "x"): (3, 3, 2, 1),
        ("sex", "y"): (2, 1, 2, 0),
        ("dirt", "none"): (4, 4, 3, 1),
        ("dirt", "typo"): (1, 2, 1, 0),
        ("dirt", "john_doe"): (1, 0, 1, 0),
    }
    assert (report.left_out, report.anonymous_truly) == (1, 1)
    assert report.whole.precision == pytest.approx(1 / 3)
    assert report.whole.recall == pytest.approx(1 / 4)


def test_links_of_contacts_are_scored_by_written_number_dirt_and_group():
    con = duckdb.connect()
    # Five contacts: c1 linked right by its number, c2 without number found, c3 linked to another call, c4 has a call and
    # none was found, c5 came without a call and none was made.
    con.execute("""
        create table contact_incident as from (values
            ('a', 'c1', 'i1', true, true, 1), ('a', 'c2', 'i2', false, null, 1), ('a', 'c3', 'i3', true, false, 2),
            ('a', 'c4', 'i4', false, null, 2), ('a', 'c5', null, false, null, 2)
        ) as t (agency_id, contact_number, incident_number, number_written, number_right, true_person);
        create table made as from (values ('a:c1', 'a:i1'), ('a:c2', 'a:i2'), ('a:c3', 'a:i9'), ('a:c4', null), ('a:c5', null))
            as t (contact_id, incident_id);
        create table record as from (values ('contact', 'a', 'c2', 'midnight|typo'), ('contact', 'a', 'c3', 'typo'))
            as t (entity, agency_id, number, dirt);
        create table person as from (values (1, 'w', 'woman', '25-34', 'housed', 'en', 'x'), (2, 'w', 'man', null, 'housed', 'en', 'x'))
            as t (true_person, race_ethnicity, sex, age_band, housing_status, language, name_origin)
    """)
    whole, *slices = score_calls(con)
    assert (whole.records, whole.true_pairs, whole.found_pairs, whole.right_pairs) == (5, 4, 3, 2)
    found = {(s.kind, s.value): (s.records, s.true_pairs, s.found_pairs, s.right_pairs) for s in slices}
    assert found["dirt", "typo"] == (2, 2, 2, 1)
    assert found["dirt", "none"] == (3, 2, 1, 1)
    assert found["sex", "man"] == (3, 2, 1, 0)
    assert found["age_band", "unknown"] == (3, 2, 1, 0)
    assert found["number on the form", "wrong"] == (1, 1, 1, 0)
    assert found["number on the form", "no call"] == (1, 0, 0, 0)
