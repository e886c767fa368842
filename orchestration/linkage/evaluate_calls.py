"""How good the links of contacts to calls are, against a truth: in total, by written number, by dirt, and by group."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.engine import text
from orchestration.linkage.evaluate import GROUPS, Score
from orchestration.release.reader import open_release
from orchestration.settings import Settings


def evaluate_calls(settings: Settings, truth: Path) -> list[Score]:
    """Scores of the current release's contacts, the whole first; a pair is a contact and its call.

    truth: a folder with contact_incident, record and person. Raises NoRelease, FileNotFoundError.
    """
    with open_release(settings) as con, duckdb.connect() as truly:
        for table in ("contact_incident", "record", "person"):
            path = truth / f"{table}.parquet"
            if not path.exists():
                raise FileNotFoundError(f"no {path}; `crisis county` writes it")
            truly.execute(f"create view {table} as from read_parquet({text(str(path))})")
        made = con.execute("select contact_id, incident_id from internal.bridge_contact_incident").to_arrow_table()
        truly.register("made", made)
        return score_calls(truly)


def score_calls(con: duckdb.DuckDBPyConnection) -> list[Score]:
    """Scores the links `made` (contact_id, incident_id) against contact_incident, record and person of a truth."""
    return [Score(*row) for row in con.execute(SCORES).fetchall()]


SCORES = f"""
    with judged as (
        select contact_incident.*, made.incident_id as made_incident, coalesce(record.dirt, '') as dirt,
            case when incident_number is null then 'no call' when not number_written then 'not written'
                when number_right then 'right' else 'wrong' end as number_on_form,
            coalesce(split_part(made.incident_id, ':', 2) = incident_number, false) as is_right
        from contact_incident
        join made on made.contact_id = contact_incident.agency_id || ':' || contact_number
        left join record on record.entity = 'contact' and record.agency_id = contact_incident.agency_id
            and record.number = contact_number
    ),
    slice as (
        select * exclude (true_person), unnest([
            {{kind: 'all', value: ''}}, {{kind: 'number on the form', value: number_on_form}},
            {", ".join(f"{{kind: '{group}', value: coalesce(cast({group} as varchar), 'unknown')}}" for group in GROUPS)}
        ], recursive := true)
        from judged left join person using (true_person)
        union all by name
        select * exclude (true_person), 'dirt' as kind, unnest(if(dirt = '', ['none'], string_split(dirt, '|'))) as value
        from judged
    )
    select kind, value, count(*), count(incident_number), count(made_incident), count(*) filter (is_right)
    from slice group by kind, value order by (kind <> 'all'), kind, value
"""
