"""What a check found, in words that name counts and never values."""

from __future__ import annotations

from dataclasses import dataclass

LAYERS = ("input", "linkage", "staging", "marts", "metrics", "release")
SEVERITIES = ("block", "warn", "record")
# Statuses exclude each other; the first that holds counts.
STATUSES = ("error", "not_applicable", "failed", "passed")

Place = tuple[str | None, str | None]  # (agency_id, month); None where the check does not look that closely


@dataclass(frozen=True)
class CheckResult:
    """What one check found in one place.

    check_id: '<table>.<check>'. agency_id, month: None where the check judges an agency or a table whole.
    status: error, not_applicable (no row to judge), failed or passed. severity: block, warn or record.
    observed: a share (0 to 1) for share checks, else the number of failing rows; None where nothing was
    judged. threshold: what was allowed, None where the check compares with none. failing_count: rows.
    reason: one plain sentence with counts, never a value.
    """

    check_id: str
    table: str
    agency_id: str | None
    month: str | None
    status: str
    severity: str
    observed: float | None
    threshold: float | None
    failing_count: int
    reason: str

    @property
    def stops(self) -> bool:
        """Whether the next layer must not read: a blocking failure, or a check that was not evaluated."""
        return self.status == "error" or (self.status == "failed" and self.severity == "block")


def rows_of(failing: int, eligible: int) -> str:
    """'3 of 412 rows'."""
    return f"{failing:,} of {eligible:,} {'row' if eligible == 1 else 'rows'}"


def percent(share: float) -> str:
    """A share as a percentage with up to two decimals: 0.025 -> '2.5 %'."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"


def exceeds(failing: int, eligible: int, allowed: float) -> bool:
    """Whether failing rows are more than the allowed share of the eligible; the margin is rounding only."""
    return failing > allowed * eligible + 1e-9
