"""One query's candidates with what their scores are made of: a query of the run's, or free words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from features.build import FeatureBuilder
from features.errors import InputError
from features.feature_schema import KEYS
from features.sources.load import Collection
from ltr.data.embedded import EmbeddedDataset
from ltr.explanation.contributions import Explanation, explain
from ltr.explanation.counterfactual import Shelf
from ltr.pipeline.prepare import embedded_dataset
from ltr.runs.saved_run import SavedRun
from ltr.serving.ranking import CANDIDATES, in_order, one_query


@dataclass(frozen=True)
class Explained:
    """One query's candidates, best first, with what their scores are made of.

    ranked: rank, product_id, score, row (in the explanation); shelf: None for ready-made features.
    """

    explanation: Explanation
    ranked: pl.DataFrame
    products: pl.DataFrame
    shelf: Shelf | None

    def row(self, product: str) -> int:
        return int(self.ranked.filter(product_id=product)["row"][0])

    def rank(self, product: str) -> int:
        return int(self.ranked.filter(product_id=product)["rank"][0])

    def product(self, product: str) -> dict[str, Any]:
        return self.products.filter(product_id=product).row(0, named=True)

    def check_candidate(self, where: str, product: str | None) -> None:
        """Raise InputError, which names `where`, for a product that the query does not rank."""
        if product is None or product in self.ranked["product_id"]:
            return
        in_shop = product in self.products["product_id"]
        first = ", ".join(self.ranked["product_id"].head(3))
        raise InputError(
            where=where,
            expected=f"one of the query's {self.ranked.height:,} candidates",
            got=f"{product!r}, which is {'none of them' if in_shop else 'not in the catalogue'}",
            cure=f"choose among {first}, …",
        )


def explain_query(run: SavedRun, collection: Collection, asked: str) -> Explained:
    """The judged products of the run's query of that id; for other words, the candidates as in ltr.rank.

    Raises InputError for words without a candidate, and for a ranker that cannot be explained.
    """
    query = collection.queries.filter(query_id=asked)
    known = query.height == 1
    pairs = collection.judgements.filter(query_id=asked).select(KEYS).sort(KEYS)
    if collection.given is not None:
        if not pairs.height:
            raise _no_candidates(asked, "name a query_id of the run: its features are ready-made")
        table = pairs.join(collection.given, on=KEYS, how="left", maintain_order="left")
        return _explained(run, EmbeddedDataset(run.dataset(table)), collection.products, None)
    query = query if known else one_query(asked, None)
    builder = run.builder(collection.products)
    pairs = pairs if pairs.height else builder.candidates(query, CANDIDATES)
    if not pairs.height:
        raise _no_candidates(asked, "name a query_id of the run, or words that its products have")
    shelf = Shelf(builder, collection.products, query, pairs, run.score)
    return _explained(run, _rows(run, builder, query, pairs), collection.products, shelf)


def _rows(
    run: SavedRun, builder: FeatureBuilder, query: pl.DataFrame, pairs: pl.DataFrame
) -> EmbeddedDataset:
    data = run.dataset(builder.build(query, pairs).frame)
    return embedded_dataset(run.config, data, query, builder)


def _explained(
    run: SavedRun, rows: EmbeddedDataset, products: pl.DataFrame, shelf: Shelf | None
) -> Explained:
    explanation = explain(run.model, rows)
    candidates = explanation.data.frame.select("product_id").with_row_index("row")
    ranked = in_order(candidates, run.model.score(rows))
    return Explained(explanation, ranked, products, shelf)


def _no_candidates(asked: str, cure: str) -> InputError:
    return InputError(where="--query", expected="a query with candidates", got=repr(asked), cure=cure)
