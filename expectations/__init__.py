"""Gates between the layers: what each table must satisfy before the next layer may read it.

`runner.judge` evaluates the suites of one layer (suites/<layer>/<table>.yml) with Great Expectations over the
window that was just written, and says for each check, agency and month whether it passed.
"""

from expectations.loader import Check, Suite, SuiteError, load_suites
from expectations.results import LAYERS, CheckResult
from expectations.runner import judge, judge_suites
from expectations.thresholds import HOUSE_FILE, Threshold, ThresholdError, load_thresholds

__all__ = [
    "HOUSE_FILE",
    "LAYERS",
    "Check",
    "CheckResult",
    "Suite",
    "SuiteError",
    "Threshold",
    "ThresholdError",
    "judge",
    "judge_suites",
    "load_suites",
    "load_thresholds",
]
