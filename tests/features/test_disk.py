"""A draft goes when its writer is dead, killed or not; the draft of a live process, or of who knows whom, stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from features import disk, processes
from features.disk import draft_beside

WRITER = """
import sys, time
from pathlib import Path
from features.disk import draft_beside
with draft_beside(Path(sys.argv[1])) as draft:
    (draft / "deep").mkdir()
    (draft / "deep" / "half").write_text("written")
    print(draft.name, flush=True)
    time.sleep(600)
"""


class Writer:
    """A process of its own that has begun a draft and gets no further."""

    def __init__(self, target: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.draft = target.parent / self._process.stdout.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert self._process.returncode == -signal.SIGKILL


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    begun = Writer(tmp_path / "theirs")
    yield begun
    begun.kill()


def write_one(folder: Path) -> None:
    with draft_beside(folder / "ours") as draft:
        draft.rename(folder / "ours")


def test_a_draft_stays_while_its_writer_lives_and_goes_when_it_is_killed(
    tmp_path: Path, writer: Writer
) -> None:
    write_one(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"ours", writer.draft.name}
    assert (writer.draft / "deep" / "half").read_text() == "written"
    writer.kill()
    (tmp_path / "ours").rmdir()
    write_one(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_what_was_begun_on_another_machine_is_left_alone(
    tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.kill()
    with monkeypatch.context() as patch:
        patch.setattr(disk, "machine", lambda: f"{processes.machine()} after another start")
        write_one(tmp_path)
    assert writer.draft.is_dir()
    (tmp_path / "ours").rmdir()
    write_one(tmp_path)
    assert not writer.draft.exists()


def test_where_no_process_can_be_looked_up_nothing_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path / "no such folder")
    begun = Writer(tmp_path / "theirs")
    unknown = begun.draft.name.split("-")
    begun.kill()
    unknown[4] = ""  # its beginning, which such a machine cannot tell
    begun.draft.rename(tmp_path / "-".join(unknown))
    write_one(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"ours", "-".join(unknown)}


def test_a_process_number_given_anew_protects_nothing(tmp_path: Path, writer: Writer) -> None:
    writer.kill()
    reused = writer.draft.name.split("-")
    reused[3] = str(os.getpid())
    writer.draft.rename(tmp_path / "-".join(reused))
    write_one(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


@pytest.mark.parametrize("name", [".draft", ".draft-notes", ".draft-1-2-3", ".run-abcdefgh", "draft-1-2-3-4"])
def test_other_folders_are_nobodys_drafts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    write_one(tmp_path)
    assert (tmp_path / name).is_dir()


def test_a_draft_that_fails_is_gone_and_others_may_read_one_that_does_not(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), draft_beside(tmp_path / "ours") as draft:
        (draft / "half").write_text("written")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    write_one(tmp_path)
    assert (tmp_path / "ours").stat().st_mode & 0o777 == 0o755
