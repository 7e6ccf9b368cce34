"""The cache: nothing encoded twice, nothing lost to a kill, nothing damaged ever read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.encoders.cache import EmbeddingCache
from features.encoders.protocol import Fittable, unit_rows
from features.encoders.registry import make_encoder
from features.encoders.shards import ShardFolder, ShardWriter
from features.encoders.text.sentence_encoders import TfidfConfig


class WordEncoder:
    """Each text's vector follows from its bytes alone; counts what it is asked for."""

    modalities = frozenset({"text", "image"})
    dimensions = 16

    def __init__(self, fingerprint: str = "words-1") -> None:
        self.fingerprint = self.space = fingerprint
        self.seen: list[str | bytes] = []

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        self.seen += items
        return np.stack([self.vector(item) for item in items])

    def vector(self, item: str | bytes) -> np.ndarray:
        data = item.encode() if isinstance(item, str) else item
        if not data:
            return np.full(self.dimensions, np.nan, dtype=np.float32)
        seed = int.from_bytes((self.fingerprint.encode() + data).ljust(8, b"\0"), "little")
        vector = np.random.default_rng(seed).normal(size=self.dimensions)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


def check(encoder: WordEncoder, texts: list[str | None], cache: EmbeddingCache) -> tuple[int, int]:
    """Embed, compare every row with the encoder's own answer, return (reused, encoded)."""
    made = cache.embed(encoder, pl.Series(texts, dtype=pl.String), "text")
    for text, row in zip(texts, made.rows, strict=True):
        assert (row == -1) == (not text)
        if text:
            np.testing.assert_array_equal(made.vectors[row], encoder.vector(text))
    assert len(made.vectors) == len({text for text in texts if text})
    assert made.unreadable == texts.count("")
    assert made.space == encoder.space
    return made.reused, made.encoded


def test_each_distinct_text_is_encoded_once(tmp_path: Path) -> None:
    encoder = WordEncoder()
    cache = EmbeddingCache(tmp_path)
    assert check(encoder, ["a", "b", None, "a", "", "b"], cache) == (0, 3)
    assert sorted(map(str, encoder.seen)) == ["", "a", "b"]
    assert check(encoder, ["b", "c", ""], cache) == (2, 1)
    assert check(WordEncoder(), ["c", "a", ""], EmbeddingCache(tmp_path)) == (3, 0)
    assert len(encoder.seen) == 4


