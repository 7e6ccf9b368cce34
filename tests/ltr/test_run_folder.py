"""A run takes its name only when whole, and no earlier run is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import InputError
from ltr.run_folder import new_run, read_settings


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


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "run"
    if exists:
        folder.mkdir()
    with pytest.raises(InputError, match="a run folder"):
        read_settings(folder)
