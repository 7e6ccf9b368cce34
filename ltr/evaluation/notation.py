"""How figures are written, in one way on every page and console: `.854`, `+.030 [+.007, +.051]`, `p = .0120`."""

from __future__ import annotations

import math
from collections.abc import Mapping


def figure(value: float | None, digits: int = 3) -> str:
    """`.812`, as the field prints a share; 1 and more keep their digits; – where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{abs(value):.{digits}f}"
    sign = "−" if value < 0 and float(text) else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def signed(value: float, digits: int = 3) -> str:
    """As `figure`, with a sign also where it is a gain; none on what rounds to 0."""
    text = figure(value, digits)
    return f"+{text}" if value > 0 and float(f"{value:.{digits}f}") else text


def difference(test: Mapping[str, float], digits: int = 3) -> str:
    """`+.030 [+.007, +.051]` of what has `difference`, `low` and `high`."""
    low, high = signed(test["low"], digits), signed(test["high"], digits)
    return f"{signed(test['difference'], digits)} [{low}, {high}]"


def with_interval(mean: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """`.854 [.831, .877]`; – where there is no mean."""
    if mean is None or low is None or high is None:
        return figure(mean, digits)
    return f"{figure(mean, digits)} [{figure(low, digits)}, {figure(high, digits)}]"
