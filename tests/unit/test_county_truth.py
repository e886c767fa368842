"""The county's truth: it agrees with the files, holds the stated rates and effects, and stays out of the files."""

from __future__ import annotations

import csv
from math import sqrt
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from orchestration.agencies import load_agency
from orchestration.cli import main
from orchestration.county import AGENCIES, write_county
from orchestration.county.parameters import load_parameters

CLEAN_CALLS = 20_000
DIRTY_CALLS = 60_000


class County:
    """The files of one county as DuckDB reads them: ``file('jail/bookings')``, ``truth('person')``."""

    def __init__(self, folder: Path, **options) -> None:
        self.folder, self.con = folder, duckdb.connect()
        self.counts = write_county(folder / "drop", truth_folder=folder / "truth", **options)

    def file(self, pattern: str) -> str:
        """A table function over the CSV files of a feed, all texts."""
        return f"read_csv('{self.folder}/drop/{pattern}', all_varchar = true, header = true, union_by_name = true)"

    def truth(self, name: str) -> str:
        return f"read_parquet('{self.folder}/truth/{name}.parquet')"

    def one(self, query: str):
        """The first row of a query."""
        return self.con.execute(query).fetchone()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> County:
    return County(tmp_path_factory.mktemp("clean"), calls=CLEAN_CALLS, dirt=0)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> County:
    return County(tmp_path_factory.mktemp("dirty"), calls=DIRTY_CALLS)


def near(found: float, share: float, n: int) -> bool:
    """Whether a share found among n lies within four standard errors of a share: one in 16,000 does not."""
    return n > 0 and abs(found - share) <= 4 * sqrt(share * (1 - share) / n)


# ---------------------------------------------------------------- without dirt


def test_a_clean_county_has_no_dirt(clean: County) -> None:
    assert clean.one(f"select count(*) filter (where dirt <> ''), count(*) filter (where is_anonymous) from {clean.truth('record')}") == (0, 0)  # fmt: skip
    kinds = clean.con.execute(f"select distinct kind from {clean.truth('dirt')}").fetchall()
    assert {kind for (kind,) in kinds} == {"duplicate", "merged", "reopened"}  # events, not faults
    assert not list((clean.folder / "drop" / "cedar_jail").glob("*_new.csv"))


@pytest.mark.parametrize(
    ("entity", "pattern", "number", "first", "last", "birth"),
    [
        ("ed_visit", "cedar_health/ed_visits_*.csv", "VisitNumber", "FirstName", "LastName", "strptime(DOB, '%Y%m%d')"),
        ("hold", "cedar_health/holds_*.csv", "HoldNumber", "FirstName", "LastName", "strptime(DOB, '%Y%m%d')"),
        ("referral", "cedar_care/referrals_*.csv", "ReferralNumber", "FirstName", "LastName", "BirthDate"),
        ("consent", "cedar_care/consents_*.csv", "ConsentNumber", "FirstName", "LastName", "BirthDate"),
        ("contact", "cedar_county/contact_forms_*.csv", "FormNumber", "split_part(SubjectName, ', ', 2)",
         "split_part(SubjectName, ', ', 1)", "SubjectBirthDate"),
    ],
)  # fmt: skip
def test_clean_files_say_who_the_person_is(
    clean: County, entity: str, pattern: str, number: str, first: str, last: str, birth: str
) -> None:
    """Every row of the file has one row in the truth, and the names and birth date of that person."""
    rows, found, same = clean.one(f"""
        select count(*), count(r.true_person), count(*) filter (where {first} = p.first_name and {last} = p.last_name
            and cast({birth} as date) = p.birth_date)
        from (select distinct on ({number}) * from {clean.file(pattern)}) as f
        left join {clean.truth("record")} as r on r.entity = '{entity}' and r.number = f.{number}
        left join {clean.truth("person")} as p using (true_person)
    """)
    (told,) = clean.one(f"select count(*) from {clean.truth('record')} where entity = '{entity}'")
    assert rows == found == same == told > 100


def test_every_clean_contact_has_a_form_with_its_number(clean: County) -> None:
    """Contacts of calls all have a form; visits without a call have one too, and no number."""
    (contacts,) = clean.one(f"select count(*) from {clean.truth('call')} where is_contact")
    forms, right, visits = clean.one(f"""
        select count(*), count(*) filter (where number_right), count(*) filter (where incident_number is null)
        from {clean.truth("contact_incident")}
    """)
    assert forms - visits == right == contacts
    written = clean.one(f"""
        select count(distinct FormNumber), count(distinct IncidentNumber), count(*) filter (where c.incident_number is null
            and f.IncidentNumber is not null)
        from {clean.file("cedar_county/contact_forms_*.csv")} as f
        left join {clean.truth("contact_incident")} as c on c.contact_number = FormNumber and c.incident_number = f.IncidentNumber
    """)
    assert written == (forms, contacts, 0)


