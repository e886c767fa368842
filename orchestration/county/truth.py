"""The truth beside the files: who is who, what belongs to what, what was spoiled, and what the programs change."""

from __future__ import annotations

import csv
import io

from orchestration.county.forms import WRITTEN_NUMBER
from orchestration.county.parameters import Parameters
from orchestration.county.people import NEVER
from orchestration.county.programs import PROGRAMS

# Counts that grow with the blocks; summed at the end.
START = (
    "create table tally (kind varchar, agency_id varchar, entity varchar, month varchar, n bigint)",
    "create table spent (program varchar, item varchar, quantity decimal(18, 4), unit varchar, cents decimal(24, 4))",
)


def call_sql(p: Parameters) -> str:
    """One row per call: what it was, what came of it, and what would have come of it without a program."""
    programs = " ".join(f"when {g.code} then '{g.key}'" for g in PROGRAMS)
    return f"""
select number as incident_number, month_text(s) as month, sector as district, bh as is_bh, kind, is_dup as is_duplicate,
    is_cancelled, is_contact, has_weapon, case when is_contact then subject end as true_person,
    case when not on_view then caller end as true_caller,
    {", ".join(f"open_{g.key} as eligible_{g.key}" for g in PROGRAMS)},
    case program {programs} end as program, fate as outcome,
    fate_without as outcome_without, cast(waited as integer) as waited_seconds,
    case when is_met then case when patrol > 0 then c1 else c4 end end as scene_seconds,
    case when is_met then scene end as scene_seconds_without
from calls
"""


def record_sql(agency: str, entity: str, number: str, table: str, where: str) -> str:
    """Persons of a custodian's rows: whose they are and what is spoiled."""
    return f"""
select '{agency}' as agency_id, '{entity}' as entity, {number} as number, 'subject' as role, _p as true_person,
    _anonymous as is_anonymous, _dirt as dirt, month_text(_s) as month
from {table} where {where}
"""


def cause_sql(agency: str, entity: str, number: str, table: str, where: str) -> str:
    """Which call a custodian's row comes from; null for none."""
    return f"""
select '{agency}' as agency_id, '{entity}' as entity, {number} as number, _caused_by as incident_number
from {table} where {where}
"""


_FORM_DIRT = """concat_ws('|', nullif(person_dirt, ''), case when is_placeholder then 'placeholder_form' end,
    case when is_midnight then 'midnight' end, case when is_skewed then 'clock_skew' end,
    case when is_unnumbered then 'form_without_number' end, case when is_misnumbered then 'form_wrong_number' end,
    case when is_open then 'form_without_disposition' end, case when is_doubled then 'doubled_disposition' end,
    case when is_redacted then 'redacted_form' end)"""
FORM_DIRT = f"select *, {_FORM_DIRT} as dirt from forms"
FORM_RECORDS = f"""
select 'cedar_county' as agency_id, 'contact' as entity, form_no as number, 'subject' as role, p as true_person,
    is_anonymous, {_FORM_DIRT} as dirt, month_text(met_s) as month
from forms
"""
CONTACT_INCIDENT = f"""
select 'cedar_county' as agency_id, form_no as contact_number, number as incident_number,
    number is not null and not is_unnumbered as number_written,
    coalesce({WRITTEN_NUMBER} = number, false) as number_right, p as true_person, month_text(met_s) as month,
    force_used, injured, techniques, restrained, ed_indicated, cast(span_report(hurt) // 60 as integer) as report_minutes
from forms
"""


def tally_sql(agency: str, entity: str, dirt: str, s: str, table: str, where: str = "true") -> str:
    """Count the kinds of a column of kinds, by month."""
    return f"""
insert into tally
select kind, '{agency}', '{entity}', month, sum(n)
from (
    select month, n, unnest(string_split(kinds, '|')) as kind
    from (
        select month_text({s}) as month, {dirt} as kinds, count(*) as n from {table}
        where {where} and length({dirt}) > 0 group by all
    )
)
group by all
"""


