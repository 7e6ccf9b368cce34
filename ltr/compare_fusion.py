"""python -m ltr.compare_fusion [--config FILE] [--components 32]

Train the three kinds of fusion on the same splits and test them on the same unseen queries: all features to one
ranker, one ranker per modality joined in six ways, and one network over embeddings and features. Writes
RUNS/NAME-fusion with one table, a matrix of paired tests, and a plain statement. With no config: the demo shop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features.encoders.vectors import RowVectors
from ltr.config import command_line
from ltr.config.command_line import say
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.data.splits import Fold
from ltr.evaluation.baselines import held_out_baselines
from ltr.evaluation.notation import figure, with_interval
from ltr.evaluation.per_query import check_gain, convention
from ltr.evaluation.systems import shown_metrics
from ltr.pipeline.fusion_comparison import Comparison, compare_outcomes
from ltr.pipeline.prepare import Prepared, make_builder
from ltr.pipeline.strategies import Strategy, choose_fields, choose_strategies, fit_strategies
from ltr.pipeline.thinned_catalogue import ThinnedCatalogue
from ltr.reporting.console import read_data, show
from ltr.reporting.fusion_report import FusionReport, segment_of, write_fusion_report
from ltr.runs.record import check_target, new_run, versions

SHORTCUTS = ("ranker", "folds", "threads", "seed")


def main(argv: Sequence[str] | None = None) -> Path:
    arguments = command_line.parser(__doc__)
    command_line.add_shortcuts(arguments, SHORTCUTS)
    arguments.add_argument("--run", type=Path, help="the folder to write; default: RUNS/NAME-fusion")
    arguments.add_argument("--components", type=int, default=32, help="kept of each embedding by PCA")
    given, config = command_line.read_settings(arguments, argv)
    target = given.run or Path(config.runs) / f"{config.name}-fusion"
    command = command_line.as_typed("ltr.compare_fusion", argv)
    return compare_fusion(config, target, command, given.components)


def compare_fusion(config: Config, target: Path, command: str, components: int) -> Path:
    """Features, data doctor, every strategy on every fold, the comparison and its page; returns the folder."""
    watch = command_line.Stopwatch()
    check_target(target, "fusion.json")
    prepared, folds, _ = read_data(config)
    data = Dataset.from_frame(prepared.table.frame, prepared.schema)
    check_gain(data.grades, config.evaluation)
    rows = EmbeddedDataset(data, vectors_of(config, prepared, data))
    learnt = ThinnedCatalogue(config, prepared, rows).learnt()
    embeddings, unread = choose_fields(learnt, folds, components)
    strategies, left_out = choose_strategies(config, data.schema, embeddings)
    comparison = _compare(config, prepared, rows, learnt, folds, strategies, [*left_out, *unread])
    facts = facts_of(config, rows, folds, strategies)
    title = f"{config.name}: strategies of fusion"
    report = FusionReport(title, command, convention(config.evaluation), comparison, facts)
    with new_run(target) as draft:
        write_fusion_report(draft, report)
    print_comparison(report)
    say(f"written: {target} ({watch})")
    say(f"page: {target / 'fusion.html'}")
    return target


def vectors_of(config: Config, prepared: Prepared, data: Dataset) -> Mapping[str, RowVectors]:
    """Every embedding of the rows that catalogue and encoders give; none for ready-made features."""
    if prepared.collection.given is not None:
        return {}
    return make_builder(config, prepared.collection.products).embeddings(
        prepared.collection.queries, data.frame
    )


def _compare(
    config: Config,
    prepared: Prepared,
    rows: EmbeddedDataset,
    learnt: EmbeddedDataset,
    folds: Sequence[Fold],
    strategies: Sequence[Strategy],
    left_out: Sequence[str],
) -> Comparison:
    for told in left_out:
        say(f"left out: {told}")
    say(f"training {len(strategies)} strategies on {len(folds)} split(s), {rows.data.X.shape[1]} features")
    with command_line.progress("fitting", len(strategies) * len(folds)) as done:
        outcomes = fit_strategies(rows, folds, strategies, done, learnt)
    pairs = rows.data.frame.select("query_id", "product_id", "grade")
    queries = prepared.collection.queries
    baselines = held_out_baselines(rows.data, folds, config.evaluation)
    return compare_outcomes(pairs, outcomes, baselines, queries, config.evaluation, left_out)


def facts_of(
    config: Config, rows: EmbeddedDataset, folds: Sequence[Fold], strategies: Sequence[Strategy]
) -> list[tuple[str, str]]:
    data = rows.data
    fields = next((", ".join(s.embeddings.fields) for s in strategies[1:] if s.embeddings), "none")
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
        ("versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
    ]


def _settings(strategy: Strategy) -> str:
    """What of the ranker's settings is no default, and what it sees."""
    chosen = strategy.ranker.model_dump(mode="json", exclude_defaults=True)
    sees = f"features {', '.join(strategy.groups)}" if strategy.groups else "all features"
    if strategy.embeddings:
        sees += f", embeddings by {strategy.embeddings.components} components each"
    told = [f"{name} {value}" for name, value in {"kind": strategy.ranker.kind, **chosen}.items()]
    return f"{', '.join(told)}; {sees}"


def print_comparison(report: FusionReport) -> None:
    """One table a segment, best first, and what it says in plain words."""
    comparison = report.comparison
    say(report.convention)
    metrics = shown_metrics(comparison.measurement)
    for name in comparison.statements:
        segment = segment_of(comparison, name, metrics)
        rows = [_line(row) for row in segment["rows"]]
        columns = ["system", "level", *metrics, "accuracy", "log-loss", "fit s", "µs/product"]
        show(f"{name}: {segment['queries']} queries", columns, rows)
        for sentence in segment["statements"]:
            say(f"  {sentence}")


def _line(row: Mapping[str, Any]) -> list[object]:
    head, *others = row["figures"]
    cost = row["cost"] or {
        "level": "baseline",
        "accuracy": None,
        "log_loss": None,
        "fit_seconds": None,
        "microseconds": None,
    }
    accuracy = "" if cost["accuracy"] is None else figure(cost["accuracy"]["mean"])
    loss = "" if cost["log_loss"] is None else figure(cost["log_loss"])
    cells = [figure(other["mean"]) for other in others]
    return [
        *(row["system"], cost["level"], with_interval(head["mean"], head["low"], head["high"]), *cells),
        *(accuracy, loss),
        *(cost["fit_seconds"], cost["microseconds"]),
    ]


if __name__ == "__main__":
    command_line.run(main)
