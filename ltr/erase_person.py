"""python -m ltr.erase_person ID [--config FILE] [--log FOLDER]

Erase a person from the log's files, the store's events with all their earlier versions, and the counts; then look for
them in store, log, caches and runs. ID: as the shop knows the person, or the pseudonym; `-` reads it from standard
input, so that it stays out of the shell's history. Let nothing write the log meanwhile. Ends with status 1 where
something is left, and says where.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line, output


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_line.parser(__doc__)
    arguments.add_argument("person", metavar="ID", help="or - to read it from standard input")
    arguments.add_argument("--log", type=Path, help="folder of UBI files; without, data.events")
    given, config = command_line.read_settings(arguments, argv)
    identity = sys.stdin.readline().strip() if given.person == "-" else given.person
    if not identity:
        raise command_line.misuse("an id", "none", "name the person")

    from ltr.pipeline.behaviour import erase

    erased = erase(config, identity, given.log)
    output.say(f"erased {erased.lines:,} lines of the log and {erased.rows:,} rows of the store")
    for path in erased.left:
        output.say(f"left: {path}")
    if erased.left:
        raise SystemExit(command_line.VERDICT_NO)
    output.say("looked through log, store, caches and runs: nothing is left")


if __name__ == "__main__":
    command_line.run(main)
