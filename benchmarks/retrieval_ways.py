"""python -m benchmarks.retrieval_ways [icecat homedepot esci fashion fashion_aligned] [--runtime onnx-int8]

What earns recall: each way of retrieval alone, all together as they are shipped, all but one; BM25 with words as they
are, with word forms taken together and with typos mended (both as shipped); what vectors add to it; weights of the ways
learnt on training queries against equal ones. Share of a query's products of its best grade, and of those that count
as relevant, among its first 100, 200 and 400 candidates. Each way gives as many as are asked for, as `Retrieval` does.

Queries are those of training where a set says which, else all; no split is looked at that a ranker is tested on.
Weights are learnt on one half of the queries, drawn by a seed, and measured on the other, and the other way round.
int8 vectors (about .99 of the exact ones, by their cosine) are made some five times as quickly.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import polars as pl

from benchmarks import record
from benchmarks.bm25_variants import Bm25As, as_they_are
from features.batch import QueryBatch
from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.vectors import Hits
from features.feature_schema import KEYS
from features.groups.lexical import LexicalConfig, LexicalGroup
from features.groups.similarity import SimilarityConfig
from features.retrieval import Retrieval
from features.retrieval.fusion import fuse
from features.words.price_limits import split_price_limit
from features.words.query_words import QueryWords
from features.words.tokens import query_terms
from ltr.config.tree import read_config
from ltr.data.kinds import in_order, query_kinds
from ltr.evaluation.significance import compare
from ltr.pipeline.prepare import make_builder, read_collection

SETS = {name: name for name in ("icecat", "homedepot", "esci", "fashion")} | {"fashion_aligned": "fashion"}
CUTS = (100, 200, 400)
SHIPPED, WEIGHED, BM25, TEXT = "all ways", "all ways, weights learnt", "BM25", "text.title"
WEIGHTS = (0, 1, 2, 4)
ROUNDS = 2  # of trying each way's weight
SEED = 0  # of the halves
LEXICAL = LexicalConfig()
# Retrieval asks for titles, photos and words only: nothing else is read or encoded.
FEATURES = FeaturesConfig(
    lexical=LEXICAL, similarity=SimilarityConfig(text_fields=("title",)), asked_words=None, structured=None
)
Weighing = tuple[int, ...]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("sets", nargs="*", help=f"some of {', '.join(SETS)}; else all")
    asked.add_argument(
        "--runtime", choices=("torch", "onnx-int8"), default="torch", help="of the text encoder"
    )
    given = asked.parse_args()
    about = {"cuts": CUTS, "weights": WEIGHTS, "runtime": given.runtime}
    found = measured_before(about)
    for name in given.sets or SETS:
        aligned = name != "fashion_aligned" or record.have_aligned_encoder(name)
        if record.have(SETS[name]) and aligned:
            found[name] = measured(name, given.runtime)
            whole = {one: found[one] for one in SETS if one in found}
            command = f"python -m benchmarks.retrieval_ways --runtime {given.runtime}"
            record.write("retrieval_ways", command, {**about, "sets": whole})


def measured_before(about: dict[str, Any]) -> dict[str, Any]:
    """Sets whose results are there by the same settings: each can be measured by itself."""
    path = record.RESULTS / "retrieval_ways.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    same = json.loads(json.dumps(about))
    return dict(known["sets"]) if known and {key: known.get(key) for key in same} == same else {}


def measured(name: str, runtime: str) -> dict[str, Any]:
    """What stands in the set's catalogue, and by kind of query what was found."""
    config = read_config(record.config_path(name))
    text = config.encoders["text"].model_copy(update={"runtime": runtime})
    config = config.model_copy(update={"features": FEATURES, "encoders": config.encoders | {"text": text}})
    collection = read_collection(config)
    builder, queries = make_builder(config, collection.products), collection.queries
    split = "split" in queries.columns
    queries = queries.filter(pl.col("split") == "train") if split else queries
    judged = collection.judgements.filter(pl.col("grade").is_not_null())
    kinds = query_kinds(queries)
    return {
        "products": collection.products.height,
        "judged_products": judged["product_id"].n_unique(),
        "queries_of": "training" if split else "all",
        "kinds": {
            kind: of_kind(
                builder, queries.filter(kinds["kind"] == kind), judged, config.evaluation.relevant_from
            )
            for kind in in_order(kinds["kind"])
        },
    }


def of_kind(
    builder: FeatureBuilder, queries: pl.DataFrame, judged: pl.DataFrame, relevant_from: float
) -> dict[str, Any]:
    """The ways that find anything for such queries, and every system against what it is compared with."""
    batch = QueryBatch(queries)
    sought = Sought.of(builder, queries, judged, relevant_from)
    retrieval = Retrieval(builder.catalogue, builder.groups)
    found = dict(zip(retrieval.names, retrieval.ways(batch, max(CUTS)), strict=True))
    ways = {name: hits for name, hits in found.items() if len(hits.queries)}
    figures: dict[str, Any] = {"queries": queries.height, "ways": list(ways)}
    systems = list(subsets(ways))
    if BM25 in ways:
        variants, figures["mended"] = by_words(builder, batch)
        for name, hits in variants.items():
            whole = list((ways | {BM25: hits}).values())
            systems += [
                (name, BM25, [hits]),
                (f"{SHIPPED}, {name.removeprefix(f'{BM25}, ')}", SHIPPED, whole),
            ]
    tables = {SHIPPED: sought.recalls(list(ways.values()))}
    tables |= {name: sought.recalls(hits) for name, _, hits in systems}
    tables[WEIGHED], figures["learnt"] = with_weights(sought, list(ways.values()))
    for name, table in tables.items():
        print(name, *(f"{mean:.4f}" for mean in table.select(sought.measures).mean().row(0)), flush=True)
    figures["rows"] = [
        {
            "system": name,
            "against": other,
            "measures": {m: asdict(compare(tables[name], tables[other], m)) for m in sought.measures},
        }
        for name, other, _ in [*systems, (WEIGHED, SHIPPED, [])]
    ]
    return figures


