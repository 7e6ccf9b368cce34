"""python -m ltr.build_features [--config configs/fashion.yaml] [--rebuild]

Turn a catalogue, queries and judgements into one table of features per judged pair, in the feature store.
With no config: the demo shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.secrets import masked_address
from ltr.config import command_line, output

if TYPE_CHECKING:
    from ltr.pipeline.prepare import Prepared


def main(argv: Sequence[str] | None = None) -> Prepared:
    watch = output.Stopwatch()
    arguments = command_line.parser(__doc__)
    arguments.add_argument(
        "--rebuild", action="store_true", help="build anew even where the store has the same"
    )
    given, config = command_line.read_settings(arguments, argv)

    from ltr.pipeline.prepare import prepare
    from ltr.reporting.console import print_cleaning, print_table

    prepared = prepare(config, rebuild=given.rebuild, given_too=True)
    print_cleaning(prepared.collection)
    print_table(
        prepared, f"{masked_address(config.store.root)}, view {config.name}_pairs, version {prepared.version}"
    )
    output.say(f"done in {watch}")
    output.say(f"next: python -m ltr.train{command_line.config_words(given)}")
    return prepared


if __name__ == "__main__":
    command_line.run(main)
