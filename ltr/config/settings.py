"""Every setting with its type, default and description, read from settings.json: quick, for it imports no ranker."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from features.errors import InputError

SCHEMA_FILE = Path(__file__).with_name("settings.json")
Node = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """A setting by its dotted name; kind: which kind of its section has it, where there are several."""

    name: str
    kind: str
    takes: str
    default: str
    about: str


@cache
def read_schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return found


def sections() -> list[str]:
    return list(read_schema()["properties"])


def settings(section: str | None = None) -> list[Setting]:
    """Those of a section (or all), in the order of the tree; InputError for a section that is none."""
    if section is not None and (got := section.split(".")[0]) not in sections():
        near = difflib.get_close_matches(got, sections(), n=1)
        cure = f"did you mean {near[0]!r}?" if near else "see `shop-ltr settings`"
        raise InputError(where="command line", expected="a section of the settings", got=repr(got), cure=cure)
    every = [one for name in sections() for one in _below(name, read_schema()["properties"][name], "")]
    return [
        one for one in every if section is None or one.name == section or one.name.startswith(f"{section}.")
    ]


def check_names(overrides: Mapping[str, Any], where: str) -> None:
    """Raise InputError for a setting that no kind of its section has, or a choice that none offers."""
    for name, value in overrides.items():
        nodes: list[Node] = [read_schema()]
        for depth, key in enumerate(name.split(".")):
            below = [inner for node in nodes for inner in _inner(node, key)]
            if not below:
                path = name.split(".")[: depth + 1]
                known = [key for node in nodes for key in node.get("properties", {})]
                near = difflib.get_close_matches(path[-1], known, n=1)
                cure = (
                    f"did you mean {'.'.join([*path[:-1], near[0]])!r}?"
                    if near
                    else "see `shop-ltr settings`"
                )
                raise InputError(where=where, expected="a known key", got=repr(".".join(path)), cure=cure)
            nodes = [one for node in below for one in _variants(node)]
        _check_choice(name, value, nodes, where)


def choices(name: str) -> list[str]:
    """The words that a setting takes, over all kinds of its section; none where it takes any."""
    nodes: list[Node] = [read_schema()]
    for key in name.split("."):
        nodes = [one for node in nodes for inner in _inner(node, key) for one in _variants(inner)]
    return list(dict.fromkeys(word for node in nodes for word in _words(node)))


def to_markdown() -> str:
    """The page of all settings, a table a section."""
    lines = [
        "# Settings",
        "",
        "Every key of a config file, and of the command line as `--section.key VALUE`. Made from the settings",
        "themselves (`make settings`); the same in a terminal: `shop-ltr settings [SECTION]`. For editors,",
        "`shop-ltr settings --json-schema > settings.json`.",
    ]
    for section in sections():
        lines += [
            "",
            f"## {section}",
            "",
            "| key | kind | takes | default | what it is |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{one.name}` | {one.kind} | {_cell(one.takes)} | {_cell(one.default)} | {_cell(one.about)} |"
            for one in settings(section)
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _below(name: str, node: Node, kind: str) -> Iterator[Setting]:
    """The settings in a node: itself where it is a value, else what its kinds hold."""
    variants = _variants(node)
    objects = [one for one in variants if "properties" in one]
    free = [
        one["additionalProperties"] for one in variants if isinstance(one.get("additionalProperties"), dict)
    ]
    about = node.get("description", "")
    if not objects and not (free and any("properties" in v for one in free for v in _variants(one))):
        yield Setting(name, kind, _takes(variants), _shown(node), about)
        return
    if any(one.get("type") in ("null", "boolean") for one in variants):
        yield Setting(name, kind, _takes(variants), _shown(node), about)
    for one in objects:
        own = one["properties"].get("kind", {}).get("const", "")
        for key, inner in one["properties"].items():
            yield from _below(f"{name}.{key}", inner, own or kind)
    for one in free:
        yield from _below(f"{name}.NAME", one, kind)


def _variants(node: Node) -> list[Node]:
    """A node's alternatives, references followed."""
    if "$ref" in node:
        return _variants(read_schema()["$defs"][node["$ref"].rsplit("/", 1)[1]])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in node:
            return [one for part in node[word] for one in _variants(part)]
    return [node]


def _inner(node: Node, key: str) -> list[Node]:
    """What a key means below a node."""
    if key in node.get("properties", {}):
        return [node["properties"][key]]
    more = node.get("additionalProperties")
    takes_any = more is True or (not node.get("properties") and "type" not in node and "const" not in node)
    return [more] if isinstance(more, dict) else [{}] if takes_any else []


def _words(node: Node) -> list[str]:
    return [str(word) for word in (*node.get("enum", ()), *([node["const"]] if "const" in node else []))]


def _takes(variants: Sequence[Node]) -> str:
    """What a setting takes, in words."""
    said: list[str] = []
    for node in variants:
        words = _words(node)
        if words:
            said.append(", ".join(f"`{word}`" for word in words))
        elif node.get("type") == "array":
            items = node.get("items", {})
            said.append(f"list of {_takes(_variants(items))}" if items else "list")
        elif node.get("type") == "object":
            said.append("section" if "properties" in node else "names with values")
        elif node.get("type"):
            plain = {
                "integer": "whole number",
                "string": "text",
                "boolean": "true or false",
                "null": "nothing",
            }
            said.append(plain.get(node["type"], str(node["type"])) + _limits(node))
    return " or ".join(dict.fromkeys(said)) or "anything"


def _limits(node: Node) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {node[word]:g}" for word, sign in signs.items() if word in node]
    return f" {', '.join(found)}" if found else ""


def _shown(node: Node) -> str:
    if "default" not in node:
        return "" if "const" not in node else f"`{node['const']}`"
    return f"`{json.dumps(node['default'], ensure_ascii=False)}`"


def _check_choice(name: str, value: Any, nodes: Sequence[Node], where: str) -> None:
    """Only where words are all that it takes, and the value is a word: the tree judges the rest."""
    words = list(dict.fromkeys(word for node in nodes for word in _words(node)))
    if not isinstance(value, str) or value in words or not nodes or not all(_words(node) for node in nodes):
        return
    near = difflib.get_close_matches(value, words, n=1)
    cure = f"did you mean {near[0]!r}?" if near else f"change {name}"
    raise InputError(
        where=f"{where}, key {name!r}", expected=f"one of {', '.join(words)}", got=repr(value), cure=cure
    )
