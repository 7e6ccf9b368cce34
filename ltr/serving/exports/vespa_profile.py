"""Rank profiles for Vespa: what each feature of a model is there, by attributes, parameters, or the engine itself.

Two profiles. The first takes what only the pair of query and product knows as parameters, and scores as the model does.
The second, which inherits it, has Vespa compute what it can: BM25 with the run's constants, over Vespa's own words and
frequencies, which is near and not equal; and cosines of the encoder's vectors, which are equal. What is left there
(standings in the list, numbers and phrases in titles, …) stays a parameter. `nativeRank` and `fieldMatch` equal none of
our features, so neither stands in for one.

By the sources (vespa-engine/vespa): a file of a profile is read up to the end of its first profile and what stands
behind is passed over without a word, nor may anything stand before it (IntermediateCollection.java, SchemaParser.jj in
config-model), so each has a file of its own; numbers have no exponent there. An input that a query leaves out is 0
(queryfeature.cpp), an attribute that a document lacks is no number (attributefeature.cpp), `0.0 / 0.0` is left as it is
(Simplifier.java). Names of fields are identifiers, some of them reserved (en/reference/schemas in its documentation).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ltr.serving.exports.feature_set import Supplied, engine_names
from ltr.serving.exports.vespa_trees import FAST_FOREST

BY_ENGINE = "_by_engine"
KEY = "product_key"  # of the documents: tensor<float>(product{}), 1 at the product's own id
NO_NUMBER = "0.0 / 0.0"
_BM25 = "lexical.bm25_"
_RESERVED = {"attribute", "body", "case", "context", "documentid", "else", "header", "hit", "host", "if", "index",
             "position", "reference", "relevancy", "sddocname", "summary", "switch", "tokenize"}  # fmt: skip


@dataclass(frozen=True)
class Cosine:
    """A feature that is the cosine of two vectors of unit length, of so many numbers, by column."""

    query: str
    product: str
    dimensions: int


@dataclass(frozen=True)
class EngineKnows:
    """What Vespa can compute of a run: BM25 of these fields by these constants, and these cosines, by feature."""

    fields: Sequence[str] = ()
    k1: float = 0.9
    b: float = 0.4
    cosines: Mapping[str, Cosine] = field(default_factory=dict)

    def field_of(self, name: str) -> str | None:
        """The field whose BM25 a feature is; None for another, and for BM25 over all fields together."""
        found = name.removeprefix(_BM25)
        return found if name.startswith(_BM25) and found in self.fields else None


def vespa_profiles(name: str, features: Sequence[Supplied], knows: EngineKnows) -> dict[str, str]:
    """By name, each profile's text; the second only where Vespa knows any of the model's features.

    Features that the model does not go by are left out.
    """
    used = [feature for feature in features if feature.splits]
    pairs = [feature for feature in used if feature.source == "pair"]
    texts = {name: _exact(name, used, pairs), name + BY_ENGINE: _by_engine(name, pairs, knows)}
    return {found: "\n".join(lines) + "\n" for found, text in texts.items() if (lines := list(text))}


def _exact(name: str, used: Sequence[Supplied], pairs: Sequence[Supplied]) -> Iterator[str]:
    # By column or field, the name of Vespa's field for it.
    columns = list(dict.fromkeys(feature.field for feature in used if feature.field is not None))
    allowed = [f"f_{column}" if column.lower() in _RESERVED else column for column in columns]
    attributes = dict(zip(columns, engine_names(allowed), strict=True))
    yield f"rank-profile {name} {{"
    if pairs:
        yield f"    # Documents need the attribute {KEY}, tensor<float>(product{{}}): 1 at the product's own id."
        yield "    # What is of a pair comes with the query, by product id; of an id left out it is missing."
    if attributes:
        yield "    # Attributes: each of type double, and left out of a document where it is missing."
    for column, plain in attributes.items():
        if column != plain:
            yield f"    # attribute({plain}): the column {json.dumps(column)}"
    yield from _inputs([_input(feature) for feature in used if feature.source in ("query", "pair")])
    for feature in used:
        yield from _function(feature.engine_name, _expression(feature, attributes))
    yield "    rank-properties {"
    yield f"        {FAST_FOREST}: true"
    yield "    }"
    yield from ["    second-phase {", f'        expression: xgboost("{name}.json")', "    }", "}"]


def _by_engine(name: str, pairs: Sequence[Supplied], knows: EngineKnows) -> Iterator[str]:
    bm25 = {feature: found for feature in pairs if (found := knows.field_of(feature.name))}
    cosines = {feature: knows.cosines[feature.name] for feature in pairs if feature.name in knows.cosines}
    if not bm25 and not cosines:
        return
    yield f"rank-profile {name}{BY_ENGINE} inherits {name} {{"
    if bm25:
        yield "    # Near, not equal: Vespa's own words and frequencies, typos as sent (proof.json, not_proven)."
        yield "    # Fields need `index: enable-bm25`."
        yield "    rank-properties {"
        for found in bm25.values():
            yield f"        bm25({found}).k1: {_number(knows.k1)}"
            yield f"        bm25({found}).b: {_number(knows.b)}"
        yield "    }"
    sides = {one.query: one.dimensions for one in cosines.values()}
    yield from _inputs([f"query(q_{_plain(side)}) tensor<float>(x[{size}])" for side, size in sides.items()])
    for feature, found in bm25.items():
        yield from _function(feature.engine_name, f"bm25({found})")
    for feature, one in cosines.items():
        asked, offered = f"query(q_{_plain(one.query)})", f"attribute({_plain(one.product)}_vector)"
        yield f"    # {_plain(one.product)}_vector: tensor<float>(x[{one.dimensions}]) of unit length"
        # No number where either vector is not there: of nothing, all is 0.
        lengths = f"sum({asked} * {asked}) * sum({offered} * {offered})"
        cosine = f"if ({lengths} > 0, sum({asked} * {offered}), {NO_NUMBER})"
        yield from _function(feature.engine_name, cosine)
    yield "}"


def _expression(feature: Supplied, attributes: Mapping[str, str]) -> str:
    if feature.source == "pair":
        asked = f"query({feature.engine_name}) * attribute({KEY})"
        return f"if (reduce({asked}, count) > 0, sum({asked}), {NO_NUMBER})"
    if feature.field is None:  # of the query: a count, and 0 where none is sent
        value = f"query({feature.engine_name})"
        return f"if ({value} > 0, {value}, {NO_NUMBER})"
    value = f"attribute({attributes[feature.field]})"
    return f"log(1 + {value})" if feature.modifier == "ln1p" else value


def _input(feature: Supplied) -> str:
    return (
        f"query({feature.engine_name}) {'tensor<float>(product{})' if feature.source == 'pair' else 'double'}"
    )


def _inputs(lines: Sequence[str]) -> list[str]:
    return ["    inputs {", *(f"        {line}" for line in lines), "    }"] if lines else []


def _function(name: str, expression: str) -> list[str]:
    return [f"    function {name}() {{", f"        expression: {expression}", "    }"]


def _number(value: float) -> str:
    """Without an exponent, which the schema's grammar has not."""
    return np.format_float_positional(value, trim="0")


def _plain(column: str) -> str:
    return engine_names([column])[0]
