"""Are the arms as large as was planned? If not, something else than the treatment told units apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import chi2

from features.errors import InputError
from ltr.experiments.outcome import Check, State

REFUSE, WARN = 0.001, 0.01  # Fabijan et al., "Diagnosing sample ratio mismatch", KDD 2019: p < .001


def sample_ratio(counts: Mapping[str, int], shares: Mapping[str, float]) -> Check:
    """Pearson's chi-square of units per arm against the planned shares: below .001 it fails, below .01 it warns."""
    observed = np.array([counts[arm] for arm in shares], dtype=np.float64)
    expected = observed.sum() * np.array(list(shares.values()))
    p_value = float(chi2.sf(((observed - expected) ** 2 / expected).sum(), len(observed) - 1))
    state: State = "FAIL" if p_value < REFUSE else "WARN" if p_value < WARN else "PASS"
    seen = ", ".join(f"{arm} {counts[arm]:,} (planned {shares[arm]:.1%})" for arm in shares)
    meaning = {
        "FAIL": "the arms are not the shares that were planned: find out why before reading any result",
        "WARN": "unusual; look at the assignment and at what is filtered before trusting small effects",
        "PASS": "as planned",
    }[state]
    return Check("sample ratio", state, f"{seen}; p = {p_value:.2g}: {meaning}")


def planned_shares(arms: Sequence[str], allocation: Mapping[str, str]) -> dict[str, float]:
    """Each arm's share of the units; equal ones where nothing was planned."""
    if not allocation:
        return dict.fromkeys(arms, 1 / len(arms))
    if set(allocation) != set(arms):
        raise _wrong("a share for each arm: " + ", ".join(arms), ", ".join(allocation))
    try:
        weights = {arm: float(allocation[arm]) for arm in arms}
    except ValueError as error:
        raise _wrong("numbers", str(error)) from error
    if not all(0 < weight < float("inf") for weight in weights.values()):
        raise _wrong("shares above 0", str(list(weights.values())))
    return {arm: weight / sum(weights.values()) for arm, weight in weights.items()}


def _wrong(expected: str, got: str) -> InputError:
    return InputError(
        where="--allocation", expected=expected, got=got, cure="write --allocation ARM=SHARE ARM=SHARE"
    )
