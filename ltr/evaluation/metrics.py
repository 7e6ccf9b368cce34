"""The measures themselves: flat arrays in, one value per query out.

One sort ranks all queries at once. After it only the rows that can add something (a gain, a hit)
are kept, and every ranking measure is a sum over those rows. The definitions, and the names, are
those of trec_eval and ir-measures. Measures for classifiers, over rows, stand at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ranks:
    """Rows out of many ranked lists: row i stands at `rank[i]`, from 1, in the list of query `query[i]`."""

    query: IntArray
    rank: IntArray

    @classmethod
    def of_lists(cls, query: IntArray) -> Ranks:
        """Rank whole lists laid end to end; `query` is ascending."""
        starts = _starts(query)
        first = np.repeat(starts, np.diff(starts, append=len(query)))
        return cls(query, np.arange(1, len(query) + 1) - first)

    def where(self, keep: BoolArray) -> Ranks:
        rows = np.flatnonzero(keep)  # twice as fast as indexing by a random mask
        return Ranks(self.query[rows], self.rank[rows])


@dataclass(frozen=True)
class Rankings:
    """What the measures need to know about the ranked lists of all queries.

    hits: the retrieved relevant rows, by query and rank. gains: the retrieved rows with a gain.
    ideal: the rows with a gain in the best possible order, retrieved or not. unjudged: the retrieved
    rows that nobody judged. `retrieved` and `relevant` count rows, shape (queries,); `relevant`
    counts what was not retrieved too.
    """

    hits: Ranks
    gains: Ranks
    gain: FloatArray
    ideal: Ranks
    ideal_gain: FloatArray
    unjudged: Ranks
    retrieved: IntArray
    relevant: IntArray

    def totals(self, rows: Ranks, weight: FloatArray | None = None) -> FloatArray:
        """Sum the weights (default 1) of each query's rows; shape (queries,)."""
        sums: FloatArray = np.bincount(rows.query, weight, minlength=len(self.relevant)).astype(np.float64)
        return sums


def rank(
    *,
    query: IntArray,
    product_id: pl.Series,
    score: FloatArray,
    gain: FloatArray,
    relevant: BoolArray,
    judged: BoolArray,
    queries: int,
) -> Rankings:
    """Rank the rows of every query by descending score, then ascending product_id.

    All columns have one row a pair, in any order. `query` counts from 0 to queries-1; a NaN score means
    judged but not retrieved; gains are 0 or more.
    """
    shown = np.flatnonzero(~np.isnan(score))
    order, list_of = _order(query[shown], score[shown], product_id, shown)
    rows = shown[order]
    retrieved = np.bincount(list_of, minlength=queries)
    before = np.cumsum(retrieved) - retrieved

    def ranks(places: IntArray) -> Ranks:
        return Ranks(list_of[places], places + 1 - before[list_of[places]])

    list_gain = gain[rows]
    with_gain = np.flatnonzero(list_gain > 0)  # twice as fast, here and below, as indexing by a random mask
    ideal_query, ideal_gain = _ideal(query, gain)
    return Rankings(
        hits=ranks(np.flatnonzero(relevant[rows])),
        gains=ranks(with_gain),
        gain=list_gain[with_gain],
        ideal=Ranks.of_lists(ideal_query),
        ideal_gain=ideal_gain,
        unjudged=ranks(np.flatnonzero(~judged[rows])),
        retrieved=retrieved,
        relevant=np.bincount(query[np.flatnonzero(relevant)], minlength=queries),
    )