def subsets(ways: Mapping[str, Hits]) -> Iterator[tuple[str, str, list[Hits]]]:
    """By name what is united, and with what it is compared: each way, all but each, words with their vectors."""
    yield from ((name, SHIPPED, [hits]) for name, hits in ways.items())
    if len(ways) > 2:  # of two, all but one is the other
        for name in ways:
            yield f"all but {name}", SHIPPED, [hits for other, hits in ways.items() if other != name]
    if {BM25, TEXT} <= ways.keys():
        yield f"{BM25} and {TEXT}", BM25, [ways[BM25], ways[TEXT]]


@dataclass(frozen=True, eq=False)
class Sought:
    """Judged products of grades above 0 of some queries: m entries.

    query: (m,) the row in `query_ids`; keys: (m,) query · products + product; worth: by name (m,) bool, which of them
    are of the query's best grade, and which relevant.
    """

    query_ids: pl.Series
    products: int
    query: np.ndarray
    keys: np.ndarray
    worth: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls, builder: FeatureBuilder, queries: pl.DataFrame, judged: pl.DataFrame, relevant_from: float
    ) -> Sought:
        rows = judged.join(queries.select("query_id"), on="query_id", how="semi").filter(pl.col("grade") > 0)
        query, items = builder.rows_of(queries, rows.select(KEYS))
        best = (rows["grade"] == rows.select(pl.col("grade").max().over("query_id"))["grade"]).to_numpy()
        worth = {"best grade": best, "relevant": (rows["grade"] >= relevant_from).to_numpy()}
        size = len(builder.catalogue)
        return cls(queries["query_id"], size, query, query * np.int64(size) + items, worth)

    @cached_property
    def measures(self) -> list[str]:
        return [f"{what}@{cut}" for what in self.worth for cut in CUTS]

    def recalls(self, ways: Sequence[Hits]) -> pl.DataFrame:
        """A row a query of `measures`, of what these ways find first together; null where nothing is sought."""
        found: dict[str, np.ndarray] = {}
        for cut in CUTS:
            query, items = fuse([hits.first(cut) for hits in ways], self.products, cut)
            there = query * np.int64(self.products) + items  # rising
            hit = there[np.searchsorted(there, self.keys).clip(max=len(there) - 1)] == self.keys
            for what, rows in self.worth.items():
                with np.errstate(invalid="ignore"):
                    found[f"{what}@{cut}"] = self._count(rows & hit) / self._count(rows)
        frame = pl.DataFrame({"query_id": self.query_ids, **{name: found[name] for name in self.measures}})
        return frame.with_columns(pl.col(self.measures).fill_nan(None))

    def _count(self, rows: np.ndarray) -> np.ndarray:
        return np.bincount(self.query[rows], minlength=len(self.query_ids))


def with_weights(sought: Sought, ways: Sequence[Hits]) -> tuple[pl.DataFrame, list[Weighing]]:
    """Recalls of each half of the queries by the weights that are best on the other, and those weights.

    A way of weight 2 counts as two ways do. Best: by the mean of all measures, from equal weights on, a way at a time;
    the weights at hand stay where others are only as good.
    """

    @cache
    def recalls(weights: Weighing) -> pl.DataFrame:
        repeated = [hits for hits, times in zip(ways, weights, strict=True) for _ in range(times)]
        return sought.recalls(repeated)

    def best(rows: pl.Series) -> Weighing:
        weights: Weighing = (1,) * len(ways)
        for place in [*range(len(ways))] * ROUNDS:
            others = [(*weights[:place], weight, *weights[place + 1 :]) for weight in WEIGHTS]
            tried = [weights, *(one for one in others if any(one))]
            weights = max(tried, key=lambda one: mean_of(recalls(one).filter(rows)))
        return weights

    half = pl.Series(np.random.default_rng(SEED).permutation(len(sought.query_ids)) % 2 == 0)
    chosen = [best(~half), best(half)]
    parts = [recalls(weights).filter(mine) for weights, mine in zip(chosen, (half, ~half), strict=True)]
    return pl.concat(parts), chosen


def mean_of(table: pl.DataFrame) -> float:
    return float(table.drop("query_id").mean().mean_horizontal()[0])


def by_words(builder: FeatureBuilder, batch: QueryBatch) -> tuple[dict[str, Hits], int]:
    """BM25 with words and typos as they are, and with typos alone so; and in how many queries any is mended."""
    lexical, catalogue = builder.groups[LexicalGroup.kind], builder.catalogue
    assert isinstance(lexical, LexicalGroup)
    fields = [name for name in LEXICAL.fields if name in catalogue.products.columns]
    changed = sum(map(bool, catalogue.words_of(batch).read_as))
    plain = Bm25As(catalogue, fields, LEXICAL, as_they_are)
    rests = pl.Series([split_price_limit(text or "").rest for text in batch.texts], dtype=pl.String)
    hits = plain.best([query_terms(tokens) for tokens in as_they_are(rests).to_list()], max(CUTS))
    found = {f"{BM25}, words as they are": hits}
    if changed:
        typed = QueryWords.read(batch.texts).wanted["terms"]
        found[f"{BM25}, typos as they are"] = lexical.best_by_terms(typed, max(CUTS))
    return found, changed


if __name__ == "__main__":
    main()
