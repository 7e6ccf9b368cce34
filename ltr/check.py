"""python -m ltr.check [--config FILE] [--features] [--verbose] [--json]

The data doctor over what training would use: FAIL and WARN lines, each with its evidence and cure, what matters
first. The data at once; features (which may take long to make) only with --features. --verbose lists what passed
too. Ends with status 1 when a check fails. With no config: the demo shop.

python -m ltr.check --run RUN --against-log FOLDER

A server's log against the run that served it: the logged scores made again by the path of ltr.evaluate, and features
as they were in training (PSI and KS, corrected for their number), missing as often, categories known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ltr.config import command_line, output
from ltr.runs.arguments import check_check, of_check

if TYPE_CHECKING:
    from ltr.data.doctor import Finding


def main(argv: Sequence[str] | None = None) -> list[Finding]:
    given, config, _ = command_line.read_settings_and(of_check(__doc__), argv, check=check_check)

    from ltr.data.doctor import to_frame, worst
    from ltr.pipeline.examination import examine
    from ltr.reporting.console import print_cleaning, print_findings

    if given.against_log:
        from ltr.serving.live.live_run import LiveRun
        from ltr.serving.log.log_check import check_log

        findings, following = check_log(LiveRun(given.run), given.against_log), f"ltr.serve --run {given.run}"
    else:
        collection, findings = examine(config, features=given.features)
        print_cleaning(collection)
        following = f"ltr.train{command_line.config_words(given)}"
    print_findings(findings, passed=given.verbose)
    if given.json:
        output.write_json({"worst": worst(findings), "findings": to_frame(findings).to_dicts()})
    if worst(findings) == "FAIL":
        output.say("next: mend what fails")
        raise SystemExit(command_line.VERDICT_NO)
    output.say(f"next: python -m {following}")
    return findings


if __name__ == "__main__":
    command_line.run(main)
