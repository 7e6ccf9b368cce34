"""Which plots a report has, and what each shows in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from ltr.evaluation.baselines import RANDOM
from ltr.evaluation.notation import figure, with_interval
from ltr.evaluation.shown import BEST_RECALL, CEILING
from ltr.evaluation.systems import Measurement
from ltr.explanation.importance import Importance
from ltr.pipeline.robustness import RobustnessPoint
from ltr.reporting.plotting import plots
from ltr.reporting.plotting.drawing import Plot
from ltr.reporting.plotting.gain_bars import gain_bars
from ltr.reporting.plotting.plots import Curve, Interval
from ltr.reporting.run_page.calibration import Calibration
from ltr.reporting.run_page.query_gains import QueryLine
from ltr.reporting.words import aspect_in_words, feature_in_words

TOP_FEATURES = 12
_RECALL = "retrieval: recall of the best grade"
SECOND = {"latency": "µs per document", "features": "number of features"}


def ladder_plots(measured: Measurement) -> list[Plot]:
    """Per part of the queries: the headline of every system that reads all of it, in the order of the ladder."""
    head = measured.summary.filter(metric=measured.headline)
    return [
        _rungs(measured, f"ladder-{number}", part, "", ends) for number, part, ends in _ladder_parts(head)
    ]


def shown_ladder_plots(shown: Measurement) -> list[Plot]:
    """As `ladder_plots`, of what is shown: retrieval is the first rung, by what it finds and what it leaves to win."""
    headline, recall = (pl.col("metric") == name for name in (shown.headline, BEST_RECALL))
    ceiling = pl.col("system") == CEILING
    found = shown.summary.filter(recall & ceiling).with_columns(system=pl.lit(_RECALL))
    head = pl.concat([found, shown.summary.filter(headline, pl.col("system") != RANDOM)])
    drawn = []
    for number, part, ends in _ladder_parts(head):
        means = dict(part.select("system", "mean").rows())
        words = f"; retrieval leaves room up to {figure(means[CEILING])}" if CEILING in means else ""
        drawn.append(_rungs(shown, f"shown-ladder-{number}", part, words, ends))
    return drawn


def _ladder_parts(head: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame, tuple[float, float]]]:
    """Each part of the queries with its number, its systems that read all of it, and the ends that all share."""
    known = head.filter(unread=0).drop_nulls(["mean", "low", "high"])
    ends = min(known["low"], default=0.0), max(known["high"], default=1.0)
    for number, (_, part) in enumerate(known.group_by("segment", maintain_order=True)):
        yield number, part, ends


def _rungs(
    measured: Measurement, name: str, part: pl.DataFrame, words: str, ends: tuple[float, float]
) -> Plot:
    """The systems' means on a part of the queries; words: said after the model and its rival."""
    plain, segment = measured.plain, str(part["segment"][0])
    rows = [
        Interval(
            *(system, mean, low, high),
            system == measured.model,
            system in plain,
            system in (_RECALL, CEILING),
        )
        for system, mean, low, high in part.select("system", "mean", "low", "high").rows()
    ]
    best = next((row for row in rows if row.name == measured.rival(segment)), None)
    model = next((row for row in rows if row.ours), None)
    caption = f"{model.name} {with_interval(model.mean, model.low, model.high)}" if model else ""
    caption += f"; {best.name} {figure(best.mean)}" if best else ""
    return plots.intervals(name, segment, caption + words, rows, measured.headline, ends)


def gain_plots(lines: Sequence[QueryLine]) -> list[Plot]:
    """Per kind of query, a bar a query; one plot where there is one kind."""
    drawn, every = [], [0.0, *(line.gain for line in lines)]
    ends = min(every), max(every)
    for number, kind in enumerate(sorted({line.kind for line in lines})):
        mine = [(row, line) for row, line in enumerate(lines, 1) if line.kind == kind]
        outcomes = [line.outcome for _, line in mine]
        counts = ", ".join(f"{outcomes.count(name):,} {name}" for name in ("won", "lost", "equal"))
        title = f"{kind or 'all queries'}, against {mine[0][1].baseline}"
        drawn.append(gain_bars(f"gains-{number}", title, counts, mine, ends))
    return drawn


