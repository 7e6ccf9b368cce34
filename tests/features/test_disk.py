"""A draft goes when its writer is dead, killed or not; the draft of a live process, or of who knows whom, stays."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from features import disk, processes
from features.disk import check_writable, draft_beside, publish, system_errors, whole_file

WRITER = """
import sys, time
from pathlib import Path
from features.disk import check_writable, draft_beside, publish, system_errors, whole_file
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


# --- taking a name ------------------------------------------------------------------------------

PUBLISHER = """
import os, signal, sys
from pathlib import Path
from features import disk
renames, target, last = 0, Path(sys.argv[1]), int(sys.argv[2])
rename = Path.rename
def counted(self, to):
    global renames
    if renames == last:
        os.kill(os.getpid(), signal.SIGKILL)
    renames += 1
    return rename(self, to)
Path.rename = counted
with disk.draft_beside(target) as draft:
    (draft / "content").write_text(sys.argv[3])
    disk.publish(draft, target)
"""


def publish_in_a_process(target: Path, content: str, renames: int = 99) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PUBLISHER, str(target), str(renames), content])


def contents(folder: Path) -> list[str]:
    return sorted((path / "content").read_text() for path in folder.iterdir())


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_killed_between_any_two_renames_no_whole_folder_is_lost(tmp_path: Path, renames: int) -> None:
    target = tmp_path / "run"
    with draft_beside(target) as draft:
        (draft / "content").write_text("old")
        publish(draft, target)
    assert publish_in_a_process(target, "new", renames).wait() == -signal.SIGKILL
    write_one(tmp_path)
    (tmp_path / "ours").rmdir()
    # Before the first rename it was a draft like any other.
    assert contents(tmp_path) == (["new", "old"] if renames else ["old"])
    assert (target / "content").read_text() == ("new" if renames else "old")


def test_many_that_finish_at_once_all_keep_their_folder(tmp_path: Path) -> None:
    target = tmp_path / "run"
    for _ in range(3):
        writers = [publish_in_a_process(target, "w") for _ in range(6)]
        assert [writer.wait() for writer in writers] == [0] * 6
    assert contents(tmp_path) == ["w"] * 18
    assert target.is_dir()


def test_where_locks_are_unknown_none_is_lost_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(handle: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(disk.fcntl, "flock", unknown)
    rename, target = Path.rename, tmp_path / "run"
    raced: list[str] = []

    def overtaken(self: Path, to: Path) -> Path:
        """Another process takes the name just before we do, twice."""
        if to == target and len(raced) < 2:
            raced.append(f"other {len(raced)}")
            to.mkdir()
            (to / "content").write_text(raced[-1])
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", overtaken)
    with draft_beside(target) as draft:
        (draft / "content").write_text("ours")
        publish(draft, target)
    assert contents(tmp_path) == ["other 0", "other 1", "ours"]
    assert (target / "content").read_text() == "ours"


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    with whole_file(path) as unfinished:
        unfinished.write_text("old")
        unfinished.chmod(0o600)  # as safetensors leaves it
    with pytest.raises(RuntimeError), whole_file(path) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("I/O error: No space left on device (os error 28)", errno.ENOSPC),
        ("Permission denied (os error 13): x", errno.EACCES),
        ("cannot write, errno: 30", errno.EROFS),
        ("shapes differ", None),
    ],
)
def test_what_libraries_say_of_the_disk_is_told_as_it_is(
    tmp_path: Path, said: str, number: int | None
) -> None:
    with (
        pytest.raises(
            RuntimeError if number is None else OSError, match=said[:5] if not number else None
        ) as caught,
        system_errors(tmp_path / "file"),
    ):
        raise RuntimeError(said)
    if number:
        assert isinstance(caught.value, OSError)
        assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "file"))


def test_a_folder_that_cannot_be_written_is_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        check_writable(tmp_path / "file" / "runs")
    check_writable(tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("named", [None, "draft/model.txt", "unfinished", "theirs.csv"])
def test_an_error_names_the_file_that_was_to_be_written_and_no_passing_name(
    named: str | None, tmp_path: Path
) -> None:
    """Of a full disk Python names no file; another file's own error stays its own."""
    with (
        pytest.raises(OSError, match="No space left") as caught,
        draft_beside(tmp_path / "run") as draft,
        whole_file(draft / "scores.csv") as unfinished,
    ):
        names = {
            "draft/model.txt": draft / "model.txt",
            "unfinished": unfinished,
            "theirs.csv": tmp_path / "theirs.csv",
        }
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([str(names[named])] if named else []))
    expected = "theirs.csv" if named == "theirs.csv" else "run"
    assert caught.value.filename == str(tmp_path / expected)
    assert list(tmp_path.iterdir()) == []
