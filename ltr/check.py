"""python -m ltr.check [--config FILE]

The data doctor: PASS/WARN/FAIL lines, each with its evidence and cure, over the data that training would use.
Ends with status 1 when a check fails. With no config: the demo shop.
"""

from __future__ import annotations

from collections.abc import Sequence

from ltr.config import command_line
from ltr.config.command_line import say
from ltr.data.doctor import Finding
from ltr.data.splits import make_folds
from ltr.pipeline.diagnosis import diagnose, stop_on_failure
from ltr.pipeline.prepare import prepare
from ltr.reporting.console import print_collection, print_findings


def main(argv: Sequence[str] | None = None) -> list[Finding]:
    arguments = command_line.parser(__doc__)
    command_line.add_shortcuts(arguments, ("folds",))
    _, config = command_line.read_settings(arguments, argv)
    say(f"reading {config.name} …")
    prepared = prepare(config)
    print_collection(prepared.collection)
    folds = make_folds(config.split, prepared.collection.queries, prepared.table.frame["query_id"])
    findings = diagnose(config, prepared, folds)
    print_findings(findings)
    stop_on_failure(findings)
    return findings


if __name__ == "__main__":
    command_line.run(main)
