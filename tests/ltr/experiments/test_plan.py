"""Plans: the realised power is within three points of the planned one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from scipy import stats

from ltr.experiments import Columns, PlanSettings, plan_test
from ltr.experiments.looks.sequential import any_time, bounds, mixture_variance
from ltr.experiments.plan.sample_size import (
    effect_seen,
    price_of_looking,
    scaled_spread,
    share_spread,
    units_for,
)

PAST = Path("past")


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.8])
@pytest.mark.parametrize("share", [0.5, 0.2])
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_shares_have_the_planned_power(rate: float, share: float, power: float) -> None:
    effect = 0.1
    outcome = plan_test(PlanSettings(effect=effect, rate=rate, share=share, power=power))
    treated = outcome.figures["treatment_units"]
    control = outcome.figures["plan"]["units"] - treated
    rng = np.random.default_rng(0)
    a, b = (
        rng.binomial(control, rate, 8000) / control,
        rng.binomial(treated, rate * (1 + effect), 8000) / treated,
    )
    z = (b - a) / np.sqrt(a * (1 - a) / control + b * (1 - b) / treated)
    assert (z > stats.norm.isf(0.025)).mean() == pytest.approx(power, abs=0.03)


def test_the_formula_is_the_textbooks() -> None:
    # Fleiss, Levin and Paik: n per arm = (1.96 + .8416)² (p₀q₀ + p₁q₁) / (p₁ − p₀)²
    expected = (1.959964 + 0.841621) ** 2 * (0.1 * 0.9 + 0.12 * 0.88) / 0.02**2
    assert units_for(share_spread(0.1, 0.2), 0.2, 0.05, 0.8) / 2 == pytest.approx(expected, rel=1e-5)
    spread = scaled_spread(50.0, 900.0, 0.0)
    assert effect_seen(spread, units_for(spread, 0.03, 0.05, 0.9), 0.05, 0.9) == pytest.approx(0.03)


def spending(units: int, seed: int = 0, sigma: float = 1.6) -> pl.DataFrame:
    """Visitors of whom one in twenty buys, for amounts with a heavy tail."""
    rng = np.random.default_rng(seed)
    gmv = np.where(rng.random(units) < 0.05, np.exp(rng.normal(3, sigma, units)), 0.0)
    return pl.DataFrame(
        {"visitor": np.arange(units), "gmv": gmv, "clicks": rng.poisson(1, units), "shown": 10}
    )


@pytest.mark.parametrize("cap", [None, 0.999])
def test_heavy_tails_have_the_planned_power(cap: float | None) -> None:
    past = spending(6000)
    settings = PlanSettings(
        effect=0.8, data=PAST, unit="visitor", metric="gmv", guardrail=("clicks/shown",), cap=cap
    )
    outcome = plan_test(settings, Columns(past))
    units = outcome.figures["plan"]["units"]
    gmv, rng = past["gmv"].to_numpy(), np.random.default_rng(1)
    most = np.inf if cap is None else np.quantile(gmv, cap)
    seen = []
    for _ in range(1500):
        a = np.minimum(rng.choice(gmv, units // 2), most)
        b = np.minimum(rng.choice(gmv, units // 2) * 1.8, most)
        seen.append(
            (b.mean() - a.mean()) / np.sqrt((a.var() + b.var()) / (units // 2)) > stats.norm.isf(0.025)
        )
    assert np.mean(seen) == pytest.approx(0.8, abs=0.03)
    assert outcome.figures["simulated_power"] == pytest.approx(0.8, abs=0.03)


def test_capping_needs_fewer_units_on_heavy_tails() -> None:
    table = Columns(spending(6000))
    raw, capped = (
        plan_test(PlanSettings(effect=0.8, data=PAST, unit="visitor", metric="gmv", cap=cap), table).figures[
            "plan"
        ]["units"]
        for cap in (None, 0.999)
    )
    assert capped < raw


def test_a_ratio_has_the_planned_power() -> None:
    rng = np.random.default_rng(2)
    shown = 1 + rng.poisson(6, 3000)
    clicks = rng.binomial(shown, rng.beta(1, 4, 3000))
    past = pl.DataFrame({"visitor": np.arange(3000), "clicks": clicks, "shown": shown})
    settings = PlanSettings(effect=0.1, data=PAST, unit="visitor", metric="clicks/shown")
    units = plan_test(settings, Columns(past)).figures["plan"]["units"] // 2
    seen = []
    for _ in range(2000):
        sides = [rng.integers(0, 3000, units) for _ in range(2)]
        (na, da), (nb, db) = [(clicks[s] * f, shown[s]) for s, f in zip(sides, (1.0, 1.1), strict=True)]
        ra, rb = na.sum() / da.sum(), nb.sum() / db.sum()
        variance = ((na - ra * da) / da.mean()).var() / units + ((nb - rb * db) / db.mean()).var() / units
        seen.append((rb - ra) / np.sqrt(variance) > stats.norm.isf(0.025))
    assert np.mean(seen) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("looks", "name"), [(5, "obrien-fleming"), (5, "pocock"), (20, "obrien-fleming")])
def test_looks_keep_the_power(looks: int, name: str) -> None:
    price = price_of_looking(looks, 0.05, 0.8, name)  # type: ignore[arg-type]
    drift = np.sqrt(price) * (stats.norm.isf(0.025) + stats.norm.ppf(0.8))
    time = np.arange(1, looks + 1) / looks
    steps = np.random.default_rng(3).normal(drift / looks, np.sqrt(1 / looks), (20_000, looks))
    z = np.cumsum(steps, axis=1) / np.sqrt(time)
    limits = bounds(time.tolist(), spending=name)  # type: ignore[arg-type]
    assert (z > limits).any(axis=1).mean() == pytest.approx(0.8, abs=0.01)


def test_any_time_keeps_the_power() -> None:
    price = price_of_looking(1, 0.05, 0.8, "pocock", always_valid=True)
    assert 1.3 < price < 2.2
    drift = np.sqrt(price) * (stats.norm.isf(0.025) + stats.norm.ppf(0.8))
    time = np.arange(1, 26) / 25
    walks = np.cumsum(np.random.default_rng(4).normal(drift / 25, 0.2, (20_000, 25)), axis=1)
    tau2 = mixture_variance(1.0)
    reach = np.array([any_time(0.0, t**-0.5, tau2).high for t in time])
    assert (walks / time > reach).any(axis=1).mean() == pytest.approx(0.8, abs=0.01)


def test_days_decide() -> None:
    base = {"effect": 0.05, "rate": 0.04, "per_day": 5000.0}
    needed = plan_test(PlanSettings(**base)).figures["days"]
    assert plan_test(PlanSettings(**base, days=needed)).says == "yes"
    short = plan_test(PlanSettings(**base, days=needed - 1))
    assert short.status == 1


def test_what_cannot_be_planned_is_refused() -> None:
    nothing = Columns(pl.DataFrame({"visitor": np.arange(500), "gmv": np.zeros(500)}))
    assert plan_test(PlanSettings(effect=0.1, data=PAST, unit="visitor", metric="gmv"), nothing).status == 2
    few = Columns(spending(20))
    assert plan_test(PlanSettings(effect=0.1, data=PAST, unit="visitor", metric="clicks"), few).status == 2
    assert plan_test(PlanSettings(effect=0.5, rate=0.8)).status == 2


@pytest.mark.parametrize(
    "given", [{}, {"rate": 0.1, "mean": 2.0}, {"mean": 3.0}, {"data": PAST}, {"rate": 0.1, "days": 3}]
)
def test_sources_that_do_not_fit_together(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PlanSettings.model_validate({"effect": 0.1, **given})
