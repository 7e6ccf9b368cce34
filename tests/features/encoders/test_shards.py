"""Small shards are joined and nothing is lost by it: not under kill -9, not beside readers, writers and joiners."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.encoders import shards as embedding_shards
from features.encoders.shards import ShardFolder, ShardWriter

WIDTH = 3


def keys_of(numbers: list[int]) -> np.ndarray:
    return np.array([[number, number + 1] for number in numbers], dtype=np.uint64).reshape(-1, 2)


def vectors_of(numbers: list[int]) -> np.ndarray:
    return np.repeat(np.array(numbers, dtype=np.float32)[:, None], WIDTH, axis=1)


def write(folder: Path, numbers: list[int]) -> None:
    with ShardWriter(ShardFolder(folder, "float32")) as writer:
        writer.add(keys_of(numbers), vectors_of(numbers))


def write_small(folder: Path, count: int, start: int = 0) -> None:
    """`count` shards of one row, none of them joined."""
    for number in range(start, start + count):
        ShardFolder(folder, "float32").write(keys_of([number]), vectors_of([number]))


def check(shards: ShardFolder, numbers: list[int]) -> None:
    """All of these are found with their own vectors, and a number never written is not."""
    found, vectors = shards.find(keys_of([*numbers, 10**6]))
    assert found.tolist() == list(range(len(numbers)))
    assert vectors is not None
    np.testing.assert_array_equal(vectors, vectors_of(numbers))


def sizes(folder: Path) -> list[int]:
    return sorted(len(np.load(path)) for path in folder.glob("*.npy"))


def test_hundreds_of_small_builds_leave_few_shards(tmp_path: Path) -> None:
    seen, count = ShardFolder(tmp_path, "float32"), 4 * embedding_shards._MOST_SMALL
    for number in range(count):
        write(tmp_path, [number])
        if number % 97 == 0:
            check(seen, list(range(number + 1)))
    assert len(sizes(tmp_path)) <= embedding_shards._MOST_SMALL + 1
    assert sum(sizes(tmp_path)) == count
    check(seen, list(range(count)))
    check(ShardFolder(tmp_path, "float32"), list(range(count)))


def test_full_shards_and_few_small_ones_are_left_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_shards, "_FULL", 4)
    monkeypatch.setattr(embedding_shards, "_MOST_SMALL", 3)
    for start in range(0, 20, 4):
        write(tmp_path, list(range(start, start + 4)))
    write_small(tmp_path, 3, start=20)
    ShardFolder(tmp_path, "float32").join_small()
    assert sizes(tmp_path) == [1, 1, 1, 4, 4, 4, 4, 4]
    write(tmp_path, [23])
    assert sizes(tmp_path) == [4] * 6


def test_joined_shards_are_of_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_shards, "_FULL", 4)
    monkeypatch.setattr(embedding_shards, "_JOINED", 16)
    for start in range(0, 300, 3):
        ShardFolder(tmp_path, "float32").write(
            keys_of(list(range(start, start + 3))), vectors_of(list(range(start, start + 3)))
        )
    ShardFolder(tmp_path, "float32").join_small()
    assert max(sizes(tmp_path)) < 16 + 4
    assert len(sizes(tmp_path)) < 300 / 16 + 2
    check(ShardFolder(tmp_path, "float32"), list(range(300)))


@settings(max_examples=30, deadline=None)
@given(
    builds=st.lists(
        st.lists(st.integers(0, 30), min_size=1, max_size=6, unique=True), min_size=1, max_size=20
    )
)
@example(builds=[[0, 1, 2], [0], [1], [2]])  # joined, they are the first of them, byte for byte
def test_whatever_is_written_is_found(
    builds: list[list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_FULL", 5), ("_MOST_SMALL", 3), ("_JOINED", 9)):
            patch.setattr(embedding_shards, name, value)
        seen, known = ShardFolder(folder, "float32"), set[int]()
        for numbers in builds:
            write(folder, numbers)
            known.update(numbers)
            check(seen, sorted(known))
        assert sum(size < 5 for size in sizes(folder)) <= 3 + 1


def test_a_damaged_small_shard_does_not_spoil_the_others(tmp_path: Path) -> None:
    count = embedding_shards._MOST_SMALL + 1
    write_small(tmp_path, count)
    shards = ShardFolder(tmp_path, "float32")
    check(shards, list(range(count)))
    bad = min(tmp_path.glob("*.npy"))
    lost = int(np.load(bad)["key"][0, 0])
    bad.write_bytes(bad.read_bytes()[:-1] + b"\xff")
    with pytest.warns(UserWarning, match="damaged"):
        shards.join_small()
    assert sizes(tmp_path) == [count - 1]
    check(shards, [number for number in range(count) if number != lost])


@pytest.mark.parametrize("moment", ["_read", "_gather"])
def test_shards_joined_under_a_readers_hands_are_found_in_the_joined_one(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listed, then joined by another before they are opened: at the first look, and when vectors are read."""
    count = embedding_shards._MOST_SMALL + 1
    write_small(tmp_path, count)
    place: object = embedding_shards if moment == "_read" else ShardFolder
    real: Callable[..., np.ndarray] = getattr(place, moment)

    def late(*arguments: object) -> np.ndarray:
        monkeypatch.setattr(place, moment, real)
        ShardFolder(tmp_path, "float32").join_small()
        assert sizes(tmp_path) == [count]
        return real(*arguments)

    monkeypatch.setattr(place, moment, late)
    check(ShardFolder(tmp_path, "float32"), list(range(count)))


