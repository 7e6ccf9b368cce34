"""BM25 of pairs against bm25s, the reference, and against the formula written out."""

from collections.abc import Sequence
from math import log

import bm25s
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from features.words import term_counts
from features.words.bm25 import Bm25, Postings
from features.words.term_counts import FieldCounts, PairTerms, TermLists, Vocabulary

Tokens = list[str]

words = st.sampled_from(["red", "blue", "shoe", "shirt", "mens", "7.5"])
queries = st.lists(st.lists(st.one_of(words, st.just("unknown")), max_size=5), min_size=1, max_size=4)
corpora = st.lists(st.lists(words, max_size=8), min_size=1, max_size=7).filter(any)
constants = st.tuples(st.floats(0.1, 3), st.floats(0, 1))


def all_scores(
    corpus: Sequence[Tokens | None], asked: Sequence[Tokens], k1: float = 0.9, b: float = 0.4
) -> np.ndarray:
    """Queries × documents, by scoring every pair."""
    vocabulary, counts, bm25 = indexed(corpus, k1, b)
    query, document = (axis.ravel() for axis in np.indices((len(asked), len(corpus))))
    at = PairTerms.of(document, query, TermLists.of(asked, vocabulary))
    return bm25.of_pairs(at, FieldCounts.of([counts]).look_up(at)[0]).reshape(len(asked), len(corpus))


def indexed(
    corpus: Sequence[Tokens | None], k1: float = 0.9, b: float = 0.4
) -> tuple[Vocabulary, sparse.csr_array, Bm25]:
    lists = pl.Series(corpus, dtype=pl.List(pl.String))
    vocabulary = Vocabulary.of(lists)
    counts = vocabulary.counts(lists)
    return vocabulary, counts, Bm25.of(counts, lists.is_not_null().to_numpy(), k1=k1, b=b)


def formula(corpus: Sequence[Tokens], query: Tokens, document: Tokens, k1: float, b: float) -> float:
    mean = sum(map(len, corpus)) / len(corpus)
    score = 0.0
    for term in filter(document.__contains__, query):
        having = sum(term in other for other in corpus)
        idf = log(1 + (len(corpus) - having + 0.5) / (having + 0.5))
        count = document.count(term)
        score += idf * count / (count + k1 * (1 - b + b * len(document) / mean))
    return score


@given(corpora, queries, constants)
@settings(max_examples=60)
def test_every_pair_scores_as_in_bm25s(
    corpus: list[Tokens], asked: list[Tokens], chosen: tuple[float, float]
) -> None:
    k1, b = chosen
    reference = bm25s.BM25(method="lucene", k1=k1, b=b)
    reference.index(corpus, show_progress=False)
    known = {word for document in corpus for word in document}
    for query, scores in zip(asked, all_scores(corpus, asked, k1, b), strict=True):
        if known & set(query):
            assert scores == pytest.approx(reference.get_scores(query), abs=1e-5)
        else:
            assert not scores.any()


@given(corpora, queries, constants)
@settings(max_examples=60)
def test_every_pair_scores_by_the_formula(
    corpus: list[Tokens], asked: list[Tokens], chosen: tuple[float, float]
) -> None:
    expected = [[formula(corpus, query, document, *chosen) for document in corpus] for query in asked]
    assert all_scores(corpus, asked, *chosen) == pytest.approx(np.array(expected), rel=1e-9, abs=1e-12)


def test_a_product_without_the_text_is_no_document_of_the_corpus() -> None:
    corpus = [["red", "shoe"], ["blue"]]
    scores = all_scores([*corpus, None, None], [["red"]])
    assert scores[0, :2] == pytest.approx(all_scores(corpus, [["red"]])[0])
    assert not scores[0, 2:].any()


@given(corpora, queries, st.integers(1, 8))
@settings(max_examples=60)
def test_a_search_finds_the_best_scored_first_and_the_lower_row_among_equals(
    corpus: list[Tokens], asked: list[Tokens], n: int
) -> None:
    vocabulary, counts, bm25 = indexed(corpus)
    lists = TermLists.of(asked, vocabulary)
    for place, scores in enumerate(all_scores(corpus, asked)):
        order = sorted(np.flatnonzero(scores), key=lambda row: (-scores[row], row))
        rows, found = Postings.of(counts, bm25).best(bm25, lists[place], n)
        assert rows.tolist() == order[:n]
        assert found == pytest.approx(scores[order[:n]])


@pytest.mark.parametrize("k1", [0.0, 1.2])
def test_documents_without_a_token_score_nothing(k1: float) -> None:
    assert not all_scores([[], []], [["red"], []], k1=k1).any()


