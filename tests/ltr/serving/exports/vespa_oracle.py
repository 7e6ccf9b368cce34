"""What Vespa reads and makes of it, in plain Python, written from its sources (vespa-engine/vespa).

Model: XGBoostImporter.java, XGBoostTree.java, AbstractXGBoostParser.java (model-integration). Profile:
IntermediateCollection.java, SchemaParser.jj (config-model). Evaluation: basic_nodes.cpp, operator_nodes.h,
fast_forest.cpp (eval).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.ltr.serving.exports.oracles import Row, fields

_FIELDS = {"nodeid": int, "depth": int, "split": str, "split_condition": float, "yes": int, "no": int, "missing": int,
           "leaf": float, "children": list}  # fmt: skip
_NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
_RESERVED = {"attribute", "body", "case", "context", "documentid", "else", "header", "hit", "host", "if", "index",
             "position", "reference", "relevancy", "sddocname", "summary", "switch", "tokenize"}  # fmt: skip
_INPUT = re.compile(
    rf"query\(({_NAME})\) (double|tensor<float>\((?:{_NAME}(?:\{{\}}|\[\d+\]),?)+\))(: -?\d+(\.\d+)?)?"
)
_PROPERTY = re.compile(rf"[a-zA-Z_.][\w.]*(\({_NAME}\)\.{_NAME})?: (true|-?\d+(\.\d+)?)")
_EXPRESSION = re.compile(r"expression: ([^{}\n]+)")


@dataclass(frozen=True)
class Vespa:
    """An XGBoost dump as the importer rewrites it: a ranking expression of ifs, then evaluated.

    rounds: whether the property for fast forests has an effect; without it, features are compared in 64 bits.
    """

    expression: str
    run: Callable[[Row], float]
    rounds: bool

    @classmethod
    def parse(cls, text: str) -> Vespa:
        assert text.lstrip().startswith("[")  # how the importer knows the format
        roots = json.loads(text)
        expression = " + \n".join(cls._expression(root) for root in roots)
        rounds = len(roots) > 1 and all("children" in root and _leaves(root) <= 2048 for root in roots)
        translated = re.sub(r"\bif \(", "_if(", expression)
        translated = re.sub(r"!\((\w+) >= ([^)]+)\)", r"not (\1 >= \2)", translated)
        code = compile(translated.replace("\n", " "), "expression", "eval")
        width = np.float32 if rounds else np.float64

        def run(row: Row) -> float:
            names = set(re.findall(r"\b[a-z_]\w*", expression))
            values = {name: float(width(row.get(name, np.nan))) for name in names}
            return float(eval(code, {"_if": _if, **values}))

        return cls(expression, run, rounds)

    @classmethod
    def _expression(cls, node: Any) -> str:
        fields(node, _FIELDS, set())  # its reader knows no others
        if "children" not in node:
            return repr(float(np.float32(node["leaf"])))
        yes, no = node["children"]
        if node["yes"] != yes["nodeid"]:
            yes, no = no, yes
        split, edge = node["split"], float(np.float32(node["split_condition"]))
        assert re.fullmatch(_NAME, split), "a function of a rank profile"
        low = node["missing"] == node["yes"]
        condition = f"!({split} >= {edge!r})" if low else f"{split} < {edge!r}"
        return f"if ({condition}, {cls._expression(yes)}, {cls._expression(no)})"


def _leaves(node: Mapping[str, Any]) -> int:
    return sum(map(_leaves, node["children"])) if "children" in node else 1


def _if(condition: bool, yes: float, no: float) -> float:
    return yes if condition else no


@dataclass(frozen=True)
class Profile:
    """The one profile that a file is read for."""

    name: str
    inherits: str | None
    inputs: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    second_phase: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, text: str) -> Profile:
        lines = (line.strip() for line in text.split("\n"))
        head = re.fullmatch(rf"rank-profile ({_NAME})(?: inherits ({_NAME}))? \{{", next(lines))
        assert head, "nothing may stand before the profile"
        profile = cls(head[1], head[2])
        body = (line for line in lines if not line.startswith("#"))
        for line in body:
            if line == "}":
                break
            profile._item(line, body)
        else:
            raise AssertionError("no end")
        assert not any(body), "what stands behind a file's first profile is passed over"
        for expression in [*profile.functions.values(), *profile.second_phase]:
            for name in re.findall(r"attribute\(([^)]*)\)", expression):
                assert re.fullmatch(_NAME, name)
                assert name not in _RESERVED
        return profile

    def _item(self, line: str, body: Iterator[str]) -> None:
        if opened := re.fullmatch(rf"function ({_NAME})\(\) \{{", line):
            assert opened[1] not in self.functions, "defined twice"
            self.functions[opened[1]] = _expression(next(body))
            assert next(body) == "}"
            return
        assert line in ("inputs {", "rank-properties {", "second-phase {")
        for inner in body:
            if inner == "}":
                return
            if line == "inputs {":
                found = _INPUT.fullmatch(inner)
                assert found, inner
                self.inputs[found[1]] = found[2]
            elif line == "rank-properties {":
                assert _PROPERTY.fullmatch(inner), inner
                name, _, value = inner.partition(": ")
                self.properties[name] = value
            else:
                self.second_phase.append(_expression(inner))
        raise AssertionError("no end")


def _expression(line: str) -> str:
    found = _EXPRESSION.fullmatch(line)
    assert found, line
    return found[1]
