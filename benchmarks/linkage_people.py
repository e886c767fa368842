"""The fictional county's people, and records about them as its custodians write them down; true persons are known.

People, names and dirt are the county's; only who a record is about is drawn here, evenly, so that there are exactly as
many records as asked for and no file has to be written, landed and read. The same arguments give the same rows.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.county.draws import columns, draw, share
from orchestration.county.identity import DRAWS, written_sql
from orchestration.county.parameters import load_parameters
from orchestration.county.people import People
from orchestration.county.period import Period


def make_people(people: int, seed: int = 1) -> People:
    """The county's persons; people: an even number, since a twin follows the other."""
    return People(seed, people, Period("2024-01", 1), load_parameters())


def make_records(
    con: duckdb.DuckDBPyConnection,
    records: int,
    people: People,
    seed: int,
    prefix: str,
    into: str,
    custodian: str = "form",
) -> None:
    """Makes table `into` of raw linkage records about the people, as the custodian writes; true_person beside.

    They carry no number of the custodian's own: only what people say of themselves can bring them together. A record
    without a name is of a person of its own.
    """
    who = share(draw(seed, f"record {prefix} who", 0, records), people.size)
    drawn = {"n": np.arange(records), "p": who, **columns(seed, f"record {prefix}", DRAWS, 0, records)}
    con.register("drawn_record", pa.table(drawn | people.take(who)))
    rows = people.person_sql("select * from drawn_record")
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
