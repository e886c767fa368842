"""The fictional county's people, and records about them as its custodians write them down; true persons are known.

People, names and dirt are the county's; only who a record is about is drawn here, evenly, so that there are exactly as
many records as asked for and no file has to be written, landed and read. The same arguments give the same rows.
"""

from __future__ import annotations

import duckdb

from orchestration.county import people as county
from orchestration.county.draws import table as draws_table
from orchestration.county.identity import DRAWS, written_sql
from orchestration.county.parameters import load_parameters
from orchestration.county.period import Period


def make_people(con: duckdb.DuckDBPyConnection, people: int, seed: int = 1) -> None:
    """Makes table `person` of the county; people: an even number, since a twin follows the other."""
    county.make_people(con, seed, people, Period("2024-01", 1), load_parameters())


def make_records(
    con: duckdb.DuckDBPyConnection,
    records: int,
    people: int,
    seed: int,
    prefix: str,
    into: str,
    custodian: str = "form",
) -> None:
    """Makes table `into` of raw linkage records about table `person`, as the custodian writes; true_person beside.

    They carry no number of the custodian's own: only what people say of themselves can bring them together. A record
    without a name is of a person of its own.
    """
    con.register("drawn_record", draws_table(seed, f"record {prefix}", ("who", *DRAWS), 0, records))
    about = f"select *, cast(who as bigint) * {people} >> 32 as p, at_row as n from drawn_record"
    rows = f"select * from ({about}) join person using (p)"
    con.execute(
        f"""
        create or replace table {into} as
        select '{prefix}' || n as record_id, 'contact' as entity, '{prefix}' || n as entity_id, 'a' as agency_id,
            'subject' as role_code, '2024-01' as month, date '2024-01-31' as event_date,
            cast(null as varchar) as full_name, w_first as first_raw, w_last as last_raw,
            cast(w_birth as varchar) as birth_raw, w_phone as phone_raw, w_address as address_raw,
            cast(null as varchar) as number_raw, cast(null as varchar) as consent_id, 'x' as legal_basis_code,
            'no' as part2_protected, cast(null as integer) as age_years, cast(null as varchar) as age_band_code,
            if(is_anonymous, '{prefix}' || n, cast(p as varchar)) as true_person
        from ({written_sql(rows, load_parameters(), custodian, "M")})
        """
    )
    con.unregister("drawn_record")
