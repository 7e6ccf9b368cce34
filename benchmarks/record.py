"""What stands beside every figure: the command, the machine, the versions, the day."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import resource
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ltr.config.command_line import DEMO_CONFIG

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).resolve().parent.parent


def config_path(name: str) -> Path:
    """The config of that name: the demo shop's lies in the package, those of real sets in configs/."""
    return DEMO_CONFIG if name == "demo" else ROOT / "configs" / f"{name}.yaml"


DATA = Path(os.environ.get("LTR_SHARED_DATA", ROOT.parent / "shared" / "data"))


def have(*names: str) -> bool:
    """Whether these sets are at hand; says so where one is not."""
    absent = [name for name in names if not (DATA / name).exists()]
    if absent:
        print(f"skipped: {', '.join(absent)} not found in the data folder (LTR_SHARED_DATA)")
    return not absent


def have_aligned_encoder(config: str) -> bool:
    """Whether the image encoder that `configs/CONFIG.yaml` names is fitted; says how where it is not."""
    if (ROOT / "fitted" / "fashion").exists():
        return True
    print(f"skipped: no aligned encoder; first python -m ltr.fit_encoder --config configs/{config}.yaml")
    return False


def write(name: str, command: str, figures: dict[str, Any]) -> None:
    """benchmarks/results/NAME.json."""
    about = {
        "command": command,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": f"{processor()}, {os.cpu_count()} cores, no GPU used",
        "versions": {name: version(name) for name in ("lightgbm", "xgboost", "polars", "numpy", "torch")},
    }
    text = json.dumps(about | figures, indent=1, ensure_ascii=False)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(f"wrote benchmarks/results/{name}.json")


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def peak_memory() -> float:
    """Most memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
