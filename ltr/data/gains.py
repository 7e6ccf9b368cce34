"""What a grade is worth, to a measure and to a ranker's objective: any range of grades, whole or fractional."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from features.errors import InputError

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
GainTable = Annotated[dict[NonNegative, NonNegative], Field(min_length=1)]
Gain = Annotated[
    Literal["exp", "linear"] | GainTable,
    Field(description="worth of a grade: exp = 2^grade - 1, linear = the grade, or a table {grade: gain}"),
]
TOO_HIGH = 128  # XGBoost keeps labels in 32 bits, which end below 2^128


def gains_of(
    grades: np.ndarray, gain: Gain, setting: str = "ranker.gain", too_high: int = TOO_HIGH
) -> np.ndarray:
    """Gains (n,) float64 of grades (n,).

    Raises InputError for a grade that the table lacks, or that is `too_high` for exp; it names the setting.
    """
    if isinstance(gain, dict):
        return _by_table(grades, gain, setting)
    if gain == "linear":
        return grades
    if grades.max(initial=0) >= too_high:
        raise InputError(
            where=setting,
            expected=f"grades up to {too_high - 1} for gain 2^grade - 1",
            got=f"{grades.max():g}",
            cure=f"choose {setting}: linear or a table",
        )
    return np.exp2(grades) - 1


def _by_table(grades: np.ndarray, table: dict[float, float], setting: str) -> np.ndarray:
    known = np.array(sorted(table))
    place = np.searchsorted(known, grades).clip(max=len(known) - 1)
    unknown = grades[known[place] != grades]
    if len(unknown):
        raise InputError(
            where=setting,
            expected=f"the grades of the gain table, {known.tolist()}",
            got=f"{unknown[0]:g}",
            cure=f"add it to {setting}",
        )
    return np.array([table[grade] for grade in known])[place]


def gain_levels(*gains: np.ndarray) -> np.ndarray:
    """The distinct gains (k,) of several arrays, rising."""
    return np.unique(np.concatenate([np.unique(part) for part in gains]))


def whole_log_levels(gains: np.ndarray) -> np.ndarray:
    """The whole numbers l with gain = 2^l - 1, l <= 30: all that LightGBM's rank_xendcg can express.

    It reckons 2^l in a 32-bit int itself: a fraction would be cut off, and from grade 32 on it learns
    the reverse order without a word.
    """
    levels = np.log2(gains + 1)
    bad = (levels != np.round(levels)) | (levels > 30)
    if bad.any():
        raise InputError(
            where="ranker.gain",
            expected="whole grades up to 30 with gain exp for rank_xendcg",
            got=f"a gain of {gains[bad][0]:g}",
            cure="choose --objective lambdarank, which takes any grades",
        )
    return levels
