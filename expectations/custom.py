"""Our own Great Expectations metric and expectations. Import inside functions only: it imports the library.

Rows that break a rule are counted by place (agency and month) in one scan: every check of a table that is a
condition asks for a column of the same tally, so the metric is computed once and a failure is already placed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.expectation_configuration import parse_result_format
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies

from expectations.results import exceeds


class Tally(TableMetricProvider):
    """Counts by place: a list of [agency_id, month, count, ...], as the query gives them."""

    metric_name = "crisis.tally"
    value_keys = ("query",)

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, execution_engine, metric_domain_kwargs, metric_value_kwargs, metrics, runtime_configuration):
        with execution_engine.get_connection() as connection:
            rows = connection.exec_driver_sql(metric_value_kwargs["query"]).fetchall()
        return [list(row) for row in rows]


class ExpectFailingRowsWithin(BatchExpectation):
    """In no place may the failing rows exceed what is allowed.

    query: a tally. eligible, failing: positions of two counts in its rows. shares: the share of eligible rows
    that may fail, by agency_id, with '' for every other agency; None = no row may fail.
    The result's details hold `places`: [agency_id, month, eligible, failing] of every place of the tally.
    """

    query: str
    eligible: int
    failing: int
    shares: dict[str, float] | None = None

    metric_dependencies: ClassVar[tuple[str, ...]] = ("crisis.tally",)
    success_keys: ClassVar[tuple[str, ...]] = ("query", "eligible", "failing", "shares")

    def get_validation_dependencies(self, execution_engine=None, runtime_configuration=None) -> ValidationDependencies:
        """The tally. The library's own way to say so writes the expectation out thirty times."""
        tally = MetricConfiguration(
            Tally.metric_name,
            metric_domain_kwargs={"batch_id": self.batch_id},
            metric_value_kwargs={"query": self.query},
        )
        result_format = parse_result_format((runtime_configuration or {})["result_format"])
        return ValidationDependencies({Tally.metric_name: tally}, result_format)

    def _validate(self, metrics: dict, runtime_configuration=None, execution_engine=None) -> dict[str, Any]:
        rows = metrics["crisis.tally"]
        places = [[row[0], row[1], int(row[self.eligible]), int(row[self.failing] or 0)] for row in rows]
        return {
            "success": not any(exceeds(f, e, self._allowed(agency_id)) for agency_id, _, e, f in places),
            "result": {"observed_value": sum(p[3] for p in places), "details": {"places": places}},
        }

    def _allowed(self, agency_id: str | None) -> float:
        if self.shares is None:
            return 0.0
        return self.shares.get(agency_id or "", self.shares[""])


class ExpectColumnsAbsent(BatchExpectation):
    """The table has none of the named columns. The result's observed value lists those it has."""

    names: list[str]

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.columns",)
    success_keys: ClassVar[tuple[str, ...]] = ("names",)

    def _validate(self, metrics: dict, runtime_configuration=None, execution_engine=None) -> dict[str, Any]:
        found = sorted({c.lower() for c in metrics["table.columns"]} & set(self.names))
        return {"success": not found, "result": {"observed_value": found}}
