"""python -m ltr.recommend --events FOLDER | --config FILE [--product P …] [--who SESSION] [--count 20] [--trial]

What comes next for somebody, from what they and others looked at and bought: with --product what others also looked
at, with --who the next step of a session or shopper of the log, with neither what is popular. Simple rules find
candidates (neighbours, sequences, pairs, a walk on the graph, popularity; with a config also likeness of titles and
photos), a LambdaMART puts them in order. --trial measures them all on the last days instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line
from ltr.config.options import add_options, from_options
from ltr.recommendation.settings import RecommendSettings


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_line.parser(__doc__, config=False)
    arguments.add_argument("--config", type=Path, help="a shop's config with data.events")
    add_options(arguments, RecommendSettings)
    given = command_line.read_given(arguments, argv)
    settings = from_options(RecommendSettings, given)

    from ltr.config import output
    from ltr.config.tree import read_config
    from ltr.pipeline.events.recommending import recommend, try_recommenders
    from ltr.reporting.console import print_event_steps

    config = read_config(given.config) if given.config else None
    if settings.trial:
        trial, ledger = try_recommenders(settings, config)
        table, title, words = trial.table(), "Next products of the last days", trial.in_words
    else:
        found, ledger = recommend(settings, config)
        table, title, words = found.products, "Recommended", found.in_words
    print_event_steps(ledger)
    output.show(title, table.columns, table.rows())
    output.say(words)


if __name__ == "__main__":
    command_line.run(main)
