"""The engines' documented parsers and evaluation, row by row in plain Python: what each accepts, and what it scores.

Written from the plugins' and Vespa's sources: strict about fields, 32-bit where they are, and with each version's
way with missing features. The package's own evaluation is checked against these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = Mapping[str, float]  # what the engine was given; a feature that is not there is missing
_FIELDS = {"nodeid", "depth", "split", "split_condition", "yes", "no", "missing", "leaf", "children"}


@dataclass(frozen=True)
class Plugin:
    """model/xgboost+json of a plugin's version, over the features of a feature set."""

    features: tuple[str, ...]
    roots: list[dict[str, Any]]
    way: str  # "zero": unset features are 0; "right": NaN goes right; "own": to the node that `missing` names

    @classmethod
    def parse(cls, feature_set: Mapping[str, Any], model: Mapping[str, Any], way: str) -> Plugin:
        inner = model["model"]["model"]
        assert inner["type"] == "model/xgboost+json"
        features = tuple(one["name"] for one in feature_set["featureset"]["features"])
        assert len(set(features)) == len(features)  # the store refuses doubles
        roots = json.loads(inner["definition"])
        assert isinstance(roots, list)
        assert roots, "at least one tree"
        for root in roots:
            cls._check(root, features)
        return cls(features, roots, way)

    @classmethod
    def _check(cls, node: Mapping[str, Any], features: tuple[str, ...]) -> None:
        assert set(node) <= _FIELDS
        if node.get("leaf") is not None:
            assert isinstance(node["nodeid"], int)
            return
        left, right = node["children"]
        assert {"nodeid", "depth", "split", "split_condition", "yes", "no"} <= set(node)
        assert (node["yes"], node["no"]) == (left["nodeid"], right["nodeid"])
        assert node["missing"] in (node["yes"], node["no"])
        assert node["split"] in features, "unknown feature"
        for child in node["children"]:
            cls._check(child, features)

    def score(self, row: Row) -> np.float32:
        total = np.float32(0)
        for root in self.roots:
            total = np.float32(total + self._leaf(root, row))
        return total

    def _leaf(self, node: Mapping[str, Any], row: Row) -> np.float32:
        while "leaf" not in node:
            value = np.float32(row.get(node["split"], 0.0 if self.way == "zero" else np.nan))
            if np.isnan(value):
                left = self.way == "own" and node["missing"] == node["yes"]
            else:
                left = bool(np.float32(node["split_condition"]) > value)
            node = node["children"][0 if left else 1]
        return np.float32(node["leaf"])


@dataclass(frozen=True)
class Vespa:
    """An XGBoost dump as Vespa's importer rewrites it: a ranking expression of ifs, then evaluated."""

    expression: str
    run: Callable[[Row], float]

    @classmethod
    def parse(cls, text: str) -> Vespa:
        assert text.lstrip().startswith("[")  # how the importer knows the format
        trees = [cls._expression(root) for root in json.loads(text)]
        expression = " + \n".join(trees)
        translated = re.sub(r"\bif \(", "_if(", expression)
        translated = re.sub(r"!\((\w+) >= ([^)]+)\)", r"not (\1 >= \2)", translated)
        code = compile(translated.replace("\n", " "), "expression", "eval")

        def run(row: Row) -> float:
            values = {
                name: np.float32(row.get(name, np.nan)) for name in set(re.findall(r"[a-z_]\w*", expression))
            }
            return float(eval(code, {"_if": _if, **values}))

        return cls(expression, run)

    @classmethod
    def _expression(cls, node: Mapping[str, Any]) -> str:
        assert set(node) <= _FIELDS  # its reader knows no others
        if "children" not in node:
            return repr(float(np.float32(node["leaf"])))
        yes, no = node["children"]
        if node["yes"] != yes["nodeid"]:
            yes, no = no, yes
        split, edge = node["split"], float(np.float32(node["split_condition"]))
        assert re.fullmatch(r"[a-zA-Z_]\w*", split), "a function of a rank profile"
        low = node["missing"] == node["yes"]
        condition = f"!({split} >= {edge!r})" if low else f"{split} < {edge!r}"
        return f"if ({condition}, {cls._expression(yes)}, {cls._expression(no)})"


def _if(condition: bool, yes: float, no: float) -> float:
    return yes if condition else no


def given(names: list[str], values: np.ndarray) -> dict[str, float]:
    """A row as an engine gets it: what is missing is not there."""
    return {name: float(value) for name, value in zip(names, values, strict=True) if not np.isnan(value)}
