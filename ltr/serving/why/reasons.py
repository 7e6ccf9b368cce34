"""Why a product stands where it stands, in a few words for a shopper or a search team."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from features.batch import PairBatch
from features.errors import InputError
from ltr.explanation.aspects import SHOWN_BY
from ltr.explanation.contributions import Explanation, explain, leading
from ltr.explanation.counterfactual import Shelf
from ltr.pipeline.prepare import embedded_dataset
from ltr.serving.lists.searching import Asked, Exploring, Found, search
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import in_order, read_as
from ltr.serving.why.query_explanation import Explained, pairs_of

_SAID = {  # by aspect: where it lifts the product, and where it lowers it
    "image": ("looks like what is asked for", "looks unlike what is asked for"),
    "text": ("reads like what is asked for", "reads unlike what is asked for"),
    "lexical": ("has the words asked for", "has few of the words asked for"),
    "missing data": ("nothing about it is missing", "some facts about it are missing"),
    "embeddings": ("its texts and photo as a whole", "its texts and photo as a whole"),
}


def explanation_of(live: LiveRun, found: Found) -> Explanation | None:
    """What the scores of the candidates are made of, row by row; None for a list that no score ordered.

    Raises InputError for a ranker that cannot be explained.
    """
    if found.query is None or found.scores is None or found.candidates is None or not len(found.candidates):
        return None
    block = live.builder.block(PairBatch.of_one(found.query, found.candidates))
    ids = live.builder.catalogue.product_ids[found.candidates]
    data = live.run.list_dataset(found.query, ids, block)
    rows = embedded_dataset(live.run.config, data, found.query.frame, live.builder)
    return explain(live.run.model, rows)


def explained_list(live: LiveRun, asked: Asked) -> Explained:
    """The list of a query with what its scores are made of, and with what would swap two of them.

    Raises InputError for a query without candidates, and a ranker that cannot be explained.
    """
    found = search(live, dataclasses.replace(asked, facets=False), Exploring(), Found())
    explanation = explanation_of(live, found)
    if explanation is None or found.query is None or found.candidates is None:
        raise InputError(
            where="text",
            expected="a query with candidates",
            got="one that finds nothing",
            cure="ask in other words, or filter less",
        )
    products = live.catalogue.products
    pairs = explanation.data.frame.select("query_id", "product_id")
    ranked = in_order(pairs.select("product_id").with_row_index("row"), explanation.scores)
    shelf = Shelf(live.builder, products, found.query.frame, pairs, live.run.score)
    words = pairs_of(live.run, live.builder, found.query.frame)
    return Explained(explanation, ranked, products, shelf, read_as(live.builder, found.query), words)


def reasons_of(
    live: LiveRun, explanation: Explanation, candidates: np.ndarray, rows: Sequence[int], most: int
) -> list[list[dict[str, Any]]]:
    """For each of these rows of the index the `most` aspects that speak loudest, what they say and how much.

    share: signed, of the sum of all aspects' sizes; none for a row that is no candidate.
    """
    names, values = explanation.centred().by_modality()
    grouped: list[list[dict[str, Any]]] = []
    for row in rows:
        place = int(np.searchsorted(candidates, row))
        if place >= len(candidates) or candidates[place] != row:
            grouped.append([])
            continue
        product = live.catalogue.details(row)
        grouped.append(
            [
                {"aspect": aspect, "says": _says(aspect, share > 0, product), "share": round(share, 4)}
                for aspect, share in leading(names, values[place])[:most]
            ]
        )
    return grouped


def _says(aspect: str, lifts: bool, product: Mapping[str, Any]) -> str:
    for column in SHOWN_BY.get(aspect, ()):
        value = product.get(column)
        if value is not None:
            shown = f"{value:,.6g}" if isinstance(value, float) else str(value)
            return f"{column.replace('_', ' ').removesuffix(' at')} {shown[:80]}"
    if aspect in product and product[aspect] is not None:
        return f"{aspect.replace('_', ' ')} {product[aspect]}"
    return _SAID.get(aspect, (aspect, aspect))[0 if lifts else 1]
