"""What is shown, measured end to end over the catalogue: candidates retrieved, ordered, and cut after the first k.

Most of a list as it is served is not judged, so one figure would say too much. Condensed: the judged products alone,
in the order shown (Sakai, SIGIR 2007), beside the worst and the best case of what is not judged, bpref (Buckley and
Voorhees, SIGIR 2004), and, where the truth is known for every product, the true figure. The ideal is always that of
all judged products, retrieved or not; the true figure's is that of the whole catalogue.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from features.feature_schema import KEYS, RETRIEVED
from ltr.data.gains import gains_of
from ltr.evaluation.per_query import EvaluationConfig, convention, headline_metric
from ltr.evaluation.systems import BEST, Measurement, measurement_of

CEILING = "best order of the candidates"
BEST_RECALL = "R(best grade)"
"""Share of a query's products of its best judged grade that are among its candidates."""


def condensed_metric(config: EvaluationConfig) -> str:
    return f"condensed {headline_metric(config)}"


def true_metric(config: EvaluationConfig) -> str:
    return f"true {headline_metric(config)}"


def shown_convention(config: EvaluationConfig, metrics: Collection[str]) -> str:
    """What the measures of shown lists are, in a few sentences; of the truth only where it is among the metrics."""
    k = _cutoff(config)
    truth = "; true: grades known for every product, against the best of the whole catalogue"
    return (
        f"Lists as they are served: what retrieval gives, in the system's order. condensed: nDCG@{k} of the judged "
        f"products alone in that order; Judged@{k}: share of the first {k} shown that is judged; worst and best: "
        f"nDCG@{k} if all others had no gain, or the best grade's, at most 1; bpref: by grade "
        f"{config.relevant_from:g} and more. The ideal is of all judged products, retrieved or not"
        f"{truth * (true_metric(config) in metrics)}."
    )


