"""A config's ranker trained and measured: what `ltr.train` leaves in a run."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from ltr.config.tree import Config
from ltr.evaluation.systems import measure
from ltr.pipeline.examination import Examined
from ltr.pipeline.fitting import check_settings, embed, score_systems, weigh
from ltr.pipeline.robustness import Trained, measure_robustness
from ltr.pipeline.shown_lists import measure_shown_lists
from ltr.pipeline.thinned_catalogue import ThinnedCatalogue
from ltr.runs.record import RunRecord, check_target, new_run, write_run
from ltr.runs.sources import read_transfer
from ltr.training.cross_fit import fit_on_all
from ltr.training.fused_ranker import FusedRanker

log = logging.getLogger(__name__)


def train(config: Config, examined: Examined, command: str) -> RunRecord:
    """Cross-fitting beside baselines and ladder, the model that is kept, its importance and its robustness."""
    prepared, folds = examined.prepared, examined.folds
    data = prepared.dataset
    check_settings(config, data)
    kind, objective = config.ranker.kind, config.ranker.objective
    log.info("training %s (%s): %d split(s), %d features", kind, objective, len(folds), data.X.shape[1])
    rows = embed(config, prepared, data)
    queries = prepared.collection.queries
    transfer = read_transfer(config, examined, data)
    catalogue = ThinnedCatalogue(config, prepared, rows)
    seen = catalogue.thinned()
    fitted, scores, by_bag = score_systems(config, rows, folds, transfer, seen)
    measured = measure(data.frame, scores, queries, config.evaluation, kind, by_bag)
    kept = (
        fitted.last
        if len(folds) == 1
        else fit_on_all(rows, folds[0], config.ranker, config.embeddings, transfer, seen)
    )
    importance = weigh(config, rows, folds, fitted)
    judged = data.is_judged
    record = RunRecord(
        *(command, config, prepared, folds, examined.findings, data.judged()),
        {name: values[judged] for name, values in scores.items()},
        *(measured, fitted, kept, importance),
        shown=measure_shown_lists(prepared, data, scores, kind),
    )
    dropout = any(config.train.modality_dropout.values())
    if not config.robustness.drop and not dropout:
        return record
    if config.robustness.drop:
        log.info("dropping %s from the catalogue …", " and ".join(config.robustness.drop))
    robustness = measure_robustness(config, catalogue, Trained(rows, folds, fitted, transfer))
    return dataclasses.replace(record, robustness=robustness)


def train_run(config: Config, examined: Examined, folder: Path, command: str) -> FusedRanker:
    """Train, measure and keep a run without a report, for one whose page is another; gives back its ranker."""
    check_target(folder)
    record = train(config, examined, command)
    with new_run(folder) as draft:
        write_run(draft, record)
    return record.kept
