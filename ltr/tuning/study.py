"""A study: opened or made, refused when it is of other data, and searched by a seeded TPE.

TPE: Bergstra, Bardenet, Bengio and Kégl, Algorithms for Hyper-Parameter Optimization, NIPS 2011.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from features.errors import InputError
from ltr.tuning.candidates import CandidateSpace
from ltr.tuning.pruning import DEFAULT, EqualFoldsPruner, is_default

MADE_WITH, READY = "made with", "ready"
SLOT, GIVEN_UP = "slot", "given up"
RETRIES = 3  # of a trial that takes its process with it each time: then it is left failed
PATIENCE = 5.0  # seconds for another process to finish making the study


class SeededByTrial(optuna.samplers.BaseSampler):
    """TPE seeded anew for each trial by its slot: a search that was killed and resumed goes the same way.

    One generator for the whole search would begin again on every start, and draw its first trials twice. A slot
    is a trial's place in a search that nothing disturbs: what was lost in mid-trial is begun again in its slot,
    whatever number the storage gives it.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tpe = optuna.samplers.TPESampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        # Mixed, since generators seeded 0, 1, 2, … are alike: two yes-or-no settings came out the same each time.
        mixed = np.random.SeedSequence([self._seed, slot_of(study, trial)]).generate_state(1)[0]
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


def slot_of(study: optuna.Study, trial: FrozenTrial) -> int:
    """The slot noted on the trial, or else the first free one; each trial before it without one takes one, too."""
    if SLOT in trial.user_attrs:
        return int(trial.user_attrs[SLOT])
    others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
    free = itertools.filterfalse(_used_slots(others).__contains__, itertools.count())
    ahead = sum(
        SLOT not in other.user_attrs and other.number < trial.number and not other.state.is_finished()
        for other in others
    )
    return next(itertools.islice(free, ahead, None))


def _used_slots(trials: Sequence[FrozenTrial]) -> set[int]:
    """Those of trials that did not fail, were given up, or failed too often."""
    slots = [(trial.user_attrs[SLOT], trial) for trial in trials if SLOT in trial.user_attrs]
    failed = Counter(slot for slot, trial in slots if trial.state == TrialState.FAIL)
    often = {slot for slot, count in failed.items() if count > RETRIES}
    kept = {s for s, trial in slots if trial.state != TrialState.FAIL or trial.user_attrs.get(GIVEN_UP)}
    return kept | often


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
        until = time.monotonic() + PATIENCE
        while not study.user_attrs.get(READY) and time.monotonic() < until:
            time.sleep(0.1)
    if not study.user_attrs.get(READY):  # new, or its maker was killed
        _check_same(study, made_with)
        study.set_user_attr(MADE_WITH, dict(made_with))
    _check_same(study, made_with)
    if not any(is_default(trial) and not _is_lost(trial) for trial in study.get_trials(deepcopy=False)):
        enqueue_default(study, space)
    study.set_user_attr(READY, value=True)
    return study


def enqueue_default(study: optuna.Study, space: CandidateSpace, retries: int = 0) -> None:
    attributes = {"role": DEFAULT, SLOT: 0} | ({"retries": retries} if retries else {})
    study.enqueue_trial(space.default_params(), user_attrs=attributes)


def _is_lost(trial: FrozenTrial) -> bool:
    """Failed because its process died; one that was given up would fail again."""
    return trial.state == TrialState.FAIL and not trial.user_attrs.get(GIVEN_UP)


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