def test_bookings_come_from_calls_that_were_closed_as_booked(clean: County) -> None:
    """Each call with close code BKD that was booked before the export has one booking; others' bookings have no call."""
    (booked,) = clean.one(
        f"select count(*) from {clean.file('cedar_county/cad_incidents_2024-01_*.csv')} where CloseCode = 'BKD'"
    )
    with_call, wrong, rows = clean.one(f"""
        select count(b.IncidentNumber), count(*) filter (where c.CloseCode is distinct from 'BKD' and b.IncidentNumber is not null),
            count(*)
        from {clean.file("cedar_jail/jail_*.csv")} as b
        left join {clean.file("cedar_county/cad_incidents_2024-01_*.csv")} as c using (IncidentNumber)
    """)
    assert with_call == booked
    assert wrong == 0
    assert rows > with_call


def test_a_second_visit_follows_at_its_rate(clean: County) -> None:
    """second_service of the parameters, 0.6, of those whose second visit surely fell before the export."""
    first, again = clean.one(f"""
        select count(*) filter (where number like '%-1'), count(*) filter (where number like '%-2')
        from (
            select ServiceNumber as number,
                min(cast(ServiceAt as timestamp)) over (partition by ReferralNumber) as begun
            from {clean.file("cedar_care/services_*.csv")}
        ) where begun < timestamp '2024-04-01'
    """)
    assert first > 50
    assert near(again / first, 0.6, first)


def test_paid_amounts_add_up_to_the_true_cost(clean: County) -> None:
    """To the cent: what the hospital's file says was paid, and the truth."""
    for item, pattern in (
        ("ed_visit", "cedar_health/ed_visits_*.csv"),
        ("inpatient_stay", "cedar_health/stays_*.csv"),
        ("service_visit", "cedar_care/services_*.csv"),
        ("ambulance_trip", "cedar_county/transports_*.csv"),
    ):
        amount = "Charge" if item == "ambulance_trip" else "Paid"
        (paid,) = clean.one(
            f"select cast(sum(cast({amount} as decimal(12, 2))) * 100 as bigint) from {clean.file(pattern)}"
        )
        assert clean.one(f"select cents from {clean.truth('cost')} where item = '{item}'") == (paid,), item


def test_officer_hours_of_the_file_are_the_true_ones(clean: County) -> None:
    """Sum over units of persons and time from dispatch to clear: the file in whole seconds, the truth in hours."""
    (seconds,) = clean.one(f"""
        select sum(date_diff('second', cast(Dispatched as timestamp), cast(Cleared as timestamp)) * cast(Officers as bigint))
        from {clean.file("cedar_county/cad_units_*.csv")} where Cancelled is null
    """)
    (hours,) = clean.one(f"select sum(quantity) from {clean.truth('cost')} where item = 'officer_hour'")
    assert abs(seconds / 3600 - float(hours)) < 4  # a unit that is out when the clock changes is an hour off


def test_a_unit_goes_to_an_event_once_an_assignment(clean: County) -> None:
    rows, keys = clean.one(
        f"select count(*), count(distinct (IncidentNumber, Unit, Assignment)) from {clean.file('cedar_county/cad_units_*.csv')}"
    )
    assert rows == keys


def test_a_trip_goes_where_the_call_s_end_says(clean: County) -> None:
    """Arrests booked go to jail; whoever is taken anywhere gets there once, whom a center turns away after another trip;
    an ambulance alone charges."""
    handed, calls, wrong, charged, refused = clean.one(f"""
        select count(t.HandedOver), count(distinct t.IncidentNumber),
            count(*) filter (where (CloseCode in ('BKD', 'ARR')) <> (Destination = 'JAIL')),
            count(*) filter (where (Charge is not null) <> (Carrier = 'AMB')),
            count(*) filter (where (TurnedAway = 'Y') <> (t.HandedOver is null))
        from {clean.file("cedar_county/transports_*.csv")} as t
        join {clean.file("cedar_county/cad_incidents_2024-01_*.csv")} as c using (IncidentNumber)
    """)
    assert handed == calls > 500
    assert (wrong, charged, refused) == (0, 0, 0)


