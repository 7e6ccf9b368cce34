"""What every command does with its words, and with input it cannot use."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from features.errors import InputError
from ltr import check, loop
from ltr.config import command_line

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--ranker.trees", "5"], {"ranker.trees": 5}),
        (["--ranker.trees=5", "--a.b", "[1, 10]"], {"ranker.trees": 5, "a.b": [1, 10]}),
        (["--features.lexical", "false"], {"features.lexical": False}),
        (["--ranker.seed", "-1"], {"ranker.seed": -1}),
        ([], {}),
    ],
)
def test_overrides_are_read_as_yaml(words: list[str], expected: dict[str, object]) -> None:
    assert command_line.parse_overrides(words) == expected


@pytest.mark.parametrize("words", [["ranker.trees", "5"], ["--ranker.trees"]])
def test_words_that_are_no_setting_are_refused(words: list[str]) -> None:
    with pytest.raises(InputError, match=r"--section\.key VALUE"):
        command_line.parse_overrides(words)


def fail(words: object) -> None:
    raise InputError(where="shop.csv", expected="a price", got="'abc'", cure="mend row 3")


def test_bad_input_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command_line.run(fail, [])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: shop.csv: expected a price, got 'abc'; mend row 3\n"


def test_debug_shows_where_the_error_came_from() -> None:
    with pytest.raises(InputError):
        command_line.run(fail, ["--debug"])


@pytest.mark.parametrize(
    ("command", "words", "cure"),
    [
        ("compare", ["a", "b", "--tops", "3"], "did you mean --top?"),
        ("compare", ["a", "b", "--trees", "3"], "did you mean --ranker.trees?"),
        ("compare", ["a", "b", "--zork", "3"], "see --help"),
        ("compare", ["a", "b", "--run", "runs/x"], "name their config by --config"),
        ("tune", ["--trails", "3"], "did you mean --trials?"),
        ("rank", ["--querry", "boots"], "did you mean --query?"),
        ("rank", ["--query", "boots", "shoes"], "see --help"),
        ("label_clicks", ["--event", "x"], "did you mean --events?"),
        ("label_clicks", ["--least_view", "3"], "did you mean --least-views?"),
        ("experiment", ["ab", "--data", "x", "--plannd", "y"], "did you mean --planned?"),
    ],
)
def test_a_word_that_nothing_takes_is_told_with_the_nearest_that_something_takes(
    command: str, words: list[str], cure: str
) -> None:
    main = importlib.import_module(f"ltr.{command}").main
    with pytest.raises(InputError) as caught:
        main(words)
    assert str(caught.value).startswith("command line: expected an argument of this command")
    assert str(caught.value).endswith(cure)


def test_shortcuts_stand_for_settings() -> None:
    arguments = command_line.parser("doc")
    command_line.add_shortcuts(arguments, ("ranker", "objective", "folds", "seed"))
    words = ["--ranker", "xgboost", "--objective", "rank:map", "--folds", "3", "--seed", "9"]
    _, config = command_line.read_settings(arguments, words)
    assert (config.ranker.kind, config.ranker.objective, config.ranker.seed) == ("xgboost", "rank:map", 9)
    assert config.split.folds == 3


@pytest.mark.parametrize("command", ["train", "rank", "evaluate", "explain", "compare"])
def test_commands_start_without_torch(command: str) -> None:
    """It takes seconds to import, and a run whose vectors are all cached needs none."""
    code = f"import sys, ltr.{command}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


TWICE = """
import os, signal, sys
from ltr import check, loop
from ltr.config import command_line

class Interrupted:
    def write(self, text):
        os.kill(os.getpid(), signal.SIGINT)
        return sys.__stderr__.write(text)

    def flush(self):
        sys.__stderr__.flush()

def main(words):
    sys.stderr = Interrupted()
    raise KeyboardInterrupt

command_line.run(main, [])
"""


def test_ctrl_c_that_comes_twice_is_told_once() -> None:
    """A library that heeds signals itself raises it beside Python."""
    ended = subprocess.run(
        [sys.executable, "-c", TWICE], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 130
    assert ended.stderr == "stopped; what was finished is kept, run the same command to go on\n"


@pytest.mark.parametrize(
    "more",
    [["--data.products", "5"], ["--evaluation.gain", "linear"], ["--config", "other.yaml"], ["--folds", "3"]],
    ids=lambda more: more[0],
)
def test_what_a_run_has_of_its_own_is_not_set_beside_its_log(more: list[str]) -> None:
    with pytest.raises(InputError, match=r"--against-log or .*got both"):
        check.main(["--run", "run", "--against-log", "log", *more])


@pytest.mark.parametrize("shop_at", [[], ["--loop.shop_at", "memory"]])
def test_clients_are_not_asked_for_without_a_server(shop_at: list[str]) -> None:
    with pytest.raises(InputError, match=r"--loop.clients: expected --loop.shop_at server beside it"):
        loop.main(["--loop.clients", "3", *shop_at])
