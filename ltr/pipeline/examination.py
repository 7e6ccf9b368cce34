"""What training starts from: features, the split, and what the data doctor says of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.feature_schema import KEYS
from features.sources.load import Collection
from ltr.config.tree import Config
from ltr.data.collection_checks import examine_collection
from ltr.data.doctor import Finding, examine_features, examine_pairs
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
    findings = check_collection(config, prepared.collection, folds)
    return Examined(prepared, folds, [*findings, *examine_features(prepared.table.frame)])


def check_collection(
    config: Config, collection: Collection, folds: Sequence[Fold] | None = None
) -> list[Finding]:
    """What the doctor says of the data alone, before a feature is made; folds: None for the config's."""
    pairs = collection.judgements.select(*KEYS, "grade").sort(KEYS)
    if folds is None:
        folds = make_folds(config.split, collection.queries, pairs["query_id"])
    relevant_from = config.evaluation.relevant_from
    limits = {config.ranker.kind: config.ranker.limits}
    return [
        *examine_collection(collection, relevant_from=relevant_from),
        *examine_pairs(pairs, collection.queries, folds, relevant_from=relevant_from, limits=limits),
    ]
