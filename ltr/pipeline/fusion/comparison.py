"""Strategies of fusion side by side: figures, every pair tested, and what that says in plain words."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from features.progress import progress
from ltr.config.tree import Config
from ltr.data.embedded import EmbeddedDataset
from ltr.data.splits import Fold
from ltr.evaluation.baselines import held_out_baselines
from ltr.evaluation.classification import pooled
from ltr.evaluation.metrics import confusion_matrix
from ltr.evaluation.notation import difference, figure, signed, with_interval
from ltr.evaluation.per_query import EvaluationConfig, check_gain, headline_metric
from ltr.evaluation.significance import bootstrap_interval, compare, holm
from ltr.evaluation.systems import Measurement, measure, parts
from ltr.pipeline.examination import Examined
from ltr.pipeline.few_queries import few_queries
from ltr.pipeline.fusion.strategies import (
    BY_THEMSELVES,
    WORD_FIELDS,
    Outcome,
    Strategy,
    choose_fields,
    choose_strategies,
    fit_strategies,
)
from ltr.pipeline.thinned_catalogue import ThinnedCatalogue
from ltr.rankers import NetworkAndTreesConfig

log = logging.getLogger(__name__)

_NEAR = "Within noise of it, by tests corrected for all pairs (Holm)"
PERMUTATIONS = 20_000  # Holm over 66 pairs of 12 systems multiplies the least p-value, 1/20,001, to .003


@dataclass(frozen=True)
class Comparison:
    """What the page is made of.

    measurement: of every strategy and plain baseline, per query and in means with intervals.
    tests: segment, a, b, difference (a - b), low, high, p_value, p_holm, wins, losses, ties, over all pairs
    of strategies and each segment's best plain baseline; Holm's correction over all pairs of a segment.
    costs: by strategy: level, fit_seconds, microseconds (to score a product) and, of the pointwise ones,
    accuracy with its interval, log_loss and confusion. grades: its classes. statements: sentences by segment.
    alpha: a pair below it, after Holm, differs beyond noise.
    """

    measurement: Measurement
    tests: pl.DataFrame
    costs: dict[str, dict[str, Any]]
    grades: list[float]
    statements: dict[str, list[str]]
    left_out: list[str]
    alpha: float


def compare_strategies(
    config: Config, examined: Examined, components: int
) -> tuple[Comparison, list[tuple[str, str]]]:
    """Every strategy trained on every fold and compared; and (name, value) lines on how that was done."""
    prepared, folds = examined.prepared, examined.folds
    data = prepared.dataset
    check_gain(data.judged().grades, config.evaluation)
    ready = prepared.collection.given is not None  # ready-made features have no embeddings
    pairs = prepared.collection.queries, data.frame
    vectors = {} if ready else prepared.builder.embeddings(*pairs) | prepared.builder.words(*pairs)
    rows = EmbeddedDataset(data, vectors)
    seen = ThinnedCatalogue(config, prepared, rows).thinned()
    embeddings, unread = choose_fields(seen, folds, components)
    strategies, left_out = choose_strategies(config, data.schema, embeddings, words=WORD_FIELDS[0] in vectors)
    if few := few_queries(config, examined):
        left_out.append(
            f"leaning on a cosine, as ltr.train does with {few} training queries: {BY_THEMSELVES}"
        )
    for reason in (*left_out, *unread):
        log.info("left out: %s", reason)
    log.info(
        "training %d strategies on %d split(s), %d features", len(strategies), len(folds), data.X.shape[1]
    )
    with progress("fitting", len(strategies) * len(folds)) as done:
        outcomes = fit_strategies(rows, folds, strategies, done, seen)
    judged, queries = data.is_judged, prepared.collection.queries
    for outcome in outcomes:
        outcome.keep(judged)
    graded, reasons = data.judged().frame.select("query_id", "product_id", "grade"), [*left_out, *unread]
    baselines = held_out_baselines(data.judged(), folds, config.evaluation)
    comparison = compare_outcomes(graded, outcomes, baselines, queries, config.evaluation, reasons)
    return comparison, _facts(config, rows, folds, strategies)


def _facts(
    config: Config, rows: EmbeddedDataset, folds: Sequence[Fold], strategies: Sequence[Strategy]
) -> list[tuple[str, str]]:
    data = rows.data
    fields = next(
        (", ".join(s.embeddings.fields) for s in strategies[1:] if s.embeddings and s.embeddings.fields),
        "none",
    )
    hidden = [f"{share:.0%} without {part}" for part, share in config.train.modality_dropout.items() if share]
    return [
        ("data", f"{len(data.X):,} judged pairs of {len(data.groups):,} queries; {data.X.shape[1]} features"),
        (
            "split",
            " ".join(f"{name}={value}" for name, value in config.split.model_dump(mode="json").items()),
        ),
        ("splits", f"{len(folds)}; each strategy trains and tests on the same"),
        *([("training queries", ", ".join(hidden))] if hidden else []),
        ("embeddings", fields),
        *((strategy.name, _settings(strategy)) for strategy in strategies),
    ]


def _settings(strategy: Strategy) -> str:
    """What of the ranker's settings is no default, and what it sees."""
    chosen = strategy.ranker.model_dump(mode="json", exclude_defaults=True)
    chosen_words = [f"{name} {value}" for name, value in {"kind": strategy.ranker.kind, **chosen}.items()]
    twice = ""
    if isinstance(strategy.ranker, NetworkAndTreesConfig):
        twice = f"; training time holds {strategy.ranker.folds} more fits, each scoring queries that it has not seen"
    return f"{', '.join(chosen_words)}; {strategy.recipe}{twice}"


