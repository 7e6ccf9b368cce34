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
from ltr.config.options import from_options
from ltr.experiments import KINDS, Columns, OffPolicySettings, Planned, decision_record, kept_to_plan
from ltr.reporting.experiments import publish
from ltr.runs.arguments import of_experiment


def main(argv: Sequence[str] | None = None) -> None:
    given = of_experiment(__doc__).parse_args(argv)
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
