"""python -m ltr.check [--config FILE] [--features] [--verbose] [--json]

The data doctor over what training would use: FAIL and WARN lines, each with its evidence and cure, what matters
first. The data at once; features (which may take long to make) only with --features. --verbose lists what passed
too. Ends with status 1 when a check fails. With no config: the demo shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ltr.config import command_line, output

if TYPE_CHECKING:
    from ltr.data.doctor import Finding


def main(argv: Sequence[str] | None = None) -> list[Finding]:
    arguments = command_line.parser(__doc__, json=True)
    command_line.add_shortcuts(arguments, ("folds",))
    arguments.add_argument("--features", action="store_true", help="make the features too, and check them")
    given, config = command_line.read_settings(arguments, argv)

    from ltr.data.doctor import to_frame, worst
    from ltr.pipeline.examination import check_collection, read_data
    from ltr.pipeline.prepare import read_collection
    from ltr.reporting.console import print_cleaning, print_findings

    if given.features:
        examined = read_data(config)
        collection, findings = examined.prepared.collection, examined.findings
    else:
        collection = read_collection(config)
        findings = check_collection(config, collection)
    print_cleaning(collection)
    print_findings(findings, passed=given.verbose)
    if given.json:
        output.write_json({"worst": worst(findings), "findings": to_frame(findings).to_dicts()})
    fault = worst(findings) == "FAIL"
    output.say(
        "next: " + ("mend what fails" if fault else f"python -m ltr.train{command_line.config_words(given)}")
    )
    if fault:
        raise SystemExit(command_line.VERDICT_NO)
    return findings


if __name__ == "__main__":
    command_line.run(main)