def compare_outcomes(
    pairs: pl.DataFrame,
    outcomes: Sequence[Outcome],
    baselines: Mapping[str, np.ndarray],
    queries: pl.DataFrame,
    config: EvaluationConfig,
    left_out: Sequence[str] = (),
) -> Comparison:
    """Measure the strategies' and baselines' scores (n,) on `pairs` (query_id, product_id, grade), sorted by query."""
    scores = {**baselines, **{outcome.strategy.name: outcome.scores for outcome in outcomes}}
    by_bag = {outcome.strategy.name: outcome.by_bag for outcome in outcomes if outcome.by_bag}
    measured = measure(pairs, scores, queries, config, outcomes[0].strategy.name, by_bag)
    names = [outcome.strategy.name for outcome in outcomes]
    tests = compare_pairs(measured, names, config)
    costs = {outcome.strategy.name: _costs(outcome, pairs, config) for outcome in outcomes}
    grades = pairs["grade"].unique().sort().to_list()
    levels = {outcome.strategy.name: outcome.strategy.level for outcome in outcomes}
    alpha = 1 - config.bootstrap.confidence
    statements = state(measured, tests, levels, alpha)
    statements[next(iter(statements))] += [*_recipes(outcomes), *(f"Left out: {why}." for why in left_out)]
    return Comparison(measured, tests, costs, grades, statements, list(left_out), alpha)


def compare_pairs(measured: Measurement, names: Sequence[str], config: EvaluationConfig) -> pl.DataFrame:
    """Paired randomisation tests of the headline between all strategies and, part by part, the best baseline."""
    metric, frames = headline_metric(config), []
    for segment, part in parts(measured.per_query).items():
        best = measured.rival(segment)
        systems = [*names, *([best] if best else [])]
        values = {name: part.filter(pl.col("system") == name) for name in systems}
        rows = [
            {"segment": segment, "a": a, "b": b}
            | asdict(compare(values[a], values[b], metric, config.bootstrap, PERMUTATIONS))
            for a, b in combinations(systems, 2)
        ]
        if rows:
            adjusted = holm([row["p_value"] for row in rows])
            frames.append(pl.DataFrame(rows).with_columns(p_holm=pl.Series(adjusted)))
    return pl.concat(frames)


def headlines(measured: Measurement, segment: str) -> dict[str, dict[str, Any]]:
    """The headline's mean, interval and count of queries, by system."""
    wanted = (pl.col("segment") == segment) & (pl.col("metric") == measured.headline)
    return {row["system"]: row for row in measured.summary.filter(wanted).iter_rows(named=True)}


def paired(tests: pl.DataFrame, segment: str, a: str, b: str) -> dict[str, Any]:
    """The test of two systems, from a's side, whichever way round it was made."""
    rows = tests.filter(
        (pl.col("segment") == segment) & pl.col("a").is_in([a, b]) & pl.col("b").is_in([a, b])
    )
    row = rows.row(0, named=True)
    if row["a"] == a:
        return row
    turned = {"a": a, "b": b, "difference": -row["difference"], "low": -row["high"], "high": -row["low"]}
    return {**row, **turned, "wins": row["losses"], "losses": row["wins"]}


