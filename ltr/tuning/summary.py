"""What a search found, as plain data: tuning.json of a run, which the report's page is made from."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from features.errors import InputError
from ltr.evaluation.notation import figure
from ltr.tuning.pruning import is_default

TUNING = "tuning.json"
ENOUGH = 8  # complete trials, before anything is said about what mattered
TOP = 0.25  # share of the trials that importance is the importance of belonging to


def complete_trials(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def choose_winner(study: optuna.Study, number: int | None) -> FrozenTrial:
    """The trial asked for, else the one of the best nDCG; of equals the first."""
    complete = complete_trials(study)
    if number is None:
        return max(complete, key=lambda trial: (trial.values[0], -trial.number))
    for trial in complete:
        if trial.number == number:
            return trial
    raise InputError(
        where="--winner",
        expected="the number of a trial that was finished",
        got=str(number),
        cure=f"choose among {', '.join(str(trial.number) for trial in complete[:20])}",
    )


def summarise_search(
    study: optuna.Study, winner: FrozenTrial, metric: str, second: str | None
) -> dict[str, Any]:
    """History, importance, Pareto front and nested estimate of a study with a default trial.

    trials: every finished trial. history: complete trials in order with the best so far. importances:
    shares that sum to 1, none for fewer than ENOUGH trials. front: trials that no other beats in both.
    """
    trials = study.get_trials(deepcopy=False)
    default = next((trial for trial in complete_trials(study) if is_default(trial)), None)
    return {
        "study": study.study_name,
        "metric": metric,
        "second": second,
        "counts": {
            state.name.lower(): sum(trial.state == state for trial in trials)
            for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        },
        "trials": [
            _row(trial) for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        ],
        "history": history(study),
        "default": default.number if default else None,
        "winner": winner.number,
        "params": winner.params,
        "importances": importances(study),
        "front": [_row(trial) for trial in _front(study)] if second else [],
        "nested": nested_estimate(complete_trials(study), winner, default),
    }


def history(study: optuna.Study) -> list[dict[str, Any]]:
    """Each complete trial's number and value, and the best value up to it."""
    complete = complete_trials(study)
    best = np.maximum.accumulate([trial.values[0] for trial in complete]).tolist()
    return [
        {"number": trial.number, "value": trial.values[0], "best": top}
        for trial, top in zip(complete, best, strict=True)
    ]


def importances(study: optuna.Study) -> dict[str, float]:
    """What it took to be among the best quarter of trials (with two objectives: near the front), by setting.

    PED-ANOVA: Watanabe, Bansal and Hutter, IJCAI 2023, as optuna has it: settings of one kind of ranker
    only are weighed too.
    """
    complete = complete_trials(study)
    names = sorted({name for trial in complete for name in trial.params})
    if len(complete) < ENOUGH or len({trial.values[0] for trial in complete}) == 1 or not names:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=TOP)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a setting that all trials but the default have
        return optuna.importance.get_param_importances(study, evaluator=evaluator, params=names)


def nested_estimate(
    complete: list[FrozenTrial], winner: FrozenTrial, default: FrozenTrial | None
) -> dict[str, Any]:
    """What the search is worth on a fold that had no say in choosing: the best of many is flattered by luck.

    For each fold the winner is chosen by the other folds and valued on this one; no model is fitted again.
    The mean of those values is `nested`; what the best mean lies above it is the `optimism`. Sources: Varma
    and Simon, BMC Bioinformatics 2006 (nested choice); Tibshirani and Tibshirani, Ann. Appl. Stat. 2009 and
    Tsamardinos et al., Machine Learning 2018 (from the values of one cross-validation alone).
    """
    values = np.array([trial.user_attrs["folds"] for trial in complete])
    others = (values.sum(axis=1, keepdims=True) - values) / (values.shape[1] - 1)
    nested = float(values[others.argmax(axis=0), np.arange(values.shape[1])].mean())
    best = float(values.mean(axis=1).max())
    found: dict[str, Any] = {
        "winner": winner.values[0],
        "best": best,
        "nested": nested,
        "optimism": best - nested,
        "default": default.values[0] if default else None,
        "gain": None,
        "warning": None,
    }
    if default:
        found["gain"] = best - default.values[0]
        if winner.number != default.number and found["optimism"] >= found["gain"]:
            found["warning"] = (
                f"the search fitted its folds: choosing the best of {len(complete)} trials flatters it by "
                f"{figure(found['optimism'])}, its gain over the default is {figure(found['gain'])}; "
                "trust the test split, or judge more queries"
            )
    return found


def tuning_section(run: Path) -> dict[str, Any] | None:
    """The run's tuning.json, for its report; None for a run that was not tuned."""
    path = run / TUNING
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _front(study: optuna.Study) -> list[FrozenTrial]:
    """Best trials of a study of two objectives, from the best nDCG down; of equal ones the first."""
    distinct = {tuple(trial.values): trial for trial in reversed(study.best_trials)}
    return sorted(distinct.values(), key=lambda trial: -trial.values[0])


def _row(trial: FrozenTrial) -> dict[str, Any]:
    values = trial.values or [None]
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": values[0],
        "second": values[1] if len(values) > 1 else None,
        "folds": trial.user_attrs.get("folds"),
        "seconds": trial.user_attrs.get("seconds"),
        "params": trial.params,
    }
