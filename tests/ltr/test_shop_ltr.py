"""One command with all others below it: help at once, a typo answered, completion, exit codes."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ltr import __version__
from ltr.__main__ import _MODULES, COMMANDS, main

ROOT = Path(__file__).parent.parent.parent
HEAVY = ("lightgbm", "sklearn", "torch", "pydantic", "numpy", "optuna", "matplotlib", "scipy")


def typed(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    command = [sys.executable, "-m", "ltr", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_every_command_is_listed_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    printed = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n  {command} " in printed
        assert callable(importlib.import_module(_MODULES.get(command, f"ltr.{command}")).main)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"shop-ltr {__version__}\n"


@pytest.mark.parametrize("command", ["trian", "ranc", "compare-fusio", "zzz"])
def test_a_typo_in_the_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert ("did you mean" in printed) == (command != "zzz")


QUICK = [
    name for name in COMMANDS if name not in ("experiment", "label_clicks", "recommend", "serve")
]  # their options are pydantic models


@pytest.mark.parametrize("command", QUICK)
def test_help_imports_nothing_heavy(command: str) -> None:
    code = (
        f"import sys, ltr.__main__ as m\ntry: m.main([{command!r}, '--help'])\nexcept SystemExit: pass\n"
        f"sys.exit(' '.join(n for n in {HEAVY!r} if n in sys.modules) or 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    assert f"usage: shop-ltr {command} " in ended.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("train --ranker.tress 5", "got 'ranker.tress'; did you mean 'ranker.trees'?"),
        ("train --ranker xgbost", "got 'xgbost'; did you mean 'xgboost'?"),
        ("train --objective lambdarnk", "did you mean 'lambdarank'?"),
        ("build_features --encoders.text.kind tfid", "did you mean 'tfidf'?"),
        ("check --config nowhere.yaml", "nowhere.yaml: expected a config file, got no such file"),
        ("rank --querry tee", "did you mean --query?"),
        ("compare one", "expected two or more different product ids"),
    ],
)
def test_a_typo_is_answered_before_anything_heavy_is_imported(words: str, line: str) -> None:
    code = (
        f"import sys, ltr.__main__ as m\ntry: m.main({words.split()!r})\n"
        f"except SystemExit as stopped: print(stopped.code, [n for n in {HEAVY!r} if n in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert ended.stdout == "2 []\n"
    assert line in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("shop-ltr tr", ["train"]),
        ("shop-ltr train --ranker.obj", ["--ranker.objective"]),
        ("shop-ltr train --ranker.kind xg", ["xgboost"]),
        ("shop-ltr rank --que", ["--query"]),
    ],
)
def test_the_shell_is_told_what_could_come_next(line: str, offered: list[str], tmp_path: Path) -> None:
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "IFS": "\n"}
    answers = tmp_path / "answers"
    asked["_ARGCOMPLETE_STDOUT_FILENAME"] = str(answers)
    typed(**asked)
    found = answers.read_text(encoding="utf-8").replace("\013", "\n").split()
    assert [word.strip() for word in found if not word.startswith("(")][: len(offered)] == offered
