import os
import signal
import subprocess
import sys
import time

import pytest

from orchestration.layers.lock import holder, writer_lock

HOLD = """
import sys, time
from pathlib import Path
from orchestration.layers.lock import writer_lock
with writer_lock(Path(sys.argv[1]), "a long run"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "held"
    yield process
    process.kill()
    process.wait()


def test_the_second_writer_is_told_who_holds_the_lock(tmp_path, other):
    assert holder(tmp_path)["pid"] == other.pid
    with pytest.raises(BlockingIOError), writer_lock(tmp_path, "me", wait=False):
        pass


def test_a_killed_holder_frees_the_lock(tmp_path, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    started = time.monotonic()
    with writer_lock(tmp_path, "me"):
        assert time.monotonic() - started < 5
        assert holder(tmp_path)["what"] == "me"
    assert holder(tmp_path) == {}


def test_the_waiting_run_says_so_and_goes_on(tmp_path, other):
    said = []

    def say(text):
        said.append(text)
        if len(said) == 1:
            other.kill()

    with writer_lock(tmp_path, "me", say):
        pass
    assert "a long run" in said[0]
    assert str(other.pid) in said[0]
    assert said[1].startswith("waited")


def test_work_inside_the_block_may_take_it_again(tmp_path):
    with writer_lock(tmp_path, "outer"), writer_lock(tmp_path, "inner", wait=False):
        assert holder(tmp_path)["what"] == "outer"
