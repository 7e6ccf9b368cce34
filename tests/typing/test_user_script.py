"""The packages ship their types: a user's script passes the type checker, and its slips are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SCRIPT = Path(__file__).with_name("user_script.py")

SLIPS = {
    "judgements, settings=": "judgements, setting=",
    "FoldsConfig(folds=3)": "FoldsConfig(fold=3)",
    "error.cure": "error.remedy",
    "-> Comparison:": "-> float:",
    "data.split(": "data.divide(",
}


@pytest.mark.slow
def test_a_users_script_is_checked_and_its_slips_are_found(tmp_path: Path) -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    (tmp_path / "right.py").write_text(text, encoding="utf-8")
    for number, (right, slip) in enumerate(SLIPS.items()):
        assert right in text
        (tmp_path / f"slip{number}.py").write_text(text.replace(right, slip), encoding="utf-8")
    words = ["--config-file", str(ROOT / "pyproject.toml"), "--follow-imports", "silent", "--cache-dir"]
    words += [
        str(ROOT / ".mypy_cache"),
        "--disallow-any-unimported",
        *sorted(map(str, tmp_path.glob("*.py"))),
    ]
    found = subprocess.run(
        [sys.executable, "-m", "mypy", *words], capture_output=True, text=True, check=False, cwd=ROOT
    ).stdout
    wrong = {line.split(":")[0].rsplit("/")[-1] for line in found.splitlines() if ": error: " in line}
    assert wrong == {f"slip{number}.py" for number in range(len(SLIPS))}, found
