"""python -m ltr.train --objective lambdarank [--ranker lightgbm|xgboost] [--config FILE] [--folds 5] [--without photos]

Train a LambdaMART ranker, measure it on queries it has not seen beside plain baselines and the ladder of
feature groups, and write a run folder with model, figures and report. With no config: the demo shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line, output

SHORTCUTS = ("objective", "ranker", "folds", "device", "threads", "seed", "without")


def main(argv: Sequence[str] | None = None) -> Path:
    watch = output.Stopwatch()
    arguments = command_line.parser(__doc__, json=True)
    command_line.add_shortcuts(arguments, SHORTCUTS)
    arguments.add_argument("--run", type=Path, help="the run folder to write; default: RUNS/NAME-RANKER")
    given, config = command_line.read_settings(arguments, argv)

    from ltr.data.doctor import stop_on_failure
    from ltr.pipeline.examination import read_data
    from ltr.reporting import console
    from ltr.reporting.run_page.run_report import clicks_in_words, save_run
    from ltr.reporting.runs_page import refresh_index
    from ltr.runs.record import check_target, figures, run_name
    from ltr.runs.training import train

    target = given.run or Path(config.runs) / run_name(config)
    check_target(target)
    examined = read_data(config)
    console.print_findings(examined.findings)
    stop_on_failure(examined.findings)
    record = train(config, examined, command_line.as_typed("ltr.train", argv))
    console.print_shown(record.shown.measured if record.shown else None, config.evaluation)
    console.print_measurement(record.measured, config.evaluation)
    if record.kept.choice:
        output.say(f"shown lists train: {clicks_in_words(record)}")
    if record.robustness:
        console.print_robustness(record.robustness)
    save_run(target, record)
    if given.json:
        output.write_json({"run": str(target), **figures(record)})
    output.say(f"run: {target} ({watch})")
    output.say(f"report: {target / 'report.html'}")
    if target.parent == Path(config.runs):  # not where somebody put one run by itself
        output.say(f"all runs: {refresh_index(target.parent)}")
    searched = f"ltr.rank --run {target} --query WORDS, or ltr.explain --run {target}"
    measured = f"ltr.explain --run {target}, or ltr.evaluate --run {target} --judgements NEW.svm"
    output.say(f"next: python -m {measured if config.data.kind == 'svmlight' else searched}")
    return target


if __name__ == "__main__":
    command_line.run(main)