def test_what_the_center_reports_are_the_trips_to_it(clean: County) -> None:
    """Every arrival stands in one noon's report, but those after the last noon; nobody sits on a place that is not there."""
    at, last = "cast(AtDestination as timestamp)", "(select max(cast(ObservedAt as timestamp)) from {})"
    reports, trips = (clean.file(f"{name}_*.csv") for name in ("cedar_health/capacity", "cedar_county/transports"))
    told = clean.one(f"select sum(cast(DropOffs as int)), sum(cast(PoliceDropOffs as int)), sum(cast(TurnedAway as int)) from {reports}")  # fmt: skip
    true = clean.one(f"""
        select count(*), count(*) filter (where Carrier = 'CAR'), count(*) filter (where TurnedAway = 'Y') from {trips}
        where Destination in ('CRISIS CENTER', 'DETOX') and {at} <= {last.format(reports)}
    """)
    assert told == true and true[2] > 5
    assert clean.one(f"select count(*) from {reports} where cast(Occupied as int) + cast(Free as int) <> cast(Staffed as int) or cast(Free as int) < 0") == (0,)  # fmt: skip


def test_a_unit_names_the_shift_that_is_on_when_it_is_sent(clean: County) -> None:
    """But for units of teams, and for those of the first night, whose shift began before the roster does."""
    units, wrong, unnamed = clean.one(f"""
        select count(*), count(*) filter (where u.ShiftNumber is not null and (s.ShiftNumber is null
                or cast(Dispatched as timestamp) not between cast(Started as timestamp) and cast(Ended as timestamp))),
            count(*) filter (where u.ShiftNumber is null and UnitKind in ('CAR', 'CITCAR')
                and Dispatched between '2024-01-01 07:00:00' and '2024-06-30 22:59:59')
        from {clean.file("cedar_county/cad_units_*.csv")} as u
        left join {clean.file("cedar_county/roster_*.csv")} as s using (ShiftNumber)
    """)
    assert units > 10_000
    assert (wrong, unnamed) == (0, 0)


def test_what_a_form_says_of_harm_and_help_has_its_rate(clean: County) -> None:
    n, trained, untrained, calm, calm_trained, restrained, due, not_taken = clean.one(f"""
        select count(*), count(*) filter (where trained), count(*) filter (where not trained),
            count(*) filter (where not trained and Techniques not in ('NONE', 'DK')),
            count(*) filter (where trained and Techniques not in ('NONE', 'DK')),
            count(*) filter (where Restrained = 'Y'), count(*) filter (where EDIndicated = 'Y' and met), count(*) filter (where met)
        from (select *, CITArrived = 'Y' or ClinicianArrived = 'Y' as trained,
                outcome not in ('ed', 'hold') as met
            from {clean.file("cedar_county/contact_forms_*.csv")} as form
            join {clean.truth("call")} as call on form.IncidentNumber = call.incident_number
            where MainOne is distinct from 'N' and CITArrived is not null and Disposition not in ('NO ACTION', 'UNABLE TO CONTACT')
            qualify row_number() over (partition by FormNumber order by Disposition) = 1)
    """)
    assert near(calm / untrained, 0.55, untrained) and near(calm_trained / trained, 0.8, trained)
    assert near(restrained / n, 0.03, n) and near(due / not_taken, 0.06, not_taken)


# ---------------------------------------------------------------- rates and effects


def test_outcomes_without_a_program_have_the_stated_shares(dirty: County) -> None:
    """Arrest 6, hold 15, hospital 17 in 100: parameters.csv."""
    for outcome, share in (("arrest", 0.06), ("hold", 0.15), ("ed", 0.17)):
        found, n = dirty.one(
            f"select avg(cast(outcome_without = '{outcome}' as integer)), count(*) from {dirty.truth('call')} where is_contact"
        )
        assert near(found, share, n), outcome


def test_programs_change_outcomes_as_stated(tmp_path: Path) -> None:
    """Co-response: arrest 0.06 * 0.6 = 0.036; the mobile team: hold unchanged; nothing changes without a program."""
    county = County(tmp_path, calls=DIRTY_CALLS, rates={"served.core": 0.8, "arrest": 0.3}, dirt=0, months=2)
    arrested, hold, hold_without, n = county.one(f"""
        select avg(cast(outcome = 'arrest' as integer)), count(*) filter (where outcome = 'hold' and program = 'mct'),
            count(*) filter (where outcome_without = 'hold' and program = 'mct'), count(*)
        from {county.truth("call")} where is_contact and program = 'core'
    """)
    assert near(arrested, 0.3 * 0.6, n)
    assert hold == hold_without
    (changed,) = county.one(
        f"select count(*) from {county.truth('call')} where program is null and outcome is distinct from outcome_without"
    )
    assert changed == 0


