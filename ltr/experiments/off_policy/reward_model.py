"""What reward is to be expected of an action: ridge on out-of-fold rows, its strength chosen by GCV.

It need not be right: the doubly robust estimator is, if the propensities are. It is calibrated on rows
that it has not seen, so that one which knows nothing becomes a constant and does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ltr.experiments.columns import Columns, FloatArray, IntArray

MANY = 1500  # columns of actions × contexts: more, and actions and contexts only add up
LEVELS = 50  # of a column of names; rarer ones share a column
STRENGTHS = np.logspace(-2, 4, 13)


def context_matrix(table: Columns, names: tuple[str, ...]) -> FloatArray:
    """Context columns as numbers (rows, columns): names one-hot, numbers standardised, NaN as the mean."""
    parts: list[FloatArray] = [np.empty((len(table), 0))]
    for name in names:
        given = table.series(name)
        texts = given.cast(pl.String, strict=False)
        if (
            given.dtype == pl.String
            and texts.cast(pl.Float64, strict=False).null_count() > given.null_count()
        ):
            kept = texts.value_counts(sort=True).head(LEVELS)[name]
            parts += [
                (texts == value).fill_null(value=False).to_numpy()[:, None].astype(np.float64)
                for value in kept
            ]
            continue
        numbers = table.numbers(name)
        filled = np.where(
            np.isnan(numbers), np.nanmean(numbers) if not np.isnan(numbers).all() else 0.0, numbers
        )
        spread = filled.std()
        parts.append(((filled - filled.mean()) / spread if spread > 0 else filled * 0)[:, None])
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Ridge:
    """Coefficients (columns,) of a linear model whose first column is 1."""

    coefficients: FloatArray

    def predict(self, columns: FloatArray) -> FloatArray:
        return columns @ self.coefficients


def fit_ridge(columns: FloatArray, target: FloatArray) -> Ridge:
    """Ridge regression, the first column unpenalised; strength by generalised cross-validation.

    Golub, Heath and Wahba, Technometrics 1979.
    """
    rest, mean = columns[:, 1:], float(target.mean())
    centre = rest.mean(axis=0)
    values, vectors = np.linalg.eigh((rest - centre).T @ (rest - centre))
    values = values.clip(min=0)
    projected = vectors.T @ ((rest - centre).T @ (target - mean))
    total = float(((target - mean) ** 2).sum())
    best, chosen = np.inf, STRENGTHS[-1]
    for strength in STRENGTHS:
        shrunk = projected / (values + strength)
        residual = total - 2 * float(shrunk @ projected) + float(values @ shrunk**2)
        freedom = len(target) - 1 - float((values / (values + strength)).sum())
        if freedom > 1 and residual / freedom**2 < best:
            best, chosen = residual / freedom**2, strength
    slopes = vectors @ (projected / (values + chosen))
    return Ridge(np.concatenate(([mean - float(centre @ slopes)], slopes)))


def folds_of(unit: IntArray, folds: int, seed: int) -> IntArray:
    """A fold for each row (rows,), the same for all rows of a unit."""
    units = int(unit.max()) + 1
    return (np.random.default_rng(seed).permutation(units) % folds)[unit]


def expected_rewards(
    reward: FloatArray, action: IntArray, context: FloatArray, actions: int, fold: IntArray
) -> FloatArray:
    """Out-of-fold expectation of each row's reward under each action: (rows, actions)."""
    rows, width = context.shape
    crossed = actions * (width + 1) <= MANY
    found = np.empty((rows, actions))
    for part in range(int(fold.max()) + 1):
        train, test = fold != part, fold == part
        model = fit_ridge(_design(action[train], context[train], actions, crossed=crossed), reward[train])
        base = np.column_stack((np.ones(test.sum()), context[test])) @ model.coefficients[: 1 + width]
        effects = model.coefficients[1 + width : 1 + width + actions]
        found[test] = base[:, None] + effects
        if crossed:
            found[test] += context[test] @ model.coefficients[1 + width + actions :].reshape(width, actions)
    return found


def _design(action: IntArray, context: FloatArray, actions: int, *, crossed: bool) -> FloatArray:
    taken = np.eye(actions)[action]
    parts = [np.ones((len(action), 1)), context, taken]
    if crossed:
        parts.append((context[:, :, None] * taken[:, None, :]).reshape(len(action), -1))
    return np.concatenate(parts, axis=1)


def calibrated(
    predicted: FloatArray, action: IntArray, reward: FloatArray, weights: FloatArray, fold: IntArray
) -> FloatArray:
    """Predictions (rows, actions) on the scale of the rewards that the new policy would see.

    A line r ≈ a + b·q̂ fitted on the other folds by w², which is what the estimate's variance weighs rows by
    (Farajtabar, Chow and Ghavamzadeh, "More robust doubly robust off-policy evaluation", ICML 2018).
    """
    found = np.empty_like(predicted)
    taken = predicted[np.arange(len(action)), action]
    force = np.minimum(weights, np.sqrt(len(weights))) ** 2
    for part in range(int(fold.max()) + 1):
        train, test = fold != part, fold == part
        a, b = _line(taken[train], reward[train], force[train])
        found[test] = a + b * predicted[test]
    return found


def _line(x: FloatArray, y: FloatArray, force: npt.NDArray[np.float64]) -> tuple[float, float]:
    total = float(force.sum())
    if total <= 0:
        return float(y.mean()), 0.0
    mean_x, mean_y = float(force @ x) / total, float(force @ y) / total
    spread = float(force @ (x - mean_x) ** 2)
    slope = float(force @ ((x - mean_x) * (y - mean_y))) / spread if spread > 1e-12 * total else 0.0
    return mean_y - slope * mean_x, slope
