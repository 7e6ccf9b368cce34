"""What training starts from: features, the split, and what the data doctor says of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ltr.config.tree import Config
from ltr.data.doctor import Finding, examine
from ltr.data.splits import Fold, make_folds
from ltr.pipeline.prepare import Prepared, prepare
from ltr.training.modality_dropout import check_parts


@dataclass(frozen=True)
class Examined:
    """Features of the judged pairs, the folds, and the findings, of which a FAIL should stop training."""

    prepared: Prepared
    folds: list[Fold]
    findings: list[Finding]


def read_data(config: Config, *, last_fold: bool = False) -> Examined:
    """Features made or taken from the store, split and examined.

    last_fold: only the last of several, as tuning takes it. Raises InputError for bad input, and for a
    modality that the config takes away and the catalogue never had.
    """
    prepared = prepare(config)
    check_parts(prepared.collection.products, config.robustness.drop, "robustness.drop")
    check_parts(prepared.collection.products, config.train.modality_dropout, "train.modality_dropout")
    folds = make_folds(config.split, prepared.collection.queries, prepared.table.frame["query_id"])
    folds = folds[-1:] if last_fold else folds
    return Examined(prepared, folds, diagnose(config, prepared, folds))


def diagnose(config: Config, prepared: Prepared, folds: Sequence[Fold]) -> list[Finding]:
    return examine(
        prepared.table.frame,
        prepared.collection.queries,
        folds,
        relevant_from=config.evaluation.relevant_from,
        limits={config.ranker.kind: config.ranker.limits},
    )