def test_scene_time_of_co_response_is_a_quarter_longer(dirty: County) -> None:
    (ratio,) = dirty.one(
        f"select sum(scene_seconds) / sum(scene_seconds_without) from {dirty.truth('call')} where program = 'core'"
    )
    assert abs(ratio - 1.25) < 0.01  # whole seconds


def test_effect_and_rate_tables_state_what_was_used(tmp_path: Path) -> None:
    write_county(tmp_path / "drop", calls=50, truth_folder=tmp_path / "truth", dirt=2, rates={"typo": 0.5})
    rates = {row["name"]: float(row["value"]) for row in csv.DictReader((tmp_path / "truth" / "rate.csv").open())}
    assert rates["typo"] == 0.5  # set by name: not multiplied
    assert rates["nickname"] == 2 * load_parameters()["nickname"]
    assert rates["redacted_sensitive"] == 1  # 2 * 0.8
    effects = list(csv.DictReader((tmp_path / "truth" / "effect.csv").open()))
    values = {(row["program"], row["outcome"]): float(row["effect"]) for row in effects}
    assert {row["program"] for row in effects} == {"core", "mct", "alt", "cit"}
    assert values["mct", "hold"] == 1  # none
    assert values["alt", "repeat"] > 1  # harmful


def test_repeats_follow_earlier_contacts(tmp_path: Path) -> None:
    """If every contact follows another and none starts anew, all are of one person; if none does, few repeat."""
    people = []
    for share in (0, 1):
        folder = tmp_path / str(share)
        county = County(folder, calls=3000, rates={"repeat": share, "familiar_contacts": 0}, feeds=("cad",))
        people.append(
            county.one(f"select count(distinct true_person), count(*) from {county.truth('call')} where is_contact")
        )
    # 600 persons, about 480 contacts: 600 * (1 - (599/600)^480) = 331 different ones
    assert abs(people[0][0] - 331) < 40
    assert people[1][0] < 40


def test_load_makes_the_wait(tmp_path: Path) -> None:
    waits = []
    for busy in (0.4, 0.9):
        county = County(tmp_path / str(busy), calls=20_000, months=1, rates={"utilization": busy}, feeds=("cad",))
        waits.append(county.one(f"select avg(waited_seconds) from {county.truth('call')}")[0])
    assert waits[1] > 3 * waits[0]


# ---------------------------------------------------------------- dirt


@pytest.mark.parametrize(
    ("kind", "share", "among"),
    [
        ("typo", 0.03, "length(first_name) > 2 and length(last_name) > 2"),
        ("swapped_name", 0.006, "true"),
        ("missing_birth_date", 0.05, "true"),
        ("wrong_birth_date", 0.02, "true"),
        ("missing_phone", 0.20, "phone is not null"),
        ("wrong_phone", 0.02, "phone is not null"),
        ("missing_address", 0.15, "address is not null"),
        ("abbreviated_address", 0.05, "address is not null"),
        ("old_address", 0.4, "old_address is not null and address is not null"),
        ("second_number", 0.02, "true"),
    ],
)
def test_dirt_on_persons_has_its_rate(dirty: County, kind: str, share: float, among: str) -> None:
    """On forms, custodian of quality 1, about persons of the reference group who were named."""
    found, n = dirty.one(f"""
        select avg(cast(list_contains(string_split(dirt, '|'), '{kind}') as integer)), count(*)
        from {dirty.truth("record")} join {dirty.truth("person")} using (true_person)
        where entity = 'contact' and not is_anonymous and dirt_percent = 100 and {among}
    """)
    assert near(found, share, n), (found, n)


def test_a_former_last_name_has_its_rate(dirty: County) -> None:
    """Only women changed theirs: their group's factor is 1.05, so 0.5 * 1.05 write the former one."""
    found, n = dirty.one(f"""
        select avg(cast(list_contains(string_split(dirt, '|'), 'old_surname') as integer)), count(*)
        from {dirty.truth("record")} join {dirty.truth("person")} using (true_person)
        where entity = 'contact' and not is_anonymous and dirt_percent = 105 and old_last_name is not null
    """)
    assert near(found, 0.5 * 1.05, n), (found, n)