def tally_flag_sql(agency: str, entity: str, kind: str, holds: str, s: str, table: str) -> str:
    """Count the rows of which something holds, by month."""
    return f"""
insert into tally
select '{kind}', '{agency}', '{entity}', month_text({s}), count(*) from (select * from {table}) where {holds} group by all
"""


def tally_flags_sql(agency: str, entity: str, kinds: dict[str, str], s: str, table: str) -> str:
    """Count the rows of which each of several tests holds, by month, in one pass."""
    counts = ", ".join(f"count(*) filter (where {holds}) as {kind}" for kind, holds in kinds.items())
    return f"""
insert into tally
select kind, '{agency}', '{entity}', month, n
from (unpivot (select month_text({s}) as month, {counts} from {table} group by all) on {", ".join(kinds)}
    into name kind value n)
where n > 0
"""


def person_sql(persons: str) -> str:
    """One row per person of the query ``persons``."""
    return f"""
select p as true_person, first_name, last_name, birth_date, sex, race_ethnicity, age_band,
    lower(housing) as housing_status, language, name_origin, phone, address, is_minor,
    case when twin <> 0 then p + twin end as twin_of, is_familiar, consent, has_sealed_record, old_last_name, old_address,
    dirt_percent, case when dies < {NEVER} then day_text(dies) end as death_date
from ({persons})
"""


# Tables that are written once.
TABLES = {
    "dirt": "select kind, agency_id, entity, month, cast(sum(n) as bigint) as n from tally group by all order by all",
    "cost": """
        select program, item, cast(sum(quantity) as decimal(18, 4)) as quantity, unit,
            cast(round(sum(cents)) as bigint) as cents
        from spent group by all order by all""",
}


def rate_csv(p: Parameters) -> str:
    """Every parameter with the value that this county used."""
    rows = [(row.name, _text(p[row.name]), row.unit, row.kind, row.source) for row in p.rows.values()]
    return _csv(("name", "value", "unit", "kind", "source"), rows)


def effect_csv(p: Parameters) -> str:
    """The true effect of each program on each outcome."""
    defined = {
        "arrest": "ratio of the chance that a contact ends in arrest, served against not served",
        "hold": "ratio of the chance that a contact ends in an involuntary hold, served against not served",
        "ed": "ratio of the chance that a contact ends at the hospital without a hold, served against not served",
        "repeat": "ratio of the expected number of contacts that a contact brings about within 30 days",
        "scene": "ratio of the time on scene of the first unit, or of the team where no police came",
        "referral": "ratio of the chance of a referral, among contacts without arrest",
        "recode": "share of calls of another type that are re-coded to an explicit one at close",
    }
    rows = []
    for program in PROGRAMS:
        for outcome, how in defined.items():
            value = p[f"effect.{program.key}.{outcome}"]
            base = p["bh_upgrade"] if outcome == "recode" else p[outcome] if outcome in p.rows else None
            rows.append((program.key, program.number, outcome, _text(value), _text(base), _unit(outcome), how))
    return _csv(("program", "program_number", "outcome", "effect", "baseline", "unit", "defined_as"), rows)


def _unit(outcome: str) -> str:
    return "share" if outcome == "recode" else "ratio"


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _csv(header: tuple[str, ...], rows: list[tuple]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def spent_sql(program: str, item: str, quantity: str, unit: str, cents: str, table: str, where: str = "true") -> str:
    """Add what was spent; ``program``, ``quantity`` and ``cents`` are SQL."""
    return f"""
insert into spent select {program}, '{item}', sum({quantity}), '{unit}', sum({cents}) from {table} where {where} group by all
"""


PAID = {"ed_visits": "ed_visit", "stays": "inpatient_stay", "services": "service_visit"}  # feed -> item


def hours_sql(item: str, cents: int) -> str:
    """Add the time on task of officers or clinicians by program: seconds times persons, at ``cents`` an hour."""
    persons = {"officer": "officers_sent", "clinician": "clinicians"}[item]
    return f"""
insert into spent
select program_key, '{item}_hour', sum(busy * {persons}) / cast(3600 as decimal(18, 4)), 'hour',
    sum(cast(busy * {persons} as hugeint)) * {cents} / cast(3600 as decimal(18, 4))
from task where not is_off group by all
"""
