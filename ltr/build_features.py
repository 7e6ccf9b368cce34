"""python -m ltr.build_features [--config configs/fashion.yaml] [--rebuild]

Turn a catalogue, queries and judgements into one table of features per judged pair, in the feature store.
With no config: the demo shop.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from features.feature_schema import Feature
from features.secrets import masked_address
from ltr.config import command_line
from ltr.config.command_line import say, show
from ltr.config.tree import Config
from ltr.pipeline.prepare import Prepared, prepare
from ltr.reporting.console import print_collection


def main(argv: Sequence[str] | None = None) -> Prepared:
    arguments = command_line.parser(__doc__)
    arguments.add_argument(
        "--rebuild", action="store_true", help="build anew even where the store has the same"
    )
    given, config = command_line.read_settings(arguments, argv)
    watch = command_line.Stopwatch()
    say(f"reading {config.name} …")
    prepared = prepare(config, rebuild=given.rebuild)
    print_collection(prepared.collection)
    print_table(prepared, config)
    say(f"done in {watch}")
    return prepared


def print_table(prepared: Prepared, config: Config) -> None:
    """Rows, features, null shares, seconds per group, and what was reused."""
    frame, schema = prepared.table.frame, prepared.schema
    rows = [
        (
            group,
            sum(f.group == group for f in schema.features),
            f"{_null_share(frame, [f for f in schema.features if f.group == group]):.1%}",
            f"{prepared.table.seconds[group]:.1f}" if group in prepared.table.seconds else "",
        )
        for group in schema.groups
    ]
    show("features", ["group", "features", "null", "seconds"], rows)
    if "similarity" in prepared.table.seconds:
        say(f"groups of cosines together: {prepared.table.seconds['similarity']:.1f} s")
    where = f"{masked_address(config.store.root)}, view {config.name}_pairs, version {prepared.version}"
    size = f"{frame.height:,} rows × {len(schema.features)} features"
    if prepared.from_store:
        say(f"reused: {size} from {where} (same fingerprint)")
        return
    say(f"wrote: {size} to {where}")
    table = prepared.table
    say(f"vectors: {table.encoded_vectors:,} encoded, {table.reused_vectors:,} reused from the cache")
    for column, count in table.unreadable.items():
        say(f"unreadable: {count:,} of {column} (their features are null)")


def _null_share(frame: pl.DataFrame, features: Sequence[Feature]) -> float:
    nulls = frame.select(pl.sum_horizontal(pl.col(f.name).null_count() for f in features)).item()
    return nulls / max(frame.height * len(features), 1)


if __name__ == "__main__":
    command_line.run(main)
