"""python -m ltr.compare_fusion [--config FILE] [--components 32]

Train the three kinds of fusion on the same splits and test them on the same unseen queries: all features to one
ranker, one ranker per modality joined in six ways, and one network over embeddings and features, alone and joined
with trees. Writes RUNS/NAME-fusion with one table, a matrix of paired tests, and a plain statement. With no config:
the demo shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line, output

SHORTCUTS = ("ranker", "folds", "threads", "seed", "without")


def main(argv: Sequence[str] | None = None) -> Path:
    watch = output.Stopwatch()
    made = command_line.parser(__doc__)
    command_line.add_shortcuts(made, SHORTCUTS)
    made.add_argument("--run", type=Path, help="the folder to write; default: RUNS/NAME-fusion")
    made.add_argument(
        "--components", type=command_line.one_or_more, default=32, help="kept of each embedding by PCA"
    )
    given, config = command_line.read_settings(made, argv)

    from ltr.data.doctor import stop_on_failure
    from ltr.pipeline.examination import read_data
    from ltr.pipeline.fusion.comparison import compare_strategies
    from ltr.reporting.console import print_findings
    from ltr.reporting.fusion_report import print_comparison, save_fusion
    from ltr.runs.record import check_target

    target = given.run or Path(config.runs) / f"{config.name}-fusion"
    check_target(target, "fusion.json")
    examined = read_data(config)
    print_findings(examined.findings)
    stop_on_failure(examined.findings)
    comparison, facts = compare_strategies(config, examined, given.components)
    command = command_line.as_typed("ltr.compare_fusion", argv)
    report = save_fusion(target, config.name, command, config.evaluation, comparison, facts)
    print_comparison(report)
    output.say(f"written: {target} ({watch})")
    output.say(f"page: {target / 'fusion.html'}")
    best = f"--ranker KIND{command_line.config_words(given)}"
    output.note(f"next: python -m ltr.train {best}, for a run of the kind that did best")
    return target


if __name__ == "__main__":
    command_line.run(main)
