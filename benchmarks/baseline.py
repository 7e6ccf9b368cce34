"""python -m benchmarks.baseline

Keep the held-out scores of runs/demo-lightgbm, and its measures of what is shown, as the baseline that CI compares a
new run with on processors of this maker: three files, of which `ltr.evaluate --baseline` needs no more. Run it when a
change of the figures is meant, on each maker's.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from benchmarks import record
from ltr.runs.record import SHOWN_VALUES
from ltr.runs.sums import seal, write_about

RUN = record.ROOT / "runs" / "demo-lightgbm"
BASELINES = record.ROOT / "benchmarks" / "baseline"
ABOUT = ("format", "made_at", "model", "versions")


def main(run: Path = RUN) -> None:
    kept = BASELINES / f"{run.name}-{maker()}"
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    scores = pl.read_parquet(run / "scores.parquet")
    kept.mkdir(parents=True, exist_ok=True)
    scores.select("query_id", "product_id", "grade", f"score: {about['model']}").write_parquet(
        kept / "scores.parquet"
    )
    shown = pl.read_parquet(run / SHOWN_VALUES)
    shown.filter(system=about["model"]).write_parquet(kept / SHOWN_VALUES)
    write_about(kept, {name: about[name] for name in ABOUT})
    seal(kept)
    print(f"wrote {kept.relative_to(record.ROOT)}")


def maker() -> str:
    """Of this machine's processor, as Linux names it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("vendor_id"))


if __name__ == "__main__":
    main()
