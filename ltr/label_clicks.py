"""python -m ltr.label_clicks --events FOLDER | --config FILE [options] [--html FILE] [--json [FILE]]

Judgements from what shoppers did: what was clicked, over what was seen. First it is asked whether the events can
tell being seen from being good; where they cannot, it says so and writes nothing (status 2). Human judgements, where
there are any, are mixed in by weight, and agreement with them is shown.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ltr.clicks.settings import LabelSettings
from ltr.config import command_line
from ltr.config.options import add_options, from_options


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_line.parser(__doc__, config=False)
    arguments.add_argument("--config", type=Path, help="a shop's config with data.events")
    add_options(arguments, LabelSettings)
    arguments.add_argument("--html", type=Path, help="the page to write")
    arguments.add_argument(
        "--json", nargs="?", const="-", help="the figures to write; with no FILE: to stdout alone"
    )
    given = command_line.read_given(arguments, argv)
    settings = from_options(LabelSettings, given)

    from ltr.config.output import say
    from ltr.config.tree import read_config
    from ltr.pipeline.events.labelling import label_events, next_command
    from ltr.reporting.click_labels import publish_labels

    found = label_events(settings, read_config(given.config) if given.config else None)
    command = shlex.join(["python", "-m", "ltr.label_clicks", *(sys.argv[1:] if argv is None else argv)])
    outcome = publish_labels(found, settings, command, given.json, given.html)
    if outcome.status:
        raise SystemExit(outcome.status)
    if given.json != "-":
        say(f"next: {next_command(settings)}")


if __name__ == "__main__":
    command_line.run(main)
