"""python -m benchmarks.fusion [fashion_aligned esci icecat demo] [--section.key VALUE …]

The strategies of fusion on each set by its config, through the same command a user types: three kinds of fusion on the
same splits, every pair tested. Features are built anew; vectors come from the cache where it has them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

from benchmarks import record
from benchmarks.quality import ALIGNED, run_measured
from ltr.runs.record import read_json

SETS = {"fashion_aligned": "fashion", "esci": "esci", "icecat": "icecat", "demo": None}
KEPT = ("headline", "statements", "left_out", "strategies", "grades", "convention", "facts")
TEST = ("segment", "a", "b", "difference", "low", "high", "p_value", "p_holm")


def main(words: list[str]) -> None:
    first = next((place for place, word in enumerate(words) if word.startswith("--")), len(words))
    names, settings = words[:first], words[first:]
    for name in names or SETS:
        needed = SETS[name]
        if (needed is None or record.have(needed)) and (
            name != ALIGNED or record.have_aligned_encoder(ALIGNED)
        ):
            command = " ".join(["python -m benchmarks.fusion", name, *settings])
            record.write(f"fusion_{name}", command, measure(name, settings))


def measure(name: str, settings: list[str]) -> dict[str, Any]:
    """One comparison in a process of its own; further settings are those of ltr.compare_fusion."""
    config = record.config_path(name)
    folder = record.ROOT / "runs" / f"bench-{name}-fusion"
    with tempfile.TemporaryDirectory() as scratch:
        places = ["--store.root", f"{scratch}/store", "--run", str(folder)]
        started = time.perf_counter()
        peak = run_measured(
            [sys.executable, "-m", "ltr.compare_fusion", "--config", str(config), *places, *settings]
        )
        seconds = time.perf_counter() - started
    found = read_json(folder / "fusion.json")
    return {
        "config": str(record.config_path(name).relative_to(record.ROOT)),
        "wall_seconds": round(seconds, 1),
        "peak_memory_mib": round(peak),
        **{key: found[key] for key in KEPT},
        "summary": [
            row for row in found["summary"] if "@" not in row["metric"] or row["metric"].endswith("@10")
        ],
        "tests": [{key: row[key] for key in TEST} for row in found["tests"]],
    }


if __name__ == "__main__":
    main(sys.argv[1:])
