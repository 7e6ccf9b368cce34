"""A study: opened or made, refused when it is of other data, and searched by a seeded TPE.

TPE: Bergstra, Bardenet, Bengio and Kégl, Algorithms for Hyper-Parameter Optimization, NIPS 2011.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from features.errors import InputError
from ltr.tuning.candidates import CandidateSpace
from ltr.tuning.pruning import DEFAULT, EqualFoldsPruner, is_default

MADE_WITH, READY = "made with", "ready"
PATIENCE = 5.0  # seconds for another process to finish making the study


class SeededByTrial(optuna.samplers.BaseSampler):
    """TPE seeded anew for each trial by its number: a search that was killed and resumed goes the same way.

    One generator for the whole search would begin again on every start, and draw its first trials twice.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tpe = optuna.samplers.TPESampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        # Mixed, since generators seeded 0, 1, 2, … are alike: two yes-or-no settings came out the same each time.
        mixed = np.random.SeedSequence([self._seed, trial.number]).generate_state(1)[0]
        self._tpe = optuna.samplers.TPESampler(seed=int(mixed))
        self._tpe.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)


def digest(value: object) -> str:
    """A fingerprint of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def open_study(
    storage: BaseStorage,
    name: str,
    made_with: Mapping[str, str],
    space: CandidateSpace,
    seed: int,
    *,
    two: bool,
) -> optuna.Study:
    """The study of that name, made with the default settings as its first trial where there is none yet.

    made_with: fingerprints of all that a trial's value depends on, by what they are of; two: with a
    second objective, to be made small. Raises InputError for a study made with others.
    """
    settings: dict[str, Any] = {"sampler": SeededByTrial(seed), "pruner": EqualFoldsPruner()}
    directions = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE][: 1 + two]
    try:
        study = optuna.create_study(storage=storage, study_name=name, directions=directions, **settings)
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name, **settings)
        _wait_until_ready(study)
    if not study.user_attrs.get(READY):  # new, or its maker was killed
        _check_same(study, made_with)
        study.set_user_attr(MADE_WITH, dict(made_with))
        if not any(is_default(trial) for trial in study.get_trials(deepcopy=False)):
            study.enqueue_trial(space.default_params(), user_attrs={"role": DEFAULT})
        study.set_user_attr(READY, value=True)
    _check_same(study, made_with)
    return study


def _wait_until_ready(study: optuna.Study) -> None:
    until = time.monotonic() + PATIENCE
    while not study.user_attrs.get(READY) and time.monotonic() < until:
        time.sleep(0.1)


def _check_same(study: optuna.Study, made_with: Mapping[str, str]) -> None:
    theirs = study.user_attrs.get(MADE_WITH) or made_with
    others = [name for name in {**made_with, **theirs} if theirs.get(name) != made_with.get(name)]
    if others:
        raise InputError(
            where=f"study {study.study_name!r}",
            expected="one of this data, with this space and these folds",
            got=f"one made with other {', '.join(others)}",
            cure="name a new one with --study, or go back to the settings it was made with",
        )
