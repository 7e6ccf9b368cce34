"""A search's winner: chosen, measured once, told, and kept as a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna

from features.errors import InputError
from ltr.config.output import say, show
from ltr.config.tree import Config
from ltr.data.doctor import stop_on_failure
from ltr.evaluation.notation import difference, figure
from ltr.pipeline.examination import read_data
from ltr.reporting.console import print_findings, print_measurement
from ltr.reporting.run_page.run_report import save_run
from ltr.runs.tuned import Task, against_default, candidate_of, is_measured, make_task, measure_winner
from ltr.tuning.summary import TUNING, choose_winner, complete_trials, summarise_search


def read_task(config: Config) -> Task:
    """What there is to search on: the data of the last split, examined; InputError where a check fails."""
    examined = read_data(config, last_fold=True)
    print_findings(examined.findings)
    stop_on_failure(examined.findings)
    return make_task(config, examined)


def finish(task: Task, study: optuna.Study, number: int | None, target: Path, command: str) -> dict[str, Any]:
    """Choose the winner, fit it on the training part, measure it on the test part, write the run.

    Returns what tuning.json holds. A winner that `target` holds already is not measured a second time.
    """
    if not complete_trials(study):
        got, cure = "none in the time given", "give more with --timeout, and run again"
        raise InputError(where=f"study {study.study_name!r}", expected="a finished trial", got=got, cure=cure)
    winner = choose_winner(study, number)
    found = summarise_search(study, winner, task.judge.metric, task.config.tuning.second)
    print_search(found)
    if is_measured(target, found):
        say(f"{target} holds this winner already: its test queries are not measured a second time")
        return found
    candidate = candidate_of(task.space, winner)
    record = measure_winner(task, candidate, command)
    print_measurement(record.measured, record.config.evaluation)
    against = against_default(record)
    _print_test(against[0])
    found |= {"settings": candidate.ranker.model_dump(mode="json"), "groups": candidate.groups}
    found |= {"test": against, "folds": len(task.judge.folds)}
    save_run(target, record, {TUNING: found})
    return found


def print_search(found: dict[str, Any]) -> None:
    """How many trials, what mattered, the front of two goals, and the winner with its nested estimate."""
    counts, nested = found["counts"], found["nested"]
    say(f"{counts['complete']} trials complete, {counts['pruned']} stopped early")
    if found["importances"]:
        rows = [(name, share) for name, share in found["importances"].items() if share >= 0.005]
        show("what mattered", ["setting", "share"], rows)
    if found["front"]:
        front = [(row["number"], figure(row["value"]), row["second"]) for row in found["front"]]
        show("Pareto front", ["trial", found["metric"], found["second"]], front)
    say(
        f"winner: trial {found['winner']}, {found['metric']} {figure(nested['winner'])} over the folds "
        f"(default {figure(nested['default'])}; {figure(nested['nested'])} on folds that did not choose)"
    )
    if nested["warning"]:
        say(f"WARNING: {nested['warning']}")


def _print_test(test: dict[str, Any]) -> None:
    """One look at the test split: the paired test alone, not among those against the baselines."""
    better = (
        "WARNING: no better than the default on the test split" if test["difference"] <= 0 else "test split"
    )
    say(
        f"{better}: tuned {figure(test['tuned'])}, default {figure(test['default'])}, "
        f"difference {difference(test)}, p = {figure(test['p_value'], 4)}"
    )
