"""Which call a row belongs to: precision and recall of the release's links; both are 1 in truth."""

from __future__ import annotations

import duckdb

from orchestration.county.compare.figure import Compared, Truth

# entity of the truth's causes: what it is called, and the release's table and key
CAUSED = {
    "jail_booking": ("booking", "internal.fct_jail_booking"),
    "ed_visit": ("ED visit", "care.fct_ed_visit"),
    "hold": ("hold", "care.fct_hold"),
    "referral": ("referral", "care.fct_referral"),
}


def links(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """Contacts by their number or by score; the records of others by their number only."""
    made = "select contact_id as record_id, incident_id from internal.bridge_contact_incident"
    true = "select agency_id || ':' || contact_number as record_id, incident_number from contact_incident"
    found = _linked(seen, truth, "contact", made, true, ("contact_incident.incident_number",))
    for entity, (name, table) in CAUSED.items():
        made = f"select {entity}_id as record_id, incident_id from {table}"
        true = f"select agency_id || ':' || number as record_id, incident_number from cause where entity = '{entity}'"
        found += _linked(seen, truth, name, made, true, ("cause.incident_number",))
    return found


def _linked(seen: duckdb.DuckDBPyConnection, truth: Truth, name: str, made: str, true: str, of: tuple[str, ...]) -> list[Compared]:  # fmt: skip
    """Of the links made those that are right, and of the true ones those that are made."""
    truth.con.register("made", seen.execute(made).to_arrow_table())
    right, linked, wanted = truth.con.execute(f"""
        select count(*) filter (where split_part(made.incident_id, ':', 2) = known.incident_number),
            count(made.incident_id), count(known.incident_number)
        from ({true}) as known join made using (record_id)
    """).fetchone()
    truth.con.unregister("made")
    return [
        Compared("link", f"{name} to call, {what}", "share", 1.0, right / n if n else None, None, n, of)
        for what, n in (("precision", linked), ("recall", wanted))
    ]
