"""Linkage records: who stands in a row of the input layer, in a form that can be compared.

A record is one person in one role in one row, such as the caller of an incident. Its values are normalized: upper case
without accents, names in parts, dates as dates, phones as digits, addresses in short forms; placeholders are null. A
record with too little to link on is anonymous: it takes no part in linkage.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from orchestration.engine import name, text
from orchestration.settings import PROJECT
from orchestration.standard import Entity, load_standard

SEEDS = PROJECT / "seeds" / "linkage"
VALUES = ("first_name", "last_name", "suffix", "birth_date", "phone", "address", "person_number")


@dataclass(frozen=True)
class Source:
    """Where one role of an entity has its values: identifying columns of the standard by their purpose."""

    entity: str
    role: str
    full_name: str | None = None
    first: str | None = None
    last: str | None = None
    birth_date: str | None = None
    phone: str | None = None
    address: str | None = None
    person_number: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        said = (self.full_name, self.first, self.last, self.birth_date, self.phone, self.address, self.person_number)
        return tuple(c for c in said if c)


PERSON = {
    "full_name": "person_name",
    "first": "first_name",
    "last": "last_name",
    "birth_date": "birth_date",
    "phone": "phone",
    "address": "home_address",
    "person_number": "person_number",
}
OWN_SOURCES = (
    Source("incident", "caller", full_name="caller_name", phone="caller_phone"),
    Source("crisis_line_contact", "caller", full_name="caller_name", phone="caller_phone"),
    Source(
        "contact",
        "subject",
        full_name="subject_name",
        first="first_name",
        last="last_name",
        birth_date="subject_birth_date",
        phone="subject_phone",
        address="subject_address",
        person_number="person_number",
    ),
)
# Complaints are never linked: somebody who complains must not be looked up by it. Consents are no events.
LEFT_OUT = ("complaint_or_survey", "consent", "incident", "contact")


@cache
def sources() -> tuple[Source, ...]:
    """Every role of every entity that can be linked: own ones, and all entities with the standard's person fields."""
    found = list(OWN_SOURCES)
    for entity in load_standard().values():
        if entity.is_mapped and entity.name not in LEFT_OUT and entity.field("person_number"):
            has = {purpose: f for purpose, f in PERSON.items() if entity.field(f)}
            found.append(Source(entity.name, "subject", **has))
    return tuple(found)


def seed_rows(file: str) -> list[dict[str, str]]:
    """Rows of a seed of linkage, such as placeholder.csv."""
    with (SEEDS / file).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def placeholders(kind: str) -> str:
    """A SQL list of the placeholders of one kind."""
    return "[" + ", ".join(text(r["value"]) for r in seed_rows("placeholder.csv") if r["kind"] == kind) + "]"


_STREET_WORDS = {
    "STREET": "ST", "STR": "ST", "AVENUE": "AVE", "AV": "AVE", "ROAD": "RD", "DRIVE": "DR", "LANE": "LN", "COURT": "CT",
    "BOULEVARD": "BLVD", "PLACE": "PL", "TERRACE": "TER", "CIRCLE": "CIR", "PARKWAY": "PKWY", "HIGHWAY": "HWY",
    "SQUARE": "SQ", "TRAIL": "TRL", "WAY": "WAY", "NORTH": "N", "SOUTH": "S", "EAST": "E", "WEST": "W",
    "NORTHEAST": "NE", "NORTHWEST": "NW", "SOUTHEAST": "SE", "SOUTHWEST": "SW", "SAINT": "ST", "MOUNT": "MT",
}  # fmt: skip
_DATE_FORMATS = (
    "%Y-%m-%d", "%m/%d/%Y", "%m-%d-%Y", "%Y%m%d", "%Y/%m/%d", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d-%b-%Y",
    "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d/%m/%Y",
)  # fmt: skip


