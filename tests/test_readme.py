"""What the pages promise: faces name their files, the config shown is valid, the commands exist."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from benchmarks import tables
from ltr.config.tree import parse_config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROOMS = sorted(
    path.parent.relative_to(ROOT)
    for name in ("features", "ltr")
    for path in (ROOT / name).rglob("__init__.py")
)
COMMANDS = sorted(set(re.findall(r"python -m ([\w.]+)", README)))
TARGETS = sorted(set(re.findall(r"^make (\w+)", README, re.MULTILINE)))


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_a_face_names_each_of_its_files(room: Path) -> None:
    """The docstring of a package is its map: a line for each file and each room in it, and none that is gone."""
    face = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8")), clean=True)
    assert face is not None
    named = re.findall(r"(?m)^ {0,4}([a-z_0-9]+)/?(?= {2,}\S)", face)
    files = [path.stem for path in (ROOT / room).glob("*.py") if not path.name.startswith("__")]
    rooms = [path.parent.name for path in (ROOT / room).glob("*/__init__.py")]
    assert sorted(named) == sorted(files + rooms)


def test_the_tree_shows_each_room() -> None:
    tree = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## How the code is laid out")[1]
    shown = re.findall(r"(?m)^ *([\w.]+)/ ", tree.split("```")[1])
    assert {room.name for room in ROOMS} <= set(shown)


def test_the_config_shown_is_valid() -> None:
    shown = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    assert parse_config(yaml.safe_load(shown[1]), ROOT, "README.md").name == "myshop"


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_exists(module: str) -> None:
    assert importlib.util.find_spec(module) is not None


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"))


def test_pins_are_plain_lines() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in lines)


def test_the_tables_are_those_of_the_committed_results() -> None:
    for page, text in tables.pages().items():
        assert page.read_text(encoding="utf-8") == text, f"run python -m benchmarks.tables: {page} is stale"
