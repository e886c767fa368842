"""How far a changed month reaches, and so which months a run must rebuild."""

from __future__ import annotations

from orchestration.layers.dbt import Model
from orchestration.layers.fingerprint import reach


def model(name: str, parents: tuple[str, ...], kind: str = "window_table", **neighbors: int) -> Model:
    return Model(name, name, "marts", "marts", kind, neighbors, "", {}, parents, "")


def test_what_models_read_of_their_neighbors_adds_up():
    """A link looks one month back, a fact one month back for the link: a changed call reaches two months ahead.
    A view looks one month ahead at the link; who reads the view reads it for its own month."""
    models = [
        model("link", ("calls",), lookback_months=1),
        model("fact", ("link", "calls"), lookback_months=1),
        model("view", ("link",), kind="view", lookahead_months=1),
        model("reader", ("view",), lookback_months=1),
        model("alone", ("calls",)),
    ]
    assert reach({m.unique_id: m for m in models}) == {
        "link": (0, 1), "fact": (0, 2), "view": (1, 1), "reader": (1, 1), "alone": (0, 0),
    }  # fmt: skip
