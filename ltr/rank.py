"""python -m ltr.rank [--run RUN] --query "red dress under 50" [--image photo.jpg] [--media audio=clip.wav] [--json]

Rank the run's catalogue for a query it may never have seen: words, a photo, or both. Candidates come from BM25
and the cosines together, the order from the run's model. With --like PRODUCT_ID in place of a query: products like
that one, by the run's model asked with its title and photo (by likeness alone, without a run: ltr.compare --like).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.config import command_line, output

if TYPE_CHECKING:
    import polars as pl


def main(argv: Sequence[str] | None = None) -> pl.DataFrame:
    given = command_line.read_given(_arguments(), argv)
    asked = [given.query, given.image, *given.media]
    command_line.refuse_both(given, "like", "query", "image", "media")

    from ltr.runs.saved_run import SavedRun
    from ltr.serving.ranking import ask, catalogue_of
    from ltr.serving.similar import like_by_model

    run = SavedRun.open(given.run)
    if given.like is not None:
        ranked = like_by_model(run, catalogue_of(run), given.like)
    else:
        ranked = ask(run, given.query, given.image, given.media)
    ranked = ranked.head(given.top)
    if given.json:
        output.write_json(ranked.to_dicts())
    elif ranked.height:
        title = f"like {given.like}" if given.like is not None else " ".join(map(str, filter(None, asked)))
        output.show(title, ranked.columns, ranked.rows())
    else:
        output.say("nothing found: no product has a word of the query, or looks or reads like it")
    return ranked


def _arguments() -> argparse.ArgumentParser:
    made = command_line.parser(__doc__, config=False, json=True)
    command_line.add_run(made)
    made.add_argument("--like", metavar="PRODUCT_ID", help="a product to find others like it")
    made.add_argument("--query", help="words")
    made.add_argument("--image", type=Path, help="a photo")
    media_help = "a file of another modality that the run's encoders read, such as audio=clip.wav"
    made.add_argument("--media", metavar="MODALITY=FILE", action="append", default=[], help=media_help)
    made.add_argument("--top", type=command_line.one_or_more, default=20, help="how many products to print")
    return made


if __name__ == "__main__":
    command_line.run(main)
