"""Invented people and their records, with the dirt that linkage meets; true persons are known.

Names are faker's weighted lists; every draw is a piece of an md5 of seed, purpose and row, so that the same arguments
give the same rows.
"""

from __future__ import annotations

import duckdb
import pyarrow


def _names() -> dict[str, tuple[list[str], list[float]]]:
    from faker.providers.person.en_US import Provider

    found = {}
    for kind, names in (("first", Provider.first_names), ("last", Provider.last_names)):
        found[kind] = ([n.upper() for n in names], [float(w) for w in names.values()])
    return found


def make_people(con: duckdb.DuckDBPyConnection, people: int, seed: int = 1) -> None:
    """Makes table `truth` (true_person, first_name, last_name, birth_date, phone, address): every 20th has a twin."""
    con.execute(
        "create or replace macro draw(seed, purpose, number) as"
        " (md5_number_lower(concat_ws('/', seed, purpose, number)) >> 11) / 9007199254740992.0"
    )
    for kind, (names, weights) in _names().items():
        total, low, rows = sum(weights), 0.0, []
        for name, weight in zip(names, weights, strict=True):
            rows.append((name, low / total, (low + weight) / total))
            low += weight
        con.register(
            "listed", pyarrow.table(dict(zip(("name", "low", "high"), map(list, zip(*rows, strict=True)), strict=True)))
        )
        con.execute(f"create or replace table {kind}_names as select * from listed order by low")
        con.unregister("listed")
    con.execute(
        f"""
        create or replace table truth as
        with base as (
            select i, i - (i % 20 = 1)::int as twin, i - i % 3 as home from range({people}) as t(i)
        ),
        drawn as (
            select i as true_person, twin, draw({seed}, 'first', i) as a, draw({seed}, 'last', home) as b,
                date '1945-01-01' + cast(draw({seed}, 'born', if(i % 20 = 1, twin, i)) * 21900 as integer) as birth_date,
                home, draw({seed}, 'house', home) as c, draw({seed}, 'street', home) as d
            from base
        )
        select true_person, f.name as first_name, l.name as last_name, birth_date,
            '555' || lpad(cast(cast(draw({seed}, 'phone', true_person) * 9999999 as integer) as varchar), 7, '0') as phone,
            cast(1 + c * 4000 as integer) || ' ' || s.name || ' ST' as address
        from drawn
        asof join first_names as f on a >= f.low
        asof join last_names as l on b >= l.low
        asof join last_names as s on d >= s.low
        """
    )


def make_records(con: duckdb.DuckDBPyConnection, records: int, people: int, seed: int, prefix: str, into: str) -> None:
    """Makes table `into` of raw linkage records about table `truth`, with typing errors and gaps; true_person beside."""
    con.execute(
        f"""
        create or replace table {into} as
        with drawn as (
            select i, cast(floor(draw({seed}, '{prefix}who', i) * {people}) as bigint) as true_person,
                draw({seed}, '{prefix}typo', i) as typo, draw({seed}, '{prefix}gap', i) as gap,
                draw({seed}, '{prefix}move', i) as move, draw({seed}, '{prefix}place', i) as place
            from range({records}) as t(i)
        ),
        joined as (select * from drawn join truth using (true_person)),
        dirty as (
            select *,
                cast(1 + floor(place * (length(first_name) - 1)) as integer) as at_first,
                cast(1 + floor(place * (length(last_name) - 1)) as integer) as at_last
            from joined
        )
        select '{prefix}' || i as record_id, 'contact' as entity, '{prefix}' || i as entity_id, 'a' as agency_id,
            'subject' as role_code, '2024-01' as month, date '2024-01-31' as event_date, cast(null as varchar) as full_name,
            case when typo < 0.03 then first_name[1:at_first - 1] || first_name[at_first + 1] || first_name[at_first] || first_name[at_first + 2:]
                when typo < 0.05 then first_name[1:at_first] || first_name[at_first + 2:]
                when typo between 0.10 and 0.11 then last_name else first_name end as first_raw,
            case when typo between 0.05 and 0.08 then last_name[1:at_last - 1] || last_name[at_last + 1] || last_name[at_last] || last_name[at_last + 2:]
                when typo between 0.10 and 0.11 then first_name else last_name end as last_raw,
            case when gap < 0.10 then null
                when typo between 0.12 and 0.14 then cast(birth_date + interval 3 year as date)::varchar
                else birth_date::varchar end as birth_raw,
            case when gap between 0.10 and 0.25 then null when move < 0.1 then '555' || lpad(cast(cast(place * 9999999 as integer) as varchar), 7, '0')
                else phone end as phone_raw,
            case when gap between 0.20 and 0.40 then null when move between 0.05 and 0.15 then cast(place * 9000 as integer) || ' ELSEWHERE AVE'
                else address end as address_raw,
            cast(null as varchar) as number_raw, cast(null as varchar) as consent_id, 'x' as legal_basis_code, 'no' as part2_protected,
            cast(null as integer) as age_years, cast(null as varchar) as age_band_code, true_person
        from dirty
        """
    )
