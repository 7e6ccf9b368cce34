"""python -m ltr.experiment plan|ab|interleave|off-policy|survey [options] [--html FILE] [--json [FILE]]

Is a new ranker better for shoppers, before and after it goes live? `… KIND --help` names each kind's columns.
Ends with status 0 when the verdict is yes, 1 when it is no, 2 when nothing can be judged (bad input among it).
With --run, the decision record (tried, planned, seen, decided) is kept in that run's folder.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from ltr.config import command_line
from ltr.config.options import add_options, from_options
from ltr.experiments import KINDS, Columns, OffPolicySettings, Planned, decision_record, kept_to_plan
from ltr.reporting.experiments import publish


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_line.parser(__doc__, config=False)
    kinds = arguments.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, kind in KINDS.items():
        one = kinds.add_parser(name, help=kind.help, description=kind.help, allow_abbrev=False)
        add_options(one, kind.settings)
        one.add_argument("--html", type=Path, help="the page to write")
        one.add_argument(
            "--json", nargs="?", const="-", help="the record to write; with no FILE: to stdout alone"
        )
        one.add_argument(
            "--run",
            type=Path,
            help="the run this is about: keeps the decision record in it; off-policy of a server's log: the new one",
        )
        one.add_argument("--planned", type=Path, help="what `plan --json FILE` wrote")
        one.add_argument("--tried", default="", help="what was tried, in a sentence, for the record")
        one.add_argument(
            "--decide", choices=("go", "stay", "nothing"), help="where the team decides otherwise"
        )
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
    given = arguments.parse_args(argv)
    kind = KINDS[given.kind]
    settings = from_options(kind.settings, given)
    plan = Planned.read(given.planned) if given.planned else None
    outcome = kept_to_plan(plan, kind.analyse(settings, _places(settings, given.run)))
    command = shlex.join(["python", "-m", "ltr.experiment", *(sys.argv[1:] if argv is None else argv)])
    record = decision_record(
        outcome, command, given.tried, given.decide, plan, getattr(settings, "data", None)
    )
    publish(outcome, record, given.json, given.html, given.run)
    raise SystemExit(outcome.status)


def _places(settings: BaseModel, run: Path | None) -> Columns | None:
    """Of an off-policy estimate from a server's log, asked about a run: what that run would have shown."""
    if not isinstance(settings, OffPolicySettings) or not settings.data.is_dir():
        return None
    if run is None or settings.policy is not None:
        return None
    from ltr.serving.log.run_on_log import places_of_run

    return places_of_run(run, settings.data)


if __name__ == "__main__":
    command_line.run(main)