def _order(
    query: IntArray, score: FloatArray, product_id: pl.Series, rows: IntArray
) -> tuple[IntArray, IntArray]:
    """Order by query, then descending score, then ascending product_id, and the queries in that order.

    `rows` are places in product_id. Query, score and place are packed into one integer, because numpy sorts
    integers three times faster than it finds their order, and thirty times faster than by two columns. The
    score has the bits that are left, its highest; rows equal in those are then put in exact order.
    """
    place_bits, query_bits = (max(1, int(n).bit_length()) for n in (len(query), query.max(initial=0)))
    key = query.astype(np.uint64) << (64 - query_bits)
    key |= _descending_bits(score) >> (query_bits + place_bits) << place_bits
    key |= np.arange(len(query), dtype=np.uint64)
    key.sort()
    order = (key & ((1 << place_bits) - 1)).view(np.int64)
    key >>= place_bits
    same = key[1:] == key[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    if len(tied):
        among = order[tied]
        ties = pl.DataFrame(
            {"key": key[tied], "score": score[among], "product_id": product_id.gather(rows[among])}
        )
        exact = ties.select(pl.arg_sort_by("key", "score", "product_id", descending=[False, True, False]))
        order[tied] = among[exact.to_series().to_numpy()]
    return order, (key >> (64 - query_bits - place_bits)).view(np.int64)


def _descending_bits(score: FloatArray) -> npt.NDArray[np.uint64]:
    """Unsigned integers that ascend as the score descends (the highest bit marks negative floats)."""
    bits = (score + 0.0).view(np.uint64)  # + 0 makes -0 equal to 0
    return np.where(score < 0, bits, ~bits & np.uint64(2**63 - 1))


def _ideal(query: IntArray, gain: FloatArray) -> tuple[IntArray, FloatArray]:
    """Query and gain of all rows with a gain, by query and descending gain."""
    rows = np.flatnonzero(gain > 0)
    rising = np.unique(gain[rows])
    place = np.searchsorted(-rising[::-1], -gain[rows])  # 0 = the highest gain
    key = np.sort(query[rows] << 32 | place)
    return key >> 32, rising[::-1][key & 0xFFFFFFFF]


def _starts(query: IntArray) -> IntArray:
    """Where each list begins, of lists laid end to end."""
    return np.flatnonzero(np.diff(query, prepend=-1))


def _ratio(numerator: FloatArray, denominator: npt.NDArray[Any]) -> FloatArray:
    """The quotient; NaN, which stands for "nothing to find", where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)


def _dcg(rankings: Rankings, rows: Ranks, gain: FloatArray, k: int) -> FloatArray:
    near = rows.rank <= k
    return rankings.totals(rows.where(near), gain[near] / np.log2(1.0 + rows.rank[near]))


def _hits(rankings: Rankings, k: int) -> FloatArray:
    return rankings.totals(rankings.hits.where(rankings.hits.rank <= k))


def ndcg(rankings: Rankings, k: int) -> FloatArray:
    """Normalised discounted cumulative gain: DCG@k = Σ gain / log2(1 + rank), over that of the ideal list.

    Järvelin and Kekäläinen, TOIS 2002. NaN where no row of the query has a gain.
    """
    best = _dcg(rankings, rankings.ideal, rankings.ideal_gain, k)
    return _ratio(_dcg(rankings, rankings.gains, rankings.gain, k), best)


def precision(rankings: Rankings, k: int) -> FloatArray:
    """Relevant rows among the first k, over k (also where fewer were retrieved, as trec_eval does)."""
    return np.where(rankings.relevant > 0, _hits(rankings, k) / k, np.nan)


def recall(rankings: Rankings, k: int) -> FloatArray:
    """Relevant rows among the first k, over all relevant rows of the query."""
    return _ratio(_hits(rankings, k), rankings.relevant)


def f1(rankings: Rankings, k: int) -> FloatArray:
    """Harmonic mean of precision and recall at k: 2PR / (P + R) = 2 hits / (k + relevant)."""
    return np.where(rankings.relevant > 0, 2 * _hits(rankings, k) / (k + rankings.relevant), np.nan)


def judged(rankings: Rankings, k: int) -> FloatArray:
    """Share of the first k retrieved rows that somebody judged; 0 where nothing was retrieved."""
    unjudged = rankings.totals(rankings.unjudged.where(rankings.unjudged.rank <= k))
    shown = np.minimum(rankings.retrieved, k)
    return (shown - unjudged) / np.maximum(shown, 1)


def average_precision(rankings: Rankings) -> FloatArray:
    """Mean, over all relevant rows, of the precision at each one's rank (0 if not retrieved)."""
    nth = Ranks.of_lists(rankings.hits.query).rank
    return _ratio(rankings.totals(rankings.hits, nth / rankings.hits.rank), rankings.relevant)


def reciprocal_rank(rankings: Rankings) -> FloatArray:
    """1 / rank of the first relevant row; 0 where relevant rows exist but none was retrieved."""
    first = _starts(rankings.hits.query)
    best = np.zeros(len(rankings.relevant))
    best[rankings.hits.query[first]] = 1.0 / rankings.hits.rank[first]
    return np.where(rankings.relevant > 0, best, np.nan)


def accuracy(labels: IntArray, predicted: IntArray) -> float:
    """Share of rows whose predicted class is the true one."""
    return float(np.mean(labels == predicted))


def confusion_matrix(labels: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """Row counts, shape (classes, classes): true class down, predicted class across."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def log_loss(labels: IntArray, probabilities: FloatArray) -> float:
    """Mean of -ln p(true class); `probabilities` is (rows, classes).

    A probability of 0 counts as the smallest step of a 64-bit float (as in scikit-learn), so that one
    over-sure mistake is dear but not infinite. Raises InputError unless every row sums to 1.
    """
    sums = probabilities.sum(axis=1)
    if not np.allclose(sums, 1.0, atol=1e-6):
        raise InputError(
            where="class probabilities",
            expected="rows that sum to 1",
            got=f"a row that sums to {sums[np.argmax(np.abs(sums - 1))]:g}",
            cure="divide every row by its sum",
        )
    step = np.finfo(np.float64).eps
    return float(-np.log(probabilities[np.arange(len(labels)), labels].clip(step, 1 - step)).mean())
