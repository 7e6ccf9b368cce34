"""A small demo shop, trained once for all tests that look at a finished run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ltr import build_features, check, compare, evaluate, explain, rank, train
from ltr.config import command_line

BAD_INPUT = Path(__file__).resolve().parent.parent / "bad_input"
COMMANDS: dict[str, Callable[..., Any]] = {
    "build_features": build_features.main,
    "check": check.main,
    "train": train.main,
    "evaluate": evaluate.main,
    "rank": rank.main,
    "compare": compare.main,
    "explain": explain.main,
}

ENCODERS = (
    "{text: {kind: tfidf, dimensions: 32}, "
    "image: {kind: torchvision, backbone: resnet18, weights: random, size: 32, threads: 1}}"
)
WORDS = [
    *("--data.products", "90", "--data.queries", "40", "--data.judged_per_query", "15"),
    *(
        "--encoders",
        ENCODERS,
        "--ranker.trees",
        "20",
        "--ranker.bags",
        "1",
        "--ranker.threads",
        "1",
        "--split.folds",
        "3",
    ),
    *("--evaluation.bootstrap.resamples", "200"),
    *("--train.base", "none"),  # so few queries would lean on a cosine, each fit six times
]


@dataclass(frozen=True)
class Trained:
    """A run folder, and the working folder that its cache and store lie in."""

    run: Path
    work: Path

    def words(self, *more: str) -> list[str]:
        """Command-line words that repeat the run's settings, with others laid over them."""
        places = [
            *("--cache.folder", str(self.work / "cache"), "--store.root", str(self.work / "store")),
            *("--runs", str(self.work / "runs")),
        ]
        return [*WORDS, *places, *more]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    work = tmp_path_factory.mktemp("shop")
    made = Trained(work / "run", work)
    train.main(made.words("--run", str(made.run)))
    return made


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Shop:
    """Commands on the small whole shop of tests/bad_input, run in this process and in an empty folder.

    A command is a line as typed after `python -m ltr.`, with BAD for the folder of broken files, which is
    also where the config's paths start from; `--config BAD/shop.yaml` goes without saying.
    """

    folder: Path
    _captured: Callable[[], tuple[str, str]]

    def words(self, line: str) -> list[str]:
        command, *words = shlex.split(line.replace("BAD/", f"{BAD_INPUT}/"))
        given = command in {"evaluate", "explain", "rank"} or "--config" in words
        return [command, *([] if given else ["--config", str(BAD_INPUT / "shop.yaml")]), *words]

    def run(self, line: str) -> Ended:
        command, *words = self.words(line)
        status = 0
        try:
            command_line.run(COMMANDS[command], words)
        except SystemExit as stopped:
            status = stopped.code if isinstance(stopped.code, int) else 1
        return Ended(status, *self._captured())

    def refused(self, line: str) -> str:
        """The one line that the command ends with, without the folder of broken files."""
        return single_line(self.run(line))


def single_line(ended: Ended) -> str:
    """Bad input's one line: where, what was expected, what came, and the cure."""
    assert ended.status == 2, ended
    assert re.fullmatch(r"error: [^\n]+: expected [^\n]+, got [^\n]+; [^\n]+\n", ended.err), ended.err
    return ended.err.replace(f"{BAD_INPUT}/", "")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shop:
    monkeypatch.chdir(tmp_path)
    return Shop(tmp_path, capfd.readouterr)
