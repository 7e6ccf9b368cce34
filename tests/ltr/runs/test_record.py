"""A run takes its name only when whole, and no earlier run is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from features.errors import InputError
from ltr.runs.record import new_run, read_settings


def test_a_failed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_run(tmp_path / "run") as draft:
        (draft / "half").write_text("written")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_run_is_set_aside_whole(tmp_path: Path) -> None:
    for number in range(3):
        with new_run(tmp_path / "run") as draft:
            (draft / "number").write_text(str(number))
    assert (tmp_path / "run" / "number").read_text() == "2"
    assert {(path / "number").read_text() for path in tmp_path.iterdir()} == {"0", "1", "2"}


def test_a_failed_run_keeps_the_earlier_one_in_place(tmp_path: Path) -> None:
    with new_run(tmp_path / "run") as draft:
        (draft / "number").write_text("0")
    with pytest.raises(RuntimeError), new_run(tmp_path / "run"):
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "number").read_text() == "0"


KILLED = """
import os, signal, sys
from pathlib import Path
from ltr.runs.record import new_run
with new_run(Path(sys.argv[1])) as draft:
    (draft / "half").write_text("written")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_command_left_is_cleared_by_the_next_beside_it(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed")], check=False)
    assert died.returncode == -signal.SIGKILL
    assert [path.name.startswith(".") for path in tmp_path.iterdir()] == [True]
    with new_run(tmp_path / "other"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "run"
    if exists:
        folder.mkdir()
    with pytest.raises(InputError, match="a run folder"):
        read_settings(folder)
