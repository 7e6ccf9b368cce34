"""python -m benchmarks.index_opening [--products 0.2 1]

How long an index kept on disk takes to open: of so many million products with drawn titles, columns, and vectors of
384 dimensions that lie as a text encoder's do. Opened in a process of its own, several times; by the clock and by
processor time, of the whole and of its parts: sums of the files (every byte is read, so that no damage passes), the
products' columns, and the rest. Then one query's 100 candidates and their features, which touch what they need.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import drawn_vectors, record
from features import index
from features.batch import PairBatch, QueryBatch
from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache

MILLION, TIMES, WORDS = 1_000_000, 5, 30_000
CONFIGS: dict[str, dict[str, Any]] = {
    "vectors": {"lexical": False, "structured": False},
    "words and columns too": {},
}


class Drawn:
    """Vectors drawn as a text encoder's lie."""

    modalities = frozenset({"text"})
    space = fingerprint = "drawn"
    dimensions = drawn_vectors.DIMENSIONS

    def __init__(self) -> None:
        self._tree = drawn_vectors.Tree(MILLION)

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:  # noqa: ARG002
        return np.concatenate(list(self._tree.products(len(items)))).astype(np.float32)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--products", type=float, nargs="+", default=[0.2, 1.0], help="millions")
    arguments.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        print(json.dumps(opened(Path(given.one[0]), given.one[1])))
        return
    rows = []
    for millions in given.products:
        with tempfile.TemporaryDirectory() as scratch:
            products = made(round(millions * MILLION))
            for name, settings in CONFIGS.items():
                config = FeaturesConfig.model_validate(settings | {"shown_words": False})
                started = time.perf_counter()
                FeatureBuilder.kept(products, config, {"text": Drawn()}, EmbeddingCache(Path(scratch)))
                seconds = round(time.perf_counter() - started, 1)
                command = [sys.executable, "-m", "benchmarks.index_opening", "--one", scratch, name]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found = json.loads(done.stdout.splitlines()[-1])
                rows.append({"millions": millions, "index": name, "made_seconds": seconds} | found)
                print(rows[-1], flush=True)
    words = f"--products {' '.join(f'{m:g}' for m in given.products)}"
    record.write("index_opening", f"python -m benchmarks.index_opening {words}", {"rows": rows})


def made(products: int) -> pl.DataFrame:
    """Titles of eight words each, drawn as words of shops are: a few very often."""
    rng = np.random.default_rng(0)
    drawn = rng.zipf(1.3, size=(products, 8)) % WORDS
    words = pl.select(pl.format("w{}", pl.int_range(WORDS))).to_series().to_numpy()
    titles = pl.concat_str([pl.Series(words[drawn[:, place]]) for place in range(8)], separator=" ")
    return pl.select(
        product_id=pl.format("p{}", pl.int_range(products)),
        title=titles,
        description=pl.lit(None, pl.String),
        brand=pl.Series(words[rng.integers(0, 900, products)]),
        category=pl.Series(words[rng.integers(0, 400, products)]),
        price=pl.Series(rng.lognormal(3, 1, products).round(2)),
    )


def opened(folder: Path, name: str) -> dict[str, Any]:
    """Median seconds over TIMES openings of the index made last, and of the first query after one."""
    config = FeaturesConfig.model_validate(CONFIGS[name] | {"shown_words": False})
    spent: dict[str, list[float]] = {}
    index._whole = _timed(index._whole, "sums", spent)
    pl.read_ipc = _timed(pl.read_ipc, "columns", spent)
    encoders, cache = {"text": Drawn()}, EmbeddingCache(folder)
    (latest,) = sorted((folder / "index").iterdir(), key=lambda path: path.stat().st_mtime)[-1:]
    wall, processor = [], []
    for _ in range(TIMES):
        started, used = time.perf_counter(), time.process_time()
        builder = FeatureBuilder.opened(latest.name, config, encoders, cache)
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    if builder is None:
        raise RuntimeError("the index that was just kept is not there")
    started = time.process_time()
    query = QueryBatch(pl.DataFrame({"query_id": ["q"], "text": ["w1 w20 w300"]}))
    _, rows = builder.retrieve(query, 100)
    builder.block(PairBatch.of_one(query, rows))
    first = time.process_time() - started
    size = sum(path.stat().st_size for path in latest.iterdir())
    parts = {f"processor_{part}": sum(times) / TIMES for part, times in spent.items()}
    figures = {"seconds": float(np.median(wall)), "processor": float(np.median(processor)), **parts}
    return {"mebibytes": size >> 20, "first_query": round(first, 3)} | {
        what: round(value, 3) for what, value in figures.items()
    }


def _timed(act: Any, part: str, spent: dict[str, list[float]]) -> Any:
    def timed(*given: Any) -> Any:
        started = time.process_time()
        try:
            return act(*given)
        finally:
            spent.setdefault(part, []).append(time.process_time() - started)

    return timed


if __name__ == "__main__":
    main()
