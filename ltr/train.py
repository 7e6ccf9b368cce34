"""python -m ltr.train --objective lambdarank [--ranker lightgbm|xgboost] [--config FILE] [--folds 5]

Train a LambdaMART ranker, measure it on queries it has not seen beside plain baselines and the ladder of
feature groups, and write a run folder with model, figures and report. With no config: the demo shop.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.errors import InputError
from ltr import command_line
from ltr.anchoring import Transfer
from ltr.command_line import say
from ltr.config import Config
from ltr.dataset import Dataset
from ltr.diagnosis import diagnose, stop_on_failure
from ltr.evaluation import check_gain
from ltr.feature_table import Prepared, embedded_dataset, make_builder, prepare
from ltr.findings import Finding
from ltr.fusion import EmbeddedDataset
from ltr.importance import Importance, importance
from ltr.ladder import baseline_scores, rungs
from ltr.measurement import headline_metric, measure
from ltr.modality_dropout import check_parts
from ltr.printing import print_collection, print_findings, print_measurement, print_robustness
from ltr.rankers.boosted import BoostedConfig, check_monotone
from ltr.reporting.report import write_report
from ltr.reporting.run_report import report_of
from ltr.robustness import Robustness, Trained, measure_robustness
from ltr.run_folder import RunRecord, check_target, new_run, write_run
from ltr.splits import Fold, make_folds
from ltr.thinned_catalogue import ThinnedCatalogue
from ltr.train_sources import describe, read_transfer
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


def read_data(config: Config) -> tuple[Prepared, list[Fold], list[Finding]]:
    """Features, the split, and what the data doctor says of both; InputError where it fails them."""
    say(f"reading {config.name} …")
    prepared = prepare(config)
    print_collection(prepared.collection)
    check_parts(prepared.collection.products, config.robustness.drop, "robustness.drop")
    check_parts(prepared.collection.products, config.train.modality_dropout, "train.modality_dropout")
    folds = make_folds(config.split, prepared.collection.queries, prepared.table.frame["query_id"])
    findings = diagnose(config, prepared, folds)
    print_findings(findings)
    stop_on_failure(findings)
    return prepared, folds, findings


def check_settings(config: Config, data: Dataset) -> None:
    """Raise InputError, before anything is fitted, for settings that this data does not bear."""
    check_gain(data.grades, config.evaluation)
    if isinstance(config.ranker, BoostedConfig):
        check_monotone(data.schema, config.ranker.monotone)


def score_systems(
    config: Config,
    rows: EmbeddedDataset,
    folds: Sequence[Fold],
    transfer: Transfer | None = None,
    learnt: EmbeddedDataset | None = None,
) -> tuple[CrossFit, dict[str, np.ndarray]]:
    """Held-out scores (n,) of the baselines, the ladder's rungs and, last, the full model.

    With transfer, the full model without it stands before it. learnt: as in `cross_fit`; the rungs see their
    features of it, else what modality dropout costs would be laid to the features that the full model has more.
    """
    data = rows.data
    scores = baseline_scores(data)
    ladder = rungs(data.schema, config.ladder)
    steps = len(ladder) + (2 if transfer else 1)
    with command_line.progress("fitting", steps * len(folds)) as fold_done:
        for name, features in ladder.items():
            part, seen = (EmbeddedDataset(known.data.select(features)) for known in (rows, learnt or rows))
            fitted = cross_fit(part, folds, config.ranker, fold_done=fold_done, learnt=seen)
            say(f"  {name}: {len(features.features)} features, {fitted.seconds:.1f} s")
            scores[name] = fitted.scores
        fitted = cross_fit(rows, folds, config.ranker, config.embeddings, fold_done, learnt=learnt)
        if transfer:
            scores[f"{config.ranker.kind} alone"] = fitted.scores
            fitted = cross_fit(rows, folds, config.ranker, config.embeddings, fold_done, transfer, learnt)
            for model in fitted.models:
                say(f"  transfer: {describe(model.ranker) or 'other sets'}")
    say(
        f"  all: {len(data.schema.features)} features, {fitted.seconds:.1f} s, trees {fitted.best_iterations}"
    )
    return fitted, scores | {config.ranker.kind: fitted.scores}


def weigh(
    config: Config, rows: EmbeddedDataset, folds: Sequence[Fold], fitted: CrossFit
) -> Importance | None:
    """What the model goes by on queries held out from it; None for a ranker that cannot be explained."""
    held_out = [(model, rows.take(fold.test)) for model, fold in zip(fitted.models, folds, strict=True)]
    try:
        return importance(held_out, config.evaluation, headline_metric(config.evaluation))
    except InputError as error:
        say(f"no importance of features: {error}")
        return None


def robustness_of(config: Config, catalogue: ThinnedCatalogue, trained: Trained) -> Robustness | None:
    """The ranker on catalogues that lack what the config drops; None where it drops nothing."""
    if not config.robustness.drop:
        return None
    say(f"dropping {' and '.join(config.robustness.drop)} from the catalogue …")
    found = measure_robustness(config, catalogue, trained)
    print_robustness(found)
    return found


def embed(config: Config, prepared: Prepared, data: Dataset) -> EmbeddedDataset:
    """The dataset with the vectors of its rows, where the config makes embeddings features."""
    if config.embeddings is None:
        return EmbeddedDataset(data)
    collection = prepared.collection
    return embedded_dataset(config, data, collection.queries, make_builder(config, collection.products))


if __name__ == "__main__":
    command_line.run(main)