def calibration_plots(found: Calibration) -> list[Plot]:
    """Mean grade by decile of score, and the shares of the grades."""
    rows = [Interval(f"{row['decile']:g}", row["grade"], row["low"], row["high"]) for row in found.deciles]
    words = f"From {rows[0].mean:.2f} in the lowest tenth of the scores to {rows[-1].mean:.2f} in the highest"
    drawn = [plots.deciles("calibration", "Mean grade", words, rows)]
    if found.shares:
        top, shares = list(found.shares.items())[-1]
        words = f"Grade {top}: {shares[0]:.0%} of the lowest tenth, {shares[-1]:.0%} of the highest"
        drawn.append(plots.shares("grades", "Share of each grade", words, found.shares))
    return drawn


def importance_plots(found: Importance) -> list[Plot]:
    """By modality, by permutation, by feature."""
    drawn = [
        _bars("modalities", "By modality", found.by_modality, "importance", "mean size of the contribution"),
        _bars(
            "features",
            "By feature",
            found.by_feature[:TOP_FEATURES],
            "importance",
            "mean size of the contribution",
            feature_in_words,
        ),
    ]
    if found.permutation:
        axis = f"{found.metric} lost when shuffled"
        drawn.insert(1, _bars("permutation", "By shuffling a modality", found.permutation, "drop", axis))
    return drawn


def _bars(
    name: str,
    title: str,
    found: Sequence[dict[str, Any]],
    value: str,
    axis: str,
    label: Callable[[str], str] = aspect_in_words,
) -> Plot:
    rows = [Interval(label(r["name"]), r[value], r["low"], r["high"], ours=True) for r in found]
    return plots.bars(name, title, "Largest first: " + "; ".join(row.name for row in rows[:2]), rows, axis)


def tuning_plots(found: dict[str, Any]) -> list[Plot]:
    """History of the search, what mattered, and the front of two objectives; what there is of them."""
    drawn, metric, default = [], found["metric"], found["nested"]["default"]
    values = [(row["number"], row["value"], row["best"]) for row in found["history"]]
    if values:
        words = f"{len(values)} trials; best {figure(values[-1][2], 4)}" + (
            f", default {figure(default, 4)}" if default else ""
        )
        drawn.append(plots.history("history", "Best so far", words, values, default, metric))
    if found["importances"]:
        rows = [
            Interval(name, share, share, share, ours=True) for name, share in found["importances"].items()
        ]
        words = "What it took to be among the best trials: " + ", ".join(row.name for row in rows[:3])
        drawn.append(plots.bars("settings", "What mattered", words, rows[:TOP_FEATURES], "share"))
    trials = [(row["second"], row["value"]) for row in found["trials"] if row["second"] is not None]
    if found["front"] and trials:
        best = [(row["second"], row["value"]) for row in found["front"]]
        words = f"{len(best)} trials that no other beats in both"
        drawn.append(
            plots.front("front", "Pareto front", words, trials, best, (SECOND[found["second"]], metric))
        )
    return drawn


def robustness_plots(points: Sequence[RobustnessPoint], metric: str) -> list[Plot]:
    """Per modality that was taken away: each system over the share of products that lost it."""
    drawn = []
    for number, dropped in enumerate(dict.fromkeys(point.dropped for point in points)):
        mine = sorted((p for p in points if p.dropped == dropped), key=lambda point: point.share)
        lines = [_curve(system, mine) for system in dict.fromkeys(point.system for point in mine)]
        words = "; ".join(
            f"{line.name}: from {figure(line.mean[0])} to {figure(line.mean[-1])}" for line in lines
        )
        names = (f"products without {dropped}", metric)
        drawn.append(plots.curves(f"robustness-{number}", f"Without {dropped}", words, lines, names))
    return drawn


def _curve(system: str, points: Sequence[RobustnessPoint]) -> Curve:
    frame = pl.DataFrame(
        [(p.share, p.mean, p.low, p.high) for p in points if p.system == system], orient="row"
    )
    return Curve(system, *(column.to_list() for column in frame))
