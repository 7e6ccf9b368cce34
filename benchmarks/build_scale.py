"""python -m benchmarks.build_scale [--pairs 0.5 2 10] [--vectors] [--old CHECKOUT]

Pairs a second by the clock, processor time (which other work on the machine does not lengthen), and the most memory
held, of building the table of features for 0.5, 2 and 10 million pairs (40 a query) of products whose titles are drawn
from the fashion catalogue, one product for ten pairs: lexical and structured features, and with --vectors the cosines
of 384 dimensions too (vectors drawn at random). Parts are written to a feature store as they are made. Each size runs
in a process of its own, so that its peak is its own. --old: the same pairs built by another checkout's builder, in the
same run beside it, at once and unwritten, as it did; up to 2 million pairs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import record
from features.build import FeatureBuilder, FeaturesConfig

OLD_UP_TO = 2  # million pairs: what came before holds the whole table at once
MILLION, A_QUERY, PAIRS_A_PRODUCT, DIMENSIONS = 1_000_000, 40, 10, 384
WORDS = [
    "under",
    "the",
    "red",
    "blue",
    "men",
    "women",
    "shirt",
    "watch",
    "shoes",
    "kids",
    "cotton",
    "printed",
    "black",
    "analogue",
    "casual",
]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--pairs", type=float, nargs="+", default=[0.5, 2, 10], help="millions")
    arguments.add_argument("--vectors", action="store_true")
    arguments.add_argument("--old", type=Path, help="another checkout to measure beside this one")
    arguments.add_argument("--one", type=float, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if (
        given.old and not (given.old / "features").is_dir()
    ):  # else this checkout would be measured beside itself
        arguments.error(f"--old: expected a checkout with features/ in it, got {given.old}")
    if given.one:
        print(json.dumps(build(round(given.one * MILLION), vectors=given.vectors)))
        return
    if not record.have("fashion"):
        return
    checkouts = {"this": record.ROOT} | ({"old": given.old.resolve()} if given.old else {})
    sizes = {
        str(size): {
            name: _measured(path, size, given.vectors)
            for name, path in checkouts.items()
            if name == "this" or size <= OLD_UP_TO
        }
        for size in given.pairs
    }
    slopes = {
        name: {
            clock: _slope({float(size): found[name][clock] for size, found in sizes.items() if name in found})
            for clock in ("pairs_seconds", "pairs_processor_seconds")
        }
        for name in checkouts
    }
    for size, found in sizes.items():
        for name, one in found.items():
            print(f"{size:>5} million pairs, {name}: {one}")
    print(f"slope of log time in log pairs: {slopes}")
    words = f"--pairs {' '.join(map(str, given.pairs))}" + " --vectors" * given.vectors
    name = "build_scale_vectors" if given.vectors else "build_scale"
    record.write(
        name, f"python -m benchmarks.build_scale {words}", {"millions_of_pairs": sizes, "slope": slopes}
    )


def _measured(checkout: Path, size: float, vectors: bool) -> dict[str, Any]:
    """This file run by the code of a checkout."""
    paths = os.pathsep.join([str(checkout), str(record.ROOT)])
    command = [sys.executable, __file__, "--one", str(size), *(["--vectors"] if vectors else [])]
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd="/")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _slope(seconds: dict[float, float]) -> float | None:
    """Of log time in log pairs, by size; None for a single size."""
    if len(seconds) < 2:
        return None
    return round(float(np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0]), 3)


def build(pairs: int, *, vectors: bool) -> dict[str, Any]:
    """Seconds of indexing and of the pairs, and the peak, by whichever checkout is on the path."""
    try:
        cache_module = importlib.import_module("features.encoders.cache")
    except ImportError:  # before the rooms
        cache_module = importlib.import_module("features.embedding_cache")
    products, queries, judged = tables(pairs)
    config = FeaturesConfig.model_validate({} if vectors else {"similarity": False})
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        cache = cache_module.EmbeddingCache(Path(scratch) / "cache")
        builder = FeatureBuilder(products, config, {"text": Drawn()} if vectors else {}, cache)
        indexed, used = time.perf_counter(), time.process_time()
        features = _write(builder, queries, judged, scratch)
        ended, used = time.perf_counter(), time.process_time() - used
    return {
        "products": products.height,
        "features": features,
        "index_seconds": round(indexed - started, 1),
        "pairs_seconds": round(ended - indexed, 2),
        "pairs_processor_seconds": round(used, 2),
        "pairs_a_second": round(pairs / (ended - indexed)),
        "peak_memory_mib": round(record.peak_memory()),
    }


def _write(builder: Any, queries: pl.DataFrame, pairs: pl.DataFrame, scratch: str) -> int:
    """Part by part to a store where the builder can do so; how many features."""
    if not hasattr(builder, "stream"):
        return builder.build(queries, pairs).frame.width - pairs.width
    from features.store.delta import FeatureStore, FeatureView  # noqa: PLC0415

    store, view = (
        FeatureStore(scratch),
        FeatureView("pairs", keys=("query_id", "product_id"), available_at=None),
    )
    for frame in builder.stream(queries, pairs):
        store.write(view, frame)
    return len(builder.schema.features)


class Drawn:
    """Vectors drawn at random, a text's always the same within a call."""

    modalities = frozenset({"text"})
    dimensions, space, fingerprint = DIMENSIONS, "drawn", "drawn"

    def encode(self, items: list[str], modality: str) -> np.ndarray:
        assert modality in self.modalities
        found = np.random.default_rng(len(items)).normal(size=(len(items), DIMENSIONS)).astype(np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def tables(pairs: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Products, queries of two to four words, and pairs sorted by query."""
    rng = np.random.default_rng(pairs)
    real = pl.read_parquet(
        record.DATA / "fashion" / "products.parquet", columns=["title", "brand", "category"]
    )
    count = pairs // PAIRS_A_PRODUCT
    products = real[rng.integers(0, real.height, count)].with_columns(
        product_id=pl.format("p{}", pl.int_range(count).cast(pl.String).str.zfill(8)),
        description=pl.lit(None, dtype=pl.String),
        price=pl.Series(rng.lognormal(6, 1, count).round(2)),
    )
    asked = pairs // A_QUERY
    texts = [" ".join(rng.choice(WORDS, rng.integers(2, 5), replace=False)) for _ in range(asked)]
    ids = pl.select(pl.format("q{}", pl.int_range(asked).cast(pl.String).str.zfill(8))).to_series()
    queries = pl.DataFrame({"query_id": ids, "text": texts})
    rows = np.sort((rng.integers(0, count, (asked, 1)) + np.arange(A_QUERY) * 7919) % count, axis=1)
    judged = pl.DataFrame(
        {
            "query_id": ids[np.repeat(np.arange(asked), A_QUERY)],
            "product_id": products["product_id"][rows.ravel()],
        }
    )
    return products, queries, judged


if __name__ == "__main__":
    main()
