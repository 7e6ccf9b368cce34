"""python -m benchmarks.experiments

How often the tests of ltr.experiments cry wolf, how well their intervals cover and their plans keep their power, in
made-up worlds whose truth is known; and what they say of two real logs, where those are at hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import norm

from benchmarks.experiment_worlds import asked, equal_rankers, served_shop, survey_alarm
from benchmarks.record import DATA, have, write
from ltr.experiments import (
    AbSettings,
    Columns,
    OffPolicySettings,
    PlanSettings,
    analyse_ab,
    judge_off_policy,
    plan_test,
)
from ltr.experiments.ab_test.calibration import false_alarms
from ltr.experiments.ab_test.cuped import adjust
from ltr.experiments.estimates import Difference, mean_of
from ltr.experiments.interleaving.settings import Method
from ltr.experiments.looks.sequential import bounds, mixture_limits
from ltr.experiments.metrics import parse_metric, unit_values
from ltr.experiments.off_policy.bandit import Logged, estimates
from ltr.experiments.off_policy.overlap import effective_size

RUNS = ((1, 2000), (2, 20_000))  # seed, and how many tests of shops without a difference
METRICS = ("clicks/impressions", "any:bought", "gmv", "p95:latency")


def main() -> None:
    figures: dict[str, Any] = {
        "false_alarms": [*aa_tests(), *interleaving_alarms(), *survey_alarms()],
        "false_alarms_under_20_looks": looks(),
        "cuped": cuped(),
        "plans": plans(),
        "off_policy": off_policy(),
        "served_logs": served_logs(),
        "gaps": gaps(),
    }
    if have("cookie_cats", "open_bandit"):
        figures |= {"cookie_cats": cookie_cats(), "open_bandit": open_bandit()}
    write("experiments", "python -m benchmarks.experiments", figures)


def shop(units: int, seed: int) -> pl.DataFrame:
    """Searches of visitors who differ: clicks and latency go together within one, spending has a heavy tail."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(units), 1 + rng.poisson(3, units))
    shown = rng.integers(5, 12, len(who))
    bought = rng.random(len(who)) < 0.3
    return pl.DataFrame(
        {
            "visitor": who,
            "impressions": shown,
            "clicks": rng.binomial(shown, rng.beta(2, 6, units)[who]),
            "bought": bought,
            "gmv": np.where(bought, np.exp(rng.normal(0, 1, units)[who] + rng.normal(0, 0.3, len(who))), 0.0),
            "latency": np.exp(rng.normal(4, 0.3, len(who)) + rng.normal(0, 0.2, units)[who]),
        }
    )


def aa_tests() -> list[dict[str, Any]]:
    """Random splits of one shop's visitors."""
    table = Columns(shop(3000, 0))
    unit, names = table.codes("visitor")
    found = []
    for text in METRICS:
        values, _ = unit_values(parse_metric(text), table, unit, len(names))
        shares = {f"runs_{runs}": false_alarms(values, runs, seed=seed).share for seed, runs in RUNS}
        found.append({"test": f"A/B, {text}", **shares})
    spent = unit_values(parse_metric("gmv"), table, unit, len(names))[0].above
    past = spent * np.random.default_rng(0).uniform(0, 2, len(spent))

    def cuped_alarm(rng: np.random.Generator) -> bool:
        b = rng.random(len(spent)) < 0.5
        made = adjust(Difference(mean_of(spent[~b]), mean_of(spent[b])), (past[~b], past[b]))
        return made is not None and made.difference.p_value < 0.05

    return [*found, {"test": "A/B, gmv less what the past says (CUPED)", **_alarms(cuped_alarm)}]


def interleaving_alarms() -> list[dict[str, Any]]:
    """Experiments of 100 lists from rankers of which none is better."""
    methods: tuple[Method, ...] = ("team-draft", "probabilistic", "optimised")
    found = []
    for rankers, method in itertools.product((2, 3), methods):
        drawn = equal_rankers(method, rankers, 30_000, np.random.default_rng(0))
        names = [f"interleaving, {method}"]
        if rankers > 2:
            names = [f"multileaving of three, {method}, {one}" for one in ("one pair", "any pair (Holm)")]
        shares: list[dict[str, float]] = [{} for _ in names]
        for seed, runs in RUNS:
            rng = np.random.default_rng(seed)
            alarms = np.mean([drawn.alarms(100, rng) for _ in range(runs)], axis=0)
            for share, alarm in zip(shares, alarms, strict=False):
                share[f"runs_{runs}"] = float(alarm)
        found += [{"test": name, **share} for name, share in zip(names, shares, strict=True)]
    return found


