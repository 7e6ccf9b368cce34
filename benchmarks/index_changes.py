"""python -m benchmarks.index_changes [fashion made] [--times 2]

An index after 1 % of the products changed, against the index of the same catalogue made anew, in one run by turns: a
third of these products are gone, a third have another title and photo, a third are new. fashion: the real catalogue's
texts and columns; made: 200,000 products drawn from them (see benchmarks.request). Vectors of texts and photos are
drawn by their content and all in the cache before, so that what is measured is ours; processor time of one thread,
which other work on the machine does not lengthen (of several, waiting for one another counts too). Both hold the same
arrays, checked to the bit, but for the cells of searches among more than 100,000 vectors, which keep their centroids:
of these it is counted how many candidates are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl

from benchmarks import drawn_vectors, record
from benchmarks.request import ONE_THREAD, tables
from features import build
from features.batch import PairBatch, QueryBatch
from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache
from features.index import CatalogueIndex

CHANGED, ASKED, CANDIDATES = 0.01, 40, 100
WHOLE = "whole"


class ByContent:
    """A vector of each text or photo by its content, drawn to lie as an encoder's do."""

    dimensions = drawn_vectors.DIMENSIONS

    def __init__(self, modality: str, products: int) -> None:
        self.modalities = frozenset({modality})
        self.space = self.fingerprint = f"drawn {modality}"
        tree = drawn_vectors.Tree(products)
        self._families, self._own = tree.families, tree._step(1 << 15, drawn_vectors.SHARES[3])

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:  # noqa: ARG002
        bare = (item if isinstance(item, bytes) else item.encode() for item in items)
        numbers = np.array([int.from_bytes(hashlib.blake2b(one, digest_size=7).digest()) for one in bare])
        families, own = numbers % len(self._families), numbers // len(self._families) % len(self._own)
        return drawn_vectors.unit(self._families[families] + self._own[own])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("shops", nargs="*", help="fashion, made; default: both")
    parser.add_argument("--times", type=int, default=2, help="each is made so often")
    given = parser.parse_args()
    if not record.have("fashion"):
        return
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):  # read when libraries load
        command = [sys.executable, "-m", "benchmarks.index_changes", *sys.argv[1:]]
        raise SystemExit(subprocess.run(command, env=os.environ | ONE_THREAD, check=False).returncode)
    found = {}
    by_processor = SimpleNamespace(perf_counter=time.process_time)
    for shop in given.shops or ("fashion", "made"):
        with tempfile.TemporaryDirectory() as scratch, patch.object(build, "time", by_processor):
            _, products, queries, _ = tables(shop, Path(scratch))
            found[shop] = measured(products, queries.head(ASKED), Path(scratch), given.times)
        print(shop, found[shop], flush=True)
    command = f"python -m benchmarks.index_changes {' '.join(found)} --times {given.times}"
    record.write("index_changes", command, {"load": round(os.getloadavg()[1], 1), "shops": found})


def measured(products: pl.DataFrame, queries: pl.DataFrame, scratch: Path, times: int) -> dict[str, Any]:
    """Median processor seconds of each stage, made anew and changed; how much of what they give is the same."""
    products = products.with_columns(image=pl.format("photo of {}", "product_id").cast(pl.Binary))
    after = changed(products)
    encoders = {name: ByContent(name, products.height) for name in ("text", "image")}
    config, cache, index = FeaturesConfig(), EmbeddingCache(scratch / "cache"), scratch / "cache" / "index"
    FeatureBuilder.kept(products, config, encoders, cache)
    index.rename(scratch / "before")
    CatalogueIndex.of(after, encoders, cache, config.similarity.text_fields if config.similarity else ())
    runs: dict[str, list[dict[str, float]]] = {"anew": [], "changed": []}
    last: dict[str, FeatureBuilder] = {}
    for _ in range(times):
        for how, made in runs.items():
            if how == "changed":
                shutil.copytree(scratch / "before", index)
            started = time.process_time()
            last[how] = FeatureBuilder.kept(after, config, encoders, cache)
            spent = time.process_time() - started
            rest = spent - sum(last[how].seconds.values())
            made.append({**last[how].seconds, "searches of vectors, keys, disk": rest, WHOLE: spent})
            shutil.rmtree(index)
    seconds = {
        how: {stage: round(float(np.median([one[stage] for one in made])), 2) for stage in made[0]}
        for how, made in runs.items()
    }
    figures = {"products": after.height, "seconds": seconds, "same_candidates": same(last, queries)}
    return figures | {"ratio": round(seconds["changed"][WHOLE] / seconds["anew"][WHOLE], 3)}


def changed(products: pl.DataFrame) -> pl.DataFrame:
    """A third of CHANGED gone, a third with another title and photo, a third new."""
    chosen = np.random.default_rng(1).permutation(products.height)[: round(CHANGED * products.height)]
    gone, other, copied = np.array_split(chosen, 3)
    rows = pl.int_range(pl.len())
    photo = pl.format("another photo of {}", "product_id").cast(pl.Binary)
    kept = products.with_columns(
        title=pl.when(rows.is_in(other)).then(pl.format("{}, new edition", "title")).otherwise("title"),
        image=pl.when(rows.is_in(other)).then(photo).otherwise("image"),
    ).filter(~rows.is_in(gone))
    new = products[copied].with_columns(
        product_id=pl.format("new {}", "product_id"), title=pl.format("{} fresh in", "title"), image=photo
    )
    return pl.concat([kept, new])


def same(made: dict[str, FeatureBuilder], queries: pl.DataFrame) -> float:
    """The share of the candidates that both find; RuntimeError where arrays or features differ."""
    anew, other = made["anew"], made["changed"]
    for kind, group in anew.groups.items():
        theirs = other.groups[kind].arrays()
        for name, array in group.arrays().items():
            if ".search." not in name and not np.array_equal(array, theirs[name], equal_nan=True):
                raise RuntimeError(f"{kind} {name}: not that of an index made anew")
    batch = QueryBatch(queries)
    found = [one.retrieve(batch, CANDIDATES) for one in (anew, other)]
    blocks = [one.block(PairBatch.of(queries, *found[0])[0]).matrix for one in (anew, other)]
    if not np.array_equal(blocks[0], blocks[1], equal_nan=True):
        raise RuntimeError("features differ from those of an index made anew")
    pairs = [set(zip(*(part.tolist() for part in rows), strict=True)) for rows in found]
    return round(len(pairs[0] & pairs[1]) / len(pairs[0]), 4)


if __name__ == "__main__":
    main()