def test_what_another_joins_at_the_same_time_is_joined_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = embedding_shards._MOST_SMALL + 1
    write_small(tmp_path, count)
    place = ShardFolder._place

    def late(shards: ShardFolder, records: np.ndarray) -> str:
        monkeypatch.setattr(ShardFolder, "_place", place)
        write_small(tmp_path, 1, start=count)  # so that the other's shard holds one more
        ShardFolder(tmp_path, "float32").join_small()
        return place(shards, records)

    monkeypatch.setattr(ShardFolder, "_place", late)
    ShardFolder(tmp_path, "float32").join_small()
    assert sizes(tmp_path) == [count, count + 1]
    check(ShardFolder(tmp_path, "float32"), list(range(count + 1)))


KILLED = """
import os, signal, sys
from pathlib import Path
from features.encoders.shards import ShardFolder

replace, unlink, removed = Path.replace, Path.unlink, 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def replaced(path, target):
    if sys.argv[2] == "before the rename":
        die()
    replace(path, target)
    if sys.argv[2] == "after the rename":
        die()

def unlinked(path, missing_ok=False):
    global removed
    removed += 1
    if removed > 20:
        die()
    unlink(path, missing_ok)

Path.replace, Path.unlink = replaced, unlinked
ShardFolder(Path(sys.argv[1]), "float32").join_small()
"""


@pytest.mark.parametrize(
    ("moment", "left"), [("before the rename", 65), ("after the rename", 66), ("while removing", 46)]
)
def test_kill_nine_while_joining_loses_nothing(moment: str, left: int, tmp_path: Path) -> None:
    count = embedding_shards._MOST_SMALL + 1
    write_small(tmp_path, count)
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), moment], check=False, capture_output=True, text=True
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert len(sizes(tmp_path)) == left
    check(ShardFolder(tmp_path, "float32"), list(range(count)))
    write_small(tmp_path, count, start=count)
    ShardFolder(tmp_path, "float32").join_small()
    check(ShardFolder(tmp_path, "float32"), list(range(2 * count)))
    assert sizes(tmp_path) == [2 * count]


WRITER = """
import sys
from pathlib import Path
from features.encoders import shards as embedding_shards
from tests.features.encoders.test_shards import ShardFolder, check, write

embedding_shards._MOST_SMALL = 2
folder, start = Path(sys.argv[1]), int(sys.argv[2])
shards = ShardFolder(folder, "float32")
for number in range(80):
    write(folder, [start + number])
    check(shards, list(range(start, start + number + 1)))
"""


def test_writers_that_read_and_join_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    both = [
        subprocess.Popen([*command, str(start)], cwd=root, stderr=subprocess.PIPE, text=True)
        for start in (0, 1000)
    ]
    for process in both:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    numbers = [*range(80), *range(1000, 1080)]
    check(ShardFolder(tmp_path, "float32"), numbers)
    assert len(sizes(tmp_path)) <= 10
