"""python -m ltr.check [--config FILE]

The data doctor: PASS/WARN/FAIL lines, each with its evidence and cure, over the data that training would use.
Ends with status 1 when a check fails. With no config: the demo shop.
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
    given, config = command_line.read_settings(arguments, argv)

    from ltr.data.doctor import to_frame, worst
    from ltr.pipeline.examination import read_data
    from ltr.reporting.console import print_cleaning, print_findings

    examined = read_data(config)
    print_cleaning(examined.prepared.collection)
    print_findings(examined.findings)
    if given.json:
        output.write_json(
            {"worst": worst(examined.findings), "findings": to_frame(examined.findings).to_dicts()}
        )
    if worst(examined.findings) == "FAIL":
        raise SystemExit(command_line.VERDICT_NO)
    return examined.findings


if __name__ == "__main__":
    command_line.run(main)
