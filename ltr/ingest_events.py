"""python -m ltr.ingest_events [--config FILE] [--log FOLDER] [--until TIME] [--json]

What shoppers did, from the log into the store, and counted for the behaviour features: what was not read before is
read, cleaned and added; counts are as of each midnight; what is older than features.behaviour.retention_days is
deleted. Killed and run again, or run twice at once, it ends in the same state. Run it once a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ltr.config import command_line, output

_SHOWN = ("step", "rows", "affected", "action")  # of a step of cleaning; its example is of people


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_line.parser(__doc__, json=True)
    arguments.add_argument("--log", type=Path, help="folder of UBI files; without, data.events")
    arguments.add_argument("--until", help="count up to this time, for a log of the past; without, now")
    given, config = command_line.read_settings(arguments, argv)

    from ltr.pipeline.events.behaviour import behaviour_of, ingest
    from ltr.reporting.console import print_event_steps

    done, ledger = ingest(config, given.log, given.until)
    print_event_steps(ledger)
    output.say(f"read {done.read:,} new rows; {done.events!r} count")
    output.say(
        f"wrote to {behaviour_of(config).store}: "
        + ", ".join(f"{count:,} rows by {level}" for level, count in done.counts.items())
        + f"; {done.changes:,} changes of price or stock; {done.deleted:,} old rows deleted"
    )
    if given.json:
        counted = {"read": done.read, "counts": done.counts, "changes": done.changes, "deleted": done.deleted}
        steps = [asdict(step) for step in ledger.steps if step.affected]
        output.write_json(counted | {"steps": [{name: one[name] for name in _SHOWN} for one in steps]})
    if config.features.behaviour is None:
        output.say("next: set features.behaviour to true, give the queries a time (at), and train")


if __name__ == "__main__":
    command_line.run(main)
