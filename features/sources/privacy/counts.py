"""Counts that may leave the house: differentially private, whoever of the people is left out or added.

Each person counts for a bounded number of keys, once each. A whole number drawn by the discrete Laplace law, exactly
(no floating point is drawn; `secrets` gives the bits), is added to each count. Which keys occur at all tells of
people, too: so a key is given only where its noisy count reaches a threshold that a key of one person passes with
probability `delta` at most, the chance to meet the threshold itself included.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import polars as pl

from features.errors import InputError

_BITS = 64


@dataclass(frozen=True)
class Privacy:
    """epsilon, delta: of what leaves; keys_of_one: how many keys a person counts for."""

    epsilon: Fraction
    delta: float
    keys_of_one: int = 1

    def __post_init__(self) -> None:
        if not (self.epsilon > 0 and 0 < self.delta < 1 and self.keys_of_one >= 1):
            raise InputError(
                where="privacy",
                expected="epsilon above 0, delta between 0 and 1, one key of a person or more",
                got=f"{self.epsilon}, {self.delta}, {self.keys_of_one}",
                cure="choose others, such as epsilon 1 and delta 1e-6",
            )

    @property
    def scale(self) -> Fraction:
        """Of the noise: a person changes each of so many counts by one."""
        return self.keys_of_one / Fraction(self.epsilon)

    @property
    def threshold(self) -> int:
        """The least noisy count that is given away."""
        least = 1
        while self.keys_of_one * tail(least - 1, self.scale) > self.delta:
            least += 1
        return least


def tail(least: int, scale: Fraction) -> float:
    """P(noise >= least), the mass at `least` included."""
    step = math.exp(-1 / scale)
    return step**least / (1 + step) if least > 0 else 1 - step ** (1 - least) / (1 + step)


def private_counts(
    rows: pl.DataFrame, key: str, person: str, privacy: Privacy, known: pl.Series | None = None
) -> pl.DataFrame:
    """`key` and `count` (Int64, never below 0), in the order of the keys.

    rows: one an event; those of nobody (a null person) count for nothing. known: keys that are public, such as the
    shop's products: then each has a count, with noise, and no threshold is needed.
    """
    bounded = bound(rows.drop_nulls([key, person]).select(key, person), key, person, privacy.keys_of_one)
    counts = bounded.group_by(key).agg(count=pl.len().cast(pl.Int64))
    if known is not None:
        counts = known.unique().to_frame(key).join(counts, on=key, how="left").fill_null(0)
    noise = pl.Series(discrete_laplace(privacy.scale, counts.height), dtype=pl.Int64)
    counts = counts.with_columns(pl.col("count") + noise)
    if known is None:
        counts = counts.filter(pl.col("count") >= privacy.threshold)
    return counts.with_columns(pl.col("count").clip(0)).sort(key)


def bound(rows: pl.DataFrame, key: str, person: str, keys_of_one: int) -> pl.DataFrame:
    """Each person with each key once, and with so many keys at most, drawn by lot."""
    pairs = rows.unique().sort(person, key)
    lots = pl.Series(np.frombuffer(secrets.token_bytes(8 * pairs.height), dtype=np.uint64))
    drawn = pairs.with_columns(lot=lots).sort(person, "lot")
    return drawn.filter(pl.int_range(pl.len()).over(person) < keys_of_one).drop("lot")


def discrete_laplace(scale: Fraction, count: int) -> np.ndarray:
    """(count,) int64 whole numbers x with probability in proportion to exp(-|x| / scale), exactly.

    By Canonne, Kamath and Steinke (2020): every step is a choice among whole numbers by random bits.
    """
    found = [np.zeros(0, dtype=np.int64)]
    wanting = count
    while wanting:
        values = _some_laplace(scale.numerator, scale.denominator, 2 * wanting + 16)[:wanting]
        found.append(values)
        wanting -= len(values)
    return np.concatenate(found)


def _some_laplace(over: int, under: int, tries: int) -> np.ndarray:
    """As many as come of so many tries, of scale over / under."""
    low = below(over, tries)
    low = low[_is_exp(low, over)]
    high = np.zeros(len(low), dtype=np.int64)
    going = np.arange(len(low))
    while len(going):
        going = going[_is_exp(np.ones(len(going), dtype=np.int64), 1)]
        high[going] += 1
    size = (low + over * high) // under
    negative = below(2, len(size)) == 1
    kept = ~(negative & (size == 0))
    return np.where(negative, -size, size)[kept]


def _is_exp(numerators: np.ndarray, denominator: int) -> np.ndarray:
    """(n,) of chance exp(-numerator / denominator) each, of fractions up to 1."""
    draws = np.ones(len(numerators), dtype=np.int64)
    going = np.arange(len(numerators))
    while len(going):
        going = going[_is_below(numerators[going], denominator * draws[going])]
        draws[going] += 1
    return draws % 2 == 1


def _is_below(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """(n,) of chance numerator / denominator each."""
    found = np.zeros(len(numerators), dtype=bool)
    for denominator in np.unique(denominators):
        here = denominators == denominator
        found[here] = below(int(denominator), int(here.sum())) < numerators[here]
    return found


def below(limit: int, count: int) -> np.ndarray:
    """(count,) int64 whole numbers from 0 to limit - 1, each as likely: by random bits, those above thrown away."""
    if not 0 < limit < 1 << (_BITS - 2):
        raise ValueError(f"a limit from 1 to 2^{_BITS - 2} - 1, not {limit}")
    mask = (1 << max(limit - 1, 1).bit_length()) - 1
    found = np.zeros(0, dtype=np.int64)
    while len(found) < count:
        bits = np.frombuffer(secrets.token_bytes(16 * (count - len(found))), dtype=np.uint64)
        drawn = (bits & np.uint64(mask)).astype(np.int64)
        found = np.concatenate([found, drawn[drawn < limit]])
    return found[:count]


def queries_of_enough(
    rows: pl.DataFrame, text: str, person: str, least: int, extra: Sequence[str] = ()
) -> pl.DataFrame:
    """The rows whose text so many people wrote, with the columns `text` and `extra`: what a report may show."""
    few = texts_of_few(rows, text, person, least)
    return rows.drop_nulls(text).filter(~pl.col(text).is_in(few.implode())).select(text, *extra)


def texts_of_few(rows: pl.DataFrame, text: str, person: str, least: int) -> pl.Series:
    """The texts that fewer people wrote, of which no report speaks; rows of nobody (a null person) count for none."""
    people = rows.drop_nulls(text).group_by(text).agg(people=pl.col(person).drop_nulls().n_unique())
    return people.filter(pl.col("people") < least)[text]
