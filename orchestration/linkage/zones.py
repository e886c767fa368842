"""Which records may be linked in which zone, on a given day. Linking is itself a disclosure.

Zone `justice` holds records of law enforcement alone. Zone `care` holds these and records of health, treatment and
program sources that came with a consent in force or another stated legal basis. Each zone is linked by itself, so that
nothing of a justice table depends on a care record.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb

from orchestration.engine import text
from orchestration.linkage.model import Model

ZONES = ("justice", "care")


def _listed(values: Iterable[str]) -> str:
    return "(" + ", ".join(map(text, values)) + ")"


def consents(
    con: duckdb.DuckDBPyConnection, model: Model, as_of: date, identity_files: Iterable[Path], into: str
) -> date | None:
    """Makes table `into` (agency_id, consent_id, person_number, is_in_force, is_refused) of consents to linkage on a day.

    Reads the view input.consent, and identity files for the clients' numbers: a consent speaks for the records that name
    it, and for those of its client that name none. Returns the first later day on which something else holds, or None.
    """
    care = model.said["zones"]["care"]
    files = [text(str(f)) for f in identity_files]
    sql = f"select * from read_parquet([{', '.join(files)}], union_by_name = true, hive_partitioning = false)"
    has = {row[0] for row in con.execute(f"describe {sql}").fetchall()} if files else set()
    client = "join_by.person_number" if "person_number" in has else "cast(null as varchar)"
    join = (
        f"left join ({sql}) as join_by using (source_file, source_row, source_part)" if "person_number" in has else ""
    )
    con.execute(
        f"""
        create or replace temp table {into} as
        with said as (
            select agency_id, entry.consent_id, agency_id || ':' || link_number({client}) as person_number,
                consent_status_code in {_listed(care["consent_status"])} as is_given,
                list_contains(string_split(consent_scope_codes, '|'), {text(care["consent_scope"])}) as is_linkage,
                given_date, expires_date, cast(revoked_local_at as date) as revoked_date, consent_status_code,
                consent_scope_codes
            from input.consent as entry {join}
        )
        select agency_id, consent_id, person_number, given_date,
            is_given and is_linkage and coalesce(given_date <= $as_of, false)
                and coalesce(expires_date >= $as_of, true) and coalesce(revoked_date > $as_of, true) as is_in_force,
            coalesce(revoked_date <= $as_of, false) or consent_status_code in {_listed(care["refused_status"])} as is_refused
        from said
        -- who refuses or takes back one use of the records is not linked on another ground
        where is_linkage or not is_given or revoked_date <= $as_of
        """,
        {"as_of": as_of},
    )
    (turn,) = con.execute(
        """
        select min(turn) from (
            select unnest([given_date, cast(expires_date + interval 1 day as date), cast(revoked_local_at as date)]) as turn
            from input.consent
        ) where turn > $as_of
        """,
        {"as_of": as_of},
    ).fetchone()
    return turn


def admit(con: duckdb.DuckDBPyConnection, model: Model, minors: bool, into: str) -> None:
    """Makes table `into` (zone, record_id): the records that may be linked.

    Reads tables `record`, `consent` as `consents` makes it, `agency` (agency_id, agency_type_code) of the agencies that
    may be linked, and `sealed` (entity, entity_id). minors: whether records about people under 18 are let in.
    """
    zones = model.said["zones"]
    justice, care = zones["justice"], zones["care"]
    con.execute(
        f"""
        create or replace temp table {into} as
        with own_consent as (select consent_id, is_in_force, is_refused from consent),
        -- a client's newest word counts; of two on one day, and where no day is said, the refusal
        client as (
            select person_number, is_in_force, is_refused from consent where person_number is not null
            qualify row_number() over (
                partition by person_number order by given_date desc nulls first, is_in_force, consent_id) = 1
        ),
        allowed as (
            select record.*, agency_type_code in {_listed(justice["agency_types"])}
                    and entity in {_listed(justice["entities"])} as is_justice,
                if(own_consent.consent_id is null, client.is_in_force, own_consent.is_in_force) as has_consent,
                if(own_consent.consent_id is null, client.is_refused, own_consent.is_refused) as has_refused
            from record
            join agency using (agency_id)
            left join own_consent using (consent_id)
            left join client using (person_number)
            anti join sealed using (entity, entity_id)
            where {str(minors).lower()} or not is_minor
        ),
        -- Unknown is not no: only what is said not to be under 42 CFR Part 2 may come in on another basis. And a legal
        -- basis allows linking, it does not ask for it: who refused is left out.
        care as (
            select record_id from allowed
            where is_justice or coalesce(has_consent, false) or (
                part2_protected in ('no', 'not_applicable') and legal_basis_code not in {_listed(care["no_basis"])}
                and not coalesce(has_refused, false))
        )
        select 'justice' as zone, record_id from allowed where is_justice
        union all
        select 'care' as zone, record_id from care
        """
    )
