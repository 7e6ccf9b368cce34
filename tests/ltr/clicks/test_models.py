"""Click models against their published stories, enumerated in plain Python, and in worlds whose truth is known."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from benchmarks.plain_pbm import plain_pbm
from ltr.clicks.lists import ShownLists
from ltr.clicks.models import (
    MODELS,
    Cascade,
    DynamicBayesian,
    PositionBased,
    Prior,
    RateByPlace,
    SimplifiedDBN,
    UserBrowsing,
    choose,
    estimate_prior,
    judge,
    log_likelihood,
    perplexity,
)
from tests.ltr.clicks.click_worlds import joint, lists_of, simulate, stories

PLACES = 4
PATTERNS = list(itertools.product((0, 1), repeat=PLACES))


def known(kind: str, rng: np.random.Generator) -> tuple[Any, dict[str, Any], list[float]]:
    """A model with random parameters, as if fitted, its parameters by name, and the attractions of its pairs."""
    alpha, sigma = rng.uniform(0.05, 0.9, (2, PLACES))
    model = MODELS[kind]()
    model.attraction = alpha  # type: ignore[misc]
    of: dict[str, Any] = {}
    if isinstance(model, PositionBased):
        model.seen = of["gamma"] = np.array([1.0, 0.7, 0.4, 0.2])
    elif isinstance(model, UserBrowsing):
        model.seen = of["gamma"] = rng.uniform(0.1, 1, (PLACES, PLACES + 1))
    elif isinstance(model, DynamicBayesian):
        model.satisfaction = of["sigma"] = sigma
        model.goes_on = of["gamma"] = 1.0 if kind == "sdbn" else 0.75
    return model, of, alpha.tolist()


@pytest.mark.parametrize("kind", list(MODELS))
@pytest.mark.parametrize("holes", [0.3, 0.8, 1.0])
def test_places_where_nothing_stood_trouble_no_model(kind: str, holes: float) -> None:
    """1.0: one product alone a list, wherever it stood, as in logs of single recommendations."""
    rng = np.random.default_rng(7)
    item = rng.integers(0, 20, (400, PLACES))
    gone = rng.random(item.shape) < holes
    if holes == 1:
        gone[np.arange(400), rng.integers(0, PLACES, 400)] = False
    item[gone] = -1
    clicked = (rng.random(item.shape) < 0.2) & (item >= 0)
    item[0, 0] = 19
    model, judged = judge(kind, *lists_of(item, clicked, per_day=100).split())
    assert np.isfinite(judged.log_likelihood)
    assert np.isfinite(model.examined(lists_of(item, clicked))).all()


@pytest.mark.parametrize("kind", ["pbm", "ubm", "cascade", "sdbn", "dbn"])
@pytest.mark.parametrize("seed", range(3))
def test_chances_are_those_of_the_model_s_story(kind: str, seed: int) -> None:
    model, of, alpha = known(kind, np.random.default_rng(seed))
    lists = lists_of(np.tile(np.arange(PLACES), (16, 1)), np.array(PATTERNS))
    of_pattern = np.array([joint(kind, alpha, pattern, **of) for pattern in PATTERNS])
    assert of_pattern.sum() == pytest.approx(1)
    possible = of_pattern > 0
    found = np.exp(log_likelihood(model, lists).sum(axis=1))
    np.testing.assert_allclose(found[possible], of_pattern[possible], rtol=1e-4)
    assert (found[~possible] < 1e-5).all()
    marginal = of_pattern @ np.array(PATTERNS)
    np.testing.assert_allclose(model.marginal(lists)[0], marginal, rtol=1e-9)
    if kind != "sdbn":  # which counts nothing below the last click as seen, by definition
        for row in np.flatnonzero(possible):
            outcomes = list(stories(kind, alpha, PATTERNS[row], **of))
            seen = sum(chance * np.array(eyes) for chance, eyes, *_ in outcomes) / of_pattern[row]
            np.testing.assert_allclose(model.examined(lists)[row], seen, rtol=1e-6, atol=1e-9)


def test_the_hidden_steps_of_dbn_are_the_posterior() -> None:
    model, of, alpha = known("dbn", np.random.default_rng(7))
    lists = lists_of(np.tile(np.arange(PLACES), (16, 1)), np.array(PATTERNS))
    _, ended, went_on = model._hidden(lists)
    for row, pattern in enumerate(PATTERNS):
        outcomes = list(stories("dbn", alpha, pattern, **of))
        total = sum(chance for chance, *_ in outcomes)
        glad = sum(chance * np.array(happy) for chance, _, happy, _ in outcomes) / total
        went = sum(chance * np.array(on) for chance, _, _, on in outcomes) / total
        np.testing.assert_allclose(ended[row], glad, atol=1e-9)
        np.testing.assert_allclose(went_on[row, :-1], went[:-1], atol=1e-9)


def world(
    kind: str, count: int, seed: int, places: int = 6, pairs: int = 40
) -> tuple[ShownLists, np.ndarray, Any]:
    """Lists in random orders, so that everything can be told apart."""
    rng = np.random.default_rng(seed)
    item = np.argsort(rng.random((count, pairs)), axis=1)[:, :places]
    alpha, sigma = rng.beta(1.5, 4, pairs), rng.uniform(0.2, 0.8, pairs)
    gamma: Any = {"pbm": 1 / np.arange(1.0, places + 1), "dbn": 0.8, "cascade": 1.0}.get(kind)
    if kind == "ubm":
        gamma = np.array([[0.95 ** (r - last) * 0.8**r for last in range(places + 1)] for r in range(places)])
    clicked = simulate(kind, alpha[item], rng, gamma, sigma[item] if kind == "dbn" else None)
    return lists_of(item, clicked), alpha, gamma


def test_pbm_is_as_good_as_the_published_em_and_finds_what_is_true() -> None:
    lists, alpha, gamma = world("pbm", 3000, 1)
    earlier, later = lists.split(0.75)
    model = PositionBased()
    model.fit(earlier, Prior(1, 1))
    published = PositionBased()
    a, g = plain_pbm(earlier.item, earlier.clicked, (1, 1), 40)
    published.attraction, published.seen = np.array(a), np.array(g)
    ours, theirs = (perplexity(one, later).mean() for one in (model, published))
    assert abs(ours / theirs - 1) < 0.01
    many, alpha, gamma = world("pbm", 100_000, 2)
    model.fit(many)
    assert np.abs(model.seen - gamma).max() <= 0.03
    assert np.abs(model.attraction - alpha).max() < 0.05


def test_em_of_dbn_climbs_and_finds_what_is_true() -> None:
    lists, alpha, _ = world("dbn", 12_000, 3)
    model = DynamicBayesian()
    simple = SimplifiedDBN()
    simple.fit(lists, Prior())
    model.prior, model.attraction, model.satisfaction = simple.prior, simple.attraction, simple.satisfaction
    found = []
    for _ in range(5):
        found.append(log_likelihood(model, lists).sum())
        model._step(lists)
    assert (np.diff(found) > -1).all()  # the prior, not the likelihood alone, is climbed
    model.fit(lists)
    assert model.goes_on == pytest.approx(0.8, abs=0.03)
    assert np.abs(model.attraction - alpha).mean() < 0.02


def test_closed_forms_are_counts() -> None:
    """Row by row, as Chapelle and Zhang and Craswell et al. count."""
    lists, *_ = world("dbn", 400, 4)
    for model, first_only in ((Cascade(), True), (SimplifiedDBN(), False)):
        model.fit(lists, Prior(1, 2))
        clicks, views = np.zeros(40), np.zeros(40)
        for row in range(len(lists)):
            at = [place for place in range(lists.places) if lists.clicked[row, place]]
            reach = lists.places if not at else (at[0] if first_only else at[-1]) + 1
            for place in range(reach):
                views[lists.item[row, place]] += 1
                clicks[lists.item[row, place]] += place in at
        np.testing.assert_allclose(model.attraction, (1 + clicks) / (3 + views))


@pytest.mark.parametrize("kind", ["pbm", "cascade", "dbn", "ubm"])
def test_later_days_choose_the_model_of_the_world(kind: str) -> None:
    lists, *_ = world(kind, 8_000, 5)
    judged = choose(lists)
    best = judged[0]
    assert {one.key: one.log_likelihood for one in judged}[kind] >= best.log_likelihood - 2 * best.error / 10
    assert judged[-1].key in ("ctr", "cascade")
    assert best.perplexity < {one.key: one for one in judged}["ctr"].perplexity


def test_the_baseline_is_the_click_rate_of_each_place() -> None:
    lists, *_ = world("pbm", 500, 6)
    model = RateByPlace()
    model.fit(lists, Prior(0, 0))
    np.testing.assert_allclose(model.marginal(lists)[0], lists.clicked.mean(axis=0))
    places = perplexity(model, lists)
    p = lists.clicked.mean(axis=0)
    np.testing.assert_allclose(places, 2 ** -(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


@pytest.mark.parametrize("kind", list(MODELS))
def test_short_lists_unclicked_lists_and_new_pairs_are_no_trouble(kind: str) -> None:
    rng = np.random.default_rng(8)
    item = np.argsort(rng.random((300, 12)), axis=1)[:, :5]
    item[::3, 3:] = -1
    item[::7, 1:] = -1
    clicked = (rng.random(item.shape) < 0.2) & (item >= 0)
    lists = lists_of(item, clicked, per_day=50)
    earlier = lists.rows(~(item == 11).any(axis=1))
    model, judged = judge(kind, earlier, lists)
    assert np.isfinite(judged.log_likelihood)
    assert judged.perplexity > 1
    for values in (model.conditional(lists), model.marginal(lists), model.examined(lists)):
        assert (values[item < 0] == 0).all()
        assert ((values >= 0) & (values <= 1)).all()
    nothing = lists_of(item, np.zeros_like(clicked), per_day=50)
    assert np.isfinite(judge(kind, nothing, nothing)[1].log_likelihood)


@pytest.mark.parametrize(("mean", "strength"), [(0.1, 5.0), (0.3, 40.0)])
def test_the_prior_is_the_one_that_rates_were_drawn_from(mean: float, strength: float) -> None:
    rng = np.random.default_rng(9)
    views = rng.integers(1, 200, 3000).astype(float)
    rates = rng.beta(mean * strength, (1 - mean) * strength, 3000)
    prior = estimate_prior(rng.binomial(views.astype(int), rates).astype(float), views)
    assert prior.mean == pytest.approx(mean, abs=0.02)
    assert prior.clicks + prior.passed == pytest.approx(strength, rel=0.2)
    alike = estimate_prior(rng.binomial(views.astype(int), 0.2).astype(float), views)
    assert alike.clicks + alike.passed > 300
