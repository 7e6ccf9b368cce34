"""A bit that turns in any file of a run is found by whoever reads it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from features.errors import InputError
from ltr.runs.saved_run import SavedRun, held_out
from ltr.runs.sums import SUMS, check_files, read_about, seal, write_about
from tests.ltr.conftest import Trained

READ_ON_OPENING = ("config.yaml", "features.json", "model/", "encoder-", "projection")


@pytest.fixture
def run(trained: Trained, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.run, tmp_path / "run"))


def flip(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def test_every_file_but_run_json_itself_has_a_sum(run: Path) -> None:
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert set(read_about(run)[SUMS]) == files - {"run.json"}


def test_a_flipped_bit_in_any_file_is_found(run: Path) -> None:
    about, draw = read_about(run), random.Random(0)
    for name in about[SUMS]:
        path = run / name
        whole = path.read_bytes()
        for _ in range(3 if whole else 0):
            flip(path, draw)
            with pytest.raises(InputError, match="expected the file as ltr"):
                check_files(run, about, name)
            if name.startswith(READ_ON_OPENING):
                with pytest.raises(InputError):
                    SavedRun.open(run)
            if name == "scores.parquet":
                with pytest.raises(InputError):
                    held_out(run)
            path.write_bytes(whole)
    SavedRun.open(run)


def test_a_flipped_bit_in_run_json_is_found_or_has_no_effect(run: Path) -> None:
    about, path, draw = read_about(run), run / "run.json", random.Random(0)
    whole = path.read_bytes()
    for _ in range(300):
        flip(path, draw)
        try:
            assert read_about(run) == about
        except InputError as error:
            assert "run.json: expected the file as ltr.train wrote it" in str(error)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "model/../../x"])
def test_a_sum_names_no_file_outside(run: Path, name: str) -> None:
    about = read_about(run)
    write_about(run, about | {SUMS: about[SUMS] | {name: "0"}})
    with pytest.raises(InputError, match=r"run\.json"):
        read_about(run)


def test_a_baseline_of_two_files_is_enough(run: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("run.json", "scores.parquet"):
        shutil.copy(run / name, kept)
    assert held_out(kept)[1].height == held_out(run)[1].height
    (kept / "scores.parquet").write_bytes(b"PAR1" + b"0" * 64 + b"PAR1")
    with pytest.raises(InputError, match="another file"):
        held_out(kept)
    seal(kept)


def test_files_are_readable_as_the_umask_says(run: Path, trained: Trained) -> None:
    assert {path.stat().st_mode & 0o777 for path in trained.run.rglob("*") if path.is_file()} == {0o644}