def survey_alarms() -> list[dict[str, Any]]:
    """The ordinal test; of ten sessions four answer, who is pleased or angry more often."""
    return [
        {"test": f"survey of {sessions:,} sessions", **_alarms(partial(survey_alarm, sessions))}
        for sessions in (150, 1000)
    ]


def _alarms(test: Callable[[np.random.Generator], bool]) -> dict[str, float]:
    found = {}
    for seed, runs in RUNS:
        rng = np.random.default_rng(seed)
        found[f"runs_{runs}"] = sum(test(rng) for _ in range(runs)) / runs
    return found


def looks() -> dict[str, float]:
    """z at 20 equally spaced looks, each of 100 more values with a skewed spread, of 500,000 A/A tests."""
    time = np.arange(1, 21) / 20
    limits = {
        "naive": np.full(20, norm.isf(0.025)),
        "obrien-fleming": bounds(time.tolist()),
        "pocock": bounds(time.tolist(), spending="pocock"),
        "any time": mixture_limits(time),
    }
    alarms = dict.fromkeys(limits, 0)
    for seed in range(10):
        steps = np.random.default_rng(seed).gamma(100, 1, (50_000, 20)) - 100  # sums of 100 exponentials
        z = np.abs(np.cumsum(steps, axis=1) / np.sqrt(100 * np.arange(1, 21)))
        for name, limit in limits.items():
            alarms[name] += int((z > limit).any(axis=1).sum())
    return {name: count / 500_000 for name, count in alarms.items()}


def cuped() -> list[dict[str, float]]:
    """How much of the variance goes, against ρ²."""
    rng = np.random.default_rng(0)
    found = []
    for rho in (0.0, 0.3, 0.6, 0.9):
        past = rng.normal(size=20_000)
        now = rho * past + np.sqrt(1 - rho**2) * rng.normal(size=20_000)
        made = adjust(Difference(mean_of(now[::2]), mean_of(now[1::2])), (past[::2], past[1::2]))
        found.append({"rho_squared": rho**2, "variance_fell": made.fell if made else float("nan")})
    return found


def plans() -> list[dict[str, Any]]:
    """Planned power, and that of 2,000 simulated tests of the planned size."""
    rng, found = np.random.default_rng(0), []
    for rate in (0.02, 0.2):
        units = plan_test(PlanSettings(effect=0.1, rate=rate)).figures["treatment_units"]
        a, b = (rng.binomial(units, share, 2000) / units for share in (rate, rate * 1.1))
        z = (b - a) / np.sqrt((a * (1 - a) + b * (1 - b)) / units)
        found.append(
            {
                "plan": f"share of {rate:g}, +10 %",
                "planned": 0.8,
                "realised": float((z > norm.isf(0.025)).mean()),
            }
        )
    spent = np.where(rng.random(8000) < 0.05, np.exp(rng.normal(3, 1.6, 8000)), 0.0)
    past = Columns(pl.DataFrame({"visitor": np.arange(8000), "gmv": spent}))
    settings = PlanSettings(effect=0.8, data=DATA, unit="visitor", metric="gmv")
    units = plan_test(settings, past).figures["treatment_units"]
    z = []
    for _ in range(2000):
        a, b = rng.choice(spent, units), rng.choice(spent, units) * 1.8
        z.append((b.mean() - a.mean()) / np.sqrt((a.var() + b.var()) / units))
    realised = float((np.array(z) > norm.isf(0.025)).mean())
    found.append({"plan": "GMV with a heavy tail, +80 %", "planned": 0.8, "realised": realised})
    return found


