"""Pairs of words in worlds whose right answer is known: what is learnt, what is not, and that nothing leaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from features import FeatureBuilder
from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.groups.adapted import WORDS, AdaptedSimilarity
from features.groups.adapted_fitting import GradedLists
from features.groups.word_by_word.word_pairs import STRENGTHS, WordPairs, fit_path
from features.words.word_hashes import padded, word_hash

MEANS = {"sofa": "couch", "jumper": "sweater", "trainers": "sneakers", "rug": "carpet", "lamp": "light"}
COLOURS = ("red", "blue", "green")
ROWS = 10


WORDS_MET = ("red", "sofa", "couch", "größe", "a")


def sides(asked: list[list[str]], offered: list[list[str]]) -> dict[str, RowVectors]:
    """Fields of rows, each with words of its own."""
    fields = {}
    for name, texts in (("query_words", asked), ("product_words", offered)):
        place = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        hashes = np.array([word_hash(word) for text in texts for word in text], dtype=np.uint32)
        fields[name] = RowVectors(padded(len(texts), place, hashes), np.arange(len(texts)))
    return fields


def world(queries: int = 60, seed: int = 0) -> tuple[dict[str, RowVectors], GradedLists]:
    """Products never say what is asked for, but say what it means; the brands that they name mean nothing."""
    random = np.random.default_rng(seed)
    asked, offered, gains = [], [], []
    for _ in range(queries):
        wanted = random.choice(list(MEANS))
        for _ in range(ROWS):
            kind, colour, brand = (
                random.choice(of) for of in (list(MEANS), COLOURS, ("acme", "bolt", "cord"))
            )
            asked.append([wanted, "cheap"])
            offered.append([MEANS[kind], colour, brand])
            gains.append(3.0 if kind == wanted else float(random.random() < 0.1))
    return sides(asked, offered), GradedLists(np.full(queries, ROWS), np.array(gains))


def learn(fields: dict[str, RowVectors], lists: GradedLists) -> tuple[AdaptedSimilarity, np.ndarray]:
    return AdaptedSimilarity.fit(fields, [WORDS], lists)


def test_learns_which_words_mean_the_same_and_ranks_unseen_queries_by_it() -> None:
    fields, lists = world()
    learned, own = learn(fields, lists)
    unseen, graded = world(seed=1)
    assert np.nanmean(graded.ndcg(learned.transform(unseen, graded.sizes)[:, 0])) > 0.9
    assert np.nanmean(lists.ndcg(own[:, 0])) > 0.9
    assert np.nanmean(lists.ndcg(np.zeros(len(own)))) < 0.7
    assert learned.names == ["adapted.words", "adapted.words_rank", "adapted.words_z"]


def test_features_of_a_query_never_saw_its_own_grades() -> None:
    """Other grades for one query leave its own features as they were, and change those of the others."""
    fields, lists = world()
    _, own = learn(fields, lists)
    changed = lists.gains.copy()
    changed[:ROWS] = 3 - changed[:ROWS]
    _, other = learn(fields, GradedLists(lists.sizes, changed))
    assert np.array_equal(own[:ROWS], other[:ROWS])
    assert not np.array_equal(own[ROWS:], other[ROWS:])


def test_shuffled_grades_give_nothing() -> None:
    """Beyond what chance gives any feature."""
    gained = []
    for seed in range(8):
        fields, lists = world(seed=seed)
        shuffled = GradedLists(lists.sizes, np.random.default_rng(seed).permutation(lists.gains))
        _, own = learn(fields, shuffled)
        gained.append(np.nanmean(shuffled.ndcg(own[:, 0]) - shuffled.ndcg(np.zeros(len(own)))))
    assert np.mean(gained) < 0.02


@pytest.mark.parametrize("gain", [0.0, 1.0, np.nan], ids=["no gain", "all alike", "nobody judged"])
def test_lists_that_tell_nothing_say_nothing_of_any_word(gain: float) -> None:
    fields, lists = world(queries=10)
    learned, own = learn(fields, GradedLists(lists.sizes, np.full_like(lists.gains, gain)))
    assert not learned.maps[WORDS].weights.any()
    assert not own[:, 0].any()


@given(
    texts=st.lists(st.tuples(*[st.lists(st.sampled_from("abcde"), max_size=3)] * 2), min_size=4, max_size=12),
    gains=st.data(),
    strength=st.sampled_from(STRENGTHS),
)
@settings(deadline=None, max_examples=40)
def test_weights_are_those_of_a_ridge_regression(
    texts: list[tuple[list[str], list[str]]], gains: st.DataObject, strength: float
) -> None:
    """Solved whole: (CᵀC + λ)⁻¹ Cᵀy, a column a pair of words."""
    graded = np.array(
        gains.draw(st.lists(st.integers(0, 3), min_size=len(texts), max_size=len(texts))), float
    )
    fields = sides([list(asked) for asked, _ in texts], [list(offered) for _, offered in texts])
    found = fit_path(*fields.values(), GradedLists(np.array([len(texts)]), graded), [strength])
    pairs = [[(a, b) for a in sorted(set(asked)) for b in sorted(set(offered))] for asked, offered in texts]
    names = sorted({pair for row in pairs for pair in row})
    if not names or graded.std() == 0:
        assert all(not one.weights.any() for one in found.values())
        return
    crossed = np.array([[(name in row) / max(len(row), 1) ** 0.5 for name in names] for row in pairs])
    worth = (graded - graded.mean()) / graded.std()
    weights = np.linalg.solve(crossed.T @ crossed + strength * np.eye(len(names)), crossed.T @ worth)
    expected = np.where([bool(row) for row in pairs], crossed @ weights, np.nan)
    assert found[strength].of_pairs(*fields.values()) == pytest.approx(expected, abs=1e-5, nan_ok=True)


def test_rows_without_words_have_no_score_and_unknown_words_none_of_weight() -> None:
    fields, lists = world()
    learned, _ = learn(fields, lists)
    odd = sides([[], ["sofa"], ["sofa"], ["never", "seen"]], [["couch"], [], ["couch"], ["couch"]])
    odd = {name: RowVectors(side.vectors, np.array([0, 1, 2, 3])) for name, side in odd.items()}
    found = learned.transform(odd, np.array([4]))[:, 0]
    assert np.isnan(found[:2]).all()
    assert found[2] > 0
    assert found[3] == 0
    gone = {name: RowVectors(side.vectors, np.full(4, -1)) for name, side in odd.items()}
    assert np.isnan(learned.transform(gone, np.array([4]))).all()


def test_a_query_is_scored_alike_alone_and_among_others() -> None:
    fields, lists = world()
    learned, _ = learn(fields, lists)
    whole = learned.transform(fields, lists.sizes)
    rows = np.arange(ROWS, 2 * ROWS)
    alone = learned.transform({name: side.take(rows) for name, side in fields.items()}, np.array([ROWS]))
    assert np.array_equal(alone, whole[rows])


def test_blocks_of_rows_are_joined_as_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    fields, lists = world(queries=12)
    whole = fit_path(*fields.values(), lists, STRENGTHS)
    monkeypatch.setattr("features.groups.word_by_word.word_pairs._ROWS_AT_ONCE", 7)
    parts = fit_path(*fields.values(), lists, STRENGTHS)
    for strength in STRENGTHS:
        assert np.array_equal(whole[strength].keys, parts[strength].keys)
        assert np.allclose(whole[strength].weights, parts[strength].weights, atol=1e-6)


def test_saved_weights_score_alike_and_a_damaged_file_is_told(tmp_path: Path) -> None:
    fields, lists = world()
    learned, _ = learn(fields, lists)
    path = tmp_path / "adapted.safetensors"
    learned.save(path)
    again = AdaptedSimilarity.load(path, [WORDS])
    assert np.array_equal(again.transform(fields, lists.sizes), learned.transform(fields, lists.sizes))
    keys, weights = again.maps[WORDS].keys, again.maps[WORDS].weights  # type: ignore[attr-defined]
    for spoilt in (
        WordPairs(keys[::-1], weights),
        WordPairs(keys[:-1], weights),
        WordPairs(keys, weights.astype(np.float64)),
        WordPairs(keys, np.full_like(weights, np.nan)),
        WordPairs(keys.astype(np.int64), weights),
    ):
        AdaptedSimilarity({WORDS: spoilt}).save(path)
        with pytest.raises(InputError, match="saved maps of adapted similarity"):
            AdaptedSimilarity.load(path, [WORDS])


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=5))
def test_padded_holds_the_distinct_words_of_each_item(items: list[list[int]]) -> None:
    place = np.repeat(np.arange(len(items)), [len(item) for item in items])
    found = padded(len(items), place, np.array([word for item in items for word in item], dtype=np.uint32))
    assert [sorted(set(row.tolist()) - {0}) for row in found] == [sorted(set(item) - {0}) for item in items]
    assert sparse.csr_array(found).nnz == sum(len(set(item) - {0}) for item in items)


def test_words_of_a_shop_are_those_of_title_brand_and_category_whatever_else_it_sells() -> None:
    products = pl.DataFrame(
        {
            "product_id": ["a", "b", "c"],
            "title": ["The red couch of linen", None, "Sofas, sofas"],
            "brand": ["Nord", None, None],
            "category": ["Living > Seats", None, None],
            "description": ["never read here", "nor this", None],
        }
    )
    queries = pl.DataFrame({"query_id": ["q", "r"], "text": ["red sofa for the hall", None]})
    pairs = pl.DataFrame({"query_id": ["q", "q", "r"], "product_id": ["a", "b", "c"]})
    more = pl.concat(
        [products, products.with_columns(pl.format("{} again", "product_id").alias("product_id"))]
    )
    for shop in (products, more.with_columns(pl.col("title").str.replace("again", "abacus"))):
        found = FeatureBuilder(shop, encoders={}).words(queries, pairs)
        said = [
            [set(side.vectors[row].tolist()) - {0} for row in side.rows.tolist()] for side in found.values()
        ]
        hashes = [{word_hash(word) for word in text.split()} for text in ("red sofa hall", "")]
        assert said[0] == [hashes[0], hashes[0], hashes[1]]
        assert said[1] == [
            {word_hash(word) for word in text.split()}
            for text in ("red couch linen nord living seat", "", "sofa")
        ]
        for at, (query, product) in enumerate(pairs.rows()):
            words = FeatureBuilder(shop, encoders={}).words_of_pair(queries.filter(query_id=query), product)
            assert [{word_hash(word) for word in side} for side in words] == [side[at] for side in said]


@given(
    *(st.lists(st.sampled_from(WORDS_MET), max_size=5) for _ in range(2)),
    st.dictionaries(st.tuples(*[st.sampled_from(WORDS_MET)] * 2), st.floats(-2, 2, width=32)),
)
def test_shares_of_pairs_sum_to_the_score(
    asked: list[str], said: list[str], weights: dict[tuple[str, str], float]
) -> None:
    pairs = sorted((word_hash(ours) << 32 | word_hash(theirs), w) for (ours, theirs), w in weights.items())
    keys, values = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    learned = WordPairs(keys.astype(np.uint64), values.astype(np.float32))
    sides = (
        RowVectors(
            padded(1, np.zeros(len(side), int), np.array([word_hash(w) for w in side], np.uint32)),
            np.zeros(1, int),
        )
        for side in (asked, said)
    )
    (score,) = learned.of_pairs(*sides)
    shares = learned.shares(asked, said)
    assert sum(share.adds for share in shares) == pytest.approx(np.nan_to_num(score), abs=1e-5)
    assert all(weights[share.asked, share.said] for share in shares)
    assert [abs(share.adds) for share in shares] == sorted(
        (abs(share.adds) for share in shares), reverse=True
    )