@settings(max_examples=30)
@given(st.lists(st.lists(st.none() | st.text("ab", max_size=3), max_size=20), min_size=1, max_size=4))
def test_any_sequence_of_columns(
    tmp_path_factory: pytest.TempPathFactory, columns: list[list[str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    known: set[str] = set()
    for column in columns:
        distinct = {text for text in column if text is not None}
        assert check(WordEncoder(), column, EmbeddingCache(folder)) == (
            len(distinct & known),
            len(distinct - known),
        )
        known |= distinct


class BatchEncoder(WordEncoder):
    """Its vectors hang on what else stands in the batch, as the last bits of a network's do; it takes its time."""

    def __init__(self, seconds: Sequence[float]) -> None:
        super().__init__()
        self._seconds = iter(seconds)

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        time.sleep(next(self._seconds, 0.0))
        place = np.arange(len(items))[:, np.newaxis] / len(items)
        return unit_rows(super().encode(items, modality) + 0.1 * place)


@pytest.mark.parametrize("modality", ["text", "image"])
def test_neither_the_clock_nor_the_order_of_rows_changes_a_vector(modality: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(list("abcdefgh"), rng.integers(1, 400))) for _ in range(3000)]
    items = pl.Series(texts) if modality == "text" else pl.Series([text.encode() for text in texts])
    shuffled = items.sample(fraction=1, shuffle=True, seed=1)
    vectors = []
    for name, column, seconds in (("a", items, ()), ("b", items, (0.3, 0, 0.2)), ("c", shuffled, (0.1,))):
        made = EmbeddingCache(tmp_path / name).embed(BatchEncoder(seconds), column, modality)
        found = dict(zip(column, made.rows.tolist(), strict=True))
        vectors.append(made.vectors[[found[item] for item in items]])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_another_encoder_or_modality_shares_nothing(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    check(WordEncoder("one"), ["a"], cache)
    assert check(WordEncoder("two"), ["a"], cache) == (0, 1)
    assert cache.embed(WordEncoder("one"), pl.Series([b"a"]), "image").encoded == 1


def test_photos_are_known_by_content_not_by_path(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).write_bytes(b"the same photo")
    paths = [str(tmp_path / name) for name in ("x", "y", "none")]
    encoder = WordEncoder()
    cache = EmbeddingCache(tmp_path / "cache")
    made = cache.embed(encoder, pl.Series([*paths, None]), "image")
    assert made.rows.tolist() == [0, 0, -1, -1]
    assert (made.reused, made.encoded, made.unreadable) == (0, 1, 1)
    again = cache.embed(encoder, pl.Series([b"the same photo"]), "image")
    assert (again.reused, again.encoded) == (1, 0)


@pytest.mark.parametrize("texts", [[], [None, None]])
def test_nothing_to_embed(texts: list[None], tmp_path: Path) -> None:
    made = EmbeddingCache(tmp_path).embed(WordEncoder(), pl.Series(texts, dtype=pl.String), "text")
    assert made.vectors.shape == (0, 16)
    assert made.rows.tolist() == [-1] * len(texts)


def test_float16_is_half_the_size_and_the_same_every_time(tmp_path: Path) -> None:
    texts = pl.Series([f"text {i}" for i in range(300)])
    first = EmbeddingCache(tmp_path / "half", "float16").embed(WordEncoder(), texts, "text")
    second = EmbeddingCache(tmp_path / "half", "float16").embed(WordEncoder(), texts, "text")
    exact = EmbeddingCache(tmp_path / "full").embed(WordEncoder(), texts, "text")
    assert second.reused == 300
    np.testing.assert_array_equal(first.vectors, second.vectors)
    np.testing.assert_allclose(first.vectors, exact.vectors, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(first.vectors, axis=1), 1, atol=1e-6)
    half, full = (sum(f.stat().st_size for f in (tmp_path / n).rglob("*.npy")) for n in ("half", "full"))
    assert half - 300 * 16 == pytest.approx((full - 300 * 16) / 2, rel=0.02)  # 16 bytes a key


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_shard_is_told_and_encoded_again(damage: str, tmp_path: Path) -> None:
    texts: list[str | None] = [f"text {i}" for i in range(10)]
    check(WordEncoder(), texts, EmbeddingCache(tmp_path))
    (shard,) = tmp_path.rglob("*.npy")
    data = bytearray(shard.read_bytes())
    data[-3] ^= 255
    shard.write_bytes({"cut": data[:-7], "flip": data, "empty": b""}[damage])
    with pytest.warns(UserWarning, match="damaged"):
        assert check(WordEncoder(), texts, EmbeddingCache(tmp_path)) == (0, 10)
    assert check(WordEncoder(), texts, EmbeddingCache(tmp_path)) == (10, 0)


def test_an_encoder_that_fails_loses_only_the_step_it_failed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.encoders.cache._STEP_TEXTS", 64)

    class Failing(WordEncoder):
        def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
            if len(self.seen) >= 64:
                raise RuntimeError("out of memory")
            return super().encode(items, modality)

    texts: list[str | None] = [f"text {i:03}" for i in range(100)]
    with pytest.raises(RuntimeError, match="out of memory"):
        EmbeddingCache(tmp_path).embed(Failing(), pl.Series(texts), "text")
    assert check(WordEncoder(), texts, EmbeddingCache(tmp_path)) == (64, 36)


def test_a_writer_makes_a_shard_every_so_many_items(tmp_path: Path) -> None:
    folder = ShardFolder(tmp_path, "float32")
    with ShardWriter(folder, items=4) as writer:
        for i in range(5):
            keys = np.full((2, 2), [[i]], dtype=np.uint64)
            keys[1, 1] += 100
            writer.add(keys, np.full((2, 3), i, dtype=np.float32))
            assert len(list(tmp_path.glob("*.npy"))) == (i + 1) // 2
    assert len(list(tmp_path.glob("*.npy"))) == 3
    found, vectors = folder.find(np.array([[9, 9], [3, 3], [0, 100]], dtype=np.uint64))
    assert found.tolist() == [1, 2]
    assert vectors is not None
    np.testing.assert_array_equal(vectors, [[3, 3, 3], [0, 0, 0]])


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np, polars as pl
from features.encoders import cache
from features.encoders import shards
from features.encoders.cache import EmbeddingCache

sys.path.insert(0, {tests!r})
from test_cache import WordEncoder

written = 0
write_bytes, replace = Path.write_bytes, Path.replace

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def killed_in_write(path, data):
    global written
    written += 1
    if written > 2:
        write_bytes(path, data[: len(data) // 2])
        die()
    return write_bytes(path, data)

def killed_before_rename(path, target):
    if written > 2:
        die()
    return replace(path, target)

def counted_write(path, data):
    global written
    written += 1
    return write_bytes(path, data)

if {moment!r} == "in write":
    Path.write_bytes = killed_in_write
else:
    Path.write_bytes, Path.replace = counted_write, killed_before_rename
# Steps of 64 items, a shard each.
cache._STEP_TEXTS = 64
cache.ShardWriter = lambda folder: shards.ShardWriter(folder, items=64)
texts = pl.Series([f"text {{i:03}}" for i in range(300)])
EmbeddingCache(Path({folder!r})).embed(WordEncoder(), texts, "text")
"""


@pytest.mark.parametrize("moment", ["in write", "before rename"])
def test_kill_nine_loses_one_shard_and_a_second_run_goes_on(moment: str, tmp_path: Path) -> None:
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path), moment=moment)
    died = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert len(list(tmp_path.rglob("*.npy"))) == 2
    assert len(list(tmp_path.rglob("*.tmp"))) == 1
    texts: list[str | None] = [f"text {i:03}" for i in range(300)]
    assert check(WordEncoder(), texts, EmbeddingCache(tmp_path)) == (128, 172)
    assert check(WordEncoder(), texts, EmbeddingCache(tmp_path)) == (300, 0)


def test_what_killed_writers_left_is_swept_when_old(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    check(WordEncoder(), ["a"], cache)
    (folder,) = tmp_path.iterdir()
    old, fresh = folder / "old.tmp", folder / "fresh.tmp"
    for path in (old, fresh):
        path.write_bytes(b"half a shard")
    os.utime(old, (0, 0))
    check(WordEncoder(), ["a"], cache)
    assert not old.exists()
    assert fresh.exists()


TWO_AT_ONCE = """
import sys
from pathlib import Path
import polars as pl
from features.encoders.cache import EmbeddingCache
sys.path.insert(0, {tests!r})
from test_cache import check, WordEncoder
cache = EmbeddingCache(Path({folder!r}))
for start in range(0, 600, 60):
    check(WordEncoder(), [f"text {{i}}" for i in range(start, start + 120)], cache)
"""


def test_two_processes_at_the_same_time(tmp_path: Path) -> None:
    code = textwrap.dedent(TWO_AT_ONCE).format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    both = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in both:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert check(WordEncoder(), [f"text {i}" for i in range(660)], EmbeddingCache(tmp_path)) == (660, 0)


def test_a_shard_written_by_another_process_is_seen(tmp_path: Path) -> None:
    ours, theirs = EmbeddingCache(tmp_path), EmbeddingCache(tmp_path)
    check(WordEncoder(), ["a"], ours)
    check(WordEncoder(), ["b"], theirs)
    assert check(WordEncoder(), ["a", "b"], ours) == (2, 0)


def test_progress_is_logged_only_when_it_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="features")
    texts = pl.Series([f"text {i}" for i in range(200)])
    EmbeddingCache(tmp_path / "quick").embed(WordEncoder(), texts, "text", "titles")
    assert not caplog.messages
    monkeypatch.setattr("features.progress.FIRST_LINE", 0)
    EmbeddingCache(tmp_path / "slow").embed(WordEncoder(), texts, "text", "titles")
    assert caplog.messages[0].startswith("encoding titles: ")
    assert caplog.messages[-1].startswith("encoding titles: 200 in ")


def test_without_a_folder_vectors_are_kept_in_memory(tmp_path: Path) -> None:
    texts = pl.Series(["red dress", "", None, "blue shoe", "red dress"])
    encoder = make_encoder(TfidfConfig(dimensions=3), tmp_path)
    assert isinstance(encoder, Fittable)
    encoder.fit(["red dress", "blue shoe", "green hat"])
    kept, written = EmbeddingCache(), EmbeddingCache(tmp_path / "cache")
    for cache in (kept, written):
        first = cache.embed(encoder, texts, "text")
        again = cache.embed(encoder, pl.concat([texts, pl.Series(["green hat"])]), "text")
        assert (first.encoded, again.encoded, again.reused) == (3, 1, 3)
        assert again.rows.tolist()[:5] == first.rows.tolist()
    one, other = (cache.embed(encoder, texts, "text") for cache in (kept, written))
    np.testing.assert_array_equal(one.vectors, other.vectors)
    np.testing.assert_array_equal(one.rows, other.rows)