@pytest.mark.parametrize(
    ("kind", "entity", "share", "of"),
    [
        ("padded_beat", "incident", 0.10, "calls"),
        ("doubled_row", "incident", 0.003, "calls"),
        ("unparsable_time", "incident", 0.001, "calls"),
        ("unmapped_type", "incident", 0.001, "calls"),
        ("placeholder", "incident", 0.003, "calls"),
        ("clock_skew", "contact", 0.10, "forms"),
        ("midnight", "contact", 0.02, "forms"),
        ("placeholder_form", "contact", 0.04, "forms"),
        ("form_without_disposition", "contact", 0.03, "forms"),
        ("redacted_form", "contact", 0.01, "forms"),
        ("clock_skew", "jail_booking", 0.10, "jail_bookings_rows"),
        ("clock_skew", "ed_visit", 0.10, "ed_visits_rows"),
    ],
)
def test_dirt_on_rows_has_its_rate(dirty: County, kind: str, entity: str, share: float, of: str) -> None:
    (n,) = dirty.one(f"select sum(n) from {dirty.truth('dirt')} where kind = '{kind}' and entity = '{entity}'")
    assert near(int(n) / dirty.counts[of], share, dirty.counts[of]), n


def test_officers_referrals_seldom_carry_the_number_of_the_call(dirty: County) -> None:
    """Seven in ten do not; those that a program makes all do."""
    lost, n, of_programs = dirty.one(f"""
        select avg(cast(CadNumber is null as integer)) filter (where Program is null), count(*) filter (where Program is null),
            count(*) filter (where Program is not null and CadNumber is null)
        from {dirty.file("cedar_care/referrals_*.csv")}
    """)
    assert near(lost, 0.7, n)
    assert of_programs == 0


def test_the_corrected_export_re_codes_three_in_a_hundred(dirty: County) -> None:
    """Of the behavioral-health calls of April, by parameters.csv."""
    (n,) = dirty.one(f"select sum(n) from {dirty.truth('dirt')} where kind = 'late_recode'")
    (of,) = dirty.one(f"select count(*) from {dirty.truth('call')} where is_bh and month = '2024-04'")
    assert near(int(n) / of, 0.03, of)


def test_every_kind_of_dirt_is_there(dirty: County) -> None:
    """All of parameters.csv, but for the one that concerns a whole file."""
    wanted = {name for name, row in load_parameters().rows.items() if row.kind == "dirt"}
    found = {kind for (kind,) in dirty.con.execute(f"select distinct kind from {dirty.truth('dirt')}").fetchall()}
    renamed = {"redacted": {"redacted_any", "redacted_sensitive"}}
    found |= set().union(*(renamed[kind] for kind in found & set(renamed)))
    assert wanted - found == {"changed_layout"}
    assert list((dirty.folder / "drop" / "cedar_jail").glob("*_new.csv"))


def test_bookings_of_the_night_the_clocks_go_forward_are_an_hour_early(tmp_path: Path) -> None:
    county = County(tmp_path, calls=200_000, months=1, start="2024-03", feeds=("jail",))
    (late,) = county.one(f"select sum(n) from {county.truth('dirt')} where kind = 'dst_clock'")
    (skipped,) = county.one(f"""
        select count(*) from {county.file("cedar_jail/jail_*.csv")} where coalesce(Booked,
            cast(try_strptime("Booking Date/Time", '%m/%d/%Y %H:%M:%S') as varchar)) like '2024-03-10 02:%'
    """)
    assert late > 0
    assert 0 < skipped <= late


def test_groups_differ_in_dirt(dirty: County) -> None:
    """Origin 1.5 times language 1.5: names of other origins are misspelled about twice as often."""
    rows = dirty.con.execute(f"""
        select name_origin = 'english', avg(cast(list_contains(string_split(dirt, '|'), 'typo') as integer))
        from {dirty.truth("record")} join {dirty.truth("person")} using (true_person)
        where entity = 'incident' group by all order by all
    """).fetchall()
    assert 1.4 < rows[0][1] / rows[1][1] < 2.6


