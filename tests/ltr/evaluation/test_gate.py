"""A run beside its baseline: the verdict, the segments, the price of a difference in queries, the exit status."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from features.errors import InputError
from ltr import evaluate
from ltr.evaluation.gate import judge, power_in_words, same_judgements, to_markdown
from ltr.evaluation.per_query import EvaluationConfig
from ltr.evaluation.significance import BootstrapConfig, queries_needed, smallest_seen
from ltr.runs.sums import seal
from tests.ltr.conftest import Shop, Trained

CONFIG = EvaluationConfig(bootstrap=BootstrapConfig(resamples=200))
QUERIES = [f"q{i:03}" for i in range(80)]
HALVES = pl.DataFrame(
    {"query_id": QUERIES, "family": "half", "segment": ["first half"] * 40 + ["second half"] * 40}
)


def values(mean: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"query_id": QUERIES, "nDCG@10": mean, "AP": mean})


@pytest.fixture
def base() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.3, 0.7, len(QUERIES))


@pytest.mark.parametrize(("shift", "says"), [(0.05, "better"), (-0.05, "worse"), (0.0, "within noise")])
def test_the_verdict_is_that_of_the_paired_differences(base: np.ndarray, shift: float, says: str) -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, len(base))
    verdict = judge(("a", values(base + shift + noise - noise.mean())), ("b", values(base)), HALVES, CONFIG)
    assert verdict.says == says
    assert verdict.overall.difference == pytest.approx(shift)
    assert bool(verdict.failures) == (says == "worse")


def test_a_segment_that_falls_fails_though_the_mean_rises(base: np.ndarray) -> None:
    change = np.where(np.arange(80) < 40, 0.2, -0.05)
    verdict = judge(("a", values(base + change)), ("b", values(base)), HALVES, CONFIG)
    assert verdict.says == "better"
    assert verdict.failures == ["second half"]
    assert "**Worse beyond noise:** second half." in to_markdown(verdict)


@pytest.mark.parametrize(
    ("tolerance", "failures"),
    [(0.0, ["all queries", "second half"]), (0.04, ["second half"]), (0.11, [])],
)
def test_a_fall_within_the_tolerance_is_no_failure(
    base: np.ndarray, tolerance: float, failures: list[str]
) -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, len(base))
    change = np.where(np.arange(80) < 40, 0.04, -0.1) + noise
    verdict = judge(("a", values(base + change)), ("b", values(base)), HALVES, CONFIG)
    assert verdict.overall.difference == pytest.approx(-0.03, abs=0.005)
    assert verdict.failures == ["all queries", "second half"]
    assert verdict.failures_beyond(tolerance) == failures


@pytest.mark.parametrize(("shift", "says"), [(0.05, "better"), (-0.05, "worse"), (0.0, "within noise")])
def test_what_is_shown_has_its_own_word_and_may_stop_a_run(base: np.ndarray, shift: float, says: str) -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, len(base))
    tables = [
        pl.DataFrame({"query_id": QUERIES, "kind": "words", "Judged@10": 0.5, "condensed nDCG@10": mean})
        for mean in (base + shift + noise - noise.mean(), base)
    ]
    verdict = judge(("a", values(base)), ("b", values(base)), HALVES, CONFIG, shown=(tables[0], tables[1]))
    assert (verdict.says, verdict.shown_says) == ("within noise", says)
    assert [test.metric for test in verdict.shown] == ["condensed nDCG@10", "Judged@10"]
    assert verdict.failures == (["what is shown"] if says == "worse" else [])
    assert verdict.failures_beyond(0.049) == verdict.failures
    assert not verdict.failures_beyond(0.051)
    assert f"What is shown: {says}." in to_markdown(verdict)
    assert verdict.to_dict()["shown"][0]["difference"] == pytest.approx(shift)


def test_two_tests_of_one_run_raise_no_more_false_alarms_of_what_is_shown(base: np.ndarray) -> None:
    """Holm's correction: what is shown must pass .025 where judged lists show nothing."""
    noise = np.random.default_rng(2).normal(0, 0.05, len(base))
    noise -= noise.mean() + 2.1 * noise.std() / np.sqrt(len(base))  # p ≈ .036 by itself
    shown = [pl.DataFrame({"query_id": QUERIES, "condensed nDCG@10": mean}) for mean in (base + noise, base)]
    verdict = judge(("a", values(base)), ("b", values(base)), HALVES, CONFIG, shown=(shown[0], shown[1]))
    assert 0.025 < verdict.shown[0].p_value < 0.05
    assert verdict.shown_says == "within noise"


def test_a_fall_within_noise_is_pointed_at_but_does_not_fail(base: np.ndarray) -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 80)
    noise[40:] -= noise[40:].mean() + 0.002
    change = np.where(np.arange(80) < 40, 0.2, noise)
    verdict = judge(("a", values(base + change)), ("b", values(base)), HALVES, CONFIG)
    assert verdict.segments["says"].to_list() == ["better", "falls, within noise, while the mean rises"]
    assert not verdict.failures


def test_segments_that_share_too_few_queries_are_not_tested(base: np.ndarray) -> None:
    few = pl.DataFrame({"query_id": QUERIES[:9], "family": "rare", "segment": "nine"})
    assert not judge(("a", values(base)), ("b", values(base)), few, CONFIG).segments.height