def off_policy() -> list[dict[str, Any]]:
    """500 logs of shops small enough to enumerate: error as a share of SNIPS's, and coverage, by estimator."""
    found = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        logging, target = (np.exp(rng.normal(size=(4, 6))) for _ in range(2))
        logging, target = (p / p.sum(axis=1, keepdims=True) for p in (logging, target))
        reward = rng.choice([0.03, 0.1, 0.9, 0.97], (4, 6))
        truth = float((target * reward).sum(axis=1).mean())
        for model in ("fair", "junk"):
            errors: dict[str, list[float]] = {}
            covered: dict[str, list[bool]] = {}
            for _ in range(500):
                log = _log(rng, logging, target, reward, informed=model == "fair")
                for name, estimate in estimates(log).items():
                    low, high = estimate.interval(df=effective_size(log.weights) - 1)
                    errors.setdefault(name, []).append(estimate.value - truth)
                    covered.setdefault(name, []).append(low <= truth <= high)
            rms = {name: float(np.sqrt(np.mean(np.square(values)))) for name, values in errors.items()}
            found.append(
                {
                    "shop": seed,
                    "reward_model": model,
                    "error_over_snips": {name: value / rms["snips"] for name, value in rms.items()},
                    "coverage": {name: float(np.mean(values)) for name, values in covered.items()},
                }
            )
    return found


def _log(
    rng: np.random.Generator, logging: np.ndarray, target: np.ndarray, reward: np.ndarray, *, informed: bool
) -> Logged:
    x = rng.integers(0, 4, 1000)
    action = (rng.random(1000)[:, None] > np.cumsum(logging[x], axis=1)).sum(axis=1).clip(max=5)
    got = (rng.random(1000) < reward[x, action]).astype(np.float64)
    context = np.eye(4)[x] if informed else rng.normal(size=(1000, 2))
    return Logged(got, logging[x, action], target[x, action], context, action, target[x])


def served_logs() -> list[dict[str, Any]]:
    """500 replays of a server's log each: coverage of what is said of the new ranker's own lists."""
    found = []
    for way in ("probabilistic", "swaps"):
        shop = served_shop(way, np.random.default_rng(0))
        rng = np.random.default_rng(1)
        for lists in (600, 1500):
            covered: dict[str, list[bool]] = {}
            refused = 0
            for _ in range(500):
                outcome = asked(shop.log(lists, rng))
                refused += outcome.says == "cannot"
                for row in outcome.figures.get("estimates", ()):
                    inside = row["low"] <= shop.truth <= row["high"]
                    covered.setdefault(row["estimator"], []).append(inside)
            coverage = {name: float(np.mean(inside)) for name, inside in covered.items()}
            found.append({"way": way, "lists": lists, "refused": refused, "coverage": coverage})
    return found


def gaps() -> list[dict[str, Any]]:
    """How often a log is let through in which a share of the searches could not have shown the new ranker's products:
    by the mean weights alone, and with what the log says of its rankings."""
    found = []
    for way in ("probabilistic", "swaps"):
        shop = served_shop(way, np.random.default_rng(0))
        rng = np.random.default_rng(2)
        for lists, gap in itertools.product((500, 2000, 10_000), (0.0, 0.01, 0.05, 0.1)):
            outcomes = [asked(shop.log(lists, rng, gap)) for _ in range(50)]
            states = [{check.name: check.state for check in one.checks} for one in outcomes]
            weights = [all(s != "FAIL" for n, s in one.items() if n != "support") for one in states]
            row = {"way": way, "lists": lists, "gap": gap, "passes_mean_weights": float(np.mean(weights))}
            row["passes"] = float(np.mean([one.says != "cannot" for one in outcomes]))
            found.append(row)
    return found


def cookie_cats() -> dict[str, Any]:
    path = DATA / "cookie_cats" / "players.parquet"
    settings = AbSettings(
        data=path,
        arm="test_version",
        unit="userid",
        metric=("retention_7", "retention_1", "sum_gamerounds"),
        a_a=2000,
    )
    return analyse_ab(settings).to_dict()


def open_bandit() -> dict[str, Any]:
    """Log of the bts policy, asked about the random one, whose own log is the truth."""
    found = {}
    for people in ("women", "men"):
        log, truth = (
            DATA / "open_bandit" / policy / people / f"{people}.csv.gz" for policy in ("bts", "random")
        )
        settings = OffPolicySettings(
            data=log,
            reward="click",
            action="item_id",
            propensity="propensity_score",
            target="uniform",
            context=("position",),
            truth=truth,
        )
        found[people] = judge_off_policy(settings).to_dict()
    return found


if __name__ == "__main__":
    main()
