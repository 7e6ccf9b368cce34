"""Strategies of fusion compared: figures against worlds whose answer is known, the pages, one ranker end to end."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.encoders.vectors import RowVectors
from ltr import compare_fusion, evaluate, rank, train
from ltr.config.tree import parse_config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig
from ltr.data.splits import Fold
from ltr.evaluation.per_query import EvaluationConfig
from ltr.pipeline.fusion.comparison import Comparison, compare_outcomes, paired
from ltr.pipeline.fusion.strategies import (
    METHODS,
    PAIR,
    Outcome,
    Strategy,
    blend_of,
    choose_fields,
    choose_strategies,
    fit_strategies,
)
from ltr.pipeline.prepare import load_collection
from ltr.rankers import (
    RANKERS,
    BlendConfig,
    LightGBMConfig,
    LogisticConfig,
    NetworkAndTreesConfig,
    NeuralConfig,
    load_ranker,
    make_ranker,
)
from ltr.rankers.blend.blend_ranker import BlendRanker
from ltr.rankers.networks.embedded_fields import towers_of
from ltr.runs.saved_run import SavedRun
from tests.ltr.conftest import Trained
from tests.ltr.rankers.blend.test_blend_ranker import SMALL, shop

QUERIES, ROWS = 40, 10
CONFIG = EvaluationConfig(bootstrap={"resamples": 200})


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return made_comparison()


def made_comparison() -> Comparison:
    """One strategy ranks by the grade, one by the grade and a trifle, one by chance; so does the baseline."""
    random = np.random.default_rng(0)
    grade = random.integers(0, 3, QUERIES * ROWS).astype(float)
    pairs = pl.DataFrame(
        {
            "query_id": np.repeat([f"q{i:02d}" for i in range(QUERIES)], ROWS),
            "product_id": np.tile([f"p{i}" for i in range(ROWS)], QUERIES),
            "grade": grade,
        }
    )
    queries = pairs.select(pl.col("query_id").unique().sort()).with_columns(
        text=pl.Series(["red", None] * (QUERIES // 2)),
        image=pl.Series([None, b"photo"] * (QUERIES // 2)),
    )
    nearly = grade + np.where(np.arange(len(grade)) < 2 * ROWS, random.normal(size=len(grade)), 0)
    scores = {"sure": grade, "nearly": nearly, "blind": random.normal(size=len(grade))}
    levels = {"sure": "feature", "nearly": "decision", "blind": "model"}
    outcomes = [
        Outcome(Strategy(name, levels[name], LightGBMConfig()), values, None, 1.0, 0.004, 400)  # type: ignore[arg-type]
        for name, values in scores.items()
    ]
    outcomes[0].predicted = np.where(np.arange(len(grade)) < 100, grade, 0.0)
    plain = {"random": random.normal(size=len(grade)), "price, low first": -grade}
    return compare_outcomes(pairs, outcomes, plain, queries, CONFIG, ["no photos"])


def test_says_what_wins_and_what_is_noise(compared: Comparison) -> None:
    first, near, far, levels, given, left_out = compared.statements["all queries"]
    assert first.startswith("sure has the highest nDCG@10: 1.000 [1.000, 1.000] on 40 queries, ")
    assert re.search(r"\+\.\d{3} \[\+\.\d{3}, \+\.\d{3}\] over random, beyond noise\.$", first)
    assert near.startswith("Within noise of it, by tests corrected for all pairs (Holm): nearly (−.0")
    assert far.startswith("Behind it beyond noise: blind (−.")
    assert levels.startswith("Best of each level: feature 1.000 (sure), decision ")
    assert given == "Given all features: sure, nearly, blind."
    assert left_out == "Left out: no photos."
    assert list(compared.statements) == ["all queries", "words", "photo"]
    assert len(compared.statements["words"]) == 4  # what was given is said once


def test_every_pair_is_tested_once_and_corrected_within_its_segment(compared: Comparison) -> None:
    for (segment,), part in compared.tests.group_by("segment"):
        assert part.height == 6, segment  # 3 strategies and the best baseline
        assert part.select((pl.col("p_holm") <= pl.col("p_value") * 6 + 1e-12).all()).item()
    one, other = (paired(compared.tests, "words", *names) for names in (("sure", "blind"), ("blind", "sure")))
    assert one["difference"] == -other["difference"] > 0
    assert (one["low"], one["wins"]) == (-other["high"], other["losses"])


def test_accuracy_and_confusion_are_those_of_the_grades(compared: Comparison) -> None:
    cost = compared.costs["sure"]
    counts = np.array(cost["confusion"])
    assert counts.sum() == QUERIES * ROWS
    assert cost["accuracy"]["mean"] == pytest.approx(
        np.trace(counts) / counts.sum()
    )  # queries are equally long
    assert counts[0, 1:].sum() == counts[1, 2] == counts[2, 1] == 0
    assert compared.costs["nearly"]["accuracy"] is None
    assert cost["microseconds"] == pytest.approx(10)


def test_blends_share_members_and_score_as_if_trained_alone() -> None:
    data = shop()
    ids = data.query_ids.to_list()
    fold = Fold(ids[:40], [], ids[40:])
    booster = LightGBMConfig(**SMALL)
    strategies = [Strategy(name, "decision", blend_of(booster, method)) for method, name in METHODS.items()]
    outcomes = fit_strategies(EmbeddedDataset(data), [fold], strategies)
    for outcome in outcomes:
        alone = BlendRanker(outcome.strategy.ranker)  # type: ignore[arg-type]
        alone.fit(data.take(fold.train))
        np.testing.assert_array_equal(outcome.scores[400:], alone.score(data.take(fold.test)))
        assert np.isnan(outcome.scores[:400]).all()
        assert outcome.fit_seconds > 0 < outcome.microseconds


def hidden(data: Dataset) -> Dataset:
    """The pairs as training sees them where every second list has no photo."""
    odd = pl.col("query_id").str.tail(1).cast(pl.Int32) % 2 == 1
    photo = pl.when(~odd).then("image.photo").alias("image.photo")
    return Dataset.from_frame(data.frame.with_columns(photo))


def test_every_strategy_learns_from_the_thinned_lists() -> None:
    """Blends too, whose members are shared; and no strategy is scored on thinned ones."""
    data = shop()
    ids = data.query_ids.to_list()
    fold = Fold(ids[:30], ids[30:40], ids[40:])
    network = {"threads": 1, "epochs": 3, "width": 8}
    booster = LightGBMConfig(**SMALL)
    rankers = [booster, LogisticConfig(), NeuralConfig(**network)]
    strategies = [Strategy(ranker.kind, "feature", ranker) for ranker in rankers]
    strategies += [Strategy(name, "decision", blend_of(booster, method)) for method, name in METHODS.items()]
    learned = hidden(data)
    found = fit_strategies(EmbeddedDataset(data), [fold], strategies, thinned=EmbeddedDataset(learned))
    plain = fit_strategies(EmbeddedDataset(data), [fold], strategies)
    for thinned, whole in zip(found, plain, strict=True):
        alone = make_ranker(thinned.strategy.ranker)
        alone.fit(learned.take(fold.train), data.take(fold.validation))
        np.testing.assert_array_equal(thinned.scores[400:], alone.score(data.take(fold.test)))
        assert not np.array_equal(thinned.scores[400:], whole.scores[400:]), thinned.strategy.name


def test_the_command_trains_by_the_train_section_and_says_what_of_it_no_strategy_uses(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "fusion"
    settings = ["--train.modality_dropout", "{photos: 1}", "--train.base", "auto"]
    words = [
        *settings,
        "--components",
        "4",
        "--ranker.trees",
        "5",
        "--split.folds",
        "2",
        "--data.queries",
        "20",
    ]
    compare_fusion.main(trained.words("--run", str(target), *words))
    found = json.loads((target / "fusion.json").read_text())
    left_out = "train.base: every strategy learns from this set's judgements alone"
    unseen = "embeddings of image: 0 distinct training vectors, fewer than 4"
    assert {left_out, unseen} <= set(found["left_out"])
    assert f"left out: {left_out}\n" in capsys.readouterr().out
    assert found["facts"]["training queries"] == "100% without photos"
    assert "image" not in found["facts"]["embeddings"].split(", ")


@pytest.mark.parametrize("modality", ["audio", "video"])
def test_the_embeddings_of_a_shops_own_modality_are_chosen_and_meet(modality: str) -> None:
    random = np.random.default_rng(0)
    data = shop()
    names = ("query_text", "title", f"query_{modality}", modality)
    rows = np.arange(len(data.X)) % 50
    vectors = {
        name: RowVectors(random.normal(size=(50, 8)).astype(np.float32), random.permutation(rows))
        for name in names
    }
    ids = data.query_ids.to_list()
    fold = Fold(ids[:40], [], ids[40:])
    embeddings, notes = choose_fields(EmbeddedDataset(data, vectors), [fold], 3)
    assert embeddings is not None
    assert (embeddings.fields, notes) == (names, [])
    config = parse_config({"name": "shop", "data": {"kind": "demo"}}, Path(), "here")
    strategies, _ = choose_strategies(config, data.schema, embeddings)
    network = strategies[-1]
    assert set(network.rows(EmbeddedDataset(data, vectors)).vectors) == set(names)
    _, own = towers_of(names)
    assert (f"query_{modality}", modality) in own.meetings
    quick = replace(network, ranker=NeuralConfig(threads=1, epochs=2, width=8))
    (outcome,) = fit_strategies(EmbeddedDataset(data, vectors), [fold], [quick])
    assert np.isfinite(outcome.scores[400:]).all()


@pytest.mark.parametrize("kind", sorted(RANKERS.names))
@pytest.mark.parametrize("embedded", [False, True])
def test_the_configs_own_ranker_is_among_the_strategies(kind: str, embedded: bool) -> None:
    """Of every kind there is: itself, or (a blend) in its members; its seed and gain are those of all."""
    ranker = {"kind": kind, "gain": "linear"}
    seeded = "seed" in RANKERS.settings_of(kind).model_fields
    ranker |= {"seed": 5} if seeded else {}
    config = parse_config({"name": "shop", "data": {"kind": "demo"}, "ranker": ranker}, Path(), "here")
    embeddings = EmbeddingFusionConfig(fields=("query_text", "title"), components=3) if embedded else None
    strategies, notes = choose_strategies(config, shop().schema, embeddings)
    rankers = [strategy.ranker for strategy in strategies]
    assert len({strategy.name for strategy in strategies}) == len(strategies)
    if isinstance(config.ranker, BlendConfig):
        assert config.ranker.member in rankers
    if kind == "neural" and not embedded:
        assert "model-level fusion: no embeddings, without an encoder or from ready-made features" in notes
    else:
        assert config.ranker in rankers
    assert {one.gain for one in rankers} == {"linear"}
    assert not seeded or {one.seed for one in rankers if hasattr(one, "seed")} == {5}
    pairs = [one for one in rankers if isinstance(one, NetworkAndTreesConfig)]
    assert len(pairs) == (embedded or kind == "network_and_trees")
    if embedded and kind != "network_and_trees":  # the same models, alone and joined
        assert {pairs[0].network.kind, pairs[0].booster.kind} <= {one.kind for one in rankers}
        assert pairs[0].network in rankers
        assert pairs[0].booster in rankers


@pytest.mark.parametrize("embedded", [False, True])
def test_pointwise_strategies_see_what_the_booster_sees(embedded: bool) -> None:
    config = parse_config({"name": "shop", "data": {"kind": "demo"}}, Path(), "here")
    embeddings = EmbeddingFusionConfig(fields=("query_text", "title"), components=3) if embedded else None
    strategies, _ = choose_strategies(config, shop().schema, embeddings)
    seen = {strategy.name: (strategy.groups, strategy.embeddings) for strategy in strategies}
    for name in ("logistic regression", "MLP"):
        assert seen[name] == seen["LambdaMART"]
        assert (f"{name} on embeddings" in seen) == embedded
        if embedded:
            assert seen[f"{name} on embeddings"] == (("structured",), embeddings)


@pytest.mark.parametrize(
    ("own", "words", "beside"), [(None, True, 1), (None, False, 0), ("adapted", True, 0)]
)
def test_pairs_of_words_are_a_strategy_where_the_config_learns_nothing_itself(
    own: str | None, words: bool, beside: int
) -> None:
    given = {} if own is None else {"embeddings": {"adapted": ["words", "text.title"]}}
    config = parse_config({"name": "shop", "data": {"kind": "demo"}, **given}, Path(), "here")
    strategies, _ = choose_strategies(config, shop().schema, None, words=words)
    named = [one for one in strategies if one.name == "LambdaMART and pairs of words"]
    assert len(named) == beside
    assert all("as the judgements have it (words)" in one.recipe for one in named)
    assert (strategies[0].embeddings is not None) == (own is not None)


def test_the_command_writes_figures_and_pages(trained: Trained, tmp_path: Path) -> None:
    target = tmp_path / "fusion"
    words = ["--run", str(target), "--components", "4", "--ranker.early_stopping_rounds", "0"]
    compare_fusion.main(trained.words(*words, "--split.folds", "2"))
    found = json.loads((target / "fusion.json").read_text())
    assert {cost["level"] for cost in found["strategies"].values()} == {"feature", "decision", "model"}
    assert {*METHODS.values(), PAIR, "LambdaMART and pairs of words"} < set(found["strategies"])
    costs = found["strategies"]
    # Two models once, and both again by fold of the training queries.
    assert costs[PAIR]["fit_seconds"] > 2 * costs["neural network"]["fit_seconds"]
    assert "5 more fits, each scoring queries that it has not seen" in found["facts"][PAIR]
    judged = load_collection(SavedRun.open(trained.run).config).judgements.height
    for name in ("logistic regression", "MLP"):
        assert np.sum(found["strategies"][name]["confusion"]) == judged
        assert 0 < found["strategies"][name]["log_loss"] < 10
    assert list(found["statements"]) == ["all queries", "words", "photo", "words and photo"]
    page = (target / "fusion.html").read_text()
    assert "http" not in page
    assert page.count("<script") == 1
    assert page.count("Row less column") == 4
    for sentence in found["statements"]["photo"]:
        assert sentence in (target / "fusion.md").read_text()


def test_a_blend_is_trained_measured_and_asked_like_any_ranker(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train.main(trained.words("--run", str(run), "--ranker", "blend", "--objective", "weighted"))
    blend = load_ranker(run / "model")
    assert isinstance(blend, BlendRanker)
    assert (blend.config.trees, list(blend.weights)) == (20, ["text", "image", "structured"])
    measured = evaluate.main(["--run", str(run)])
    means = dict(
        measured.summary.filter(segment="all queries", metric=measured.headline)
        .select("system", "mean")
        .rows()
    )
    assert means["blend"] > means["random"]
    assert rank.main(["--run", str(run), "--query", "red shirt"]) is not None
