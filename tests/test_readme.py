"""The README's promises: its tree names every file, its config is valid, its commands exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from benchmarks import tables
from ltr.config.tree import parse_config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCES = [path for folder in ("features", "ltr", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
COMMANDS = sorted(set(re.findall(r"python -m ([\w.]+)", README)))
TARGETS = sorted(set(re.findall(r"^make (\w+)", README, re.MULTILINE)))


@pytest.mark.parametrize("path", [p for p in SOURCES if not p.name.startswith("__")], ids=lambda p: p.name)
def test_the_tree_names_every_file(path: Path) -> None:
    assert re.search(rf"(?m)(^| ){re.escape(path.name)}\b", README)


def test_the_tree_names_no_file_that_is_gone() -> None:
    tree = README.split("## The tree")[1].split("```")[1]
    named = set(re.findall(r"\b(\w+\.py)\b", tree))
    assert named == {path.name for path in SOURCES if not path.name.startswith("__")}


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
