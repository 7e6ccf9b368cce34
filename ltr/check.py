"""python -m ltr.check [--config FILE] [--features] [--verbose] [--json]

The data doctor over what training would use: FAIL and WARN lines, each with its evidence and cure, what matters
first. The data at once; features (which may take long to make) only with --features. --verbose lists what passed
too. Ends with status 1 when a check fails. With no config: the demo shop.

python -m ltr.check --run RUN --against-log FOLDER

A server's log against the run that served it: the logged scores made again by the path of ltr.evaluate, and features
as they were in training (PSI and KS, corrected for their number), missing as often, categories known.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.config import command_line, output

if TYPE_CHECKING:
    from ltr.data.doctor import Finding


def main(argv: Sequence[str] | None = None) -> list[Finding]:
    arguments = command_line.parser(__doc__, json=True)
    command_line.add_shortcuts(arguments, ("folds",))
    arguments.add_argument("--features", action="store_true", help="make the features too, and check them")
    arguments.add_argument("--against-log", type=Path, metavar="FOLDER", help="a log that ltr.serve wrote")
    arguments.add_argument("--run", type=Path, help="the run that served it")
    given, config, _ = command_line.read_settings_and(arguments, argv, check=_check)
    if given.against_log is not None:
        from ltr.serving.live.live_run import LiveRun
        from ltr.serving.log.log_check import check_log

        findings = check_log(LiveRun(given.run), given.against_log)
        return _told(given, findings, f"python -m ltr.serve --run {given.run}")

    from ltr.pipeline.examination import check_collection, check_query_words, read_data
    from ltr.pipeline.prepare import read_collection
    from ltr.reporting.console import print_cleaning

    if given.features:
        examined = read_data(config)
        collection, findings = examined.prepared.collection, examined.findings
    else:
        collection = read_collection(config)
        findings = check_collection(config, collection)
    findings += check_query_words(config, collection)
    print_cleaning(collection)
    return _told(given, findings, f"python -m ltr.train{command_line.config_words(given)}")


def _check(given: argparse.Namespace, settings: Mapping[str, Any]) -> None:
    command_line.require(given, "against_log", "run")
    command_line.require(given, "run", "against_log")
    command_line.refuse_both(given, "against_log", "features", "folds")
    if given.against_log is not None and (settings or given.config != command_line.DEMO_CONFIG):
        other = f"--{next(iter(settings))}" if settings else "--config"
        raise command_line.misuse(
            "--against-log or settings", f"both ({other})", "the run has its own: drop them"
        )


def _told(given: argparse.Namespace, findings: list[Finding], following: str) -> list[Finding]:
    """Print the findings; status 1 where one is a FAIL."""
    from ltr.data.doctor import to_frame, worst
    from ltr.reporting.console import print_findings

    print_findings(findings, passed=given.verbose)
    if given.json:
        output.write_json({"worst": worst(findings), "findings": to_frame(findings).to_dicts()})
    fault = worst(findings) == "FAIL"
    output.say("next: " + ("mend what fails" if fault else following))
    if fault:
        raise SystemExit(command_line.VERDICT_NO)
    return findings


if __name__ == "__main__":
    command_line.run(main)
