"""Could it be chance? Bootstrap intervals of a mean, and paired tests between two runs.

The unit is the query: two runs are compared on the same queries, difference by difference, because
queries differ among themselves far more than good rankers do (Smucker, Allan and Carterette, CIKM 2007).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import ndtr, ndtri

from features.errors import InputError
from ltr.evaluation.notation import difference, figure
from ltr.evaluation.training_noise import training_variance

FloatArray = npt.NDArray[np.float64]

FEWEST_QUERIES = 5  # of fewer, draws with replacement are too much alike to hold a mean 95 times in 100
EXACT_UP_TO = 12  # 2**12 = 4,096 sign patterns: fewer than the random ones, and no noise
CELLS_AT_ONCE = 2_000_000  # (draws x queries) held at once: some 50 MB whatever the number of queries
ROUNDING = 1e-12  # a difference this small is the same ranking, summed in another order


class BootstrapConfig(BaseModel):
    """How the interval of a mean over queries is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resamples: int = Field(default=1000, ge=100)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class Comparison:
    """One measure of two runs over the same queries; `difference` is a - b, `low` … `high` its interval.

    `wins`, `losses` and `ties` count queries from a's side.
    """

    metric: str
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p_value: float
    wins: int
    losses: int
    ties: int
    queries: int
    training: float = 0.0
    """Standard error of the difference that comes of training; interval and p hold it. 0 where it is not known."""

    def __str__(self) -> str:
        return (
            f"{self.metric} {figure(self.mean_b)} → {figure(self.mean_a)}, {difference(asdict(self))}, "
            f"p = {figure(self.p_value, 4)}; of {self.queries:,} queries {self.wins:,} gained, "
            f"{self.losses:,} lost, {self.ties:,} stayed equal"
        )

    def _repr_html_(self) -> str:
        return pl.DataFrame([asdict(self)])._repr_html_()


def compare(
    a: pl.DataFrame,
    b: pl.DataFrame,
    metric: str,
    bootstrap: BootstrapConfig | None = None,
    permutations: int = 10_000,
) -> Comparison:
    """Compare two tables of per-query values (query_id, `metric`), paired by query_id.

    Where the tables tell how far the chance of training moves a system (`evaluate_bags`), interval and p-value
    hold it. Queries that both tables leave out (null) do not count. Raises InputError when the tables hold
    different queries, leave out different ones, or have none to compare.
    """
    bootstrap = bootstrap or BootstrapConfig()
    values = _paired(a, b, metric)
    differences = _differences(values)
    leads = (
        1.0 if math.fsum(differences) >= 0 else -1.0
    )  # draws are of the leader's side, whichever run that is
    led = leads * differences[:, None]
    low, high = sorted(leads * end[0] for end in bootstrap_interval(led, bootstrap, signed=True))
    p_value = randomisation_test(differences, permutations, bootstrap.seed)
    training = math.sqrt(training_variance(a, metric) + training_variance(b, metric))
    estimate = _Estimate(float(differences.mean()), float(low), float(high), p_value)
    estimate = estimate.with_training(training, bootstrap.confidence)
    mean_a, mean_b = np.sort(values, axis=0).mean(axis=0)
    return Comparison(
        metric=metric,
        mean_a=float(mean_a),
        mean_b=float(mean_b),
        difference=estimate.value,
        low=estimate.low,
        high=estimate.high,
        p_value=estimate.p_value,
        wins=int((differences > 0).sum()),
        losses=int((differences < 0).sum()),
        ties=int((differences == 0).sum()),
        queries=len(differences),
        training=training,
    )


@dataclass(frozen=True)
class _Estimate:
    """A mean difference with its interval and p-value, as queries alone have it."""

    value: float
    low: float
    high: float
    p_value: float

    def with_training(self, error: float, confidence: float) -> _Estimate:
        """The same where training adds a standard error, independent of the queries' own: variances add."""
        if not error:
            return self
        reach = float(ndtri((1 + confidence) / 2)) * error
        low = self.value - math.hypot(self.value - self.low, reach)
        high = self.value + math.hypot(self.high - self.value, reach)
        z = -float(ndtri(self.p_value / 2))  # the difference in its standard errors, as the test has it
        if z <= 0 or not self.value:
            return _Estimate(self.value, low, high, 1.0)
        z = abs(self.value) / math.hypot(self.value / z, error)
        return _Estimate(self.value, low, high, float(2 * ndtr(-z)))


