"""What training starts from: features, the split, and what the data doctor says of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from features.encoders.protocol import Bounded
from features.feature_schema import KEYS
from features.sources.load import Collection
from ltr.config.tree import Config
from ltr.data.checks.answers import examine_leaking_columns, examine_leaking_features
from ltr.data.checks.collection import examine_collection
from ltr.data.checks.events import examine_events
from ltr.data.checks.parts import check_part_names
from ltr.data.checks.query_words import examine_query_words
from ltr.data.checks.reading import examine_reading
from ltr.data.checks.repeats import examine_repeats
from ltr.data.doctor import (
    NOTABLE,
    Finding,
    Findings,
    examine_features,
    examine_pairs,
    finding,
)
from ltr.data.splits import Fold, make_folds
from ltr.evaluation.tracking import check_tracking
from ltr.pipeline.events.click_lists import check_clicks
from ltr.pipeline.prepare import Prepared, make_config_encoder, prepare, read_collection
from ltr.rankers.boosters.boosted import BoostedConfig
from ltr.rankers.devices import check_lightgbm, check_xgboost
from ltr.training.click_strategies import settings_for
from ltr.training.modality_dropout import check_parts

_FEW_TO_STOP = 20  # by so few validation queries a training stops by chance
_COUNTED = 1000  # descriptions whose tokens are counted

_DEVICE_CHECKS = {"lightgbm": check_lightgbm, "xgboost": check_xgboost}


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
    check_tracking(config.tracking)
    if isinstance(config.ranker, BoostedConfig) and config.ranker.kind in _DEVICE_CHECKS:
        _DEVICE_CHECKS[config.ranker.kind](config.ranker.device)  # before the work, not after it
    check_clicks(config)
    strategy = config.train.clicks.strategy
    if strategy != "none" and strategy != "automatic":  # noqa: PLR1714 - mypy narrows by these alone
        settings_for(strategy, config.ranker)
    prepared = prepare(config)
    check_parts(prepared.collection.products, config.robustness.drop, "robustness.drop")
    check_parts(prepared.collection.products, config.train.modality_dropout, "train.modality_dropout")
    folds = make_folds(config.split, prepared.collection.queries, prepared.judged["query_id"])
    folds = folds[-1:] if last_fold else folds
    findings = check_collection(config, prepared.collection, folds)
    findings += examine_features(prepared.judged)
    findings += examine_leaking_features(prepared.judged)
    return Examined(prepared, folds, findings)


def examine(config: Config, *, features: bool) -> tuple[Collection, list[Finding]]:
    """The data, and what the doctor says of it: at once, or with the features made (which may take long) too."""
    if features:
        examined = read_data(config)
        collection, findings = examined.prepared.collection, examined.findings
    else:
        collection = read_collection(config)
        findings = check_collection(config, collection)
    return collection, [*findings, *check_query_words(config, collection)]


def check_collection(config: Config, collection: Collection, folds: Sequence[Fold] | None = None) -> Findings:
    """What the doctor says of the data alone, before a feature is made; folds: None for the config's."""
    pairs, queries = collection.judgements.select(*KEYS, "grade").sort(KEYS), collection.queries
    if folds is None:
        folds = make_folds(config.split, queries, pairs["query_id"])
    relevant_from = config.evaluation.relevant_from
    limits = {config.ranker.kind: config.ranker.limits}
    return Findings(
        [
            *examine_reading(collection),
            *examine_collection(collection, relevant_from=relevant_from),
            *examine_repeats(queries, collection.judgements, collection.steps),
            *examine_leaking_columns(collection.products, collection.judgements),
            *examine_events(collection.events, collection.products),
            *examine_pairs(pairs, queries, folds, relevant_from=relevant_from, limits=limits),
            *check_part_names(config.split, queries, pairs["query_id"]),
            *_check_weights(config, collection),
            *_check_stopping(config, folds),
            *_check_reach(config, collection),
        ]
    )


def check_query_words(config: Config, collection: Collection) -> Findings:
    """What the doctor says of queries' words against the catalogue's.

    By itself, since it reads the whole catalogue: training says the same when it makes features.
    """
    if collection.given is not None:
        return Findings()
    fields, typos = config.features.worded_fields, config.features.typos
    return examine_query_words(collection.products, collection.queries, fields, typos=typos)


def _check_weights(config: Config, collection: Collection) -> Iterator[Finding]:
    """Whether the ranker heeds what judgements weigh, where they do not all weigh the same."""
    if "weight" not in collection.judgements.columns:
        return
    weights = collection.judgements["weight"].to_numpy()
    heeds = "each" if config.ranker.weighs_rows else "whole queries alone" if config.ranker.weighs else "none"
    yield finding(
        "PASS" if config.ranker.weighs_rows or np.ptp(weights) == 0 else "WARN",
        "weights of judgements",
        f"{len(weights):,} from {weights.min():.3g} to {weights.max():.3g}; {config.ranker.kind} heeds {heeds}",
        "choose a ranker that weighs judgements, such as lightgbm, or leave the weights out "
        "(data.judgements.columns.weight: [])",
    )


def _check_stopping(config: Config, folds: Sequence[Fold]) -> Iterator[Finding]:
    """Whether enough queries say when a training that is stopped early should stop."""
    fewest = min((len(fold.validation) for fold in folds), default=0)
    if fewest and getattr(config.ranker, "early_stopping_rounds", 0):
        yield finding(
            "WARN" if fewest < _FEW_TO_STOP else "PASS",
            "queries that say when to stop training",
            f"{fewest:,} validation queries",
            "judge more queries, raise ranker.bags (each watches training queries, too), or set "
            "ranker.early_stopping_rounds: 0 and split.validation_share: 0 with fewer ranker.trees",
        )


def _check_reach(config: Config, collection: Collection) -> Iterator[Finding]:
    """Whether text encoders read descriptions to their end; of many, a sample is counted."""
    products = collection.products
    if "description" not in products.columns or not products["description"].count():
        return
    texts = (
        products["description"].drop_nulls().gather_every(max(1, products["description"].count() // _COUNTED))
    )
    for name in config.encoders:
        encoder = make_config_encoder(config, name)
        if isinstance(encoder, Bounded) and "text" in encoder.modalities and encoder.longest is not None:
            count = int(encoder.cuts(texts.to_list()).sum())
            yield finding(
                "WARN" if count > NOTABLE * len(texts) else "PASS",
                f"descriptions longer than encoder {name!r} reads",
                f"{count:,} of {len(texts):,} looked at have more than {encoder.longest} tokens: the rest is cut off",
                f"put what matters first, or set encoders.{name} to a model that reads further",
            )
