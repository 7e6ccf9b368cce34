"""One query's candidates with what their scores are made of: a query of the run's, or free words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from features.batch import QueryBatch, has_values
from features.build import FeatureBuilder
from features.errors import InputError
from features.feature_schema import KEYS
from features.groups.word_by_word.word_pairs import PairShare, WordPairs
from features.progress import progress
from features.sources.load import Collection
from features.sources.parsing.ids import written_near
from ltr.data.embedded import EmbeddedDataset
from ltr.explanation.contributions import (
    Explanation,
    against_mean,
    compare_products,
    explain,
    leading,
    modality_sums,
    sentences,
)
from ltr.explanation.counterfactual import Change, Shelf, changes, in_a_sentence
from ltr.pipeline.prepare import embedded_dataset
from ltr.runs.record import read_json
from ltr.runs.saved_run import SavedRun
from ltr.runs.sums import SUMS, check_files, read_about
from ltr.serving.ranking import in_order, looks_like_an_id, one_query, read_as, unknown_id

_PAIRS_SHOWN = 5  # of words


@dataclass(frozen=True)
class Explained:
    """One query's candidates, best first, with what their scores are made of.

    ranked: rank, product_id, score, row (in the explanation); shelf: None for ready-made features; read_as: the words
    of the query that no product has, and what they were read as; word_pairs: of a candidate, what each word of the
    query beside each of its words adds to `adapted.words`, where the run learnt that.
    """

    explanation: Explanation
    ranked: pl.DataFrame
    products: pl.DataFrame
    shelf: Shelf | None
    read_as: Mapping[str, str]
    word_pairs: Callable[[str], list[PairShare]] = field(default=lambda _: [])

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
        ids = self.products["product_id"]
        in_shop = product in ids
        near = "" if in_shop else written_near(product, ids)
        first = ", ".join(self.ranked["product_id"].head(3))
        raise InputError(
            where=where,
            expected=f"one of the query's {self.ranked.height:,} candidates",
            got=f"{product!r}, which is {'none of them' if in_shop else 'not in the catalogue'}",
            cure=f"{near}; " * bool(near) + f"choose among {first}, …",
        )


def explain_query(run: SavedRun, collection: Collection, asked: str) -> Explained:
    """The candidates as in ltr.rank; of a run on judged lists, the judged products of its query of that id.

    Raises InputError for words without a candidate, and for a ranker that cannot be explained.
    """
    known_ids = collection.queries["query_id"]
    if asked not in known_ids and looks_like_an_id(asked, known_ids):
        raise unknown_id(asked, known_ids)
    query = collection.queries.filter(query_id=asked)
    known = query.height == 1
    pairs = collection.judgements.filter(query_id=asked).select(KEYS).sort(KEYS)
    if collection.given is not None:
        if not pairs.height:
            raise _no_candidates(asked, "name a query_id of the run: its features are ready-made")
        table = pairs.join(collection.given, on=KEYS, how="left", maintain_order="left")
        return _explained(run, EmbeddedDataset(run.dataset(table)), collection.products, None, {})
    query = query if known else one_query(asked, None)
    builder = run.builder(collection.products)
    if run.config.lists.kind == "served" or not pairs.height:
        pairs = builder.candidates(query, run.config.lists.candidates)
    if not pairs.height:
        raise _no_candidates(asked, "name a query_id of the run, or words that its products have")
    shelf = Shelf(builder, collection.products, query, pairs, run.score)
    data = run.dataset(builder.build(query, pairs).frame)
    rows = embedded_dataset(run.config, data, query, builder)
    found = _explained(run, rows, collection.products, shelf, read_as(builder, QueryBatch(query)))
    return replace(found, word_pairs=pairs_of(run, builder, query))


def pairs_of(run: SavedRun, builder: FeatureBuilder, query: pl.DataFrame) -> Callable[[str], list[PairShare]]:
    """See `Explained.word_pairs`."""
    known_pairs = run.model.word_pairs or WordPairs.none()
    return lambda product: known_pairs.shares(*builder.words_of_pair(query, product))


def _explained(
    run: SavedRun,
    rows: EmbeddedDataset,
    products: pl.DataFrame,
    shelf: Shelf | None,
    read: Mapping[str, str],
) -> Explained:
    explanation = explain(run.model, rows)
    candidates = explanation.data.frame.select("product_id").with_row_index("row")
    ranked = in_order(candidates, run.model.score(rows))
    return Explained(explanation, ranked, products, shelf, read)


def _no_candidates(asked: str, cure: str) -> InputError:
    return InputError(where="--query", expected="a query with candidates", got=repr(asked), cure=cure)


def answer(
    explained: Explained,
    asked: str,
    product: str | None,
    over: str | None,
    change: Sequence[str] | None,
    top: int,
) -> dict[str, Any]:
    """What ltr.explain tells of a query: its first products, one of them, or why one stands above another.

    change: see `two_products`. Raises InputError for a product that the query does not rank.
    """
    about = {"query": asked, "read_as": dict(explained.read_as)}
    if product is None:
        return about | {"products": top_products(explained, top)}
    explained.check_candidate("--product", product)
    explained.check_candidate("--over", over)
    detail = (
        one_product(explained, product) if over is None else two_products(explained, product, over, change)
    )
    return about | detail


def top_products(explained: Explained, top: int) -> list[dict[str, Any]]:
    """The first products, each with its leading modalities: rank, product_id, title, score, reasons."""
    names, values = explained.explanation.centred().by_modality()
    return [
        {
            "rank": rank,
            "product_id": product,
            "title": explained.product(product).get("title"),
            "score": score,
            "reasons": [
                {"modality": modality, "share": share} for modality, share in leading(names, values[row])
            ],
        }
        for rank, row, product, score in explained.ranked.head(top)
        .select("rank", "row", "product_id", "score")
        .rows()
    ]


def one_product(explained: Explained, product: str) -> dict[str, Any]:
    """What lifts or lowers a candidate against the query's others."""
    row = explained.row(product)
    table = against_mean(explained.explanation, row)
    rank, score = explained.rank(product), float(explained.explanation.scores[row])
    about = {"product": product, "rank": rank, "of": explained.ranked.height, "score": score}
    reasons = sentences(table, explained.product(product))
    return about | _parts(reasons, table, {product: explained.word_pairs(product)})