def state(
    measured: Measurement, tests: pl.DataFrame, levels: Mapping[str, str], alpha: float
) -> dict[str, list[str]]:
    """Which strategy wins in each segment, by how much, and what cannot be told apart from it."""
    return {
        segment: _state_segment(measured, tests, segment, levels, alpha)
        for segment in tests["segment"].unique(maintain_order=True)
    }


def _state_segment(
    measured: Measurement, tests: pl.DataFrame, segment: str, levels: Mapping[str, str], alpha: float
) -> list[str]:
    means = headlines(measured, segment)
    best = max(levels, key=lambda name: means[name]["mean"])
    others = sorted((name for name in levels if name != best), key=lambda name: -means[name]["mean"])
    row = means[best]
    head = (
        f"{best} has the highest {measured.headline}: {with_interval(row['mean'], row['low'], row['high'])} "
        f"on {row['queries']:,} queries"
    )
    against = {name: paired(tests, segment, best, name) for name in others}
    near = [name for name in others if against[name]["p_holm"] >= alpha]
    far = [name for name in others if against[name]["p_holm"] < alpha]
    return [
        head + _over_baseline(tests, segment, best, set(levels), alpha),
        _listed(_NEAR, near, against) if near else "No other is within noise of it.",
        *([_listed("Behind it beyond noise", far, against)] if far else []),
        _by_level(means, levels),
    ]


def _recipes(outcomes: Sequence[Outcome]) -> list[str]:
    """What each strategy saw: one that is behind may only have been given less."""
    saw: dict[str, list[str]] = {}
    for outcome in outcomes:
        saw.setdefault(outcome.strategy.recipe, []).append(outcome.strategy.name)
    return [f"Given {recipe}: {', '.join(names)}." for recipe, names in saw.items()]


def _over_baseline(tests: pl.DataFrame, segment: str, best: str, strategies: set[str], alpha: float) -> str:
    found = set(tests.filter(pl.col("segment") == segment)["b"]) - strategies
    if not found:
        return "."
    plain = found.pop()
    test = paired(tests, segment, best, plain)
    sure = "beyond noise" if test["p_holm"] < alpha else "within noise"
    return f", {difference(test)} over {plain}, {sure}."


def _listed(what: str, names: Sequence[str], against: Mapping[str, Mapping[str, Any]]) -> str:
    behind = (f"{name} ({signed(-against[name]['difference'])})" for name in names)
    return f"{what}: {', '.join(behind)}."


def _by_level(means: Mapping[str, Mapping[str, Any]], levels: Mapping[str, str]) -> str:
    best: dict[str, str] = {}
    for name, level in levels.items():
        if level not in best or means[name]["mean"] > means[best[level]]["mean"]:
            best[level] = name
    named = ", ".join(f"{level} {figure(means[name]['mean'])} ({name})" for level, name in best.items())
    return f"Best of each level: {named}."


def _costs(outcome: Outcome, pairs: pl.DataFrame, config: EvaluationConfig) -> dict[str, Any]:
    return {
        "level": outcome.strategy.level,
        "fit_seconds": round(outcome.fit_seconds, 3),
        "microseconds": round(outcome.microseconds, 3),
        "log_loss": pooled(outcome.classified).log_loss if outcome.classified else None,
        "accuracy": None if outcome.predicted is None else _accuracy(outcome.predicted, pairs, config),
        "confusion": None if outcome.predicted is None else _confusion(outcome.predicted, pairs).tolist(),
    }


def _accuracy(predicted: np.ndarray, pairs: pl.DataFrame, config: EvaluationConfig) -> dict[str, float]:
    """Share of pairs whose grade is predicted rightly: the mean over queries, and its interval."""
    right = pairs.select("query_id", right=pl.col("grade") == pl.Series(predicted)).filter(
        np.isfinite(predicted)
    )
    values = right.group_by("query_id", maintain_order=True).agg(pl.col("right").mean())["right"].to_numpy()
    low, high = bootstrap_interval(values[:, None], config.bootstrap)
    return {"mean": float(values.mean()), "low": float(low[0]), "high": float(high[0])}


def _confusion(predicted: np.ndarray, pairs: pl.DataFrame) -> np.ndarray:
    """Counts of pairs: true grade down, predicted grade across."""
    held_out, grades = np.isfinite(predicted), pairs["grade"].to_numpy()
    classes = np.unique(grades)
    true, guess = (np.searchsorted(classes, values[held_out]) for values in (grades, predicted))
    return confusion_matrix(true, guess, len(classes))
