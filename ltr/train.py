"""python -m ltr.train --objective lambdarank [--ranker lightgbm|xgboost] [--config FILE] [--folds 5]

Train a LambdaMART ranker, measure it on queries it has not seen beside plain baselines and the ladder of
feature groups, and write a run folder with model, figures and report. With no config: the demo shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line
from ltr.config.command_line import say
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.evaluation.systems import measure
from ltr.pipeline.fitting import check_settings, embed, score_systems, weigh
from ltr.pipeline.robustness import Robustness, Trained, measure_robustness
from ltr.pipeline.thinned_catalogue import ThinnedCatalogue
from ltr.reporting.console import (
    print_measurement,
    print_robustness,
    read_data,
)
from ltr.reporting.report import write_report
from ltr.reporting.run_report import report_of
from ltr.runs.record import RunRecord, check_target, new_run, write_run
from ltr.runs.sources import read_transfer
from ltr.training.cross_fit import fit_on_all

SHORTCUTS = ("objective", "ranker", "folds", "device", "threads", "seed")


def main(argv: Sequence[str] | None = None) -> Path:
    arguments = command_line.parser(__doc__)
    command_line.add_shortcuts(arguments, SHORTCUTS)
    arguments.add_argument("--run", type=Path, help="the run folder to write; default: RUNS/NAME-RANKER")
    given, config = command_line.read_settings(arguments, argv)
    target = given.run or Path(config.runs) / f"{config.name}-{config.ranker.kind}"
    return train(config, target, command_line.as_typed("ltr.train", argv))


def train(config: Config, target: Path, command: str) -> Path:
    """Features, data doctor, cross-fitting, baselines, ladder, run folder; returns the folder."""
    watch = command_line.Stopwatch()
    check_target(target)
    prepared, folds, findings = read_data(config)
    data = Dataset.from_frame(prepared.table.frame, prepared.schema)
    check_settings(config, data)
    say(
        f"training {config.ranker.kind} ({config.ranker.objective}): {len(folds)} split(s), {data.X.shape[1]} features"
    )
    rows = embed(config, prepared, data)
    transfer = read_transfer(config, data, prepared.collection.queries)
    catalogue = ThinnedCatalogue(config, prepared, rows)
    learnt = catalogue.learnt()
    fitted, scores = score_systems(config, rows, folds, transfer, learnt)
    measured = measure(data.frame, scores, prepared.collection.queries, config.evaluation, config.ranker.kind)
    print_measurement(measured, config.evaluation)
    kept = (
        fitted.last
        if len(folds) == 1
        else fit_on_all(rows, folds[0], config.ranker, config.embeddings, transfer, learnt)
    )
    weighed = weigh(config, rows, folds, fitted)
    robustness = robustness_of(config, catalogue, Trained(rows, folds, fitted, transfer))
    record = RunRecord(
        command, prepared, folds, findings, data, scores, measured, fitted, kept, weighed, robustness
    )
    with new_run(target) as draft:
        write_run(draft, config, record)
        write_report(draft, report_of(config, record))
    say(f"run: {target} ({watch})")
    say(f"report: {target / 'report.html'}")
    return target


def robustness_of(config: Config, catalogue: ThinnedCatalogue, trained: Trained) -> Robustness | None:
    """The ranker on catalogues that lack what the config drops; None where it drops nothing."""
    if not config.robustness.drop:
        return None
    say(f"dropping {' and '.join(config.robustness.drop)} from the catalogue …")
    found = measure_robustness(config, catalogue, trained)
    print_robustness(found)
    return found


if __name__ == "__main__":
    command_line.run(main)
