"""One word, one thing: names that a newcomer would have to look up are not taken."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What a name said, and by which plain one it goes: fitted, message, inputs.
RIDDLES = re.compile(r"(?:^|_)(?:learnt|told|made_of|tell_alike|reckoned)(?:_|$)", re.IGNORECASE)


def names_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(asname=str(name)):
                yield name


@pytest.mark.parametrize("folder", ["features", "ltr", "benchmarks"])
def test_no_name_is_a_riddle(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    riddles = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in (path.stem, *names_of(ast.parse(path.read_text(encoding="utf-8"))))
        if RIDDLES.search(name)
    }
    assert not riddles


def test_riddles_are_seen_wherever_a_name_stands() -> None:
    text = (
        "def _told(learnt): return self.made_of\nimport x as told\nclass Told: pass\ntold_by = 1\nlearned = 2"
    )
    assert sum(RIDDLES.search(name) is not None for name in names_of(ast.parse(text))) == 6