@pytest.mark.parametrize("gain", [0.0, 0.125])
def test_where_all_queries_differ_alike_no_number_of_queries_is_named(base: np.ndarray, gain: float) -> None:
    exact = np.round(base * 16) / 16
    verdict = judge(("a", values(exact + gain)), ("b", values(exact)), HALVES, CONFIG)
    message = power_in_words(verdict)
    assert "the same in every query" in message
    assert message in to_markdown(verdict)
    assert "takes about 2 judged queries" in power_in_words(replace(verdict, queries_needed=2))


def test_the_price_of_a_difference_is_that_of_the_z_test() -> None:
    differences = np.random.default_rng(3).normal(0, 0.1, 50)
    spread, z = differences.std(ddof=1), norm.ppf(0.975) + norm.ppf(0.8)
    assert queries_needed(differences, 0.02) == int(np.ceil((z * spread / 0.02) ** 2))
    assert smallest_seen(differences) == pytest.approx(z * spread / np.sqrt(50))
    # A test on as many queries as are needed sees the difference, and no smaller one.
    as_many = np.resize(differences, queries_needed(differences, 0.02))
    assert smallest_seen(as_many) == pytest.approx(0.02, rel=0.05)


def test_the_promised_power_is_kept() -> None:
    """Four times in five, tests of that many queries with that effect are significant."""
    rng = np.random.default_rng(4)
    needed = queries_needed(rng.normal(0, 0.1, 4000), 0.02)
    seen = 0
    for _ in range(200):
        drawn = rng.normal(0.02, 0.1, needed)
        seen += abs(drawn.mean()) / (drawn.std(ddof=1) / np.sqrt(needed)) > norm.ppf(0.975)
    assert seen / 200 == pytest.approx(0.8, abs=0.1)


def test_only_lists_that_are_judged_alike_are_compared() -> None:
    ours = pl.DataFrame(
        {"query_id": ["1", "1", "2", "3"], "product_id": ["a", "b", "a", "a"], "grade": [1.0, 0, 1, 1]}
    )
    theirs = pl.DataFrame(
        {"query_id": ["1", "1", "2", "4"], "product_id": ["b", "a", "a", "a"], "grade": [0.0, 1, 2, 1]}
    )
    shared, others = same_judgements(ours, theirs)
    assert (shared.to_list(), others) == (["1"], 3)
    with pytest.raises(InputError, match="none among 2"):
        same_judgements(ours.filter(query_id="3"), theirs.filter(query_id="4"))


def spoilt(trained: Trained, folder: Path) -> Path:
    """The run with its scores turned round, as the two files that a baseline needs."""
    folder.mkdir()
    about = json.loads((trained.run / "run.json").read_text(encoding="utf-8"))
    table = pl.read_parquet(trained.run / "scores.parquet")
    turned = table.with_columns(-pl.col(f"score: {about['model']}"))
    turned.write_parquet(folder / "scores.parquet")
    shutil.copy(trained.run / "run.json", folder)
    seal(folder)
    return folder


def test_the_gate_lets_a_better_run_through(trained: Trained, tmp_path: Path) -> None:
    words = ["--run", str(trained.run), "--baseline", str(spoilt(trained, tmp_path / "spoilt"))]
    evaluate.main([*words, "--fail-if-worse", "--markdown", str(tmp_path / "told.md")])
    message = (tmp_path / "told.md").read_text(encoding="utf-8")
    assert message.startswith("### 🟢 run against spoilt: better")
    assert "what is shown" not in message  # a baseline of two files has kept no such figures
    assert "kind: photo" in message


def test_the_gate_stops_a_worse_run(trained: Trained, tmp_path: Path) -> None:
    worse = tmp_path / "worse"
    shutil.copytree(trained.run, worse)
    shutil.copy(spoilt(trained, tmp_path / "spoilt") / "scores.parquet", worse)
    seal(worse)
    with pytest.raises(SystemExit) as stopped:
        evaluate.main(["--run", str(worse), "--baseline", str(trained.run), "--fail-if-worse"])
    assert stopped.value.code == 1


def test_a_run_is_no_worse_than_itself(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main(["--run", str(trained.run), "--baseline", str(trained.run), "--fail-if-worse", "--json"])
    verdict = json.loads(capsys.readouterr().out)["verdict"]
    assert verdict["shown_says"] == "within noise"
    assert {test["difference"] for test in verdict["shown"]} == {0.0}


def test_the_gate_stops_a_run_that_shows_worse_lists(trained: Trained, tmp_path: Path) -> None:
    """Judged lists alike, and each query's condensed figure a tenth lower."""
    worse, table = tmp_path / "worse", "shown_per_query.parquet"
    shutil.copytree(trained.run, worse)
    lower = pl.read_parquet(worse / table).with_columns(pl.col("condensed nDCG@10") - 0.1)
    lower.write_parquet(worse / table)
    seal(worse)
    message = tmp_path / "told.md"
    with pytest.raises(SystemExit) as stopped:
        words = ["--baseline", str(trained.run), "--fail-if-worse", "--markdown", str(message)]
        evaluate.main(["--run", str(worse), *words])
    assert stopped.value.code == 1
    assert "**Worse beyond noise:** what is shown." in message.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--baseline nowhere", "nowhere: expected a run with held-out scores, got no such folder"),
        ("--fail-if-worse", "expected --baseline beside --fail-if-worse, got none"),
        ("--tolerance .1", "expected --fail-if-worse beside --tolerance, got none"),
    ],
)
def test_bad_baselines_are_refused(trained: Trained, shop: Shop, words: str, message: str) -> None:
    ended = shop.run(f"evaluate --run {trained.run} {words}")
    assert ended.status == 2
    assert message in ended.err
