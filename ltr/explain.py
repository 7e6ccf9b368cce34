"""python -m ltr.explain [--run RUN] [--query Q [--product A [--over B]]] [--change COLUMN …] [--json]

What a run's model goes by. Alone: the importance of each modality and feature on held-out queries. With a query
(the id of one of the run's, or free words): its first products and their leading reasons. With --product: what
lifts or lowers it against the query's other candidates. With --over: why one stands above the other, and the
smallest change of price (or of the columns named by --change) that would swap them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from features.errors import InputError
from ltr.config import command_line
from ltr.config.command_line import say, show
from ltr.explanation.contributions import against_mean, compare_products, leading, modality_sums, sentences
from ltr.explanation.counterfactual import Change, changes
from ltr.pipeline.prepare import load_collection
from ltr.runs.record import read_json
from ltr.runs.saved_run import SavedRun
from ltr.runs.sums import check_files, read_about
from ltr.serving.query_explanation import Explained, explain_query

DONE = "TreeSHAP; less the mean of the query's candidates, for what they share ranks nothing"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    arguments = command_line.parser(__doc__, config=False)
    command_line.add_run(arguments)
    arguments.add_argument("--query", help="the id of one of the run's queries, or words")
    arguments.add_argument("--product", help="the id of a candidate")
    arguments.add_argument("--over", help="the id of another, to compare it with")
    arguments.add_argument("--change", nargs="+", help="numeric columns to change; default: price")
    arguments.add_argument("--top", type=int, default=10, help="how many products or features to print")
    arguments.add_argument("--json", action="store_true", help="print JSON for programs")
    given = arguments.parse_args(argv)
    _check_asked(given)
    found = _importance(given) if given.query is None else _of_query(given)
    if given.json:
        print(json.dumps(found, ensure_ascii=False, default=str))
    return found


def _check_asked(given: argparse.Namespace) -> None:
    needs = (("product", "query"), ("over", "product"), ("change", "over"))
    for name, other in needs:
        if getattr(given, name) is not None and getattr(given, other) is None:
            raise InputError(
                where="command line", expected=f"--{other} beside --{name}", got="none", cure=f"add --{other}"
            )
    if given.top < 1:
        raise InputError(
            where="command line",
            expected="--top of 1 or more",
            got=f"{given.top}",
            cure="ask for one or more",
        )
    if given.over is not None and given.over == given.product:
        raise InputError(
            where="--over",
            expected="another product than --product",
            got="the same",
            cure="name two products",
        )


def _importance(given: argparse.Namespace) -> dict[str, Any]:
    """What ltr.train found on held-out queries by the folds' own models."""
    run = SavedRun.open(given.run)
    path = run.folder / "importance.json"
    if not path.is_file():
        raise InputError(
            where=run.folder,
            expected="importance.json, which ltr.train writes for rankers of trees",
            got="none",
            cure="train the run again, with ranker lightgbm or xgboost",
        )
    check_files(run.folder, read_about(run.folder), path.name)
    found: dict[str, Any] = read_json(path)
    if not given.json:
        _print_importance(found, given.top)
    return found


def _print_importance(found: Mapping[str, Any], top: int) -> None:
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


def _of_query(given: argparse.Namespace) -> dict[str, Any]:
    run = SavedRun.open(given.run)
    explained = explain_query(run, load_collection(run.config), given.query)
    if given.product is None:
        return _top(explained, given)
    for name in ("product", "over"):
        explained.check_candidate(f"--{name}", getattr(given, name))
    return _one(explained, given) if given.over is None else _pair(explained, given)


