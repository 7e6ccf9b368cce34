"""A/B tests on worlds whose truth is known, and on a real one."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from features.errors import InputError
from ltr.experiments import AbSettings, Columns, Outcome, analyse_ab
from ltr.experiments.ab_test.calibration import false_alarms
from ltr.experiments.ab_test.cuped import adjust
from ltr.experiments.ab_test.sample_ratio import sample_ratio
from ltr.experiments.estimates import Difference, mean_of
from ltr.experiments.metrics import parse_metric, unit_values
from tests.ltr.experiments.worlds import searches

SHARED = Path(os.environ.get("LTR_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
METRICS = ("ctr=clicks/impressions", "cvr=any:bought", "gmv", "each:bought", "p95=p95:latency")


def judge(frame: pl.DataFrame, **more: Any) -> Outcome:
    chosen = {
        "arm": "arm",
        "unit": "visitor",
        "metric": METRICS,
        "control": "old",
        "data": Path("made_up"),
    } | more
    return analyse_ab(AbSettings(**chosen), Columns(frame))


def test_a_real_lift_is_seen_and_sized() -> None:
    outcome = judge(
        searches(6000, lift=0.15, seed=1), lower=("p95",), guardrail=("p95",), segment=("device",)
    )
    assert outcome.says == "yes"
    first = outcome.figures["metrics"][0]
    assert first["low"] < 0.15 * first["control"] < first["high"]
    assert {part["segment"] for part in outcome.figures["segments"]} == {"phone", "desk"}


def test_no_lift_is_no() -> None:
    assert judge(searches(2000, seed=2)).says == "no"


def test_less_may_be_better() -> None:
    frame = searches(3000, lift=0.2, seed=3)
    assert judge(frame, lower=("ctr",)).says == "no"
    assert "worse" in judge(frame, lower=("ctr",)).verdict


def test_a_guardrail_that_breaks_ends_it() -> None:
    frame = searches(6000, lift=0.2, seed=4).with_columns(
        latency=pl.col("latency") * pl.when(pl.col("arm") == "new").then(1.3).otherwise(1.0)
    )
    outcome = judge(frame, lower=("p95",), guardrail=("p95",))
    assert outcome.says == "no"
    assert "guardrail" in outcome.verdict


def test_a_wrong_sample_ratio_refuses_before_any_metric() -> None:
    outcome = judge(searches(3000, seed=5, shares=(0.56, 0.44)))
    assert outcome.status == 2
    assert "sample ratio" in outcome.verdict
    assert not outcome.tables
    planned = judge(searches(3000, seed=5, shares=(0.56, 0.44)), allocation=("new=.56", "old=.44"))
    assert planned.status != 2


def test_sample_ratio_is_calibrated() -> None:
    rng = np.random.default_rng(0)
    states = [
        sample_ratio({"a": n, "b": 5000 - n}, {"a": 0.5, "b": 0.5}).state
        for n in rng.binomial(5000, 0.5, 4000).tolist()
    ]
    assert states.count("FAIL") / 4000 <= 0.003
    assert (states.count("WARN") + states.count("FAIL")) / 4000 == pytest.approx(0.01, abs=0.005)


def test_units_in_both_arms_are_left_out_and_counted() -> None:
    frame = searches(1000, seed=6)
    few = frame.with_columns(
        arm=pl.when(pl.int_range(pl.len()) == 0)
        .then(pl.lit("old"))
        .when(pl.int_range(pl.len()) == 1)
        .then(pl.lit("new"))
        .otherwise("arm"),
        visitor=pl.when(pl.int_range(pl.len()) < 2).then(pl.lit("both")).otherwise("visitor"),
    )
    outcome = judge(few)
    mixed = next(check for check in outcome.checks if check.name == "one arm per unit")
    assert mixed.state == "WARN"
    assert mixed.evidence.startswith("1 of")
    swapped = frame.with_columns(arm=pl.Series(np.random.default_rng(0).choice(["new", "old"], frame.height)))
    assert judge(swapped).status == 2


def test_missing_values_are_left_out_never_zero() -> None:
    frame = searches(2000, seed=7)
    holes = frame.with_columns(gmv=pl.when(pl.col("visitor").str.ends_with("7")).then(None).otherwise("gmv"))
    outcome = judge(holes, metric=("gmv",))
    known = holes.filter(~pl.col("visitor").str.ends_with("7"))
    assert (
        outcome.figures["metrics"][0]["difference"]
        == judge(known, metric=("gmv",)).figures["metrics"][0]["difference"]
    )
    assert any(check.name == "missing, gmv" and check.state == "WARN" for check in outcome.checks)
    lopsided = frame.with_columns(
        gmv=pl.when(pl.col("arm") == "new").then("gmv").otherwise(pl.when(pl.col("bought")).then("gmv"))
    )
    assert judge(lopsided, metric=("gmv",)).status == 2


@pytest.mark.parametrize("text", METRICS)
def test_false_alarms_of_every_metric_are_five_per_cent(text: str) -> None:
    table = Columns(searches(800 if text.startswith("p95") else 4000, seed=8))
    unit, names = table.codes("visitor")
    values, _ = unit_values(parse_metric(text), table, unit, len(names))
    runs = 2000 if values.row_unit is not None else 10_000  # 2,000 runs have noise of their own of .5 points
    assert false_alarms(values, runs, seed=6).share == pytest.approx(0.05, abs=0.007)


def test_rows_taken_for_units_cry_wolf() -> None:
    """The check that an A/A is for: with rows as units the same data alarm far too often."""
    frame = searches(400, seed=9, rows=12)
    rng = np.random.default_rng(0)
    clicks, visitor = frame["clicks"].to_numpy().astype(float), frame["visitor"].rank("dense").to_numpy() - 1
    alarms = 0
    for _ in range(500):
        arm = (rng.random(400) < 0.5)[visitor]
        alarms += Difference(mean_of(clicks[~arm]), mean_of(clicks[arm])).p_value < 0.05
    assert alarms / 500 > 0.15


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.7, 0.95])
def test_cuped_takes_out_rho_squared(rho: float) -> None:
    rng = np.random.default_rng(10)
    past = rng.normal(size=40_000)
    now = rho * past + np.sqrt(1 - rho**2) * rng.normal(size=40_000)
    found = adjust(Difference(mean_of(now[:15_000]), mean_of(now[15_000:])), (past[:15_000], past[15_000:]))
    assert found is not None
    assert found.fell == pytest.approx(rho**2, abs=0.02)


def test_cuped_is_unbiased_with_newcomers() -> None:
    rng = np.random.default_rng(11)
    values, alarms = [], 0
    for _ in range(400):
        past = rng.normal(size=400)
        now = past + 0.5 * rng.normal(size=400) + 0.2 * (np.arange(400) >= 200)
        past[rng.random(400) < 0.3] = np.nan
        found = adjust(Difference(mean_of(now[:200]), mean_of(now[200:])), (past[:200], past[200:]))
        assert found is not None
        values.append(found.difference.value)
        low, high = found.difference.interval()
        alarms += not low <= 0.2 <= high
    assert np.mean(values) == pytest.approx(0.2, abs=0.012)
    assert alarms / 400 == pytest.approx(0.05, abs=0.035)


def test_a_covariate_that_the_treatment_touched_is_refused() -> None:
    frame = searches(3000, lift=0.3, seed=12)
    touched = frame.with_columns(later=pl.col("gmv").sum().over("visitor") + 0.5 * (pl.col("arm") == "new"))
    outcome = judge(touched, metric=("gmv",), before=("gmv=later",))
    assert outcome.status == 2
    assert "covariate" in outcome.verdict
    with pytest.raises(InputError, match="from before exposure only"):
        judge(frame, metric=("gmv",), before=("gmv=clicks",))


def test_rows_from_before_exposure_count_only_as_covariates() -> None:
    frame = searches(2000, lift=0.2, seed=13)
    now = frame.with_columns(at=pl.lit("2026-03-02T10:00:00"), seen=pl.lit("2026-03-01"))
    past = frame.unique("visitor").with_columns(
        gmv="past", at=pl.lit("2026-02-01T00:00:00"), seen=pl.lit("2026-03-01")
    )
    outcome = judge(pl.concat([past, now]), metric=("gmv",), at="at", exposed_at="seen")
    plain = judge(frame, metric=("gmv",))
    mine, bare = outcome.figures["metrics"][0], plain.figures["metrics"][0]
    assert mine["raw"]["difference"] == pytest.approx(bare["difference"])
    assert mine["cuped"]["variance_fell"] > 0.3
    assert mine["error"] < 0.85 * bare["error"]


FORMS = {
    "text": pl.col("t").dt.to_string("iso"),
    "moment": pl.col("t"),
    "seconds": pl.col("t").dt.epoch("s"),
    "parts of seconds": pl.col("t").dt.epoch("us") / 1e6,
    "milliseconds": pl.col("t").dt.epoch("ms"),
    "microseconds": pl.col("t").dt.epoch("us"),
    "nanoseconds": pl.col("t").dt.epoch("ns"),
}


@pytest.mark.parametrize("exposed", FORMS)
@pytest.mark.parametrize("at", FORMS)
def test_times_in_whatever_unit_tell_before_from_after(at: str, exposed: str) -> None:
    frame = searches(300, lift=0.2, seed=13).with_row_index("row")
    noon = datetime(2026, 3, 1, 12)
    times = frame.select(t=noon + pl.duration(minutes=pl.col("row").cast(pl.Int64) % 7 - 3))
    seen = frame.select(pl.repeat(noon, pl.len()).alias("t"))
    timed = frame.with_columns(
        at=times.select(FORMS[at]).to_series(), seen=seen.select(FORMS[exposed]).to_series()
    )
    before = int((times["t"] < noon).sum())
    checks = {check.name: check for check in judge(timed, metric=("gmv",), at="at", exposed_at="seen").checks}
    assert checks["exposure"].evidence.startswith(f"{before:,} of {frame.height:,} rows")


def test_days_of_a_test_are_times_but_not_beside_moments() -> None:
    frame = searches(300, lift=0.2, seed=13).with_columns(day=pl.lit(3), seen=pl.lit(2))
    checks = {
        check.name: check for check in judge(frame, metric=("gmv",), at="day", exposed_at="seen").checks
    }
    assert checks["exposure"].evidence.startswith("0 of")
    for odd in (pl.lit("2026-03-01T10:00:00"), pl.lit(1_772_000_000)):
        with pytest.raises(InputError, match="times of one kind"):
            judge(frame.with_columns(day=odd), metric=("gmv",), at="day", exposed_at="seen")


def test_a_look_before_the_end_goes_on_unless_the_bound_is_passed() -> None:
    outcome = judge(searches(800, lift=0.05, seed=14), looks=(0.25, 0.5))
    assert outcome.status == 2
    assert "Go on" in outcome.verdict
    assert judge(searches(6000, lift=0.3, seed=14), looks=(0.25, 0.5)).says == "yes"
    early = judge(searches(6000, lift=0.3, seed=14), always_valid=True, planned_units=12_000)
    assert early.says == "yes"


def test_heavy_tails_are_shown_raw_and_capped() -> None:
    frame = searches(2000, seed=15)
    whale = frame.with_columns(gmv=pl.when(pl.int_range(pl.len()) == 5).then(1e5).otherwise("gmv"))
    found = judge(whale, metric=("gmv",))
    assert any(check.state == "WARN" and "heavy tail" in check.evidence for check in found.checks)
    both = found.figures["metrics"][0]
    assert both["capped"]["error"] < 0.2 * both["raw"]["error"]
    assert judge(whale, metric=("gmv",), decide_by="capped").figures["metrics"][0]["version"] == "capped"


def test_several_arms_share_the_false_alarms() -> None:
    alarms = 0
    for seed in range(300):
        frame = searches(240, seed=seed, rows=1.5)
        rng = np.random.default_rng(seed)
        arm = rng.choice(["a", "b", "c", "d"], 240)
        codes = frame["visitor"].rank("dense").to_numpy() - 1
        outcome = judge(
            frame.with_columns(arm=pl.Series(arm[codes])), control="a", metric=("ctr=clicks/impressions",)
        )
        alarms += any(row["says"] in {"better", "worse"} for row in outcome.figures.get("metrics", []))
    assert alarms / 300 <= 0.08


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"metric": ("gvm",)}, "expected a column 'gvm'"),
        ({"metric": ("clicks/",)}, "--metric: expected"),
        ({"metric": ("device",)}, "expected a number, got 'phone'"),
        ({"arm": "visitor"}, "expected a few arms"),
        ({"control": "older"}, "--control: expected one of new, old"),
        ({"lower": ("cpc",)}, "--lower: expected one of the metrics"),
        ({"allocation": ("new=1",)}, "--allocation: expected a share for each arm"),
        ({"allocation": ("new=1", "old=zero")}, "--allocation: expected numbers"),
        ({"metric": ("gmv", "gmv")}, "expected different names"),
    ],
)
def test_bad_input_is_one_line(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        judge(searches(100), **more)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cookie_cats() -> None:
    path = SHARED / "cookie_cats" / "players.parquet"
    if not path.exists():
        pytest.skip("cookie_cats is not in ../shared/data")
    settings = AbSettings(
        data=path, arm="test_version", unit="userid", metric=("retention_7", "sum_gamerounds")
    )
    outcome = analyse_ab(settings)
    players = pl.read_parquet(path)
    share = (
        players.group_by("test_version").agg(pl.col("retention_7").mean()).sort("test_version")["retention_7"]
    )
    found = outcome.figures["metrics"][0]
    assert found["difference"] == pytest.approx(share[1] - share[0])
    assert outcome.says == "no"
    assert outcome.checks[0].state == "WARN"  # 44,700 against 45,489


def test_a_mean_over_rows_is_the_ratio_to_their_number() -> None:
    frame = searches(1500, lift=0.1, seed=20).with_columns(one=1)
    each, ratio = (
        judge(frame, metric=(text,)).figures["metrics"][0] for text in ("each:bought", "bought/one")
    )
    assert each["p"] == ratio["p"]
    holes = frame.with_columns(bought=pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise("bought"))
    known = judge(holes.drop_nulls("bought"), metric=("each:bought",)).figures["metrics"][0]
    assert judge(holes, metric=("each:bought",)).figures["metrics"][0]["control"] == known["control"]


@pytest.mark.parametrize("people", ["men", "women"])
def test_open_bandits_policies_as_two_arms(people: str) -> None:
    if not (SHARED / "open_bandit").exists():
        pytest.skip("open_bandit is not in ../shared/data")
    files = {arm: SHARED / "open_bandit" / arm / people / f"{people}.csv.gz" for arm in ("bts", "random")}
    parts = [pl.read_csv(path).select("click", arm=pl.lit(arm)) for arm, path in files.items()]
    frame = pl.concat(parts).with_row_index("visitor")
    outcome = judge(frame, metric=("click",), control="random")
    clicks = {part["arm"][0]: int(part["click"].sum()) for part in parts}
    a, b = (np.r_[np.ones(clicks[arm]), np.zeros(10_000 - clicks[arm])] for arm in ("random", "bts"))
    assert outcome.figures["metrics"][0]["p"] == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert outcome.says == ("yes" if people == "men" else "no")
