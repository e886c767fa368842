"""Which columns of a table go to which tier of a release.

internal: records that an agency's own staff may read. care: enrollment, diagnosis, substance use, consent and program
records, for those who care for people; never in `internal`, so that no table of law enforcement shows them.
general: metrics and code tables without any person's or officer's record, for everybody.
"""

from __future__ import annotations

from orchestration.layers.dbt import Model

TIERS = ("internal", "care", "general")
CLOSED = ("internal", "care")  # for their own readers alone


def column_meta(said: dict) -> dict:
    """What the model's contract says of a column beside its name, type and description: tier, unit."""
    return said.get("config", {}).get("meta") or said.get("meta", {})


def tier_of(said: dict) -> str | None:
    """The tier of a column."""
    return column_meta(said).get("tier")


def without_tier(model: Model) -> list[str]:
    """Columns that cannot be released; the table itself, if it has no tier."""
    lost = [c for c, said in model.columns.items() if tier_of(said) not in TIERS]
    return lost if model.meta.get("tier") in TIERS else ["the table", *lost]


def columns_by_tier(model: Model) -> dict[str, list[str]]:
    """{tier: columns of the table's file there}.

    A care table has no other file. Of a table with some care columns, `care` holds these with the key to join them by.
    """
    by_column = {c: tier_of(said) for c, said in model.columns.items()}
    if model.meta["tier"] == "care":
        return {"care": list(by_column)}
    found = {"internal": [c for c, tier in by_column.items() if tier != "care"]}
    if "care" in by_column.values():
        found["care"] = [c for c, tier in by_column.items() if tier == "care" or c in model.primary_key]
    if model.meta["tier"] == "general":
        found["general"] = [c for c, tier in by_column.items() if tier == "general"]
    return found


def home_tier(tier: str) -> str:
    """The tier whose file of a table holds its key and all its rows: care tables have no internal file."""
    return "care" if tier == "care" else "internal"
