"""python -m benchmarks.metrics_speed [--large]

Time of `ltr.evaluation.evaluate` against ranx (numba) and pytrec_eval (trec_eval's own C code, the engine of
ir-measures) on 10,000 queries of 100 rows, and with --large on 100,000; the values of all are first checked to
be equal. nDCG@10, P@10, R@10, AP and RR; we also compute F1 and Judged.

Each peer is timed twice: from its own structures, ready made (ranx's lists also sorted, and its code compiled),
and from the table that `evaluate` reads. The memory is that which `evaluate` holds beside its table.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytrec_eval
import ranx

from benchmarks import record
from ltr.evaluation.per_query import EvaluationConfig, evaluate

CONFIG = EvaluationConfig(gain="linear", empty_queries="zero", cutoffs=(10,))
TREC = {"nDCG@10": "ndcg_cut_10", "P@10": "P_10", "R@10": "recall_10", "AP": "map", "RR": "recip_rank"}
ASKED = {"ndcg_cut.10", "P.10", "recall.10", "map", "recip_rank"}
RANX = {"nDCG@10": "ndcg@10", "P@10": "precision@10", "R@10": "recall@10", "AP": "map", "RR": "mrr"}

Nested = dict[str, dict[str, Any]]


def random_pairs(queries: int, rows: int) -> pl.DataFrame:
    """Pairs in random order; scores without ties, whole numbers because trec_eval keeps 32 bits."""
    rng = np.random.default_rng(0)
    n = queries * rows
    return pl.DataFrame(
        {
            "query_id": np.repeat([f"query-{i:06}" for i in range(queries)], rows),
            "product_id": [f"product-{i:07}" for i in range(n)],
            "grade": rng.choice([0.0, 1.0, 2.0, 3.0], n, p=[0.7, 0.15, 0.1, 0.05]),
            "score": rng.permuted(np.tile(np.arange(rows, dtype=np.float64), (queries, 1)), axis=1).ravel(),
        }
    ).sample(fraction=1, shuffle=True, seed=0)


def dictionaries(pairs: pl.DataFrame) -> tuple[Nested, Nested]:
    """The judgements and the run as pytrec_eval wants them."""
    qrels: Nested = {}
    run: Nested = {}
    for query, product, grade, score in pairs.iter_rows():
        qrels.setdefault(query, {})[product] = int(grade)
        run.setdefault(query, {})[product] = score
    return qrels, run


def ranx_objects(pairs: pl.DataFrame) -> tuple[ranx.Qrels, ranx.Run]:
    frame = pairs.with_columns(pl.col("grade").cast(pl.Int64)).to_pandas()
    frame = frame.astype({"query_id": object, "product_id": object})
    qrels = ranx.Qrels.from_df(frame, "query_id", "product_id", "grade")
    return qrels, ranx.Run.from_df(frame, "query_id", "product_id", "score")


def ranx_values(qrels: ranx.Qrels, run: ranx.Run) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = ranx.evaluate(
        qrels, run, list(RANX.values()), return_mean=False, save_results_in_run=False
    )
    return found


def largest_difference(
    ours: pl.DataFrame, trec: Nested, numba: dict[str, np.ndarray], ids: list[str]
) -> float:
    """Over both peers, all queries and all measures; `ids`: the queries in ranx's order."""
    apart = [
        abs(value - trec[query][theirs])
        for name, theirs in TREC.items()
        for query, value in ours.select("query_id", name).iter_rows()
    ]
    ordered = pl.DataFrame({"query_id": ids}).join(ours, on="query_id", how="left", maintain_order="left")
    apart += [float(np.abs(ordered[name].to_numpy() - numba[theirs]).max()) for name, theirs in RANX.items()]
    return max(apart)


def seconds(work: Callable[[], object], times: int) -> float:
    """The best of several runs: the one least disturbed by other work on the machine."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def compare(queries: int, rows: int) -> dict[str, object]:
    """Check that the values are equal, then time all three."""
    pairs = random_pairs(queries, rows)
    qrels, run = dictionaries(pairs)
    trec = pytrec_eval.RelevanceEvaluator(qrels, ASKED)
    ranx_qrels, ranx_run = ranx_objects(pairs)
    first_ranx = seconds(lambda: ranx_values(ranx_qrels, ranx_run), 1)
    difference = largest_difference(
        evaluate(pairs, CONFIG),
        trec.evaluate(run),
        ranx_values(ranx_qrels, ranx_run),
        list(ranx_run.keys()),
    )
    if difference > 1e-9:
        raise AssertionError(f"values differ by {difference:.2g}: times would mean nothing")
    ours = seconds(lambda: evaluate(pairs, CONFIG), 5)
    peers = {
        "ranx": (
            seconds(lambda: ranx_values(ranx_qrels, ranx_run), 3),
            seconds(lambda: ranx_objects(pairs), 1),
        ),
        "pytrec_eval": (seconds(lambda: trec.evaluate(run), 3), seconds(lambda: dictionaries(pairs), 1)),
    }
    figures: dict[str, object] = {
        "queries": queries,
        "rows": pairs.height,
        "seconds_evaluate": round(ours, 4),
        "seconds_ranx_first_time": round(first_ranx, 4),
        "largest_difference": difference,
        "memory_beside_the_table": memory_beside(pairs),
    }
    for name, (engine, building) in peers.items():
        figures[f"seconds_{name}"] = round(engine, 4)
        figures[f"seconds_{name}_from_table"] = round(engine + building, 4)
        figures[f"times_faster_than_{name}"] = round(engine / ours, 1)
        figures[f"times_faster_than_{name}_from_table"] = round((engine + building) / ours, 1)
    return figures


def memory_beside(pairs: pl.DataFrame) -> float:
    """Most memory that `evaluate` held beside its table, as a share of the table; measured in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.parquet"
        pairs.write_parquet(path)
        command = [sys.executable, "-m", "benchmarks.metrics_speed", "--memory-of", str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=record.ROOT)
    return round(float(done.stdout), 2)


def measure_memory(path: Path) -> float:
    evaluate(random_pairs(100, 10), CONFIG)  # what libraries take once is not the table's doing
    pairs = pl.read_parquet(path).rechunk()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew from here
    evaluate(pairs, CONFIG)
    return 1024 * (_status("VmHWM") - before) / pairs.estimated_size()


def _status(name: str) -> int:
    """A figure of this process, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main(argv: Sequence[str] = ()) -> None:
    """Measure each size, write the result file."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--large", action="store_true", help="also 10 million rows: ten minutes, 12 GB")
    given.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    asked = given.parse_args(argv)
    if asked.memory_of:
        print(measure_memory(asked.memory_of))
        return
    warnings.simplefilter("ignore")  # numba's and ranx's own
    sizes = [(10_000, 100), *([(100_000, 100)] if asked.large else [])]
    figures = {
        "sizes": [compare(*size) for size in sizes],
        "threads": pl.thread_pool_size(),
        "pytrec_eval": version("pytrec-eval-terrier"),
        "ranx": version("ranx"),
    }
    record.write("metrics_speed", "python -m benchmarks.metrics_speed --large", figures)


if __name__ == "__main__":
    main(sys.argv[1:])
