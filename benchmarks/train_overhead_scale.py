"""python -m benchmarks.train_overhead_scale [--pairs 2] [--bags 3] [--old CHECKOUT]

How much of training on millions of pairs is not the fit. Made-up ready-made features (36, 40 pairs a query) are
written as svmlight parts, one for each fold's part, and trained by `ltr.train` in a process of its own: seconds of
the whole command, of reading, of the fit (100 trees a bag), and of what is left. One thread for everything, so that
shares hold on a busy machine too. --old: the same data trained by another checkout, in the same run beside it.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import yaml

from benchmarks import record
from ltr import train as verb

MILLION, A_QUERY, FEATURES = 1_000_000, 40, 36
PARTS = {"train": 0.7, "validation": 0.1, "test": 0.2}
# Where each checkout keeps what reads svmlight files: the rest of the command is timed around it.
READERS = (("features.sources.load", "_load_svmlight"), ("features.load", "_load_svmlight"))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--pairs", type=float, default=2, help="millions")
    arguments.add_argument("--bags", type=int, default=3, help="models of one seed each, as in ranker.bags")
    arguments.add_argument("--old", type=Path, help="another checkout to measure beside this one")
    arguments.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        train(given.one)
        return
    checkouts = {"this": record.ROOT} | ({"old": given.old.resolve()} if given.old else {})
    with tempfile.TemporaryDirectory() as scratch:
        config = write_set(Path(scratch), round(given.pairs * MILLION), given.bags)
        found = {}
        for name, checkout in checkouts.items():
            found[name] = _measured(checkout, config)
            print(f"{name}: {found[name]}", flush=True)
    record.write(
        "train_overhead_scale",
        f"python -m benchmarks.train_overhead_scale --pairs {given.pairs:g} --bags {given.bags}"
        + " --old CHECKOUT" * (given.old is not None),
        {"millions_of_pairs": given.pairs, "features": FEATURES, "bags": given.bags, "checkouts": found},
    )


def write_set(folder: Path, pairs: int, bags: int) -> Path:
    """The parts as svmlight files, and the path of a config that names them."""
    rng = np.random.default_rng(0)
    files = {}
    first = 0
    for part, share in PARTS.items():
        queries = round(pairs / A_QUERY * share)
        x = rng.normal(size=(queries * A_QUERY, FEATURES)).astype(np.float32).round(3)
        utility = x[:, :6] @ np.array([1, 0.8, 0.5, 0.4, 0.3, 0.2]) + 1.5 * rng.normal(size=len(x))
        columns = {"grade": np.digitize(utility, [0.8, 2.0, 3.0])}
        columns["query"] = np.repeat(np.arange(first, first + queries), A_QUERY)
        frame = pl.DataFrame(columns | {f"f{n}": x[:, n] for n in range(FEATURES)})
        features = [pl.format(f"{n + 1}:{{}}", f"f{n}") for n in range(FEATURES)]
        line = pl.concat_str(["grade", pl.format("qid:{}", "query"), *features], separator=" ")
        files[part] = str(folder / f"{part}.txt")
        frame.select(line).write_csv(files[part], include_header=False, quote_style="never")
        first += queries
    tree: dict[str, Any] = {
        "name": "made_up",
        "data": {"kind": "svmlight", "files": files},
        "split": {"kind": "column", "validation": ["validation"]},
        "ranker": {"kind": "lightgbm", "objective": "lambdarank", "threads": 1, "trees": 100},
    }
    tree["ranker"]["bags"] = bags
    config = folder / "made_up.yaml"
    config.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return config


def _measured(checkout: Path, config: Path) -> dict[str, Any]:
    """This file run by the code of a checkout."""
    paths = os.pathsep.join([str(checkout), str(record.ROOT)])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, __file__, "--one", str(config)]
    started = time.perf_counter()
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd=config.parent
    )
    whole = time.perf_counter() - started
    found = json.loads(done.stdout.splitlines()[-1])
    left = found["whole_cpu"] - found["fit_cpu"] - found["reading_cpu"]
    return {name: round(value, 4) for name, value in found.items()} | {
        "whole_seconds": round(whole, 1),
        "left_cpu": round(left, 1),
        "share_not_fit": round(1 - found["fit_cpu"] / found["whole_cpu"], 3),
        "share_not_fit_without_reading": round(left / (found["fit_cpu"] + left), 3),
    }


def train(config: Path) -> None:
    """`ltr.train`, with the processor's seconds of reading and of the fit, by whichever checkout is on the path."""
    spent = {"reading": 0.0, "fit": 0.0}
    for module, name in READERS:
        try:
            holder = importlib.import_module(module)
        except ImportError:
            continue
        setattr(holder, name, _timed(getattr(holder, name), "reading", spent))
    lightgbm.train = _timed(lightgbm.train, "fit", spent)
    scratch = tempfile.mkdtemp(dir=config.parent)
    run = Path(scratch) / "run"
    places = ["--cache.folder", f"{scratch}/cache", "--store.root", f"{scratch}/store", "--run", str(run)]
    verb.main(["--config", str(config), *places])
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    headline = next(
        row["mean"]
        for row in metrics["summary"]
        if row["metric"] == metrics["headline"] and row["system"] == metrics["model"]
    )
    print()
    cpu = {f"{name}_cpu": seconds for name, seconds in spent.items()}
    print(
        json.dumps(
            cpu
            | {
                "whole_cpu": time.process_time(),
                "headline": headline,
                "peak_memory_mib": record.peak_memory(),
            }
        )
    )


def _timed(act: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **named: Any) -> Any:
        started = time.process_time()
        try:
            return act(*args, **named)
        finally:
            spent[name] += time.process_time() - started

    return timed


if __name__ == "__main__":
    main()
