"""python -m ltr.tune [--config FILE] --trials 50 [--timeout SECONDS] [--storage URL] [--study NAME]

Search for better settings of the ranker by cross-validation inside the training part of the config's split,
then fit the winner on the whole of it, measure it once on the test part beside the default settings, and
write a run folder. Of several splits the last one is taken: its test queries are seen by no trial. Each trial
trains as ltr.train would: with the modality dropout, other sets, base and earlier run of the `train` section.

A search that was stopped or killed goes on when the same command runs again: N trials in all, not N more.
Several processes may work on one study, on many machines with --storage postgresql://…; those started with
--search-only leave fitting and measuring the winner to the one without.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from features.build import FeatureTable
from features.errors import InputError
from features.feature_schema import KEYS
from ltr.config import command_line
from ltr.config.command_line import say, show
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.data.doctor import Finding
from ltr.data.embedded import EmbeddedDataset
from ltr.data.splits import Fold, make_folds
from ltr.evaluation.baselines import held_out_baselines
from ltr.evaluation.per_query import check_gain
from ltr.evaluation.systems import measure
from ltr.pipeline.diagnosis import diagnose, stop_on_failure
from ltr.pipeline.fitting import embed, weigh
from ltr.pipeline.prepare import Prepared, prepare
from ltr.pipeline.thinned_catalogue import ThinnedCatalogue
from ltr.rankers.boosters.boosted import BoostedConfig
from ltr.reporting.console import print_collection, print_findings, print_measurement
from ltr.reporting.report import write_report
from ltr.reporting.run_report import report_of
from ltr.runs.record import RunRecord, check_target, new_run, write_json, write_run
from ltr.runs.sources import made_of, read_transfer
from ltr.training.anchoring import Transfer
from ltr.training.cross_fit import cross_fit
from ltr.training.modality_dropout import check_parts
from ltr.tuning.candidates import Candidate, CandidateSpace
from ltr.tuning.search import Search
from ltr.tuning.study import digest, open_study
from ltr.tuning.study_storage import open_storage, shown, storage_errors
from ltr.tuning.summary import TUNING, choose_winner, complete_trials, summarise_search, tuning_section
from ltr.tuning.trials import CrossValidation, chosen_groups, inner_folds

SHORTCUTS = ("objective", "ranker", "threads", "seed")
TUNED, DEFAULTS = "tuned", "default"
SPEED_ONLY = {"threads", "device"}  # settings that other machines may have otherwise


@dataclasses.dataclass(frozen=True)
class Task:
    """A config's data with the split that the search works in, and its candidates.

    transfer, learnt: what training goes by, as in `cross_fit`.
    """

    config: Config
    prepared: Prepared
    findings: list[Finding]
    rows: EmbeddedDataset
    transfer: Transfer | None
    learnt: EmbeddedDataset
    outer: Fold
    space: CandidateSpace
    judge: CrossValidation

    def made_with(self) -> dict[str, str]:
        """Fingerprints of all that a trial's value depends on; none of the `train` section where it is idle."""
        config, data = self.config, self.rows.data
        learning = made_of(config, self.transfer)
        pairs = data.frame.select(*KEYS, "grade").write_csv().encode()
        features = {"schema": data.schema.to_json(), "settings": config.features.model_dump(mode="json")}
        encoders = {name: encoder.model_dump(mode="json") for name, encoder in config.encoders.items()}
        embeddings = config.embeddings.model_dump(mode="json") if config.embeddings else None
        return {
            "data": digest([self.prepared.collection.fingerprints, hashlib.sha256(pairs).hexdigest()]),
            "features": digest([features, encoders, embeddings]),
            "folds": digest([dataclasses.astuple(fold) for fold in self.judge.folds]),
            "space": digest([self.space.describe(), config.tuning.second]),
            "ranker settings": digest(config.ranker.model_dump(mode="json", exclude=SPEED_ONLY)),
            "evaluation": digest(config.evaluation.model_dump(mode="json", exclude={"bootstrap"})),
            **({"train settings": digest(learning)} if learning else {}),
        }


