"""From a release to a staffing plan: demand ahead, units and officers that it takes, and shifts that cover them."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEK = 168  # hours; hour 0 is Monday from midnight to one, on the agency's own clock


class StaffingError(ValueError):
    """No plan can be made; the message says why and what to do."""


def hour_of_week(hour: int) -> str:
    """The name of an hour of the week as in the metric tables: 0 is 1_00, 167 is 7_23."""
    return f"{hour // 24 + 1}_{hour % 24:02d}"