@dataclass(frozen=True, eq=False)
class ShownLists:
    """Lists as they are served: n rows that were retrieved of all rows of a table, by query and product_id.

    query_of: (all rows,) the number of each one's query; kept: (all rows,) bool, those retrieved. gain: (n,), NaN where
    not judged; relevant: (n,) bool; true_gain: (n,), where the truth is known. found, of_relevant, of_others: (q,)
    share of the best that is retrieved, number of relevant and of other judged products; ideal, true_ideal: (q,) DCG
    of the best order; best_gain: of any judged product.
    """

    query_ids: pl.Series
    query_of: np.ndarray
    kept: np.ndarray
    gain: np.ndarray
    relevant: np.ndarray
    found: np.ndarray
    of_relevant: np.ndarray
    of_others: np.ndarray
    ideal: np.ndarray
    best_gain: float
    config: EvaluationConfig
    true_gain: np.ndarray | None = None
    true_ideal: np.ndarray | None = None

    @classmethod
    def of(
        cls, lists: pl.DataFrame, config: EvaluationConfig, truth: pl.DataFrame | None = None
    ) -> ShownLists:
        """lists: query_id, product_id, grade, retrieved, sorted by key. truth: the grade of every product, by key."""
        frame = lists.select(*KEYS, "grade", RETRIEVED)
        runs = frame["query_id"].rle().struct
        ids, sizes = runs.field("value").rename("query_id"), runs.field("len").cast(pl.Int64).to_numpy()
        query, grade = np.repeat(np.arange(len(ids)), sizes), frame["grade"].to_numpy()
        kept, judged = frame[RETRIEVED].to_numpy(), ~np.isnan(grade)
        gain = np.full(len(grade), np.nan)
        gain[judged] = gains_of(grade[judged], config.gain, "evaluation.gain")
        relevant = judged & (grade >= config.relevant_from)

        def total(rows: np.ndarray) -> np.ndarray:
            return np.bincount(query[rows], minlength=len(ids))

        best = judged & (grade == np.fmax.reduceat(grade, np.cumsum(sizes) - sizes)[query])
        with np.errstate(invalid="ignore", divide="ignore"):
            found = total(best & kept) / total(best)
        k = _cutoff(config)
        true_gain, true_ideal = _true(frame, ids, truth, config)
        return cls(
            *(ids, query, kept, gain[kept], relevant[kept], found),
            *(total(relevant), total(judged & ~relevant)),
            ideal_dcg(query[judged], gain[judged], len(ids), k),
            float(gain[judged].max(initial=0.0)),
            config,
            None if true_gain is None else true_gain[kept],
            true_ideal,
        )

    def per_query(self, scores: np.ndarray) -> pl.DataFrame:
        """A row a query of the measures, by these scores (all rows of the table,); without queries of a NaN score."""
        ranked = self._ranked(scores[self.kept])
        unscored = np.unique(self.query_of[np.isnan(scores)])
        return self._table(ranked).filter(~pl.Series(np.isin(np.arange(len(self.query_ids)), unscored)))

    def ceiling(self) -> pl.DataFrame:
        """As `per_query`, of the best order of the candidates: by what is judged, and truly by what is true."""
        values = self._table(self._ranked(np.nan_to_num(self.gain, nan=-1.0)))
        if self.true_gain is None:
            return values
        name = true_metric(self.config)
        return values.with_columns(self._table(self._ranked(self.true_gain))[name])

    def _table(self, ranked: _Ranked) -> pl.DataFrame:
        k, ideal = _cutoff(self.config), self.ideal
        gain = self.gain[ranked.order]
        judged = ~np.isnan(gain)
        near = ranked.place < k
        worst = ranked.dcg(gain, near & judged)
        condensed = ranked.dcg(gain, judged, ranked.place_among(judged), k)
        best = worst + ranked.dcg(np.full(len(gain), self.best_gain), near & ~judged)
        shown = np.bincount(ranked.query[near], minlength=len(ideal))
        seen = np.bincount(ranked.query[near & judged], minlength=len(ideal))
        values = {
            condensed_metric(self.config): _ratio(condensed, ideal),
            f"Judged@{k}": seen / np.maximum(shown, 1),
            "worst": _ratio(worst, ideal),
            "best": np.minimum(_ratio(best, ideal), 1.0),
            "bpref": self._bpref(ranked, judged),
            BEST_RECALL: np.where(ideal > 0, self.found, np.nan),
        }
        if self.true_gain is not None and self.true_ideal is not None:
            true = ranked.dcg(self.true_gain[ranked.order], near)
            values[true_metric(self.config)] = _ratio(true, self.true_ideal)
        empty = {"skip": None, "zero": 0.0, "one": 1.0}[self.config.empty_queries]
        table = pl.DataFrame({"query_id": self.query_ids, **values})
        return table.with_columns(pl.col(list(values)).fill_nan(empty))

    def _ranked(self, scores: np.ndarray) -> _Ranked:
        order = np.lexsort((-scores, self.query))  # stable: equal scores by product_id
        return _Ranked(order, self.query[order], len(self.ideal))

    def _bpref(self, ranked: _Ranked, judged: np.ndarray) -> np.ndarray:
        """Mean over all relevant products of 1 - min(not relevant above it, R) / min(R, N); 0 for one not shown."""
        relevant = self.relevant[ranked.order]
        above = ranked.place_among(judged & ~relevant)[
            relevant
        ]  # of a relevant row: how many stand before it
        query = ranked.query[relevant]
        fewest = np.maximum(np.minimum(self.of_relevant, self.of_others), 1)
        lost = np.minimum(above, self.of_relevant[query]) / fewest[query]
        kept = np.bincount(query, 1 - np.minimum(lost, 1.0), minlength=len(self.ideal))
        return _ratio(kept, self.of_relevant)

    @property
    def query(self) -> np.ndarray:
        """(n,)"""
        return self.query_of[self.kept]


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Rows in their order of rank: order and query (n,), of so many queries."""

    order: np.ndarray
    query: np.ndarray
    queries: int

    @cached_property
    def place(self) -> np.ndarray:
        """(n,) from 0."""
        sizes = np.bincount(self.query, minlength=self.queries)
        return np.arange(len(self.query)) - (np.cumsum(sizes) - sizes)[self.query]

    def place_among(self, rows: np.ndarray) -> np.ndarray:
        """(n,) how many of these rows, (n,) bool, stand before each in its list."""
        before = np.cumsum(rows) - rows
        sizes = np.bincount(self.query[rows], minlength=self.queries)
        return before - (np.cumsum(sizes) - sizes)[self.query]

    def dcg(
        self, gain: np.ndarray, rows: np.ndarray, place: np.ndarray | None = None, k: int | None = None
    ) -> np.ndarray:
        """(q,) Σ gain / log2(2 + place) of these rows, of the first k places alone."""
        place = self.place if place is None else place
        rows = rows if k is None else rows & (place < k)
        return np.bincount(self.query[rows], gain[rows] / np.log2(place[rows] + 2.0), minlength=self.queries)


def ideal_dcg(query: np.ndarray, gain: np.ndarray, queries: int, k: int) -> np.ndarray:
    """(q,) DCG@k of the best order of each query's rows; query: (n,) numbers from 0."""
    order = np.lexsort((-gain, query))
    ranked = _Ranked(order, query[order], queries)
    return ranked.dcg(gain[order], ranked.place < k)


