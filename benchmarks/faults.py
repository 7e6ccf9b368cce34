"""python -m benchmarks.faults [--times 1]

Damage done on purpose, counted: bits flipped in every stored file, journals cut at every byte, commands killed,
disks full, several writers at once, a cache that may only be read, hostile values. Each try ends in one of three
ways: found (one line with the cure), healed, or without effect; anything else is a rest, which must be 0.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import record
from features.build import FeatureBuilder, FeaturesConfig, index_key, products_key
from features.disk import draft_beside, publish
from features.encoders.cache import EmbeddingCache
from features.encoders.registry import default_encoders
from features.encoders.shards import ShardFolder
from features.errors import InputError
from features.media.photos import PhotoChecks
from features.sources.frames import Shop
from features.store.delta import FeatureStore, FeatureView
from ltr import train
from ltr.demo.shop import DemoShopConfig, generate
from ltr.runs.record import read_settings
from ltr.runs.saved_run import SavedRun, held_out
from ltr.runs.sums import SUMS, check_files, read_about
from ltr.tuning.journal import Journal

SMALL = [
    *("--data.products", "90", "--data.queries", "40", "--data.judged_per_query", "15"),
    *("--encoders", "{text: {kind: tfidf, dimensions: 16}}", "--ladder", "[]"),
    *("--ranker.trees", "10", "--ranker.bags", "1", "--ranker.threads", "1", "--split.folds", "2"),
    *("--evaluation.bootstrap.resamples", "100"),
]
VIEW = FeatureView("pairs", keys=("query_id", "product_id"), available_at=None)
Tries = Iterator[bool]


def flips(path: Path, count: int, draw: random.Random) -> Iterator[None]:
    """The file with one bit flipped, so often; whole again afterwards."""
    whole = path.read_bytes()
    for _ in range(count if whole else 0):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        yield
        path.write_bytes(whole)


def harmless(action: Callable[[], object], before: object) -> bool:
    """Whether it gives what it gave before, or one line."""
    try:
        return action() == before
    except InputError:
        return True


def bits_of_a_run(folder: Path, count: int) -> Tries:
    run, draw = folder / "run", random.Random(0)
    about = read_about(run)
    for name in about[SUMS]:
        for _ in flips(run / name, count, draw):
            try:
                check_files(run, about, name)
            except InputError:
                yield True
            else:
                yield False
    for _ in flips(run / "run.json", 10 * count, draw):
        yield harmless(lambda: read_about(run), about)


def bits_of_a_store(folder: Path, count: int) -> Tries:
    store, draw = FeatureStore(folder / "bits"), random.Random(0)
    keys = {"query_id": [f"q{i}" for i in range(50)], "product_id": [f"p{i}" for i in range(50)]}
    for mode in ("overwrite", "overwrite", "upsert"):
        values = {f"f{i}": [draw.random() for _ in range(50)] for i in range(5)}
        store.write(VIEW, pl.DataFrame(keys | values), mode=mode)
    before = store.read(VIEW).rows()
    for path in sorted(path for path in (folder / "bits").rglob("*") if path.is_file()):
        for _ in flips(path, 10 * count, draw):
            yield harmless(lambda: store.read(VIEW).rows(), before)


def bits_of_a_cache(folder: Path, count: int) -> Tries:
    keys = np.arange(200, dtype=np.uint64).reshape(-1, 2)
    for number in range(20 * count):
        cache, draw = folder / f"cache-{number}", random.Random(number)
        ShardFolder(cache, "float32").write(keys, np.ones((100, 8), np.float32))
        (shard,) = cache.glob("*.npy")
        for _ in flips(shard, 1, draw):
            found, _ = ShardFolder(cache, "float32").find(keys)
            yield len(found) == 0  # encoded again
            shard.touch()


def bits_of_an_index(folder: Path, count: int) -> Tries:
    """A catalogue's kept index: made again, or giving the very features that it gave."""
    draw = random.Random(0)
    shop = generate(DemoShopConfig(products=40, queries=6, judged_per_query=5))
    encoders, settings = default_encoders(shop.products), FeaturesConfig()
    cache = EmbeddingCache(folder / "index-cache")
    pairs = shop.judgements.sort("query_id", "product_id")
    kept = FeatureBuilder.kept(shop.products, settings, encoders, cache)
    before = kept.build(shop.queries, pairs).frame
    key = index_key(products_key(shop.products), settings, encoders)
    files = sorted(path for path in (folder / "index-cache" / "index").rglob("*") if path.is_file())
    for path in files:
        for _ in flips(path, count, draw):
            found = FeatureBuilder.opened(key, settings, encoders, cache)
            yield found is None or found.build(shop.queries, pairs).frame.equals(before)


