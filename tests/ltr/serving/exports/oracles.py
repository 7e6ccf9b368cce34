"""The engines' documented parsers and evaluation, row by row in plain Python: what each accepts, and what it scores.

Written from the plugins' sources: strict about fields and their types, 32-bit where they are, and with each version's
way with missing features. The package's own evaluation is checked against these. Where a class is named, it is one of
o19s/elasticsearch-learning-to-rank and opensearch-project/opensearch-learning-to-rank-base, in src/main/java.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = Mapping[str, float]  # what the engine was given; a feature that is not there is missing
_SPLIT = {
    "nodeid": int,
    "depth": int,
    "split": str,
    "split_condition": float,
    "yes": int,
    "no": int,
    "children": list,
}
_FIELDS = _SPLIT | {"missing": int, "leaf": float}
_OBJECTIVES = {
    "binary:logitraw",
    "rank:ndcg",
    "rank:map",
    "rank:pairwise",
    "reg:linear",
}  # those that leave the sum
_VARIABLE = r"[_a-zA-Z][_a-zA-Z0-9]*"  # of Lucene's expressions, as far as ours go


def fields(given: Any, known: Mapping[str, type], needed: set[str]) -> None:
    """ObjectParser: an object of these fields alone, each of its type."""
    assert isinstance(given, dict)
    assert set(given) <= set(known), "unknown field"
    assert needed <= set(given), "a field that is needed"
    for name, value in given.items():
        kind = known[name]
        assert isinstance(value, (int, float) if kind is float else kind), f"type of {name}"
        assert kind is bool or not isinstance(value, bool), f"type of {name}"


@dataclass(frozen=True)
class FeatureSet:
    """StoredFeatureSet and StoredFeature: what `POST _ltr/_featureset/NAME` takes."""

    features: tuple[Mapping[str, Any], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one["name"] for one in self.features)

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> FeatureSet:
        fields(body, {"featureset": dict, "validation": dict}, {"featureset"})  # AutoDetectParser
        fields(body["featureset"], {"name": str, "features": list}, {"name", "features"})
        found = body["featureset"]["features"]
        assert len(found) <= 10_000
        known = {"name": str, "params": list, "template_language": str, "template": object}
        for one in found:
            fields(one, known, {"name", "template"})
            assert isinstance(one["template"], (str, dict))
            assert one["template_language"] in ("mustache", "derived_expression")
            assert all(isinstance(param, str) for param in one["params"])
        made = cls(tuple(found))
        assert len(set(made.names)) == len(made.names), "defined twice"
        for place, one in enumerate(found):
            made._check(place, one)
        return made

    def _check(self, place: int, one: Mapping[str, Any]) -> None:
        if one["template_language"] == "mustache":
            text = one["template"] if isinstance(one["template"], str) else json.dumps(one["template"])
            sections = re.findall(r"\{\{#(\w+)\}\}", text)
            assert sections == re.findall(r"\{\{/(\w+)\}\}", text)
            assert set(sections) == set(one["params"]), "every parameter is of use, and named"
            return
        variables = set(re.findall(_VARIABLE, one["template"]))  # PrecompiledExpressionFeature.validate
        for name in variables:
            assert (name in self.names) != (name in one["params"]), "unknown, or of both"
        before = self.names[:place]  # RankerQuery: a later feature is not set yet
        assert all(name in before for name in variables - set(one["params"]))

    def vector(self, scored: Row, params: Row, unset: float) -> dict[str, float]:
        """RankerQuery: the vector of one product. scored: of the queries that find it; unset: what the others are."""
        values: dict[str, float] = {}
        for one in self.features:
            name = one["name"]
            values[name] = float(np.float32(scored.get(name, unset)))
            assert not values[name] < 0, "a query's score"
            if one["template_language"] == "derived_expression":
                assert set(one["params"]) <= set(params), "missing required parameter"
                given = {param: params[param] for param in one["params"]}
                values[name] = float(np.float32(_expression(one["template"], values | given)))
        return values


def _expression(text: str, values: Row) -> float:
    """Lucene's expressions in 64 bits, as far as ours go: a variable, a difference, a choice."""
    if choice := re.fullmatch(rf"({_VARIABLE}) > 0 \? ({_VARIABLE}) : 0 / 0", text):
        condition, value = choice.groups()
        return values[value] if values[condition] > 0 else np.nan
    first, *rest = text.split(" - ")
    return values[first] - sum(values[name] for name in rest)


@dataclass(frozen=True)
class Plugin:
    """model/xgboost+json of a plugin's version, over the features of a feature set."""

    features: tuple[str, ...]
    roots: list[dict[str, Any]]
    way: str  # "zero": unset features are 0; "right": NaN goes right; "own": to the node that `missing` names

    @classmethod
    def parse(cls, feature_set: Mapping[str, Any], model: Mapping[str, Any], way: str) -> Plugin:
        features = FeatureSet.parse(feature_set).names
        fields(model, {"model": dict, "validation": dict}, {"model"})  # RestCreateModelFromSet
        fields(model["model"], {"name": str, "model": dict}, {"name", "model"})
        inner = model["model"]["model"]  # StoredLtrModel.LtrModelDefinition
        known = {"type": str, "definition": object, "feature_normalizers": dict}
        fields(inner, known, {"type", "definition"})
        assert inner["type"] == "model/xgboost+json"
        assert isinstance(inner["definition"], (str, list, dict))
        return cls.trees(inner["definition"], features, way)

    @classmethod
    def trees(cls, definition: Any, features: tuple[str, ...], way: str) -> Plugin:
        """XGBoostJsonParser: a list of trees, or an object with an objective."""
        roots = json.loads(definition) if isinstance(definition, str) else definition
        if isinstance(roots, dict):
            fields(roots, {"objective": str, "splits": list}, {"splits"})
            assert roots.get("objective", "rank:ndcg") in _OBJECTIVES
            roots = roots["splits"]
        assert isinstance(roots, list)
        assert roots, "at least one tree"
        for root in roots:
            cls._check(root, features)
        return cls(features, roots, way)

    @classmethod
    def _check(cls, node: Any, features: tuple[str, ...]) -> None:
        fields(node, _FIELDS, {"nodeid"})
        if "leaf" in node:
            return
        fields(node, _FIELDS, set(_SPLIT))
        left, right = node["children"]
        for child in node["children"]:
            cls._check(child, features)
        assert (node["yes"], node["no"]) == (left["nodeid"], right["nodeid"])
        assert node["missing"] in (node["yes"], node["no"])
        assert node["split"] in features, "unknown feature"

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


def given(names: list[str], values: np.ndarray) -> dict[str, float]:
    """A row as an engine gets it: what is missing is not there."""
    return {name: float(value) for name, value in zip(names, values, strict=True) if not np.isnan(value)}
