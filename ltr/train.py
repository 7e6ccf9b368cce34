"""python -m ltr.train --objective lambdarank [--ranker lightgbm|xgboost] [--config FILE] [--folds 5]

Train a LambdaMART ranker, measure it on queries it has not seen beside plain baselines and the ladder of
feature groups, and write a run folder with model, figures and report. With no config: the demo shop.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ltr import command_line
from ltr.command_line import say
from ltr.config import Config
from ltr.dataset import Dataset
from ltr.diagnosis import diagnose, stop_on_failure
from ltr.evaluation import check_gain
from ltr.feature_table import Prepared, embedded_dataset, make_builder, prepare
from ltr.fusion import EmbeddedDataset
from ltr.ladder import baseline_scores, rungs
from ltr.measurement import measure
from ltr.printing import print_collection, print_findings, print_measurement
from ltr.rankers.boosted import check_monotone
from ltr.report import write_report
from ltr.run_folder import RunRecord, check_target, new_run, write_run
from ltr.run_report import report_of
from ltr.splits import Fold, make_folds
from ltr.training import CrossFit, cross_fit, fit_on_all

SHORTCUTS = ("objective", "ranker", "folds", "device", "threads", "seed")


def main(argv: Sequence[str] | None = None) -> Path:
    arguments = command_line.parser(__doc__)
    command_line.add_shortcuts(arguments, SHORTCUTS)
    arguments.add_argument("--run", type=Path, help="the run folder to write; default: RUNS/NAME-RANKER")
    given, config = command_line.read_settings(arguments, argv)
    target = given.run or Path(config.runs) / f"{config.name}-{config.ranker.kind}"
    return train(config, target, "python -m ltr.train " + shlex.join(argv or []))


def train(config: Config, target: Path, command: str) -> Path:
    """Features, data doctor, cross-fitting, baselines, ladder, run folder; returns the folder."""
    watch = command_line.Stopwatch()
    check_target(target)
    say(f"reading {config.name} …")
    prepared = prepare(config)
    print_collection(prepared.collection)
    folds = make_folds(config.split, prepared.collection.queries, prepared.table.frame["query_id"])
    findings = diagnose(config, prepared, folds)
    print_findings(findings)
    stop_on_failure(findings)
    data = Dataset.from_frame(prepared.table.frame, prepared.schema)
    check_gain(data.grades, config.evaluation)
    check_monotone(data.schema, config.ranker.monotone)
    say(
        f"training {config.ranker.kind} ({config.ranker.objective}): {len(folds)} split(s), {data.X.shape[1]} features"
    )
    rows = _embedded(config, prepared, data)
    fitted, scores = score_systems(config, rows, folds)
    measured = measure(data.frame, scores, prepared.collection.queries, config.evaluation, config.ranker.kind)
    print_measurement(measured, config.evaluation)
    kept = fitted.last if len(folds) == 1 else fit_on_all(rows, folds[0], config.ranker, config.embeddings)
    record = RunRecord(command, prepared, folds, findings, data, scores, measured, fitted, kept)
    with new_run(target) as draft:
        write_run(draft, config, record)
        write_report(draft, report_of(config, record))
    say(f"run: {target} ({watch})")
    say(f"report: {target / 'report.html'}")
    return target


def score_systems(
    config: Config, rows: EmbeddedDataset, folds: Sequence[Fold]
) -> tuple[CrossFit, dict[str, np.ndarray]]:
    """Held-out scores (n,) of the baselines, the ladder's rungs and, last, the full model."""
    data = rows.data
    scores = baseline_scores(data)
    ladder = rungs(data.schema, config.ladder)
    with command_line.progress("fitting", (len(ladder) + 1) * len(folds)) as fold_done:
        for name, features in ladder.items():
            part = EmbeddedDataset(data.select(features))
            fitted = cross_fit(part, folds, config.ranker, fold_done=fold_done)
            say(f"  {name}: {len(features.features)} features, {fitted.seconds:.1f} s")
            scores[name] = fitted.scores
        fitted = cross_fit(rows, folds, config.ranker, config.embeddings, fold_done)
    say(
        f"  all: {len(data.schema.features)} features, {fitted.seconds:.1f} s, trees {fitted.best_iterations}"
    )
    return fitted, scores | {config.ranker.kind: fitted.scores}


def _embedded(config: Config, prepared: Prepared, data: Dataset) -> EmbeddedDataset:
    if config.embeddings is None:
        return EmbeddedDataset(data)
    collection = prepared.collection
    return embedded_dataset(config, data, collection.queries, make_builder(config, collection.products))


if __name__ == "__main__":
    command_line.run(main)