def bits_of_photo_checks(folder: Path, count: int) -> Tries:
    """What is remembered of photos: found out again, to the same answers, and no command stops at it."""
    photos = generate(DemoShopConfig(products=20, queries=4, judged_per_query=5)).products["image"]
    items = photos.extend(pl.Series([b"no photo", None], dtype=photos.dtype))
    for number in range(20 * count):
        place = folder / f"checks-{number}"
        before = PhotoChecks(place).look(items)
        (path,) = place.rglob("*.parquet")
        for _ in flips(path, 1, random.Random(number)):
            yield PhotoChecks(place).look(items).equals(before) and PhotoChecks(place).look(items).equals(
                before
            )


def cuts_of_a_journal(folder: Path, count: int) -> Tries:
    path = folder / "cut.log"
    records = [{"op_code": 4, "number": number, "told": "ü" * (number % 7)} for number in range(3 * count)]
    Journal(path).append_logs(records)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        Journal(path).append_logs([{"op_code": 9}])
        found = list(Journal(path).read_logs(0))
        yield found[-1] == {"op_code": 9} and found[:-1] == records[: len(found) - 1]
    path.write_bytes(whole)
    for _ in flips(path, 50 * count, random.Random(0)):
        found = []
        try:
            found += Journal(path).read_logs(0)
        except InputError:
            yield True
        else:
            yield all(old.items() <= new.items() for old, new in zip(records, found, strict=False))


def command(folder: Path, *words: str) -> list[str]:
    places = (
        "--store.root",
        f"{folder}/store",
        "--cache.folder",
        f"{folder}/cache",
        "--runs",
        f"{folder}/runs",
    )
    return [sys.executable, "-m", *words, *SMALL, *places]


