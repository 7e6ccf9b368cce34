"""When a trial is not worth finishing: judged on the same folds, and on the same trees, as those before it.

Fold to fold: optuna's MedianPruner takes the best value a trial ever reported, so that after one easy fold
it never stops anything, and its WilcoxonPruner needs more folds than anyone runs: with one-sided p = 2^-k,
five of them for p < .05. Here the mean over the folds done is set against the same mean of finished trials:
the folds are the same, so what makes one of them hard cancels out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

STARTUP = 5  # finished trials before anything is judged by them
FIRST_TREE = 32  # earlier trees say little
KEPT = 0.25  # share of the curves that a curve must beat at each check: lenient, since slow learners catch up
DEFAULT = "default"
CURVE, CURVE_OF = "curve", "curve of"


class EqualFoldsPruner(optuna.pruners.BasePruner):
    """Stops a trial whose mean over the folds done is under the median of finished trials' means over those.

    The default settings (user attribute `role`) are never stopped: everything is compared with them.
    """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        step = trial.last_step
        if step is None or is_default(trial):
            return False
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        others = [t.intermediate_values[step] for t in finished if step in t.intermediate_values]
        return len(others) >= STARTUP and trial.intermediate_values[step] < float(np.median(others))


class CurveWatch:
    """Stops a trial's first fit where its validation nDCG lags behind; tells whether it did.

    Looks at trees 32, 64, 128, …: the best value so far is set against the lower quartile of earlier trials'
    at that tree. Only trials of the same kind and gain are compared (`like`): their nDCG is the same measure.
    """

    def __init__(self, earlier: Sequence[FrozenTrial], like: str, *, spare: bool) -> None:
        self._curves = [t.user_attrs[CURVE] for t in earlier if t.user_attrs.get(CURVE_OF) == like]
        self._spare = spare or len(self._curves) < STARTUP
        self._best = 0.0
        self._last = 0
        self.curve: list[float] = []
        self.stopped = False

    def __call__(self, tree: int, ndcg: float) -> bool:
        """Whether to stop; after the first bag nothing is looked at any more."""
        if tree <= self._last or self.stopped:
            return self.stopped
        self._last, self._best = tree, max(self._best, ndcg)
        check = len(self.curve)
        if tree == FIRST_TREE << check:
            self.curve.append(self._best)
            # A curve that ended before this tree counts with its last value.
            values = [curve[min(check, len(curve) - 1)] for curve in self._curves if curve]
            bar = float(np.quantile(values, KEPT)) if len(values) >= STARTUP else 0.0
            self.stopped = not self._spare and self._best < bar
        return self.stopped


def is_default(trial: FrozenTrial) -> bool:
    return trial.user_attrs.get("role") == DEFAULT
