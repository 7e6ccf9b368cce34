"""Explanations on the console: of a run, of a query's first products, of one product, of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ltr.config.output import say, show

METHOD = "TreeSHAP; less the mean of the query's candidates, for what they share ranks nothing"


def print_importance(found: Mapping[str, Any], top: int) -> None:
    say(
        f"held-out queries: {found['queries']:,} drawn of {found['of_queries']:,}, {found['pairs']:,} pairs; "
        "mean |contribution| to the score, less each query's mean, for what its candidates share ranks nothing"
    )
    columns = ("name", "importance", "low", "high", "share")
    for title, lines in (("modalities", found["by_modality"]), ("features", found["by_feature"][:top])):
        show(title, columns, [[line[column] for column in columns] for line in lines])
    title = f"{found['metric']} lost when a modality is shuffled among each query's candidates"
    drops = ("name", "drop", "low", "high")
    show(title, drops, [[line[column] for column in drops] for line in found["permutation"]])


def print_top(query: str, candidates: int, products: Sequence[Mapping[str, Any]]) -> None:
    say(f"{query}: {candidates:,} candidates. Reasons: {METHOD}; shares of its sum of sizes")
    cells = [
        [
            *list(line.values())[:-1],
            ", ".join(f"{r['modality']} {_share(r['share'])}" for r in line["reasons"]),
        ]
        for line in products
    ]
    show("", ["rank", "product_id", "title", "score", "reasons"], cells)


def _share(share: float) -> str:
    """With its sign, unless it rounds to nothing."""
    return f"{share:+.0%}" if round(share, 2) else "0%"


def print_one(found: Mapping[str, Any], top: int) -> None:
    place = f"number {found['rank']} of {found['of']:,}, score {found['score']:.4f}"
    say(f"{found['product']} is {place}. {METHOD}:")
    _print_parts(found, top)


def print_two(found: Mapping[str, Any], top: int) -> None:
    ours, theirs, ranks = found["product"], found["over"], found["ranks"]
    side = "above" if ranks[ours] < ranks[theirs] else "below"
    where = f"number {ranks[ours]}, {side} {theirs}, number {ranks[theirs]}"
    say(f"{ours} is {where}: {found['difference']:+.4f} of score, made of")
    _print_parts(found, top)
    for change in found["swaps"]:
        say(change["says"])


def _print_parts(found: Mapping[str, Any], top: int) -> None:
    for line in found["sentences"]:
        say(f"  {line}")
    features = found["features"][:top]
    if features:
        show("features", list(features[0]), [list(line.values()) for line in features])