@pytest.mark.parametrize(
    ("query", "covered"),
    [(["red", "shoe"], 1), (["red", "unknown"], 1 / 2), (["unknown", "none"], 0), ([], np.nan)],
)
def test_coverage_is_the_share_of_terms_found(query: Tokens, covered: float) -> None:
    at, hits = looked_up([["red", "red", "shoe"]], query)
    assert at.covered(hits) == pytest.approx([covered], nan_ok=True)
    assert at.empty == [not query]


def test_coverage_weighs_terms_by_their_worth() -> None:
    at, hits = looked_up([["red"]], ["red", "shoe"])
    assert at.covered(hits, np.array([3.0, 1.0])) == pytest.approx([3 / (3 + 1)])


def looked_up(corpus: list[Tokens], query: Tokens) -> tuple[PairTerms, np.ndarray]:
    vocabulary, counts, _ = indexed(corpus)
    at = PairTerms.of(np.array([0]), np.array([0]), TermLists.of([query], vocabulary))
    return at, FieldCounts.of([counts]).look_up(at)[0]


def test_pairs_of_no_query_make_no_scores() -> None:
    none = np.zeros(0, dtype=np.int64)
    vocabulary, counts, bm25 = indexed([["red"]])
    at = PairTerms.of(none, none, TermLists.of([], vocabulary))
    assert bm25.of_pairs(at, FieldCounts.of([counts]).look_up(at)[0]).shape == (0,)


def test_ties_of_a_large_corpus_come_by_row() -> None:
    corpus = [["red"] * (1 + row % 3) + ["shoe"] * (3 - row % 3) for row in range(600)]
    vocabulary, counts, bm25 = indexed(corpus)
    rows, _ = Postings.of(counts, bm25).best(bm25, TermLists.of([["red"]], vocabulary)[0], 300)
    assert rows.tolist() == [*range(2, 600, 3), *range(1, 600, 3)][:300]


@given(
    st.integers(0, 10**6),
    st.lists(st.integers(0, 30), max_size=7),
    st.integers(1, 60),
    st.sampled_from([None, 0.0, 0.02, 0.5, 1.0]),
    st.sampled_from([(0.9, 0.4), (0.0, 0.0), (3.0, 1.0)]),
)
@settings(max_examples=100, deadline=None)
def test_leaving_documents_out_changes_no_bit_of_the_answer(
    seed: int, terms: list[int], n: int, share: float | None, chosen: tuple[float, float]
) -> None:
    """Against adding up every term of every document, where some words stand in nearly all and some in few."""
    rng = np.random.default_rng(seed)
    common = 0.9 ** np.arange(30)
    made = rng.integers(1, 4, size=(400, 30)) * (rng.random((400, 30)) < common)
    counts = sparse.csr_array(np.pad(made, ((0, 0), (0, 1))).astype(np.float32))
    bm25 = Bm25.of(counts, np.ones(400, dtype=bool), k1=chosen[0], b=chosen[1])
    within = None if share is None else rng.random(400) < share
    scores = np.zeros(400)
    rows = np.arange(400)
    for term in terms:
        scores += bm25.weights(counts[:, [term]].toarray().ravel(), rows, np.full(1, term))
    expected = [row for row in np.lexsort((rows, -scores)) if scores[row] > 0]
    expected = [row for row in expected if within is None or within[row]][:n]
    found, reached = Postings.of(counts, bm25).best(bm25, np.array(terms, dtype=np.int64), n, within)
    assert found.tolist() == expected
    assert reached.tolist() == scores[expected].tolist()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 40), st.integers(0, 9), st.integers(0, 10**6))
def test_counts_are_looked_up_as_they_stand_in_each_field(
    fields: int, documents: int, terms: int, asked: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.poisson(rng.choice([0.0, 0.1, 2.0]), size=(fields, documents, terms + 1)).astype(np.float32)
    dense[:, :, terms] = 0  # the code of unknown terms
    counts = FieldCounts.of([sparse.csr_array(field) for field in dense])
    lists = TermLists(rng.integers(0, terms + 1, 2 * asked), np.array([0, asked, 2 * asked]))
    document, query = rng.integers(0, documents, 8), np.sort(rng.integers(0, 2, 8))
    at = PairTerms.of(document, query, lists)
    with pytest.MonkeyPatch.context() as patch:
        for size in (1, 7, 1 << 15):
            patch.setattr(term_counts, "_ENTRIES_AT_ONCE", size)
            np.testing.assert_array_equal(counts.look_up(at), dense[:, at.document, at.term])