def macros() -> list[str]:
    """SQL statements that make the macros of normalization."""
    long, short = (f"[{', '.join(map(text, words))}]" for words in zip(*_STREET_WORDS.items(), strict=True))
    formats = "[" + ", ".join(map(text, _DATE_FORMATS)) + "]"
    return [
        # letters, commas, blanks and hyphens only; apostrophes and full stops go without a gap: O'Neil is ONEIL
        r"""create or replace temp macro link_letters(s) as trim(regexp_replace(regexp_replace(
            upper(strip_accents(s)), '[''’`´.]', '', 'g'), '[^\p{L}, -]+', ' ', 'g'))""",
        r"""create or replace temp macro link_suffix(s) as
            nullif(regexp_extract(s, '[ ,](JR|SR|II|III|IV)\b', 1), '')""",
        r"""create or replace temp macro link_without_suffix(s) as
            trim(regexp_replace(s, '[ ,]+(JR|SR|II|III|IV)\b', '', 'g'), ' ,')""",
        # particles stay with the word behind them, so that the last word is the last name
        r"""create or replace temp macro link_bound(s) as regexp_replace(
            s, ' (DE|DEL|DELA|VAN|VON|DI|DA|DOS|ST|MC|MAC|LA|LE|EL|AL)( (LA|LOS|LAS|DER|DEN))? ', ' \1-\3-', 'g')""",
        """create or replace temp macro link_last_of(s) as case
            when contains(s, ',') then trim(split_part(s, ',', 1))
            when contains(s, ' ') then string_split(link_bound(s), ' ')[-1] else s end""",
        """create or replace temp macro link_first_of(s) as case
            when contains(s, ',') then trim(split_part(s, ',', 2))
            when contains(s, ' ') then split_part(s, ' ', 1) end""",
        r"create or replace temp macro link_word(s) as nullif(regexp_replace(s, '[^\p{L}]', '', 'g'), '')",
        f"""create or replace temp macro link_real_word(s) as
            case when not list_contains({placeholders("name_part")}, s) and not regexp_matches(s, '^(XX+|ZZ+)$') then s end""",
        f"""create or replace temp macro link_is_placeholder(s) as list_contains({placeholders("name")},
            trim(regexp_replace(case when contains(s, ',') then split_part(s, ',', 2) || ' ' || split_part(s, ',', 1)
            else s end, '[ ,-]+', ' ', 'g')))""",
        f"""create or replace temp macro link_read_date(s) as cast(try_strptime(trim(s), {formats}) as date)""",
        # a year of two digits is of this century up to 15, else of the last
        """create or replace temp macro link_date(s) as cast(case when year(link_read_date(s)) < 100
            then link_read_date(s) + to_years(if(year(link_read_date(s)) <= 15, 2000, 1900))
            else link_read_date(s) end as date)""",
        f"""create or replace temp macro link_real_date(d) as case
            when year(d) >= 1890 and not list_contains({placeholders("birth_date")}, cast(d as varchar)) then d end""",
        r"""create or replace temp macro link_digits(s) as regexp_replace(
            regexp_replace(s, '(?i)(ext|x)\.? *[0-9]+ *$', ''), '[^0-9]', '', 'g')""",
        f"""create or replace temp macro link_phone(d) as case
            when length(d) not in (7, 10, 11) or (length(d) = 11 and d[1] <> '1') then null
            when replace(d, d[-1], '') in ('', '1') or list_contains({placeholders("phone")}, d) then null
            when length(d) = 11 then d[2:] else d end""",
        r"""create or replace temp macro link_street(s) as trim(regexp_replace(regexp_replace(regexp_replace(
            split_part(upper(strip_accents(s)), ',', 1),
            '(\b(APT|APARTMENT|UNIT|STE|SUITE|RM|ROOM|LOT|SPC|BLDG)\b\.?|#) *#?[A-Z0-9-]+', ' ', 'g'),
            '[''’.]', '', 'g'), '[^\p{L}0-9]+', ' ', 'g'))""",
        f"""create or replace temp macro link_address(s) as case
            when s is not null and s <> '' and not list_contains({placeholders("address")}, s)
            then array_to_string(list_transform(
                string_split(s, ' '), w -> coalesce({short}[list_position({long}, w)], w)), ' ') end""",
        f"""create or replace temp macro link_number(s) as case
            when trim(s) <> '' and not regexp_matches(trim(s), '^(0+|9+|[Xx-]+)$')
            and not list_contains({placeholders("person_number")}, upper(trim(s))) then upper(trim(s)) end""",
    ]


RAW_COLUMNS = (
    "record_id", "entity", "entity_id", "agency_id", "role_code", "month", "event_date",
    "full_name", "first_raw", "last_raw", "birth_raw", "phone_raw", "address_raw", "number_raw",
    "consent_id", "legal_basis_code", "part2_protected", "age_years", "age_band_code",
)  # fmt: skip


def raw_sql(source: Source, identity: str, has: Iterable[str]) -> str:
    """The raw records of a source: RAW_COLUMNS, one row per row of the view input.<entity> with an identifying value.

    identity: SQL of the entity's identity rows. has: the columns that these have.
    """
    entity, has = load_standard()[source.entity], set(has)

    def raw(column: str | None) -> str:
        return f"cast(person.{name(column)} as varchar)" if column in has else "cast(null as varchar)"

    said = {f.name for f in entity.fields if not f.is_identifying}
    plain = {
        "consent_id": "entry.consent_id" if "consent_number" in said else "cast(null as varchar)",
        "legal_basis_code": "entry.legal_basis_code" if "legal_basis_code" in said else "'not_asked'",
        "part2_protected": "entry.part2_protected" if "part2_protected" in said else "'no'",
        "age_years": "entry.age_years" if "age_years" in said else "cast(null as integer)",
        "age_band_code": "entry.age_band_code" if "age_band_code" in said else "cast(null as varchar)",
    }
    role = text(source.role)
    if source.entity == "contact":
        known = "('subject', 'caller', 'victim', 'witness', 'family', 'suspect')"
        role = f"case when entry.person_role_code in {known} then entry.person_role_code else 'subject' end"
    columns = ", ".join(f"{sql} as {column}" for column, sql in plain.items())
    return f"""
        select {text(source.entity + "/" + source.role + "/")} || entry.{entity.id} as record_id,
            {text(source.entity)} as entity, entry.{entity.id} as entity_id, entry.agency_id, {role} as role_code,
            entry.month, {_event_date(entity)} as event_date,
            {raw(source.full_name)} as full_name, {raw(source.first)} as first_raw, {raw(source.last)} as last_raw,
            {raw(source.birth_date)} as birth_raw, {raw(source.phone)} as phone_raw,
            {raw(source.address)} as address_raw, {raw(source.person_number)} as number_raw, {columns}
        from ({identity}) as person
        join input.{source.entity} as entry using (source_file, source_row, source_part)
        where coalesce({", ".join(raw(c) for c in source.columns)}) is not null"""