def main(argv: Sequence[str] | None = None) -> Path | None:
    arguments = command_line.parser(__doc__)
    command_line.add_shortcuts(arguments, SHORTCUTS)
    arguments.add_argument("--trials", type=int, default=50, help="in all, over all runs and processes")
    arguments.add_argument("--timeout", type=float, help="seconds after which no new trial is begun")
    arguments.add_argument("--storage", help="a database's URL or a journal file; default: RUNS/studies/NAME")
    arguments.add_argument("--study", help="name of the study; default: the config's name")
    arguments.add_argument("--winner", type=int, help="the trial to fit; default: the one of the best nDCG")
    arguments.add_argument("--search-only", action="store_true", help="help another process search")
    arguments.add_argument("--run", type=Path, help="the run folder to write; default: RUNS/NAME-tuned")
    given, config = command_line.read_settings(arguments, argv)
    if given.trials < 1:
        got, cure = str(given.trials), "ask for one or more"
        raise InputError(where="--trials", expected="a number of trials", got=got, cure=cure)
    watch = command_line.Stopwatch()
    target = given.run or Path(config.runs) / f"{config.name}-tuned"
    check_target(target)
    task = read_task(config)
    name = given.study or config.name
    folder = Path(config.runs) / "studies" / name
    with storage_errors(given.storage, folder):
        study = open_study(
            open_storage(given.storage, folder),
            name,
            task.made_with(),
            task.space,
            config.tuning.seed,
            two=config.tuning.second is not None,
        )
        say(
            f"study {name!r} in {shown(given.storage, folder)}: {len(complete_trials(study))} complete trials"
        )
        Search(study, task.space, task.judge, config.tuning, given.trials, given.timeout, say).run()
        if given.search_only:
            say(f"searched ({watch})")
            return None
        finish(task, study, given.winner, target, command_line.as_typed("ltr.tune", argv))
    say(f"run: {target} ({watch})")
    return target


def read_task(config: Config) -> Task:
    """Data, doctor, folds and space, each checked before the first trial."""
    say(f"reading {config.name} …")
    prepared = prepare(config)
    print_collection(prepared.collection)
    check_parts(prepared.collection.products, config.train.modality_dropout, "train.modality_dropout")
    outer = make_folds(config.split, prepared.collection.queries, prepared.table.frame["query_id"])[-1]
    findings = diagnose(config, prepared, [outer])
    print_findings(findings)
    stop_on_failure(findings)
    data = Dataset.from_frame(prepared.table.frame, prepared.schema)
    check_gain(data.grades, config.evaluation)
    space = CandidateSpace(config.ranker, config.tuning, data.schema.groups)
    config.ranker.check(data.schema)
    if isinstance(config.ranker, BoostedConfig):
        _check_stoppable(config.ranker, outer)
    share = getattr(config.split, "validation_share", 0.15) if outer.validation else 0.0
    folds = inner_folds(config.tuning, outer, prepared.collection.queries, share)
    rows = embed(config, prepared, data)
    transfer = read_transfer(config, data, prepared.collection.queries, config.tuning.kinds)
    learnt = ThinnedCatalogue(config, prepared, rows).learnt()
    judge = CrossValidation(rows, folds, config.evaluation, config.embeddings, transfer, learnt)
    inside = len(outer.train) + len(outer.validation)
    say(
        f"tuning on {inside:,} queries in {len(folds)} folds; {len(outer.test):,} test queries are kept for the end"
    )
    return Task(config, prepared, findings, rows, transfer, learnt, outer, space, judge)


def _check_stoppable(ranker: BoostedConfig, outer: Fold) -> None:
    if ranker.early_stopping_rounds and not outer.validation:
        raise InputError(
            where="split",
            expected="validation queries, to stop the training by",
            got="none",
            cure="raise split.validation_share, or set ranker.early_stopping_rounds: 0 (trees are searched then)",
        )


def finish(task: Task, study: optuna.Study, number: int | None, target: Path, command: str) -> None:
    """Choose the winner, fit it on the training part, measure it on the test part, write the run."""
    if not complete_trials(study):
        got, cure = "none in the time given", "give more with --timeout, and run again"
        raise InputError(where=f"study {study.study_name!r}", expected="a finished trial", got=got, cure=cure)
    winner = choose_winner(study, number)
    found = summarise_search(study, winner, task.judge.metric, task.config.tuning.second)
    _print_search(found)
    if _is_measured(target, found):
        say(f"{target} holds this winner already: its test queries are not measured a second time")
        return
    candidate = _candidate_of(task.space, winner)
    config, record = measure_winner(task, candidate, command)
    print_measurement(record.measured, config.evaluation)
    against = _against_default(record)
    _print_test(against[0])
    found |= {"settings": candidate.ranker.model_dump(mode="json"), "groups": candidate.groups}
    found |= {"test": against, "folds": len(task.judge.folds)}
    with new_run(target) as draft:
        write_run(draft, config, record)
        write_json(draft / TUNING, found)
        write_report(draft, report_of(config, record))


