"""python -m benchmarks.retrieval [--products N] [--queries N]

Nearest products among a million: by cells (faiss, extra `ann`) against an exact scan of the same vectors, a query
at a time on one thread; recall@100 and milliseconds, without a filter and where 50, 10, 1 and .1 % of the products
pass, by chance, or are just those far from most queries; and after a hundredth of the products changed, against cells
made anew. Memory, seconds to make, to change and to open. Time is processor time: other work on the machine does not
lengthen it.

Vectors are drawn (see benchmarks.drawn_vectors) so that they lie as MiniLM's of real titles do.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import drawn_vectors, record
from benchmarks.request import ONE_THREAD
from features.encoders.nearest import VectorSearch
from features.encoders.vectors import RowVectors

FOUND, SHARES, CHANGED = 100, (0.5, 0.1, 0.01, 0.001), 0.01


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--products", type=int, default=1_000_000)
    arguments.add_argument("--queries", type=int, default=100)
    given = arguments.parse_args()
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):  # read when libraries load
        command = [sys.executable, "-m", "benchmarks.retrieval", *sys.argv[1:]]
        raise SystemExit(subprocess.run(command, env=os.environ | ONE_THREAD, check=False).returncode)
    tree = drawn_vectors.Tree(given.products)
    vectors = np.empty((given.products, drawn_vectors.DIMENSIONS), dtype=np.float32)
    start = 0
    for block in tree.products(given.products):
        vectors[start : start + len(block)] = block
        start += len(block)
    queries = tree.queries(given.queries)
    figures: dict[str, Any] = {
        "products": given.products,
        "queries": given.queries,
        "load": os.getloadavg()[1],
    }
    figures["lie"] = drawn_vectors.row(vectors[:43_261], queries)
    made, figures["make_seconds"] = timed(
        lambda: VectorSearch.of(RowVectors(vectors, np.arange(len(vectors))))
    )
    figures |= kept(made, vectors)
    figures["filters"] = [measured(made, vectors, queries, *one) for one in filters(vectors, queries)]
    figures["change"] = change(made, vectors, queries, tree)
    words = f"--products {given.products} --queries {given.queries}"
    record.write("retrieval", f"python -m benchmarks.retrieval {words}", figures)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    made = work()
    return made, round(time.process_time() - started, 3)


def kept(made: VectorSearch, vectors: np.ndarray) -> dict[str, Any]:
    """MiB of the search's own arrays and of the vectors; seconds to open them from files and answer the first query."""
    arrays = made.arrays()
    with tempfile.TemporaryDirectory() as folder:
        for number, array in enumerate(arrays.values()):
            np.save(Path(folder) / f"{number}.npy", array)

        def opened() -> VectorSearch:
            found = {
                name: np.load(Path(folder) / f"{number}.npy", mmap_mode="r")
                for number, name in enumerate(arrays)
            }
            return VectorSearch.from_arrays(RowVectors(vectors, np.arange(len(vectors))), found)

        search, open_seconds = timed(opened)
        first = RowVectors(vectors[:1], np.zeros(1, dtype=np.int64))
        _, first_seconds = timed(lambda: search.nearest(first, FOUND))
    sizes = {"search_mib": sum(array.nbytes for array in arrays.values()), "vectors_mib": vectors.nbytes}
    found = {name: round(size / 2**20) for name, size in sizes.items()}
    return found | {"open_seconds": open_seconds, "first_query_seconds": first_seconds}


def filters(vectors: np.ndarray, queries: np.ndarray) -> list[tuple[str, np.ndarray | None]]:
    """By name, who passes; the last are those that lie far from what the queries ask for, on the mean."""
    rng = np.random.default_rng(3)
    chance = [(f"{share:.1%} by chance", rng.random(len(vectors)) < share) for share in SHARES]
    far = vectors @ queries.mean(axis=0)
    return [("none", None), *chance, ("the farther 10%", far <= np.quantile(far, 0.1))]


def measured(
    made: VectorSearch, vectors: np.ndarray, queries: np.ndarray, name: str, within: np.ndarray | None
) -> dict[str, Any]:
    exact, ours, recalls = [], [], []
    for query in queries:
        started = time.process_time()
        cosines = vectors @ query
        if within is not None:
            cosines[~within] = -2
        best = np.argpartition(cosines, -FOUND)[-FOUND:]
        exact.append(time.process_time() - started)
        asked = RowVectors(query[np.newaxis], np.zeros(1, dtype=np.int64))
        started = time.process_time()
        found = made.nearest(asked, FOUND, within)
        ours.append(time.process_time() - started)
        recalls.append(len(np.intersect1d(found.items, best)) / FOUND)
    row = {
        "filter": name,
        "recall": round(float(np.mean(recalls)), 4),
        "least_recall": round(float(np.min(recalls)), 2),
        "exact_ms": round(1000 * float(np.median(exact)), 2),
        "ms": [round(1000 * float(p), 2) for p in np.percentile(ours, [50, 95])],
    }
    row["times_quicker"] = round(row["exact_ms"] / row["ms"][0], 1)
    print(row, flush=True)
    return row


def change(
    made: VectorSearch, vectors: np.ndarray, queries: np.ndarray, tree: drawn_vectors.Tree
) -> dict[str, Any]:
    """A hundredth of the vectors replaced by others: seconds, and recall against an exact scan."""
    rng = np.random.default_rng(4)
    gone = rng.choice(len(vectors), int(CHANGED * len(vectors)), replace=False)
    vectors[gone] = np.concatenate(list(tree.products(len(gone))))
    same = np.arange(len(vectors))
    same[gone] = -1
    items = RowVectors(vectors, np.arange(len(vectors)))
    changed, seconds = timed(lambda: made.changed(items, same))
    found = {
        "share": CHANGED,
        "seconds": seconds,
        "changed": measured(changed, vectors, queries, "none", None),
    }
    anew, found["seconds_anew"] = timed(lambda: VectorSearch.of(items))
    return found | {"anew": measured(anew, vectors, queries, "none", None)}


if __name__ == "__main__":
    main()
