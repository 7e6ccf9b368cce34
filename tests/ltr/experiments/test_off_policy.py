"""Off-policy estimates in shops that can be enumerated, and on two real arms."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from features.errors import InputError
from ltr.experiments import Columns, OffPolicySettings, judge_off_policy
from ltr.experiments.off_policy import estimators
from ltr.experiments.off_policy.bandit import check_log, estimates
from ltr.experiments.off_policy.overlap import effective_check, effective_size, mean_weight_check
from ltr.experiments.off_policy.reward_model import calibrated, fit_ridge, folds_of
from ltr.experiments.outcome import failed
from tests.ltr.experiments.off_policy_worlds import Shop, small_shop

SHARED = Path(os.environ.get("LTR_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))


def settings(**more: Any) -> OffPolicySettings:
    return OffPolicySettings(**({"data": Path("log"), "reward": "click", "propensity": "chance"} | more))


def table_of(shop: Shop, rows: int, seed: int = 0) -> pl.DataFrame:
    log = shop.log(rows, seed)
    assert log.action is not None
    return pl.DataFrame(
        {
            "click": log.reward,
            "item": log.action,
            "page": [f"p{x}" for x in log.context.argmax(axis=1)],
            "chance": log.propensity,
            "new": log.target,
        }
    )


@pytest.mark.parametrize("seed", range(4))
def test_expectations_by_enumeration(seed: int) -> None:
    """Each context, action and outcome once, weighted by its chance: IPS and DR are the truth, whatever the model."""
    shop = small_shop(seed)
    contexts, actions = shop.logging.shape
    x, a, r = (part.ravel() for part in np.indices((contexts, actions, 2)))
    chance = shop.logging[x, a] * np.where(r == 1, shop.reward[x, a], 1 - shop.reward[x, a]) / contexts
    weights, reward = shop.target[x, a] / shop.logging[x, a], r.astype(float)
    junk = np.random.default_rng(seed).normal(size=(len(x), actions))[x]  # any function of the context
    for found in (
        estimators.ips(reward, weights),
        estimators.doubly_robust(reward, weights, a, shop.target[x], junk),
        estimators.switch(reward, weights, a, shop.target[x], junk, most=float("inf")),
        estimators.switch(reward, weights, a, shop.target[x], shop.reward[x], most=1.0),  # a right model
        estimators.clipped(reward, weights, most=float("inf")),
    ):
        per_row = found.value + found.influence
        assert chance @ per_row == pytest.approx(shop.truth, abs=1e-12)
    cut = estimators.clipped(reward, weights, most=1.0)
    assert chance @ (cut.value + cut.influence) < shop.truth


@pytest.mark.parametrize("seed", range(3))
def test_right_model_saves_doubly_robust_from_wrong_propensities(seed: int) -> None:
    shop = small_shop(seed)
    log = shop.log(200_000, seed)
    assert log.action is not None
    assert log.target_all is not None
    wrong = log.weights * np.random.default_rng(seed).uniform(0.5, 3, len(log.reward))
    right = shop.reward[log.context.argmax(axis=1)]
    found = estimators.doubly_robust(log.reward, wrong, log.action, log.target_all, right)
    assert abs(found.value - shop.truth) < 4 * found.error
    assert abs(estimators.ips(log.reward, wrong).value - shop.truth) > 0.2 * shop.truth


@pytest.fixture(scope="module")
def replays() -> dict[str, dict[str, np.ndarray]]:
    """500 logs of one shop, with a fair and with an uninformed reward model: errors and coverage by estimator."""
    shop = small_shop(5)
    found: dict[str, dict[str, list[tuple[float, bool]]]] = {"fair": {}, "junk": {}}
    for kind, each in found.items():
        for seed in range(500):
            log = shop.log(1000, seed, informed=kind == "fair")
            df = effective_size(log.weights) - 1
            for name, estimate in estimates(log).items():
                low, high = estimate.interval(df=df)
                each.setdefault(name, []).append((estimate.value - shop.truth, low <= shop.truth <= high))
    return {kind: {name: np.array(rows) for name, rows in each.items()} for kind, each in found.items()}


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "switch", "clipped"])
def test_intervals_cover_the_truth(replays: dict[str, dict[str, np.ndarray]], name: str) -> None:
    for kind in ("fair", "junk"):
        assert 0.93 <= replays[kind][name][:, 1].mean() <= 0.97


def test_doubly_robust_gains_by_a_fair_model_and_loses_nothing_by_junk(
    replays: dict[str, dict[str, np.ndarray]],
) -> None:
    def error(kind: str, name: str) -> float:
        return float(np.sqrt((replays[kind][name][:, 0] ** 2).mean()))

    assert error("fair", "dr") <= 0.7 * error("fair", "snips")
    assert error("junk", "dr") <= 1.1 * error("junk", "snips")


def test_a_model_of_pure_noise_is_calibrated_away() -> None:
    shop = small_shop(6)
    errors: dict[str, list[float]] = {"dr": [], "snips": []}
    for seed in range(200):
        log = shop.log(1200, seed)
        assert log.action is not None
        assert log.target_all is not None
        fold = folds_of(np.arange(1200), 5, seed)
        noise = np.random.default_rng(seed).normal(size=log.target_all.shape) * 5
        model = calibrated(noise, log.action, log.reward, log.weights, fold)
        found = estimators.doubly_robust(log.reward, log.weights, log.action, log.target_all, model)
        errors["dr"].append(found.value - shop.truth)
        errors["snips"].append(estimators.snips(log.reward, log.weights).value - shop.truth)
    assert np.std(errors["dr"]) <= 1.1 * np.std(errors["snips"])


def test_rows_of_one_visitor_count_as_one() -> None:
    table = table_of(small_shop(7), 1500)
    alone = judge_off_policy(
        settings(target="new", unit="visitor"), Columns(table.with_columns(visitor=pl.int_range(1500)))
    )
    twice = pl.concat([table.with_columns(visitor=pl.int_range(1500))] * 4)
    bound = judge_off_policy(settings(target="new", unit="visitor"), Columns(twice))
    one, other = (outcome.figures["estimates"][0] for outcome in (alone, bound))
    assert other["value"] == pytest.approx(one["value"])
    assert other["high"] - other["low"] == pytest.approx(one["high"] - one["low"], rel=0.02)


def test_too_little_overlap_is_refused() -> None:
    far = small_shop(8, heat=4.0)
    outcome = judge_off_policy(settings(target="new"), Columns(table_of(far, 3000)))
    assert outcome.status == 2
    assert "effective size" in outcome.verdict
    assert "estimates" not in outcome.figures


@pytest.mark.parametrize(
    ("size", "rows", "state"),
    [(99, 500, "FAIL"), (120, 13_000, "FAIL"), (656, 10_000, "WARN"), (300, 1000, "PASS")],
)
def test_effective_sizes(size: int, rows: int, state: str) -> None:
    weights = np.zeros(rows)
    weights[:size] = rows / size
    assert effective_size(weights) == pytest.approx(size)
    assert effective_check(weights).state == state


def test_actions_never_logged_are_refused() -> None:
    shop = small_shop(9, actions=5)
    logging = shop.logging.copy()
    logging[:, 2] = 0
    blind = Shop(logging / logging.sum(axis=1, keepdims=True), np.full_like(shop.target, 0.2), shop.reward)
    table = table_of(blind, 4000)
    outcome = judge_off_policy(settings(target="uniform", action="item", actions=5), Columns(table))
    assert outcome.status == 2
    assert "never logged" in outcome.verdict or "support is missing" in outcome.verdict
    assert any(check.name == "mean weight" for check in failed(check_log(blind.log(20_000, 0))))


def test_wrong_propensities_are_seen_and_right_ones_are_not() -> None:
    alarms = 0
    for seed in range(300):
        log = small_shop(seed % 10, heat=0.7).log(5000, seed)
        alarms += mean_weight_check(log.weights).state == "FAIL"
        assert mean_weight_check(log.weights * 1.3).state == "FAIL"
    assert alarms <= 1


def test_a_policy_table_is_the_same_as_its_column(tmp_path: Path) -> None:
    shop = small_shop(10)
    table = table_of(shop, 2000)
    rows = [
        {"page": f"p{x}", "item": a, "probability": shop.target[x, a]} for x in range(4) for a in range(6)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "policy.csv")
    by_table = judge_off_policy(
        settings(policy=tmp_path / "policy.csv", action="item", context=("page",), estimator="snips"),
        Columns(table),
    )
    by_column = judge_off_policy(settings(target="new"), Columns(table))
    found = {row["estimator"]: row for row in by_table.figures["estimates"]}
    assert found["snips"]["value"] == pytest.approx(by_column.figures["estimates"][0]["value"])
    assert "dr" in found
    pl.DataFrame(rows[:-1]).write_csv(tmp_path / "policy.csv")
    with pytest.raises(InputError, match="sum to 1"):
        judge_off_policy(
            settings(policy=tmp_path / "policy.csv", action="item", context=("page",)), Columns(table)
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chance": pl.lit(0.0)}, "above 0 and up to 1"),
        ({"chance": pl.lit(1.5)}, "got 1.5 in row 1"),
        ({"new": pl.lit(-0.1)}, "probabilities from 0 to 1"),
        ({"click": pl.lit(None)}, "a number in every row"),
        ({"click": pl.lit("often")}, "expected a number, got 'often'"),
    ],
)
def test_bad_logs_are_one_line(change: dict[str, pl.Expr], message: str) -> None:
    table = table_of(small_shop(0), 200).with_columns(**change)
    with pytest.raises(InputError) as caught:
        judge_off_policy(settings(target="new"), Columns(table))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [{}, {"target": "uniform"}, {"target": "new", "policy": Path("p")}, {"target": "new", "list": "query"}],
)
def test_options_that_do_not_fit_together(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**given)


def test_ridge_is_the_closed_form_at_its_strength() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    y = x @ np.arange(5) + 3 + rng.normal(size=200) * 0.1
    model = fit_ridge(np.column_stack((np.ones(200), x)), y)
    assert model.coefficients == pytest.approx([3, 0, 1, 2, 3, 4], abs=0.05)


@pytest.mark.parametrize(("people", "status", "size"), [("women", 2, 2), ("men", None, 656)])
def test_open_bandit(people: str, status: int | None, size: int) -> None:
    folder = SHARED / "open_bandit"
    if not folder.exists():
        pytest.skip("open_bandit is not in ../shared/data")
    log, truth = (folder / policy / people / f"{people}.csv.gz" for policy in ("bts", "random"))
    outcome = judge_off_policy(
        settings(
            data=log,
            propensity="propensity_score",
            target="uniform",
            action="item_id",
            context=("position",),
            truth=truth,
        )
    )
    check = next(check for check in outcome.checks if check.name == "effective size")
    assert check.evidence.startswith(f"{size:,} of 10,000")
    if status == 2:
        assert outcome.status == 2
        assert check.state == "FAIL"
        return
    assert check.state == "WARN"
    own = outcome.figures["truth"]
    for row in outcome.figures["estimates"]:
        noise = np.hypot((row["high"] - row["low"]) / 4, own["error"])
        assert abs(row["value"] - own["value"]) < 2.6 * noise
