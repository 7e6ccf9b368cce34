"""python -m benchmarks.tuning [--seconds 480] [--trials 60]

What a search by `ltr.tune` is worth on fashion: LightGBM and XGBoost in one study, label gain included, by five folds
of the training queries; the winner is measured once on the test split beside the config's own settings.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import record
from ltr.tuning.summary import tuning_section

CONFIG = record.ROOT / "configs" / "fashion_aligned.yaml"
KEPT = ("metric", "counts", "default", "winner", "params", "importances", "nested", "test")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=480)
    asked.add_argument("--trials", type=int, default=60)
    given = asked.parse_args()
    if not (record.have("fashion") and record.have_aligned_encoder("fashion_aligned")):
        return
    command = f"python -m benchmarks.tuning --seconds {given.seconds:g} --trials {given.trials}"
    record.write("tuning", command, search(given.seconds, given.trials))


def search(seconds: float, trials: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        places = ["--runs", scratch, "--store.root", f"{scratch}/store", "--run", str(run)]
        space = ["--tuning.kinds", "[lightgbm, xgboost]", "--tuning.gain", "true", "--ranker.bags", "1"]
        budget = ["--trials", str(trials), "--timeout", str(seconds)]
        words = ["--config", str(CONFIG), *places, *space, *budget]
        subprocess.run([sys.executable, "-m", "ltr.tune", *words], check=True, cwd=record.ROOT)
        found = tuning_section(run) or {}
    return {name: found[name] for name in KEPT if name in found}


if __name__ == "__main__":
    main()
