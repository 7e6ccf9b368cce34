"""Rank profiles for Vespa: what each feature of a model is there, by attributes, parameters, or the engine itself.

Two profiles. The first takes what only the pair of query and product knows as parameters, and scores as the model does.
The second, which inherits it, has Vespa compute what it can: BM25 with the run's constants, over Vespa's own words and
frequencies, which is near and not equal; and cosines of the encoder's vectors, which are equal. What is left there
(standings in the list, numbers and phrases in titles, …) stays a parameter. `nativeRank` and `fieldMatch` equal none of
our features, so neither stands in for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ltr.serving.exports.feature_set import Supplied, engine_names

BY_ENGINE = "_by_engine"
KEY = "product_key"  # of the documents: tensor<float>(product{}), 1 at the product's own id
_BM25 = "lexical.bm25_"


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


def vespa_profile(name: str, features: Sequence[Supplied], knows: EngineKnows) -> str:
    """Both profiles; the features that the model does not go by are left out."""
    used = [feature for feature in features if feature.splits]
    pairs = [feature for feature in used if feature.source == "pair"]
    lines = [f"rank-profile {name} {{"]
    if pairs:
        lines += [
            f"    # Documents need the attribute {KEY}, tensor<float>(product{{}}): 1 at the product's own id."
        ]
        lines += [
            "    # What is of a pair comes with the query, by product id; of an id left out it is missing."
        ]
    lines += _inputs([_input(feature) for feature in used if feature.source in ("query", "pair")])
    for feature in used:
        lines += _function(feature.engine_name, _expression(feature))
    lines += ["    second-phase {", f'        expression: xgboost("{name}.json")', "    }", "}"]
    return "\n".join([*lines, *_by_engine(name, pairs, knows)]) + "\n"


def _by_engine(name: str, pairs: Sequence[Supplied], knows: EngineKnows) -> Iterator[str]:
    """The second profile; nothing where Vespa knows none of the model's features."""
    bm25 = {feature: found for feature in pairs if (found := knows.field_of(feature.name))}
    cosines = {feature: knows.cosines[feature.name] for feature in pairs if feature.name in knows.cosines}
    if not bm25 and not cosines:
        return
    yield f"rank-profile {name}{BY_ENGINE} inherits {name} {{"
    if bm25:
        yield "    # Near, not equal: Vespa's own words and frequencies. Fields need `index: enable-bm25`."
        yield "    rank-properties {"
        for found in bm25.values():
            yield f"        bm25({found}).k1: {knows.k1:g}"
            yield f"        bm25({found}).b: {knows.b:g}"
        yield "    }"
    sides = {one.query: one.dimensions for one in cosines.values()}
    yield from _inputs([f"query(q_{_plain(side)}) tensor<float>(x[{size}])" for side, size in sides.items()])
    for feature, found in bm25.items():
        yield from _function(feature.engine_name, f"bm25({found})")
    for feature, one in cosines.items():
        asked, offered = f"query(q_{_plain(one.query)})", f"attribute({_plain(one.product)}_vector)"
        yield f"    # {_plain(one.product)}_vector: tensor<float>(x[{one.dimensions}]) of unit length"
        yield from _function(
            feature.engine_name, _or_missing(f"{asked} * {offered}", f"{offered} * {offered}")
        )
    yield "}"


def _expression(feature: Supplied) -> str:
    if feature.source == "pair":
        asked = f"query({feature.engine_name}) * attribute({KEY})"
        return f"if (reduce({asked}, count) > 0, sum({asked}), 0.0 / 0.0)"
    value = f"query({feature.engine_name})" if feature.source == "query" else f"attribute({feature.field})"
    return f"log(1 + {value})" if feature.modifier == "ln1p" else value


def _input(feature: Supplied) -> str:
    return (
        f"query({feature.engine_name}) {'tensor<float>(product{})' if feature.source == 'pair' else 'double'}"
    )


def _or_missing(product: str, length: str) -> str:
    """A sum, or no number where a vector is not there: of nothing, all is 0."""
    return f"if (sum({length}) > 0, sum({product}), 0.0 / 0.0)"


def _inputs(lines: Sequence[str]) -> list[str]:
    return ["    inputs {", *(f"        {line}" for line in lines), "    }"] if lines else []


def _function(name: str, expression: str) -> list[str]:
    return [f"    function {name}() {{", f"        expression: {expression}", "    }"]


def _plain(column: str) -> str:
    return engine_names([column])[0]
