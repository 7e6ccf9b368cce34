"""Settings as YAML: read strictly, a mistake told with its line."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from features.errors import InputError

_MOST = 1_000_000
# As YAML 1.2 has them: not in eights by a leading zero, nor in sixties by a colon.
_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*)?\.?[0-9][0-9_]*\.?(?:[eE][-+]?[0-9]+)|[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)"
        r"(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}


def read_yaml(path: Path) -> dict[str, Any]:
    """The tree of settings in a file; InputError for one that is missing, empty or no tree."""
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise InputError(where=path, expected="a config file", got=got, cure="check --config")
    from features.sources.formats.readers import (
        decode,  # polars and more, which a typo in a command line need not wait for
    )

    try:
        text = decode(path.read_bytes(), path)
    except InputError as error:
        cure = "save the file as UTF-8"
        raise InputError(where=error.where, expected=error.expected, got=error.got, cure=cure) from error
    tree = parse_yaml(text, str(path))
    if not isinstance(tree, dict):
        raise InputError(
            where=path,
            expected="a tree of settings",
            got="no key: value" if tree is not None else "an empty file",
            cure="start from a file in configs/",
        )
    return tree


def parse_yaml(text: str, where: str) -> Any:
    """Any YAML value; InputError with its line for a syntax error or a key that comes twice."""
    try:
        found = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
        _count(found, {})
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark and "\n" in text else ""
        got, cure = (
            f"a mistake ({error.problem})",
            "mend that line or the one before it" if line else "mend it",
        )
        if "'\\t'" in str(error.problem):
            got, cure = "a tab at the beginning of the line", "indent by blanks alone"
        raise InputError(where=where + line, expected="YAML", got=got, cure=cure) from error
    except yaml.YAMLError as error:
        got = " ".join(str(error).split())
        raise InputError(where=where, expected="YAML", got=got, cure="remove that character") from error
    except RecursionError as error:
        got, cure = "values nested hundreds deep", "write them flatter"
        raise InputError(where=where, expected="YAML", got=got, cure=cure) from error
    except (
        ValueError,
        OverflowError,
        AttributeError,
        TypeError,
    ) as error:  # such as a date that there is not
        got = " ".join(str(error).split())
        raise InputError(
            where=where, expected="YAML", got=got, cure="put it in quotes, or mend it"
        ) from error
    return found


def _count(value: Any, known: dict[int, int]) -> int:
    """How many values there are with aliases written out; ValueError beyond _MOST: a few lines can mean billions."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = _MOST + 1  # a value within itself has no end
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_count(each, known) for each in inner)
    if known[id(value)] > _MOST:
        raise ValueError(f"more than {_MOST:,} values once its aliases are written out")
    return known[id(value)]


class _Loader(yaml.SafeLoader):
    """Refuses a key that comes twice, of which YAML would take the last without a word; 010 is no 8 and 1:30 no 90."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                problem = f"the key {key.value!r} a second time"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in found if tag not in _NUMBERS]
    for sign, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, _pattern, list("-+.0123456789"))