def paired_differences(a: pl.DataFrame, b: pl.DataFrame, metric: str) -> FloatArray:
    """a - b of each query that counts (queries,), in order of size; refuses what `compare` refuses."""
    return _differences(_paired(a, b, metric))


def _differences(values: FloatArray) -> FloatArray:
    """a - b in order of size, so that neither names nor order of the queries decide so much as a last digit.

    The order is that of the side that leads: runs that change places change signs and nothing else.
    """
    differences = values[:, 0] - values[:, 1]
    differences[np.abs(differences) <= ROUNDING] = 0.0
    return np.sort(differences) if math.fsum(differences) >= 0 else -np.sort(-differences)


def _paired(a: pl.DataFrame, b: pl.DataFrame, metric: str) -> FloatArray:
    """Values of both runs, shape (queries, 2), for the queries that count."""
    for name, frame in (("a", a), ("b", b)):
        if metric not in frame.columns:
            raise _cannot_compare(f"{metric!r} among its metrics", f"run {name} without it")
        if frame["query_id"].is_duplicated().any():
            raise _cannot_compare("one row a query", f"run {name} with a query twice")
    both = a.select("query_id", a=metric).join(
        b.select("query_id", b=metric), on="query_id", how="full", coalesce=True, maintain_order="left"
    )
    if both.height != a.height or both.height != b.height:
        shared = a.height + b.height - both.height
        raise _cannot_compare(
            "the same queries", f"{a.height:,} and {b.height:,}, of which {shared:,} shared"
        )
    one_sided = both.filter(pl.col("a").is_null() != pl.col("b").is_null())
    if one_sided.height:
        got = f"{one_sided.height:,} queries with a value in one run only, {one_sided['query_id'][0]!r} first"
        raise _cannot_compare("the same judgements and convention", got)
    values = both.drop_nulls().sort("query_id").select("a", "b").to_numpy().astype(np.float64)
    if not len(values):
        raise _cannot_compare(f"a query with a value of {metric!r}", "none")
    return values


def _cannot_compare(expected: str, got: str) -> InputError:
    return InputError(
        where="comparison of two runs",
        expected=expected,
        got=got,
        cure="evaluate both on the same queries and judgements with the same settings",
    )


