"""Queries to look at in a report: most improved over the baseline, most harmed, and a random sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ltr.reporting.clips import Clip, Clips
from ltr.reporting.run_page.query_gains import query_text
from ltr.reporting.thumbnails import thumbnail

PER_KIND = 3
SHOWN = 8
_ROOM = 500_000  # characters for clips to play: beside the tables and photos the page stays below 5 MB

Reasons = Mapping[tuple[str, str], Sequence[tuple[str, float]]]
"""By query and product: the leading modalities with their signed share, as from `reasons_for`."""


@dataclass(frozen=True)
class Item:
    """A product as the report shows it, at `place` of one list; elsewhere: its place in the other list.

    grade: None where nobody judged it. photo: a data URI or empty; reasons: what the model has for or against it.
    """

    product_id: str
    title: str
    brand: str
    price: str
    grade: float | None
    photo: str
    place: int
    elsewhere: int
    reasons: Sequence[tuple[str, float]]
    clips: Sequence[Clip]

    @property
    def climbed(self) -> int:
        """Places above (below, if negative) that of the other list."""
        return self.elsewhere - self.place

    @property
    def only_here(self) -> bool:
        return self.elsewhere > SHOWN


@dataclass(frozen=True)
class Choice:
    """A query to show: why, against which baseline, and the headline metric of that baseline and of the model."""

    why: str
    query_id: str
    baseline: str
    before: float
    after: float


@dataclass(frozen=True)
class Lists:
    """The first products of the baseline's and of the model's list, out of so many candidates."""

    candidates: int
    baseline: list[Item]
    model: list[Item]


@dataclass(frozen=True)
class Example:
    """One query and its lists: of judged products, and as the shop's search would show them, where that is known."""

    choice: Choice
    text: str
    photo: str
    clips: Sequence[Clip]
    judged: Lists
    searched: Lists | None


@dataclass(frozen=True)
class Candidates:
    """What lists are made of: pairs (query_id, product_id, grade: null = unjudged) with scores (n,) by system.

    reasons: by query and product, for some of them or none.
    """

    pairs: pl.DataFrame
    scores: Mapping[str, np.ndarray]
    reasons: Reasons


def choose_queries(gains: pl.DataFrame) -> list[Choice]:
    """Queries where the model gained most, lost most, and a random sample; none twice.

    gains: as from `query_gains`.
    """
    gains = gains.sort("gain", "query_id")
    middle = gains.slice(PER_KIND, max(gains.height - 2 * PER_KIND, 0))
    shown = {
        "most improved": gains.filter(pl.col("gain") > 0).tail(PER_KIND).reverse(),
        "most harmed": gains.filter(pl.col("gain") < 0).head(PER_KIND),
        "random sample": middle.sample(min(PER_KIND, middle.height), seed=0),
    }
    columns = ("query_id", "baseline", "before", "after")
    chosen = [Choice(why, *row) for why, part in shown.items() for row in part.select(columns).rows()]
    return list({choice.query_id: choice for choice in reversed(chosen)}.values())[::-1]


def build_examples(
    chosen: Sequence[Choice],
    model: str,
    shop: tuple[pl.DataFrame, pl.DataFrame],
    judged: Candidates,
    searched: Candidates | None = None,
    currency: str = "",
) -> list[Example]:
    """The chosen queries with the lists of the baseline and of the model.

    shop: its queries and its products. searched: what retrieval gives for the chosen queries.
    """
    asked, products = shop
    ids = [choice.query_id for choice in chosen]
    queries = {r["query_id"]: r for r in asked.filter(pl.col("query_id").is_in(ids)).iter_rows(named=True)}
    maker = _Maker(products, model, Clips(_ROOM), currency)
    return [
        Example(
            choice,
            query_text(queries[choice.query_id]),
            thumbnail(queries[choice.query_id].get("image")),
            maker.clips.of(queries[choice.query_id]),
            maker.lists(judged, choice),
            maker.lists(searched, choice) if searched else None,
        )
        for choice in chosen
    ]


@dataclass(frozen=True)
class _Maker:
    """Makes lists of a catalogue's products."""

    products: pl.DataFrame
    model: str
    clips: Clips
    currency: str

    def lists(self, given: Candidates, choice: Choice) -> Lists:
        mine = (given.pairs["query_id"] == choice.query_id).to_numpy()
        before, after = (
            _ranked(given.pairs, given.scores[name], mine) for name in (choice.baseline, self.model)
        )
        return Lists(
            before.height,
            self._items(before, after, given.reasons),
            self._items(after, before, given.reasons),
        )

    def _items(self, ranked: pl.DataFrame, other: pl.DataFrame, reasons: Reasons) -> list[Item]:
        places = other.select("product_id", elsewhere="place")
        shown = ranked.head(SHOWN).join(places, on="product_id", how="left", maintain_order="left")
        joined = shown.join(self.products, on="product_id", how="left", maintain_order="left")
        return [
            Item(
                row["product_id"],
                row.get("title") or row["product_id"],
                row.get("brand") or "",
                price_in_words(row.get("price"), self.currency),
                row["grade"],
                thumbnail(row.get("image")),
                row["place"],
                row["elsewhere"],
                reasons.get((row["query_id"], row["product_id"]), ()),
                self.clips.of(row),
            )
            for row in joined.iter_rows(named=True)
        ]


def price_in_words(price: float | None, currency: str) -> str:
    """`€9.50` or `9.50 EUR`; the number alone where no currency is known."""
    if price is None:
        return ""
    return f"{currency}{price:,.2f}" if len(currency) == 1 else f"{price:,.2f} {currency}".strip()


def _ranked(pairs: pl.DataFrame, scores: np.ndarray, rows: np.ndarray) -> pl.DataFrame:
    """query_id, product_id, grade, place by these scores; ties as in the metrics, by product_id."""
    scored = pairs.filter(rows).select("query_id", "product_id", "grade")
    ranked = scored.with_columns(score=pl.Series(scores[rows])).sort(
        "score", "product_id", descending=[True, False]
    )
    return ranked.drop("score").with_row_index("place", offset=1)