def measure_shown(
    lists: ShownLists, scores: Mapping[str, np.ndarray], queries: pl.DataFrame, model: str
) -> Measurement:
    """Every system's scores (all rows of the lists' table,), the model against the rest by the condensed figure.

    The best order of the candidates stands first, as the system CEILING: what retrieval leaves to win.
    """
    ours = lists.per_query(scores[model])
    tables = {CEILING: lists.ceiling(), **{name: lists.per_query(values) for name, values in scores.items()}}
    tables = {name: table.join(ours, on="query_id", how="semi") for name, table in tables.items()}
    return measurement_of(tables, queries, lists.config, model, condensed_metric(lists.config))


def kept_values(measured: Measurement, config: EvaluationConfig) -> pl.DataFrame:
    """A row a system and query of a measurement of shown lists, to be kept with the convention that it is by."""
    return measured.per_query.with_columns(convention=pl.lit(convention(config)))


def measure_kept(
    values: pl.DataFrame, queries: pl.DataFrame, config: EvaluationConfig, model: str
) -> Measurement | None:
    """The measurement whose values were kept; None where they are by another convention than is asked for."""
    metric = condensed_metric(config)
    if metric not in values.columns or (values["convention"] != convention(config)).any():
        return None
    own = values.filter(pl.col("system") != BEST).drop("kind", "segment", "convention")
    tables = {
        str(system): part.drop("system") for (system,), part in own.group_by("system", maintain_order=True)
    }
    return measurement_of(tables, queries, config, model, metric)


def _true(
    frame: pl.DataFrame, ids: pl.Series, truth: pl.DataFrame | None, config: EvaluationConfig
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The true gain of each row, and the DCG of the whole catalogue's best, by query."""
    if truth is None:
        return None, None
    number = pl.DataFrame([ids]).with_row_index("number")
    known = truth.join(number, on="query_id")
    known = known.with_columns(gain=pl.Series(gains_of(known["grade"].to_numpy(), config.gain)))
    ideal = ideal_dcg(known["number"].to_numpy(), known["gain"].to_numpy(), len(ids), _cutoff(config))
    rows = frame.select(KEYS).join(
        known.select(*KEYS, "gain"), on=KEYS, how="left", maintain_order="left", validate="1:1"
    )
    return rows["gain"].to_numpy(), ideal


def _cutoff(config: EvaluationConfig) -> int:
    return int(headline_metric(config).split("@")[1])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
