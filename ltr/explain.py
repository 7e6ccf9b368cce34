"""python -m ltr.explain [--run RUN] [--query Q [--product A [--over B]]] [--change COLUMN …] [--json]

What a run's model goes by. Alone: the importance of each modality and feature on held-out queries. With a query
(the id of one of the run's, or free words): its first products and their leading reasons. With --product: what
lifts or lowers it against the query's other candidates. With --over: why one stands above the other, and the
smallest change of price (or of the columns named by --change) that would swap them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ltr.config import command_line, output


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    given = command_line.read_given(_arguments(), argv)
    for needed, other in (("query", "product"), ("product", "over"), ("over", "change")):
        command_line.require(given, needed, other)
    if given.over is not None and given.over == given.product:
        raise command_line.misuse("another product for --over", "that of --product", "name two products")

    from ltr.reporting import explanations
    from ltr.runs.saved_run import SavedRun
    from ltr.serving.query_explanation import read_importance

    run = SavedRun.open(given.run)
    if given.query is None:
        found = read_importance(run.folder)
        if not given.json:
            explanations.print_importance(found, given.top)
    else:
        found = _of_query(run, given)
    if given.json:
        output.write_json(found)
    return found


def _of_query(run: Any, given: argparse.Namespace) -> dict[str, Any]:
    from ltr.pipeline.prepare import load_collection
    from ltr.reporting import explanations
    from ltr.serving import query_explanation as answers

    explained = answers.explain_query(run, load_collection(run.config), given.query)
    if given.product is None:
        products = answers.top_products(explained, given.top)
        if not given.json:
            explanations.print_top(given.query, explained.ranked.height, products)
        return {"query": given.query, "products": products}
    for name in ("product", "over"):
        explained.check_candidate(f"--{name}", getattr(given, name))
    if given.over is None:
        found, tell = answers.one_product(explained, given.product), explanations.print_one
    else:
        found = answers.two_products(explained, given.product, given.over, given.change)
        tell = explanations.print_two
    if not given.json:
        tell(found, given.top)
    return {"query": given.query, **found}


def _arguments() -> argparse.ArgumentParser:
    made = command_line.parser(__doc__, config=False, json=True)
    command_line.add_run(made)
    made.add_argument("--query", help="the id of one of the run's queries, or words")
    made.add_argument("--product", help="the id of a candidate")
    made.add_argument("--over", help="the id of another, to compare it with")
    made.add_argument("--change", nargs="+", help="numeric columns to change; default: price")
    made.add_argument(
        "--top", type=command_line.one_or_more, default=10, help="how many products or features to print"
    )
    return made


if __name__ == "__main__":
    command_line.run(main)
