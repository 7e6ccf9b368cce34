"""What must not move a verdict: a redundant segment, other names, another order of rows, one more useless baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from ltr.data.dataset import Dataset
from ltr.data.splits import Fold, FoldsConfig, make_folds
from ltr.evaluation.baselines import SINGLE, best_single_feature, held_out_baselines
from ltr.evaluation.gate import Verdict, judge
from ltr.evaluation.per_query import EvaluationConfig
from ltr.evaluation.segments import query_segments
from ltr.evaluation.significance import BootstrapConfig
from ltr.evaluation.systems import ALL, BEST, Measurement, best_values, measure

CONFIG = EvaluationConfig(cutoffs=(5,), bootstrap=BootstrapConfig(resamples=200))
METRIC = "nDCG@5"
ROWS = 8


@dataclass(frozen=True)
class World:
    """Queries in words, by photo and by both; BM25 knows words, the photo cosine photos, the model a little of all."""

    queries: pl.DataFrame
    products: pl.DataFrame
    pairs: pl.DataFrame
    scores: dict[str, np.ndarray]

    def measured(self) -> Measurement:
        return measure(self.pairs, self.scores, self.queries, CONFIG, "model")

    def verdict(self) -> Verdict:
        found = self.measured()
        model = found.per_query.filter(system="model").select("query_id", METRIC)
        plain = best_values(found.per_query, found.best).select("query_id", METRIC)
        segments = query_segments(self.queries, self.pairs, self.products, 1.0)
        return judge(("model", model), ("baseline", plain), segments, CONFIG)


def world(seed: int) -> World:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(36, 60))
    kind = rng.integers(0, 3, count)
    ids = [f"q{i:03d}" for i in range(count)]
    queries = pl.DataFrame(
        {
            "query_id": ids,
            "text": [None if k == 1 else f"thing {i}" for i, k in enumerate(kind)],
            "image": [None if k == 0 else f"{i}.jpg".encode() for i, k in enumerate(kind)],
        }
    )
    of = np.repeat(kind, ROWS)
    grades = rng.integers(0, 4, count * ROWS).astype(float)
    pairs = pl.DataFrame(
        {
            "query_id": np.repeat(ids, ROWS),
            "product_id": [f"p{i:04d}" for i in range(count * ROWS)],
            "grade": grades,
        }
    )
    products = pairs.select(
        "product_id",
        brand=pl.Series(rng.choice(["Acme", "Zeno"], count * ROWS)),
        price=pl.Series(rng.choice([5.0, 10.0, 20.0], count * ROWS)),
    )

    def knows(share: np.ndarray) -> np.ndarray:
        return share * grades + rng.normal(scale=2, size=len(grades))

    scores = {
        "random": rng.normal(size=len(grades)),
        "BM25": np.where(of == 1, 0.0, knows(np.where(of == 0, 1.5, 0.5))),
        "photo cosine": np.where(of == 0, 0.0, knows(np.where(of == 1, 1.5, 0.7))),
        "popularity": knows(np.full(len(grades), 0.1)),
        "+ text": knows(np.full(len(grades), 0.8)),
        "model": knows(np.full(len(grades), 1.5)),
    }
    return World(queries, products, pairs, scores)


def with_segment(given: World, rng: np.random.Generator) -> World:
    names = dict(zip(("words", "photo", "both"), rng.choice(["x", "y", "z"], 3), strict=True))
    kind = pl.when(pl.col("image").is_null()).then(pl.lit("words"))
    kind = kind.when(pl.col("text").is_null()).then(pl.lit("photo")).otherwise(pl.lit("both"))
    return replace(given, queries=given.queries.with_columns(segment=kind.replace_strict(names)))


def renamed_queries(given: World, rng: np.random.Generator) -> World:
    names = dict(
        zip(given.queries["query_id"], rng.permutation(given.queries.height).astype(str), strict=True)
    )
    new = pl.col("query_id").replace_strict(names)
    return replace(given, queries=given.queries.with_columns(new), pairs=given.pairs.with_columns(new))


def renamed_products(given: World, rng: np.random.Generator) -> World:
    names = dict(
        zip(given.products["product_id"], rng.permutation(given.products.height).astype(str), strict=True)
    )
    new = pl.col("product_id").replace_strict(names)
    return replace(given, products=given.products.with_columns(new), pairs=given.pairs.with_columns(new))


def permuted(given: World, rng: np.random.Generator) -> World:
    order = rng.permutation(given.pairs.height)
    queries = given.queries[rng.permutation(given.queries.height)]
    products = given.products[rng.permutation(given.products.height)]
    scores = {name: values[order] for name, values in given.scores.items()}
    return World(queries, products, given.pairs[order], scores)


def with_useless_baseline(given: World, rng: np.random.Generator) -> World:
    useless = {"price, low first": -given.scores["model"], "text cosine": -given.scores["BM25"]}
    return replace(given, scores=useless | given.scores)


CHANGES: dict[str, Callable[[World, np.random.Generator], World]] = {
    each.__name__: each
    for each in (with_segment, renamed_queries, renamed_products, permuted, with_useless_baseline)
}


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """All that a verdict says, in an order of its own."""
    parts = pl.concat([verdict.kinds, verdict.segments], how="diagonal_relaxed").sort("family", "segment")
    return {**vars(verdict), "kinds": None, "segments": parts.to_dicts(), "says": verdict.says}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("seed", range(8))
def test_no_verdict_interval_or_p_value_moves(change: str, seed: int) -> None:
    before = world(seed)
    after = CHANGES[change](before, np.random.default_rng(seed + 100))
    assert as_dict(after.verdict()) == as_dict(before.verdict())
    ours, theirs = after.measured(), before.measured()
    assert ours.best == theirs.best
    tests = {(row["segment"], row["against"]): row for row in ours.tests.iter_rows(named=True)}
    for row in theirs.tests.iter_rows(named=True):
        assert tests[row["segment"], row["against"]] == row


def test_the_rival_of_each_kind_is_one_that_can_read_it() -> None:
    for seed in range(8):
        given = world(seed)
        measured = given.measured()
        assert measured.best["words"] == "BM25"
        assert measured.best["photo"] == "photo cosine"
        rows = measured.summary.filter(metric=METRIC)
        nothing = rows.filter(pl.col("mean").is_null()).select("system", "segment")
        assert set(nothing.rows()) == {("BM25", "photo"), ("photo cosine", "words")}
        own = rows.filter(system=BEST).row(0, named=True)
        plain = rows.filter(pl.col("system").is_in(measured.plain), segment=ALL, unread=0)
        assert own["mean"] == plain["mean"].max()  # none that reads all is better than each kind's own
        asked = given.queries["text"].count()
        bm25 = rows.filter(system="BM25", segment=ALL).row(0, named=True)
        assert bm25["queries"] + bm25["left_out"] == asked
        assert bm25["unread"] == given.queries.height - asked


def test_a_test_is_of_the_queries_that_both_read() -> None:
    given = world(0)
    test = given.measured().tests.filter(segment=ALL, against="BM25").row(0, named=True)
    assert test["queries"] <= given.queries["text"].count()


def test_folds_do_not_move_with_a_redundant_segment() -> None:
    for seed in range(5):
        plain, named = world(seed), with_segment(world(seed), np.random.default_rng(seed))
        folds = [make_folds(FoldsConfig(folds=3), w.queries, w.pairs["query_id"]) for w in (plain, named)]
        assert folds[0] == folds[1]


def table(given: World, best: str, sign: float) -> Dataset:
    """Ready-made features of which one, or its opposite, tells the grade."""
    rng = np.random.default_rng(1)
    noise = {f"given.f{i}": rng.normal(size=given.pairs.height) for i in range(6)}
    noise[best] = sign * given.pairs["grade"].to_numpy() + noise[best]
    return Dataset.from_frame(given.pairs.with_columns(**{n: pl.Series(v) for n, v in noise.items()}))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("place", range(6))
def test_ready_made_features_are_measured_against_the_best_single_one(place: int, sign: float) -> None:
    given = world(place)
    data = table(given, f"given.f{place}", sign)
    chosen = best_single_feature(data, data.query_ids, CONFIG)
    assert (chosen.feature, chosen.sign) == (f"given.f{place}", sign)
    folds = make_folds(FoldsConfig(folds=3), given.queries, data.frame["query_id"])
    scores = held_out_baselines(data, folds, CONFIG)
    assert list(scores) == ["random", SINGLE]
    assert np.isfinite(scores[SINGLE]).all()
    measured = measure(
        data.frame, scores | {"model": scores["random"]}, given.queries.select("query_id"), CONFIG, "model"
    )
    assert measured.best == {"unknown": SINGLE}


def test_the_single_feature_is_chosen_on_training_queries() -> None:
    """One feature tells the grades of the training half, another those of the test half: the first is taken."""
    given = world(3)
    half = given.queries["query_id"].to_list()[: given.queries.height // 2]
    inside = given.pairs["query_id"].is_in(half).to_numpy()
    grades = given.pairs["grade"].to_numpy()
    columns = {"given.f0": np.where(inside, grades, -grades), "given.f1": np.where(inside, -grades, grades)}
    columns["given.f2"] = np.where(inside, 0.5 * grades, grades)
    data = Dataset.from_frame(given.pairs.with_columns(**{n: pl.Series(v) for n, v in columns.items()}))
    rest = [query for query in given.queries["query_id"] if query not in set(half)]
    scores = held_out_baselines(data, [Fold(half, [], rest)], CONFIG)
    np.testing.assert_array_equal(scores[SINGLE][~inside], columns["given.f0"][~inside])
    assert np.isnan(scores[SINGLE][inside]).all()