def _candidate_of(space: CandidateSpace, trial: FrozenTrial) -> Candidate:
    if trial.user_attrs.get("role") == DEFAULTS:
        return space.default()
    return space.candidate(lambda name, _: trial.params[name])


def measure_winner(task: Task, winner: Candidate, command: str) -> tuple[Config, RunRecord]:
    """The winner and the default, both fitted on the training part, on the test part; and the winner's config."""
    config, folds = task.config.model_copy(update={"ranker": winner.ranker}), [task.outer]
    config._base = task.config.base
    rows, learnt = (chosen_groups(known, winner.groups) for known in (task.rows, task.learnt))
    transfer = task.transfer and task.transfer.within(rows.data.schema)
    before = cross_fit(
        task.rows, folds, task.config.ranker, config.embeddings, transfer=task.transfer, learnt=task.learnt
    )
    fitted = cross_fit(rows, folds, winner.ranker, config.embeddings, transfer=transfer, learnt=learnt)
    baselines = held_out_baselines(task.rows.data, folds, config.evaluation)
    scores = baselines | {DEFAULTS: before.scores, TUNED: fitted.scores}
    queries = task.prepared.collection.queries
    measured = measure(rows.data.frame, scores, queries, config.evaluation, TUNED)
    table = FeatureTable(rows.data.frame, task.prepared.table.seconds)
    prepared = dataclasses.replace(task.prepared, table=table, schema=rows.data.schema)
    weighed = weigh(config, rows, folds, fitted)
    record = RunRecord(
        command, prepared, folds, task.findings, rows.data, scores, measured, fitted, fitted.last, weighed
    )
    return config, record


def _against_default(record: RunRecord) -> list[dict[str, Any]]:
    """The paired tests against the default settings, by segment, with both means."""
    measured = record.measured
    means = {
        (row["system"], row["segment"]): row["mean"]
        for row in measured.summary.iter_rows(named=True)
        if row["metric"] == measured.headline
    }
    return [
        row | {"tuned": means[TUNED, row["segment"]], "default": means[DEFAULTS, row["segment"]]}
        for row in measured.tests.iter_rows(named=True)
        if row["against"] == DEFAULTS
    ]


def _is_measured(target: Path, found: dict[str, Any]) -> bool:
    kept = tuning_section(target)
    return kept is not None and all(
        kept[name] == found[name] for name in ("study", "winner", "params", "trials")
    )


def _print_search(found: dict[str, Any]) -> None:
    counts, nested = found["counts"], found["nested"]
    say(f"{counts['complete']} trials complete, {counts['pruned']} stopped early")
    if found["importances"]:
        rows = [(name, share) for name, share in found["importances"].items() if share >= 0.005]
        show("what mattered", ["setting", "share"], rows)
    if found["front"]:
        front = [(row["number"], row["value"], row["second"]) for row in found["front"]]
        show("Pareto front", ["trial", found["metric"], found["second"]], front)
    default = "–" if nested["default"] is None else f"{nested['default']:.4f}"
    say(
        f"winner: trial {found['winner']}, {found['metric']} {nested['winner']:.4f} over the folds "
        f"(default {default}; {nested['nested']:.4f} on folds that did not choose)"
    )
    if nested["warning"]:
        say(f"WARNING: {nested['warning']}")


def _print_test(test: dict[str, Any]) -> None:
    """One look at the test split: the paired test alone, not among those against the baselines."""
    better = (
        "WARNING: no better than the default on the test split" if test["difference"] <= 0 else "test split"
    )
    say(
        f"{better}: tuned {test['tuned']:.4f}, default {test['default']:.4f}, difference {test['difference']:+.4f} "
        f"({test['low']:+.4f} to {test['high']:+.4f}), p = {test['p_value']:.4f}"
    )


if __name__ == "__main__":
    command_line.run(main)