def test_forms_are_not_missing_at_random(dirty: County) -> None:
    """A program fills in nearly all forms: 0.40 * 0.15 = 6 in 100 are missing; without one about 40 in 100 and more."""
    rows = dict(
        dirty.con.execute(f"""
            select program = 'core', avg(cast(f.incident_number is null as integer))
            from {dirty.truth("call")} as c left join {dirty.truth("contact_incident")} as f using (incident_number)
            where is_contact and (program = 'core' or program is null) group by all
        """).fetchall()
    )
    assert rows[True] < 0.1
    assert rows[None] > 0.35


# ---------------------------------------------------------------- persons


def test_the_first_two_persons_are_twins_of_whom_one_refuses(dirty: County) -> None:
    same, others = dirty.one(f"""
        select a.last_name = b.last_name and a.birth_date = b.birth_date and a.twin_of = 1 and b.twin_of = 0,
            a.first_name <> b.first_name
        from {dirty.truth("person")} as a, {dirty.truth("person")} as b where a.true_person = 0 and b.true_person = 1
    """)
    assert same and others
    consents = dict(
        dirty.con.execute(f"select true_person, consent from {dirty.truth('person')} where true_person < 2").fetchall()
    )
    assert consents[0] in ("refused", "none") and consents[1] in ("given", "none")


def test_nobody_appears_after_death(dirty: County) -> None:
    (after,) = dirty.one(f"""
        select count(*) from {dirty.truth("call")} as c join {dirty.truth("person")} as p using (true_person)
        where c.month > left(p.death_date, 7)
    """)
    assert after == 0


def test_consent_in_the_truth_is_that_of_the_file(dirty: County) -> None:
    wrong, asked = dirty.one(f"""
        select count(*) filter (where consent <> case Status when 'REFUSED' then 'refused' when 'REVOKED' then 'withdrawn'
            else 'given' end), count(*)
        from {dirty.file("cedar_care/consents_*.csv")} as f
        join {dirty.truth("record")} as r on r.entity = 'consent' and r.number = ConsentNumber
        join {dirty.truth("person")} using (true_person)
    """)
    assert wrong == 0 and asked > 500
    (told,) = dirty.one(f"select count(*) from {dirty.truth('person')} where consent <> 'none'")
    assert told == asked


# ---------------------------------------------------------------- the truth stays out of the files


def test_no_file_of_the_vendors_holds_truth(dirty: County) -> None:
    """Neither a column of the truth nor a number of a person, and no name of a kind of dirt."""
    kinds = {name for name, row in load_parameters().rows.items() if row.kind == "dirt" and "_" in name}
    for path in (dirty.folder / "drop").rglob("*.csv"):
        text = path.read_text(encoding="utf-8")
        header = text.split("\n", 1)[0].lower()
        assert not {"true_person", "dirt", "is_bh", "kind_of_call"} & set(header.replace('"', "").split(",")), path.name
        assert not [kind for kind in (*kinds, "true_person") if kind in text], path.name
    numbers = f"""
        select count(*), count(*) filter (where cast(regexp_replace(ClientNumber, '\\D', '', 'g') as bigint) = true_person)
        from {dirty.file("cedar_care/referrals_*.csv")} as f
        join {dirty.truth("record")} as r on r.entity = 'referral' and r.number = ReferralNumber
    """
    rows, same = dirty.one(numbers)
    assert rows > 500 and same <= 1


# ---------------------------------------------------------------- the command


def test_the_command_writes_files_folders_and_truth(tmp_path: Path) -> None:
    said = CliRunner().invoke(
        main, ["county", "--out", str(tmp_path), "--calls", "300", "--rate", "typo=0.5", "--dirt", "0"]
    )
    assert said.exit_code == 0, said.output
    assert {path.name for path in tmp_path.iterdir()} == {"drop", "agencies", "truth"}
    assert {path.name for path in (tmp_path / "agencies").iterdir()} == set(AGENCIES)
    assert all(load_agency(tmp_path / "agencies" / agency).agency.is_fictional for agency in AGENCIES)
    kinds = {kind for (kind,) in duckdb.sql(f"select distinct kind from '{tmp_path}/truth/dirt.parquet'").fetchall()}
    assert kinds - {"duplicate", "merged", "reopened"} == {"typo"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--rate", "typos=1"), "no parameter 'typos'"),
        (("--rate", "typo=2"), "between 0 and 1"),
        (("--dirt", "-1"), "dirt is"),
    ],
)
def test_the_command_names_what_is_wrong(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    said = CliRunner().invoke(main, ["county", "--out", str(tmp_path), *words])
    assert said.exit_code == 1 and says in said.output