def two_products(
    explained: Explained, ours: str, theirs: str, columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Why one stands above the other, and the smallest changes that would swap them.

    columns: numeric ones to change; None for the price, where the catalogue has any.
    """
    table = compare_products(explained.explanation, explained.row(ours), explained.row(theirs))
    found = {
        "product": ours,
        "over": theirs,
        "ranks": {product: explained.rank(product) for product in (ours, theirs)},
        "difference": float(table["difference"].sum()),
    }
    reasons = sentences(table, explained.product(ours), explained.product(theirs))
    parts = _parts(reasons, table, {product: explained.word_pairs(product) for product in (ours, theirs)})
    swaps = [
        asdict(change) | {"says": in_a_sentence(change)}
        for change in _swaps(explained, ours, theirs, columns)
    ]
    return found | parts | {"swaps": swaps}


def _swaps(explained: Explained, ours: str, theirs: str, columns: Sequence[str] | None) -> Iterator[Change]:
    """What would swap the two, of either; none where the catalogue has no price and nobody asked for more."""
    shelf, products = explained.shelf, explained.products
    if shelf is None or (columns is None and not has_values(products, "price")):
        return
    with progress("trying other numbers", 2 * len(columns or ["price"])) as tried:
        for column in columns or ["price"]:
            for product, rival in ((ours, theirs), (theirs, ours)):
                yield from changes(shelf, product, rival, column)
                tried()


def _parts(
    reasons: Sequence[str], table: pl.DataFrame, word_pairs: Mapping[str, Sequence[PairShare]]
) -> dict[str, Any]:
    """word_pairs: by product; the leading ones are told in a sentence each."""
    leading_pairs = {product: pairs[:_PAIRS_SHOWN] for product, pairs in word_pairs.items() if pairs}
    return {
        "sentences": [
            *reasons,
            *(_pairs_in_words(product, pairs) for product, pairs in leading_pairs.items()),
        ],
        "modalities": modality_sums(table).to_dicts(),
        "features": table.to_dicts(),
        "word_pairs": [
            {"product": product} | pair._asdict()
            for product, pairs in leading_pairs.items()
            for pair in pairs
        ],
    }


def _pairs_in_words(product: str, pairs: Sequence[PairShare]) -> str:
    parts = ", ".join(f"{pair.asked} – {pair.said} {pair.adds:+.2f}" for pair in pairs)
    return f"words asked and words of {product}, as judgements pair them (in adapted.words): {parts}"


def read_importance(run: Path) -> dict[str, Any]:
    """What ltr.train found on held-out queries by the folds' own models."""
    path = run / "importance.json"
    about = read_about(run)
    if path.name not in about[SUMS]:
        raise InputError(
            where=run,
            expected="importance.json, which ltr.train writes for rankers of trees",
            got="none",
            cure="train the run again, with ranker lightgbm or xgboost",
        )
    check_files(run, about, path.name)
    found: dict[str, Any] = read_json(path)
    return found