def bootstrap_interval(
    values: FloatArray, config: BootstrapConfig, *, signed: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Interval of each column's mean over queries: (queries, columns) → low (columns,), high (columns,).

    Of fewer than `FEWEST_QUERIES`, all that such values can be: from 0 (signed, as differences are: from -1) to 1, or
    as far as the values go. signed: a mean below 0 is possible, even if no value is.

    Bias-corrected and accelerated (BCa) bootstrap over queries: Efron, JASA 1987. For a mean the
    jackknife has a closed form: the acceleration is Σd³ / 6(Σd²)^1.5, d the deviations.
    """
    values = np.sort(values, axis=0)  # a draw is of values, whatever their queries are called
    if len(values) < FEWEST_QUERIES:
        reach = np.abs(values).max(axis=0).clip(1)
        return np.where(signed | (values[0] < 0), -reach, 0.0), reach
    mean = values.mean(axis=0)
    deviations = values - mean
    means = np.concatenate(list(_resampled_means(deviations, config)))  # around 0: no digits lost
    below = (means < 0).mean(axis=0) + (means == 0).mean(axis=0) / 2
    bias = ndtri(below.clip(0.5 / config.resamples, 1 - 0.5 / config.resamples))
    spread = (deviations**2).sum(axis=0) ** 1.5
    skew = (deviations**3).sum(axis=0)
    acceleration = np.divide(skew, 6 * spread, out=np.zeros_like(spread), where=spread > 0)
    tail = ndtri((1 - config.confidence) / 2)
    low, high = (
        _quantiles(means, ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))) for z in (tail, -tail)
    )
    return mean + low, mean + high


def _quantiles(samples: FloatArray, levels: FloatArray) -> FloatArray:
    """The quantile of each column at that column's own level."""
    return np.array([np.quantile(column, level) for column, level in zip(samples.T, levels, strict=True)])


def _resampled_means(values: FloatArray, config: BootstrapConfig) -> Iterator[FloatArray]:
    """Means of `resamples` draws of all queries with replacement, in blocks of (draws, columns)."""
    rng = np.random.default_rng(config.seed)
    queries = len(values)
    for draws in _blocks(config.resamples, queries):
        picked = rng.integers(0, queries, (draws, queries)) + np.arange(draws)[:, None] * queries
        times = np.bincount(picked.ravel(), minlength=draws * queries).reshape(draws, queries)
        yield times.astype(np.float64) @ values / queries


def randomisation_test(differences: FloatArray, permutations: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value of Fisher's paired randomisation (sign-flip) test of a mean difference of 0.

    If the runs were alike, each difference could as well have had the other sign. All sign patterns
    are tried for up to 12 differences that are not 0 (which no flip changes). Beyond that random ones are,
    and the observed one is counted among them, so p is never 0 (Phipson and Smyth, SAGMB 2010).
    """
    moving = np.sort(differences[differences != 0] * (1 if differences.sum() > 0 else -1))  # by value alone
    observed = abs(moving.sum()) - 1e-9 * np.abs(moving).sum()  # equal sums may differ by rounding
    if len(moving) <= EXACT_UP_TO:
        every = np.arange(2 ** len(moving))[:, None] >> np.arange(len(moving)) & 1
        return float((np.abs(_flipped_sums(every, moving)) >= observed).mean())
    rng = np.random.default_rng(seed)
    extreme = 0
    for draws in _blocks(permutations, len(moving)):
        words = rng.integers(0, 2**64, (draws, len(moving) // 64 + 1), np.uint64)  # 64 signs a word
        patterns = np.unpackbits(words.view(np.uint8), axis=1, count=len(moving))
        extreme += int((np.abs(_flipped_sums(patterns, moving)) >= observed).sum())
    return (extreme + 1) / (permutations + 1)


def _flipped_sums(patterns: npt.NDArray[Any], differences: FloatArray) -> FloatArray:
    """Sum of the differences with the signs of `patterns` (1 = kept, 0 = flipped), one a row."""
    sums: FloatArray = 2.0 * (patterns.astype(np.float64) @ differences) - differences.sum()
    return sums


def _blocks(total: int, width: int) -> Iterator[int]:
    """Split `total` draws of `width` cells into blocks that fit in memory."""
    size = max(1, CELLS_AT_ONCE // max(1, width))
    yield from (min(size, total - done) for done in range(0, total, size))


def queries_needed(
    differences: FloatArray, effect: float = 0.01, level: float = 0.05, power: float = 0.8
) -> int:
    """How many queries a paired test needs to see a mean difference of `effect`, if they differ as these do.

    n = ((z₁₋ₗ/₂ + z_power) · σ / effect)²: the two-sided z-test's sample size (Sakai, "Laboratory experiments in
    information retrieval", 2018, ch. 6), which the randomisation test follows closely for such numbers.
    """
    z = ndtri(1 - level / 2) + ndtri(power)
    return int(np.ceil((z * _spread(differences) / effect) ** 2))


def smallest_seen(differences: FloatArray, level: float = 0.05, power: float = 0.8) -> float:
    """The mean difference that a paired test on this many queries sees with this power."""
    z = ndtri(1 - level / 2) + ndtri(power)
    return float(z * _spread(differences) / np.sqrt(max(len(differences), 1)))


def _spread(differences: FloatArray) -> float:
    return float(differences.std(ddof=1)) if len(differences) > 1 else 0.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for having made them all: Holm's step-down method, Scand. J. Stat. 1979.

    The i-th smallest of m (from 0) is multiplied by m - i, then raised to the one before it if that
    is larger, and cut at 1. Rejecting what stays under α keeps the chance of any false alarm under α.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError(
            where="holm",
            expected="p-values between 0 and 1",
            got=str(list(p_values)),
            cure="look for a test that gave NaN",
        )
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1.0)
    return adjusted.tolist()
