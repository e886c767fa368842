"""Which records may be linked in which zone, on a given day. Linking is itself a disclosure.

Zone `justice` holds records of law enforcement alone. Zone `care` holds these and records of health, treatment and
program sources that came with a consent in force or another stated legal basis. Each zone is linked by itself, so that
nothing of a justice table depends on a care record.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import duckdb

from orchestration.engine import text
from orchestration.linkage.model import Model

ZONES = ("justice", "care")


def _listed(values: Iterable[str]) -> str:
    return "(" + ", ".join(map(text, values)) + ")"


def consents(con: duckdb.DuckDBPyConnection, model: Model, as_of: date, into: str) -> date | None:
    """Makes table `into` (consent_id) of the consents to linkage in force on a day, of the view input.consent.

    Returns the first later day on which another set holds; None if there is none.
    """
    care = model.said["zones"]["care"]
    con.execute(
        f"""
        create or replace temp table {into} as
        select consent_id from input.consent
        where consent_status_code in {_listed(care["consent_status"])}
            and list_contains(string_split(consent_scope_codes, '|'), {text(care["consent_scope"])})
            and given_date <= $as_of and coalesce(expires_date >= $as_of, true)
            and coalesce(cast(revoked_local_at as date) > $as_of, true)
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

    Reads tables `record`, `consent_in_force` (consent_id), `agency` (agency_id, agency_type_code) of the agencies that
    may be linked, and `sealed` (entity, entity_id). minors: whether records about people under 18 are let in.
    """
    zones = model.said["zones"]
    justice, care = zones["justice"], zones["care"]
    con.execute(
        f"""
        create or replace temp table {into} as
        with allowed as (
            select record.*, agency_type_code in {_listed(justice["agency_types"])}
                    and entity in {_listed(justice["entities"])} as is_justice,
                consent_in_force.consent_id is not null as has_consent
            from record
            join agency using (agency_id)
            left join consent_in_force using (consent_id)
            anti join sealed using (entity, entity_id)
            where {str(minors).lower()} or not is_minor
        ),
        -- unknown is not no: only what is said not to be under 42 CFR Part 2 may come in on another basis
        care as (
            select record_id from allowed
            where is_justice or has_consent or (
                part2_protected in ('no', 'not_applicable') and legal_basis_code not in {_listed(care["no_basis"])})
        )
        select 'justice' as zone, record_id from allowed where is_justice
        union all
        select 'care' as zone, record_id from care
        """
    )
