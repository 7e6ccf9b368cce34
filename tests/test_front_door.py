"""Python's front door: the README's fifteen lines give the figure shown, and the faces open quickly."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SECTION = (
    (ROOT / "README.md")
    .read_text(encoding="utf-8")
    .split("\n## Fifteen lines of Python\n")[1]
    .split("\n## ")[0]
)
SNIPPET, SHOWN = re.findall(r"```\w*\n(.*?)```", SECTION, re.DOTALL)
FACES = [
    *("features", "features.sources", "features.encoders", "features.groups", "features.store"),
    *("ltr.data", "ltr.demo", "ltr.evaluation", "ltr.explanation", "ltr.rankers", "ltr.rankers.sklearn"),
    "ltr.training",
]
HEAVY = [
    "matplotlib",
    "optuna",
    "pandas",
    "torch",
    "torchvision",
    "sentence_transformers",
    "transformers",
    "sklearn",
    "lightgbm",
    "xgboost",
    "catboost",
]


def test_the_snippet_prints_the_figure_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert len([line for line in SNIPPET.splitlines() if line]) <= 15
    exec(compile(SNIPPET, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    numbers = r"\d*\.?\d+"
    assert re.sub(numbers, "#", printed) == re.sub(numbers, "#", SHOWN)
    shown, found = ([float(n) for n in re.findall(numbers, text)] for text in (SHOWN, printed))
    # Machines round otherwise, and a split of a tree may fall otherwise for it: the means hardly move.
    assert found[1:3] == pytest.approx(shown[1:3], abs=0.01)
    assert found[3] > 0.1


@pytest.mark.parametrize(
    "module", ["features", "ltr", "ltr.config.tree", "ltr.rankers", "ltr.runs.saved_run"]
)
def test_a_face_opens_without_the_big_libraries(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_a_face_shows_what_it_has_and_nothing_else() -> None:
    features = importlib.import_module("features")
    assert set(features.__all__) <= set(dir(features))
    with pytest.raises(AttributeError, match="has no attribute 'Shopp'"):
        _ = features.Shopp


@pytest.mark.parametrize("module", FACES)
def test_what_a_face_names_is_there(module: str) -> None:
    face = importlib.import_module(module)
    assert face.__all__
    assert [name for name in face.__all__ if not hasattr(face, name)] == []
    # A function called as its module would hide it.
    folder = Path(face.__file__ or "").parent
    assert [name for name in face.__all__ if (folder / f"{name}.py").exists()] == []
