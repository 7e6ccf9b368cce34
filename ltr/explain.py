"""python -m ltr.explain [--run RUN] [--query Q [--product A [--over B]]] [--change COLUMN …] [--json]

What a run's model goes by. Alone: the importance of each modality and feature on held-out queries. With a query
(the id of one of the run's, or free words): its first products and their leading reasons. With --product: what
lifts or lowers it against the query's other candidates. With --over: why one stands above the other, and the
smallest change of price (or of the columns named by --change) that would swap them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ltr.config import command_line, output
from ltr.serving.arguments import check_explain, of_explain


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    given = command_line.read_given(of_explain(__doc__), argv)
    check_explain(given)

    from ltr.pipeline.prepare import load_collection
    from ltr.reporting import explanations
    from ltr.runs.saved_run import SavedRun
    from ltr.serving.ranking import say_read_as
    from ltr.serving.why import query_explanation as answers

    run = SavedRun.open(given.run)
    explained = None
    if given.query is None:
        found = answers.read_importance(run.folder)
    else:
        explained = answers.explain_query(run, load_collection(run.config), given.query)
        say_read_as(explained.read_as)
        found = answers.answer(explained, given.query, given.product, given.over, given.change, given.top)
    if given.json:
        output.write_json(found)
    elif explained is None:
        explanations.print_importance(found, given.top)
    elif given.product is None:
        explanations.print_top(given.query, explained.ranked.height, found["products"])
    else:
        (explanations.print_one if given.over is None else explanations.print_two)(found, given.top)
    deeper = "--query Q" if given.query is None else "--product A" if given.product is None else "--over B"
    output.note(f"next: the same with {deeper if given.over is None else 'another query'}")
    return found


if __name__ == "__main__":
    command_line.run(main)