def _event_date(entity: Entity) -> str:
    """The day of a row: of its first time that is known, else the last day of its month, else null."""
    days = [
        f"cast(entry.{f.stem}_local_at as date)" if f.kind == "timestamp" else f"entry.{f.name}"
        for f in (entity.field(n) for n in entity.month_from)
    ]
    return f"coalesce({', '.join(days)}, last_day(cast(try_strptime(entry.month, '%Y-%m') as date)))"


def normalize(con: duckdb.DuckDBPyConnection, raw: str, into: str) -> None:
    """Makes table `into` of the raw records in table `raw`.

    Columns: those that say which record it is and why it may be linked (record_id, entity, entity_id, agency_id,
    role_code, month, event_date, consent_id, legal_basis_code, part2_protected), VALUES, is_minor and is_anonymous.
    """
    for statement in macros():
        con.execute(statement)
    con.execute(
        f"""
        create or replace temp table {into} as
        with letters as (
            select *, link_letters(full_name) as full_text, link_letters(first_raw) as first_text,
                link_letters(last_raw) as last_text
            from {raw}
        ),
        parts as (
            select * exclude (full_text), link_without_suffix(full_text) as full_text,
                coalesce(link_suffix(full_text), link_suffix(' ' || last_text), link_suffix(first_text)) as suffix,
                coalesce(link_is_placeholder(full_text), false)
                    or coalesce(link_is_placeholder(first_text || ' ' || last_text), false) as is_placeholder
            from letters
        ),
        words as (
            select * exclude (suffix), if(is_placeholder, null, suffix) as suffix,
                if(is_placeholder, null, link_word(split_part(
                    coalesce(nullif(link_without_suffix(first_text), ''), link_first_of(full_text)), ' ', 1))) as first_word,
                if(is_placeholder, null, link_word(
                    coalesce(nullif(link_without_suffix(last_text), ''), link_last_of(full_text)))) as last_word,
                link_date(birth_raw) as born, link_digits(phone_raw) as digits, link_street(address_raw) as street
            from parts
        ),
        final as (
            select record_id, entity, entity_id, agency_id, role_code, month, event_date, consent_id, legal_basis_code,
                part2_protected, link_real_word(first_word) as first_name,
                if(length(last_word) > 1, link_real_word(last_word), null) as last_name, suffix,
                cast(if(born <= event_date or event_date is null, link_real_date(born), null) as date) as birth_date,
                link_phone(digits) as phone, link_address(street) as address,
                agency_id || ':' || link_number(number_raw) as person_number,
                coalesce(if(born <= event_date, link_real_date(born), null) > event_date - interval 18 year,
                    age_years < 18, age_band_code in ('0-11', '12-17'), false) as is_minor
            from words
        )
        select *, not {ENOUGH} as is_anonymous from final
        """
    )


# What is enough to link on: a number of the agency's own, a name with one thing more, or half a name with two.
ENOUGH = """(person_number is not null
    or (first_name is not null and last_name is not null
        and coalesce(cast(birth_date as varchar), phone, address) is not null)
    or (coalesce(first_name, last_name) is not null and birth_date is not null and coalesce(phone, address) is not null))"""


def read_raw(
    con: duckdb.DuckDBPyConnection, identity_files: Mapping[str, Iterable[Path]], into: str = "raw_record"
) -> None:
    """Makes table `into` of the raw records of all sources. identity_files: {entity: files}; views input.* stand."""
    selects = []
    for source in sources():
        files = sorted(map(str, identity_files.get(source.entity, ())))
        if files:
            listed = ", ".join(map(text, files))
            sql = f"select * from read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
            has = [row[0] for row in con.execute(f"describe {sql}").fetchall()]
            if set(source.columns) & set(has):
                selects.append(raw_sql(source, sql, has))
    empty = ", ".join(
        f"cast(null as {'integer' if c == 'age_years' else 'date' if c == 'event_date' else 'varchar'}) as {c}"
        for c in RAW_COLUMNS
    )
    selects.append(f"select {empty} where false")
    con.execute(f"create or replace temp table {into} as {' union all by name '.join(selects)}")
