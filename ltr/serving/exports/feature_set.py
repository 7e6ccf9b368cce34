"""What an engine must supply for each feature of a model, and the engine's own definitions of them.

A feature is of a `column` of the product as it is, of the `product` (a field to be indexed under the feature's
name), of the `query` (a parameter), or of the `pair` (a value for each candidate, as parameters).

What the plugins take is by their sources (o19s/elasticsearch-learning-to-rank and
opensearch-project/opensearch-learning-to-rank-base, src/main/java/com/o19s/es/ltr): StoredFeatureSet and StoredFeature
(fields, names apart, at most 10,000), PrecompiledTemplateFeature and CustomMustacheFactory (every parameter given; text
escaped for JSON), PrecompiledExpressionFeature (names of features or parameters, none of both), RankerQuery (features
in their order, so a derived one stands behind those that it is made of), RestCreateModelFromSet (the model's body).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from features.errors import InputError
from features.feature_schema import Feature, FeatureSchema
from ltr.serving.arguments import Target
from ltr.serving.exports.engines import Missing

Source = Literal["column", "product", "query", "pair"]

_COLUMNS = {
    "structured.price": ("price", "none"),
    "structured.log_price": ("price", "ln1p"),
    "structured.rating": ("rating", "none"),
    "structured.rating_count": ("rating_count", "ln1p"),
}
_ABOVE_ZERO = ("price",)  # by the schema of products
_OF_LIST = ("structured.price_rank", "structured.log_price_z")
_OF_QUERY = ("lexical.query_terms",)
_OF_PRODUCT = ("lexical.title_terms",)
_WORDED = re.compile(r"^lexical\.|\.(asked_|words)|_asked(_z)?$")  # features that a query's words make
# How an engine finds what is one letter away, at most.
_FUZZY: dict[Target, str] = {
    "elasticsearch-ltr": "match with fuzziness 1, which also finds words near one that products do have",
    "opensearch-ltr": "match with fuzziness 1, which also finds words near one that products do have",
    "vespa": "fuzzy with maxEditDistance 1, over attributes",
}
_ABOVE, _BELOW, _VALUE = "_above", "_below", "_value"
MOST_FEATURES = 10_000  # of a set
# Of the model in its body: OpenSearch's XContentConstraints.java; both engines' http.max_content_length of 100 MB, a
# tenth and more of which goes to escaping. Elasticsearch's XContentImplUtils.java has no limit of its own.
MOST_CHARACTERS: dict[Target, int] = {"opensearch-ltr": 50_000_000, "elasticsearch-ltr": 85_000_000}


@dataclass(frozen=True)
class Supplied:
    """One feature: where its value is from, and what the run saw of it.

    engine_name: letters, digits and underscores. field: of the engine's documents, for column and product;
    modifier: what is done to it. codes: of a categorical feature, in order. missing: whether any row lacked it,
    None where no row is known. splits: how many of the model's go by it; 0: the engine need not supply it.
    """

    name: str
    engine_name: str
    source: Source
    field: str | None
    modifier: str
    codes: tuple[str, ...]
    missing: bool | None
    lowest: float | None
    highest: float | None
    splits: int

    @property
    def can_be_negative(self) -> bool:
        return self.field not in _ABOVE_ZERO and (self.lowest is None or self.lowest < 0)

    def to_dict(self) -> dict[str, Any]:
        plain = {key: getattr(self, key) for key in ("name", "engine_name", "source", "field", "modifier")}
        seen = {
            key: getattr(self, key) for key in ("missing", "lowest", "highest", "can_be_negative", "splits")
        }
        return plain | ({"codes": list(self.codes)} if self.codes else {}) | seen


def supplied(schema: FeatureSchema, rows: np.ndarray, splits: np.ndarray) -> list[Supplied]:
    """Every feature of the schema, in order; rows: (n, f), perhaps none."""
    names = engine_names(schema.names)
    found = []
    for column, feature in enumerate(schema.features):
        source, field, modifier = _source(feature, names[column])
        values = rows[:, column]
        known = values[~np.isnan(values)]
        found.append(
            Supplied(
                *(feature.name, names[column], source, field, modifier, feature.categories),
                missing=len(known) < len(values) if len(values) else None,
                lowest=float(known.min()) if len(known) else None,
                highest=float(known.max()) if len(known) else None,
                splits=int(splits[column]),
            )
        )
    return found


def _source(feature: Feature, engine_name: str) -> tuple[Source, str | None, str]:
    if feature.name in _COLUMNS:
        return "column", *_COLUMNS[feature.name]
    if feature.group == "extra" and feature.kind == "numeric":
        return "column", feature.name.removeprefix("extra."), "none"
    if feature.name in _OF_QUERY:
        return "query", None, "none"
    own = feature.group in ("structured", "extra") and feature.name not in _OF_LIST
    if own or feature.name in _OF_PRODUCT:
        return "product", engine_name, "none"
    return "pair", None, "none"


def typos_left_out(features: Sequence[Supplied], target: Target) -> list[str]:
    """What is to be said of an export whose run read typos: none where the model goes by no words."""
    used = [feature.name for feature in features if feature.splits and _WORDED.search(feature.name)]
    if not used:
        return []
    said = (
        f"typos: the run read a query's word that no product has as the nearest that one has, in {len(used)} of its "
        f"features, such as {used[0]}; this reading is not in the export. Values made by features.FeatureBuilder have "
        "it. An engine finds and counts the words that it is sent: send those that /search or /rerank of ltr.serve "
        "answer under read_as"
    )
    return [said + (f", or search with {_FUZZY[target]}" if target in _FUZZY else "")]


def engine_names(names: Sequence[str]) -> list[str]:
    """Each name in letters, digits and underscores, a letter first; a number behind those that would be alike."""
    taken: set[str] = set()
    found = []
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        plain = base = plain if plain[:1].isalpha() else f"f_{plain}"
        number = 1
        while plain in taken:
            number += 1
            plain = f"{base}_{number}"
        taken.add(plain)
        found.append(plain)
    return found


def plugin_feature_set(name: str, features: Sequence[Supplied], missing: Missing) -> dict[str, Any]:
    """For `POST _ltr/_featureset/NAME` of Elasticsearch's and OpenSearch's plugins: the features the model uses.

    A score of theirs cannot be below zero. So what can be is made of two features, the part above and the part
    below zero, of which one is taken from the other: exactly, and missing where both are; of a modified column, parts
    of the modified number. missing: what the engine
    makes of a feature that is not there. Raises InputError for more features than a set may have.
    """
    used = [feature for feature in features if feature.splits]
    parts = [feature.engine_name + part for feature in used for part in (_ABOVE, _BELOW, _VALUE)]
    apart = engine_names([*(feature.name for feature in used), *parts])[len(used) :]
    named = dict(zip(parts, apart, strict=True))
    made = [one for feature in used for one in _plugin_features(feature, named, missing)]
    if len(made) > MOST_FEATURES:
        raise InputError(
            where="model",
            expected=f"at most {MOST_FEATURES:,} features, which a feature set may have",
            got=f"{len(made):,}, those above and below zero counted",
            cure="train with fewer groups of features, or export to onnx",
        )
    return {"featureset": {"name": name, "features": made}}


def _plugin_features(feature: Supplied, named: Mapping[str, str], missing: Missing) -> list[dict[str, Any]]:
    name = feature.engine_name
    if feature.source == "query":  # a count that the search request gives: 0 where the query has none
        parameter = named[name + _VALUE]
        known = parameter if missing == "zero" else f"{parameter} > 0 ? {parameter} : 0 / 0"
        return [_one(feature.name, [parameter], "derived_expression", known)]
    if not feature.can_be_negative:
        return [_from_engine(feature, feature.name, "value", feature.field)]
    above, below = named[name + _ABOVE], named[name + _BELOW]
    parted = feature if feature.modifier == "none" else replace(feature, field=name, modifier="none")
    parts = [
        _from_engine(parted, made, part.removeprefix("_"), parted.field and parted.field + part)
        for made, part in ((above, _ABOVE), (below, _BELOW))
    ]
    return [*parts, _one(feature.name, [], "derived_expression", f"{above} - {below}")]


def _from_engine(feature: Supplied, name: str, part: str, field: str | None) -> dict[str, Any]:
    """A query whose score is the value, and which finds no product that lacks it."""
    if field is None:
        return _one(name, [feature.engine_name], "mustache", _by_candidate(feature.engine_name, part))
    factor = {"field": field, "modifier": feature.modifier}
    scored = {"query": {"exists": {"field": field}}, "field_value_factor": factor, "boost_mode": "replace"}
    return _one(name, [], "mustache", {"function_score": scored})


def _by_candidate(parameter: str, part: str) -> str:
    """For a parameter `[{"id": PRODUCT_ID, "value": NUMBER}, …]`, or `above` and `below` in place of `value`."""
    one = (
        f'{{"constant_score":{{"filter":{{"term":{{"product_id":"{{{{id}}}}"}}}},"boost":{{{{{part}}}}}}}}},'
    )
    return f'{{"bool":{{"should":[{{{{#{parameter}}}}}{one}{{{{/{parameter}}}}}{{"match_none":{{}}}}]}}}}'


def _one(name: str, params: list[str], language: str, template: Any) -> dict[str, Any]:
    return {"name": name, "params": params, "template_language": language, "template": template}


def plugin_model(name: str, definition: str, target: Target) -> dict[str, Any]:
    """For `POST _ltr/_featureset/NAME/_createmodel`; InputError for a definition that no reader takes."""
    most = MOST_CHARACTERS[target]
    if len(definition) > most:
        raise InputError(
            where="model",
            expected=f"one of at most {most:,} characters as JSON, which {target} takes in one request",
            got=f"one of {len(definition):,}",
            cure="lower ranker.trees or ranker.leaves and train again, or export to onnx or treelite",
        )
    return {"model": {"name": name, "model": {"type": "model/xgboost+json", "definition": definition}}}


def described(features: Sequence[Supplied], always: Sequence[str]) -> str:
    """features.json: every feature in the order of the model's columns."""
    lines = [one.to_dict() | {"always_supplied": one.name in always} for one in features]
    return json.dumps({"features": lines}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
