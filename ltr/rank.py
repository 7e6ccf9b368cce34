"""python -m ltr.rank [--run RUN] --query "red dress under 50" [--image photo.jpg] [--media audio=clip.wav] [--json]

Rank the run's catalogue for a query it may never have seen: words, a photo, or both; or for one of the run's own,
by its id. Candidates come from BM25 and the cosines together, the order from the run's model; with --compare,
BM25's order stands beside it. With --like PRODUCT_ID in place of a query: products like that one, by the run's
model asked with its title and photo (by likeness alone, without a run: ltr.compare --like).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ltr.config import command_line, output
from ltr.serving.arguments import of_rank

if TYPE_CHECKING:
    import polars as pl


def main(argv: Sequence[str] | None = None) -> pl.DataFrame:
    given = command_line.read_given(of_rank(__doc__), argv)
    command_line.refuse_both(given, "like", "query", "image", "media", "compare")

    from ltr.runs.saved_run import SavedRun
    from ltr.serving.catalogue.similar import like_by_model
    from ltr.serving.ranking import ask, catalogue_of, side_by_side

    run = SavedRun.open(given.run)
    if given.like is not None:
        ranked = like_by_model(run, catalogue_of(run), given.like)
    else:
        ranked = ask(run, given.query, given.image, given.media, compare=given.compare)
    first = side_by_side(ranked, given.top) if given.compare else ranked.head(given.top)
    asked = [f"like {given.like}"] if given.like is not None else [given.query, given.image, *given.media]
    if given.json:
        output.write_json(first.to_dicts())
    elif first.height:
        filled = first.select(column for column in first.columns if first[column].count())
        output.show(" ".join(map(str, filter(None, asked))), filled.columns, filled.rows())
    else:
        output.say("nothing found: no product has a word of the query, or looks or reads like it")
    if given.like is None and given.query and first.height:
        words = shlex.join(["--query", given.query, "--product", ranked["product_id"][0]])
        output.note(f"next: python -m ltr.explain --run {given.run} {words}")
    return first


if __name__ == "__main__":
    command_line.run(main)
