"""python -m benchmarks.quality [demo esci icecat fashion fashion_aligned homedepot]

Train on each real set by its config, with both boosters, through the same command a user types, and record the
ladder with intervals and paired tests. Figures are of queries held out from training (folds, or the test split).
Features are built anew for the first booster and come from the store for the second; vectors come from the cache
where it has them. What a config says of robustness is left out: its curve stands in a run's report, not here, and takes
longer than all else.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks import record
from ltr.runs.record import read_json

ALIGNED = "fashion_aligned"  # needs the aligned encoder that its config says how to fit
SETS = {
    "demo": None,
    "esci": "esci",
    "icecat": "icecat",
    "fashion": "fashion",
    "fashion_aligned": "fashion",
    "homedepot": "homedepot",
}
RANKERS = ("lightgbm", "xgboost")


def main(names: list[str]) -> None:
    for name in names or SETS:
        needed = SETS[name]
        if (needed is None or record.have(needed)) and (
            name != ALIGNED or record.have_aligned_encoder(ALIGNED)
        ):
            measure(name)


def measure(name: str) -> None:
    """Both boosters on one set → results/quality_NAME.json."""
    with tempfile.TemporaryDirectory() as scratch:
        places = ["--store.root", f"{scratch}/store"]
        runs = {ranker: train(name, ranker, places) for ranker in RANKERS}
    figures = {
        "config": str(record.config_path(name).relative_to(record.ROOT)),
        "rankers": runs,
    }
    record.write(f"quality_{name}", f"python -m benchmarks.quality {name}", figures)


def train(name: str, ranker: str, places: list[str]) -> dict[str, Any]:
    """One run in a process of its own, so that its peak memory is its own."""
    folder = record.ROOT / "runs" / f"bench-{name}-{ranker}"
    config = record.config_path(name)
    words = ["--config", str(config), "--ranker", ranker, "--objective", "lambdarank", "--run", str(folder)]
    words += ["--robustness.drop", "{}"]
    started = time.perf_counter()
    peak = run_measured([sys.executable, "-m", "ltr.train", *words, *places])
    figures = read_json(folder / "metrics.json")
    kept = kept_metrics(figures["headline"])
    kept_names = ("fit_seconds", "convention", "split", "headline", "model", "tests")
    return {
        "wall_seconds": round(time.perf_counter() - started, 1),
        "peak_memory_mib": round(peak),
        **{name: figures[name] for name in kept_names},
        "summary": [row for row in figures["summary"] if row["metric"] in kept],
    }


def kept_metrics(headline: str) -> set[str]:
    return {headline, "nDCG@1", "nDCG@5", "AP", "AP(rel=2)", "RR", "RR(rel=2)"}


def run_measured(command: list[str]) -> float:
    """Run a command to its end and return the most memory it held, in MiB."""
    code = (
        "import resource, subprocess, sys\n"
        "status = subprocess.call(sys.argv[1:], stdout=sys.stderr)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], stdout=subprocess.PIPE, text=True, check=True, cwd=record.ROOT
    )
    return float(done.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
