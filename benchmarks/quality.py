"""python -m benchmarks.quality [esci icecat fashion homedepot demo]

Train on each real set by its config, with both boosters, through the same command a user types, and record the
ladder with intervals and paired tests. Figures are of queries held out from training (folds, or the test split).
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import record
from ltr.run_folder import read_json

SETS = {"demo": None, "esci": "esci", "icecat": "icecat", "fashion": "fashion", "homedepot": "homedepot"}
RANKERS = ("lightgbm", "xgboost")


def main(names: list[str]) -> None:
    for name in names or SETS:
        needed = SETS[name]
        if needed is None or record.have(needed):
            measure(name)


def measure(name: str) -> None:
    """Both boosters on one set → results/quality_NAME.json."""
    runs = {}
    for ranker in RANKERS:
        folder = record.ROOT / "runs" / f"bench-{name}-{ranker}"
        runs[ranker] = train(name, ranker, folder)
    command = f"python -m benchmarks.quality {name}"
    record.write(f"quality_{name}", command, {"config": f"configs/{name}.yaml", "rankers": runs})


def train(name: str, ranker: str, folder: Path) -> dict[str, Any]:
    """One run in a process of its own, so that its peak memory is its own."""
    config = record.ROOT / "configs" / f"{name}.yaml"
    words = ["--config", str(config), "--ranker", ranker, "--objective", "lambdarank", "--run", str(folder)]
    started = time.perf_counter()
    peak = run_measured([sys.executable, "-m", "ltr.train", *words])
    figures = read_json(folder / "metrics.json")
    return {
        "wall_seconds": round(time.perf_counter() - started, 1),
        "peak_memory_mib": round(peak),
        "fit_seconds": figures["fit_seconds"],
        "convention": figures["convention"],
        "split": figures["split"],
        "headline": figures["headline"],
        "model": figures["model"],
        "summary": [row for row in figures["summary"] if row["metric"] in kept_metrics(figures["headline"])],
        "tests": figures["tests"],
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
