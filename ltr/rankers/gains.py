"""What a grade is worth to a ranker's objective: gains for any range of grades, whole or fractional."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from features.errors import InputError

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Gain = Annotated[
    Literal["exp", "linear"] | dict[NonNegative, NonNegative],
    Field(description="worth of a grade: exp = 2^grade - 1, linear = the grade, or a table {grade: gain}"),
]
LARGEST = float(np.finfo(np.float32).max)  # XGBoost keeps labels in 32 bits


def gains_of(grades: np.ndarray, gain: Gain) -> np.ndarray:
    """Gains (n,) float64 of grades (n,); InputError for one missing from the table or too high for exp."""
    if isinstance(gain, dict):
        return _by_table(grades, gain)
    if gain == "linear":
        return grades
    with np.errstate(over="ignore"):
        gains = np.exp2(grades) - 1
    if gains.max(initial=0) > LARGEST:
        raise _bad(
            "grades up to 127 for gain 2^grade - 1",
            f"{grades.max():g}",
            "choose ranker.gain: linear or a table",
        )
    return gains


def _by_table(grades: np.ndarray, table: dict[float, float]) -> np.ndarray:
    known = np.array(sorted(table))
    place = np.searchsorted(known, grades).clip(max=len(known) - 1)
    unknown = grades[known[place] != grades]
    if len(unknown):
        raise _bad("every grade in ranker.gain", f"grade {unknown[0]:g} without one", "add it to the table")
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
        raise _bad(
            "whole grades up to 30 with gain exp for rank_xendcg",
            f"a gain of {gains[bad][0]:g}",
            "choose --objective lambdarank, which takes any grades",
        )
    return levels


def _bad(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="ranker.gain", expected=expected, got=got, cure=cure)
