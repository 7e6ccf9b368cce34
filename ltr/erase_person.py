"""python -m ltr.erase_person ID [--config FILE] [--log FOLDER] [--judgements FOLDER]

Erase a person from the logs (UBI files of data.events, --log, and what servers logged beside the runs), from the
stores' events with all their earlier versions, from the counts, and, as a judge, from the grades of the judging view;
then look for them in stores, logs, grades, caches and runs, and in a plain table of data.events, which is yours and
stays as it is. ID: as the shop knows the person, or the pseudonym; `-` reads it from standard input, so that it stays
out of the shell's history. Stop servers meanwhile. Ends with status 1 where something is left, and says where.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line, output


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_line.parser(__doc__)
    arguments.add_argument("person", metavar="ID", help="or - to read it from standard input")
    arguments.add_argument(
        "--log", type=Path, help="a further folder of UBI files, where a server logs elsewhere"
    )
    arguments.add_argument(
        "--judgements", type=Path, default=Path("judgements"), help="as ltr.serve has it; default: judgements"
    )
    given, config = command_line.read_settings(arguments, argv)
    identity = sys.stdin.readline().strip() if given.person == "-" else given.person
    if not identity:
        raise command_line.misuse("an id", "none", "name the person")

    from ltr.pipeline.events.behaviour import erase
    from ltr.serving.log.judgements import Judgements

    grades = Judgements(given.judgements).forget(identity)
    erased = erase(config, identity, given.log, also=[given.judgements])
    output.say(
        f"erased {erased.lines:,} lines of logs, {erased.rows:,} rows of stores and {grades:,} grades given"
    )
    for path in erased.left:
        output.say(f"left: {path}")
    if erased.left:
        raise SystemExit(command_line.VERDICT_NO)
    output.say("looked through logs, stores, grades, caches and runs: nothing is left")


if __name__ == "__main__":
    command_line.run(main)
