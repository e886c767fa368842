"""A home for tests of linkage: a police department and a hospital, whose files are lists of a few people."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.agencies import check_agency, load_agency
from orchestration.landing import land_drop
from orchestration.layers.input import build_input
from orchestration.layers.ledger import Ledger
from orchestration.linkage.people import Linked, link_people
from orchestration.linkage.store import open_store, store_path
from orchestration.settings import Settings

FORM = ["form", "occurred", "name", "born", "phone", "address", "number", "age"]
JAIL = ["booking", "booked", "last", "first", "born", "number"]
CALL = ["call", "received", "caller", "phone"]
VISIT = ["visit", "arrived", "last", "first", "born", "phone", "address", "consent", "basis", "part2", "number"]
CONSENT = ["consent", "status", "scope", "given", "expires", "revoked", "number"]
AGENCY = """
agency: {{agency_id: {id}, agency_name: {id} (invented), agency_type_code: {type}, time_zone: America/Denver, is_fictional: true}}
linkable: {linkable}
feeds:
"""
POLICE = """
  forms:
    files: "forms_*.csv"
    format: csv
    version: {file_name: 'forms_(\\d+)'}
    entities:
      contact:
        fields: {contact_number: form, occurred_at: occurred, subject_name: name, subject_birth_date: born,
          subject_phone: phone, subject_address: address, person_number: number, age_years: age}
  jail:
    files: "jail_*.csv"
    format: csv
    entities:
      jail_booking:
        fields: {booking_number: booking, booked_at: booked, last_name: last, first_name: first, birth_date: born,
          person_number: number}
  cad:
    files: "cad_*.csv"
    format: csv
    entities:
      incident:
        fields: {incident_number: call, received_at: received, caller_name: caller, caller_phone: phone}
"""
HOSPITAL = """
  visits:
    files: "visits_*.csv"
    format: csv
    entities:
      ed_visit:
        fields: {visit_number: visit, arrived_at: arrived, last_name: last, first_name: first, birth_date: born,
          phone: phone, home_address: address, consent_number: consent, legal_basis_code: basis, part2_protected: part2,
          person_number: number}
  consents:
    files: "consents_*.csv"
    format: csv
    version: {file_name: 'consents_(\\d+)'}
    entities:
      consent:
        fields: {consent_number: consent, consent_status_code: status, consent_scope_codes: scope, given_date: given,
          expires_date: expires, revoked_at: revoked, person_number: number}
"""


@dataclass
class PeopleHome:
    """Takes rows as dicts and links; asks the output and the store."""

    settings: Settings

    @classmethod
    def make(cls, folder: Path, linkable: bool = True, **settings) -> PeopleHome:
        for agency_id, kind, feeds in (("maple", "police", POLICE), ("elm", "hospital", HOSPITAL)):
            place = folder / "agencies" / agency_id
            place.mkdir(parents=True)
            said = AGENCY.format(id=agency_id, type=kind, linkable=str(linkable).lower())
            (place / "agency.yml").write_text(said + feeds)
        home = cls(
            Settings(
                home=folder / "home", agency_paths=(folder / "agencies",), threads=2, memory_limit="2GB", **settings
            )
        )
        home.settings.ensure_home()
        return home

    def take_in(self, agency_id: str, file: str, columns: list[str], rows: list[dict]) -> None:
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        drop = self.settings.drop / agency_id
        drop.mkdir(parents=True, exist_ok=True)
        (drop / file).write_text(out.getvalue())
        agency = load_agency(self.settings.agency_paths[0] / agency_id)
        check_agency(agency)
        land_drop(self.settings, agency, drop)
        build_input(self.settings, agency, Ledger(self.settings.home))

    def forms(self, rows: list[dict], file: str = "forms_1.csv") -> None:
        self.take_in("maple", file, FORM, rows)

    def link(self, day: str = "2024-07-01", **options) -> Linked:
        self.said: list[str] = []
        return link_people(self.settings, date.fromisoformat(day), self.said.append, **options)

    def keys(self, zone: str = "justice") -> dict[str, str | None]:
        """{number of the record: person_key} of a zone; anonymous records have None."""
        files = sorted(self.settings.input.glob(f"person_link/*/*/{zone}.parquet"))
        if not files:
            return {}
        rows = duckdb.sql(
            f"select split_part(entity_id, ':', 2), person_key from read_parquet({list(map(str, files))})"
        )
        return dict(rows.fetchall())

    def people(self, zone: str = "justice") -> set[frozenset[str]]:
        """The records of each person, by number."""
        found: dict[str, set[str]] = {}
        for number, key in self.keys(zone).items():
            if key:
                found.setdefault(key, set()).add(number)
        return {frozenset(v) for v in found.values()}

    def stored(self, query: str) -> list[tuple]:
        with duckdb.connect(str(store_path(self.settings)), read_only=True) as con:
            return con.execute(query).fetchall()

    def events(self) -> list[tuple]:
        """(kind, number of the record) of the zone justice, in order."""
        return self.stored("select kind, split_part(record_id, ':', 2) from event where zone = 'justice' order by seq")


def person(first: str, last: str, born: str = "", phone: str = "", address: str = "", **over) -> dict:
    """A contact form about a person; `form` is to be given."""
    return {
        "occurred": "2024-05-02 10:00:00",
        "name": f"{last}, {first}",
        "born": born,
        "phone": phone,
        "address": address,
    } | over


__all__ = ["CALL", "CONSENT", "FORM", "JAIL", "VISIT", "PeopleHome", "open_store", "person"]
