"""The models' unit tests: the field's test vectors (T6, T7, T8, T9, T11, T12, T13, T19) and metrics by hand calculation."""

from __future__ import annotations

from orchestration.layers.dbt import DbtProject
from orchestration.layers.models import Warehouse
from tests.conftest import Home


def test_every_unit_test_of_the_models_passes(fresh: Home):
    project: DbtProject = Warehouse.open(fresh.settings).project
    results = project.invoke("test", "--select", "test_type:unit")
    told = " ".join(u["description"] for u in project.manifest["unit_tests"].values())
    assert len(results) >= 15
    for vector in ("T6", "T7", "T8", "T9", "T11", "T12", "T13"):
        assert f"{vector}:" in told or f"{vector} " in told, vector
    assert {str(r.status) for r in results} == {"pass"}
