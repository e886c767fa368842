"""A home built anew from landing and identity alone, beside the one it was copied from."""

from __future__ import annotations

import pytest

from orchestration.agencies import load_agency
from orchestration.landing import land_drop
from orchestration.rebuild import rebuild
from orchestration.run import RunError
from tests.conftest import AGENCIES, CAD, JAIL, calls, table


def test_a_home_built_anew_has_the_same_release_and_says_what_differs(home, tmp_path):
    with pytest.raises(RunError, match="no release to hold a rebuilt one against"):
        rebuild(home.settings, tmp_path / "none")
    # A late version of some calls, bookings, and a file that is refused.
    booked = [{"booking": f"J{i}", "number": c["number"], "booked": c["received"]} for i, c in enumerate(calls("2024-02", 3))]  # fmt: skip
    home.fill("2024-01", "2024-02")
    home.drop("alder", "jail_1.csv", table(JAIL, booked))
    home.drop("alder", "cad_late.csv", table(CAD, calls("2024-02", 5, type_close="CHECK", updated="2025-01-01")))
    home.drop("alder", "strange.txt", "x")
    assert home.run().success

    done = rebuild(home.settings, tmp_path / "again")
    assert (done.differing, done.why) == ((), ()) and done.files == len(home.checksums())
    assert not any((tmp_path / "again" / "drop").iterdir())
    with pytest.raises(RunError, match="is not empty"):
        rebuild(home.settings, tmp_path / "again")

    # A file that landed and that no release holds yet: one more call of January.
    more = {**calls("2024-01", 1)[0], "number": "2401-900"}
    home.drop("alder", "cad_more.csv", table(CAD, [more]))
    land_drop(home.settings, load_agency(AGENCIES / "alder"), home.settings.drop / "alder")
    done = rebuild(home.settings, tmp_path / "other")
    assert "internal/fct_incident.parquet" in done.differing and "internal/fct_jail_booking.parquet" not in done.differing  # fmt: skip
    assert done.why == ("landed files of alder: 1 more and 0 fewer than then",)