def _top(explained: Explained, given: argparse.Namespace) -> dict[str, Any]:
    """The first products, each with its leading modalities."""
    names, values = explained.explanation.centred().by_modality()
    lines = []
    for rank, row, product, score in (
        explained.ranked.head(given.top).select("rank", "row", "product_id", "score").rows()
    ):
        title = explained.product(product).get("title")
        reasons = [{"modality": m, "share": share} for m, share in leading(names, values[row])]
        lines.append(
            {"rank": rank, "product_id": product, "title": title, "score": score, "reasons": reasons}
        )
    if not given.json:
        say(
            f"{given.query}: {explained.ranked.height:,} candidates. Reasons: {DONE}; shares of its sum of sizes"
        )
        cells = [
            [
                *list(line.values())[:-1],
                ", ".join(f"{r['modality']} {r['share']:+.0%}" for r in line["reasons"]),
            ]
            for line in lines
        ]
        show("", ["rank", "product_id", "title", "score", "reasons"], cells)
    return {"query": given.query, "products": lines}


def _one(explained: Explained, given: argparse.Namespace) -> dict[str, Any]:
    row = explained.row(given.product)
    table = against_mean(explained.explanation, row)
    told = sentences(table, explained.product(given.product))
    rank = explained.rank(given.product)
    score = float(explained.explanation.scores[row])
    if not given.json:
        say(f"{given.product} is number {rank} of {explained.ranked.height:,}, score {score:.4f}. {DONE}:")
        _print_parts(told, table, given.top)
    return {"query": given.query, "product": given.product, "rank": rank, "score": score} | _parts(
        told, table
    )


def _pair(explained: Explained, given: argparse.Namespace) -> dict[str, Any]:
    ours, theirs = given.product, given.over
    table = compare_products(explained.explanation, explained.row(ours), explained.row(theirs))
    told = sentences(table, explained.product(ours), explained.product(theirs))
    ranks = {product: explained.rank(product) for product in (ours, theirs)}
    above = ranks[ours] < ranks[theirs]
    total = float(table["difference"].sum())
    if not given.json:
        where = f"number {ranks[ours]}, {'above' if above else 'below'} {theirs}, number {ranks[theirs]}"
        say(f"{ours} is {where}: {total:+.4f} of score, made of")
        _print_parts(told, table, given.top)
    swaps = _swaps(explained, ours, theirs, given.change or ["price"], asked=given.change is not None)
    if not given.json:
        for change in swaps:
            say(in_a_sentence(change))
    found = {"query": given.query, "product": ours, "over": theirs, "ranks": ranks, "difference": total}
    return found | _parts(told, table) | {"swaps": [asdict(change) for change in swaps]}


def _swaps(
    explained: Explained, ours: str, theirs: str, columns: Sequence[str], *, asked: bool
) -> list[Change]:
    """What would swap the two, of either; none where the catalogue has no price and nobody asked for more."""
    shelf = explained.shelf
    if shelf is None or (
        not asked and explained.products[columns[0]].null_count() == explained.products.height
    ):
        return []
    found = []
    with command_line.progress("trying other numbers", 2 * len(columns)) as tried:
        for column in columns:
            for product, rival in ((ours, theirs), (theirs, ours)):
                found += changes(shelf, product, rival, column)
                tried()
    return found


def in_a_sentence(change: Change) -> str:
    """ "B: price 129 → 98.99 (-23 %) puts it above A", or which range holds no such price."""
    name = f"{change.product_id}: {change.column.replace('_', ' ')}"
    low, high = sorted((change.now, change.end))
    if change.value is None or change.lead_after is None:
        return f"{name} {change.now:,.6g}: none from {low:,.6g} to {high:,.6g} swaps it with {change.rival}"
    share = f" ({change.value / change.now - 1:+.1%})" if change.now else ""
    side = "above" if change.lead < change.lead_after else "below"
    return (
        f"{name} {change.now:,.6g} → {change.value:,.6g}{share} puts it {side} {change.rival} "
        f"(re-scored: {change.lead:+.4f} → {change.lead_after:+.4f})"
    )


def _print_parts(told: Sequence[str], table: pl.DataFrame, top: int) -> None:
    for line in told:
        say(f"  {line}")
    show("features", table.columns, table.head(top).rows())


def _parts(told: Sequence[str], table: pl.DataFrame) -> dict[str, Any]:
    return {
        "sentences": list(told),
        "modalities": modality_sums(table).to_dicts(),
        "features": table.to_dicts(),
    }


if __name__ == "__main__":
    command_line.run(main)