def kills(folder: Path, count: int) -> Tries:
    """ltr.train killed at any moment: an earlier run stays whole, and the next one is."""
    work = folder / "killed"
    words, draw = command(work, "ltr.train", "--run", str(work / "run")), random.Random(0)
    started = time.monotonic()
    subprocess.run(words, check=True, capture_output=True, cwd=record.ROOT)
    seconds = time.monotonic() - started
    for _ in range(6 * count):
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=record.ROOT
        )
        time.sleep(seconds * draw.uniform(0.3, 1.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        yield (
            harmless(lambda: held_out(work / "run")[0], "lightgbm")
            and read_settings(work / "run") is not None
        )
    ended = subprocess.run(words, check=False, capture_output=True, cwd=record.ROOT)
    yield ended.returncode == 0 and not list(work.glob(".[dw]*"))


def full_disks(folder: Path, count: int) -> Tries:
    """Files that may not grow beyond a limit, as a quota has it: one line, and afterwards all goes well."""
    draw = random.Random(0)
    for number in range(2 * count):
        work, limit = folder / f"full-{number}", int(10 ** draw.uniform(3.3, 5.5))

        def quota(limit: int = limit) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        words = command(work, "ltr.train")
        ended = subprocess.run(
            words, check=False, capture_output=True, text=True, cwd=record.ROOT, preexec_fn=quota
        )
        line = [text for text in ended.stderr.splitlines() if text.startswith("error: ")]
        yield ended.returncode == 0 or (len(line) == 1 and "Traceback" not in ended.stderr)
        yield subprocess.run(words, check=False, capture_output=True, cwd=record.ROOT).returncode == 0


def writers_at_once(folder: Path, count: int) -> Tries:
    """Processes that finish under one name: each one's folder is kept."""
    target = folder / "shared" / "run"
    target.parent.mkdir()
    for number in range(5 * count):
        child = os.fork()
        for _ in range(3):
            with draft_beside(target) as draft:
                (draft / "content").write_text("whole")
                publish(draft, target)
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        there = [path for path in target.parent.iterdir() if (path / "content").read_text() == "whole"]
        yield len(there) == 6 * (number + 1)


def read_only(folder: Path, count: int) -> Tries:
    """A run and its cache that may be read and not written are enough to rank with."""
    there = [folder, *folder.rglob("*")]
    # Root writes what it likes, unless it gives that up.
    powerless = [] if os.getuid() else ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    try:
        for path in there:
            path.chmod(0o555 if path.is_dir() else 0o444)
        for query in ("red dress", "blue", "striped tee")[:count]:
            words = [
                *powerless,
                sys.executable,
                "-m",
                "ltr.rank",
                "--run",
                str(folder / "run"),
                "--query",
                query,
            ]
            ended = subprocess.run(words, check=False, capture_output=True, text=True, cwd=record.ROOT)
            if ended.returncode:
                print(ended.stderr[-300:])
            yield ended.returncode == 0
    finally:
        for path in there:
            path.chmod(0o755 if path.is_dir() else 0o644)


def hostile_values(_: Path, count: int) -> Tries:
    """Values that no shop means, in every column: rows are rejected and counted, or it ends in one line."""
    odd = st.one_of(
        st.text(max_size=30),
        st.sampled_from(
            ["9" * 309, "1e999", "nan", "[/b]", "&" + "amp;" * 500, "\0", "=1+1", "\ud83d", "-0", "٣٤"]
        ),
        st.integers(-(2**70), 2**70).map(str),
        st.none(),
    ).map(lambda text: text and text.encode("utf-8", "replace").decode())
    ends: list[bool] = []

    @settings(max_examples=50 * count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(*[odd] * 6), min_size=1, max_size=8))
    def tried(rows: list[tuple[str | None, ...]]) -> None:
        names = ("product_id", "title", "description", "brand", "category", "price")
        products = pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row")
        queries = pl.DataFrame({"query_id": ["q"], "text": [rows[0][1] or "x"]})
        judged = pl.DataFrame({"query_id": ["q"], "product_id": [rows[0][0]], "grade": [1.0]})
        ends.append(False)
        with suppress(Exception):  # whatever else it is, it is what is looked for
            with suppress(InputError):
                Shop.from_frames(products, queries, judged)
            ends[-1] = True
        if not ends[-1]:
            print(f"hostile values: {rows}"[:300])

    tried()
    yield from ends


KINDS = {
    "a bit flipped in a run": bits_of_a_run,
    "a bit flipped in the feature store": bits_of_a_store,
    "a bit flipped in the cache": bits_of_a_cache,
    "a bit flipped in a catalogue index": bits_of_an_index,
    "a bit flipped in photo checks": bits_of_photo_checks,
    "a journal cut or flipped": cuts_of_a_journal,
    "kill -9": kills,
    "a full disk (quota)": full_disks,
    "writers at once": writers_at_once,
    "read-only folders": read_only,
    "hostile values": hostile_values,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="how many tries of each kind, as a multiple")
    times = parser.parse_args().times
    warnings.simplefilter("ignore")  # damage is what is wanted here
    folder = Path(tempfile.mkdtemp())
    try:
        train.main([*command(folder, "")[3:], "--run", str(folder / "run")])
        SavedRun.open(folder / "run")
        figures = {}
        for name, kind in KINDS.items():
            ends = list(kind(folder, times))
            figures[name] = {"tried": len(ends), "survived": sum(ends), "rest": len(ends) - sum(ends)}
            print(f"{name}: {figures[name]}", flush=True)
    finally:
        shutil.rmtree(folder)
    record.write("faults", f"python -m benchmarks.faults --times {times}", {"faults": figures})
    if any(figure["rest"] for figure in figures.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
