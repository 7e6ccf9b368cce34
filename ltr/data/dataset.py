"""From a feature table to the arrays a ranker eats: X, grades and group sizes, cut from one sorted frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from features.batch import Block
from features.errors import InputError
from features.feature_schema import ASSUMED, KEYS, RETRIEVED, WEIGHT, FeatureSchema
from ltr.data.lists import UNJUDGED, UnjudgedConfig
from ltr.data.splits import Fold

WIDE = {pl.Float64, pl.Int32, pl.Int64, pl.Int128, pl.UInt32, pl.UInt64}  # float32 would cut their digits
_PLACE = "\0place"  # of a row in the frame given
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table of n query–product pairs and f features; the rows of a query lie together.

    frame: keys, grade where known, features; sorted by (query_id, product_id), the order of all arrays. Of lists as
    they are served it has `retrieved` too, and null grades where a product is not judged.
    X: (n, f) C-contiguous, float32 or float64; categories as codes; NaN = missing.
    query_ids: (q,) the distinct queries in order; groups: (q,) int32, rows of each.
    weights: (q,) how much each query counts in training; None: all alike.
    positions: (n,) int32, where each row of a shown list stood, from 0, for rankers that take a place's share out of
    its clicks; None: no shown lists.
    given: (n,) where each row stood in the frame that the dataset was made from; None: where it stands here.
    """

    frame: pl.DataFrame
    schema: FeatureSchema
    X: np.ndarray
    query_ids: pl.Series
    groups: np.ndarray
    weights: np.ndarray | None = None
    given: np.ndarray | None = None
    unjudged: UnjudgedConfig = UNJUDGED
    """What `for_training` makes of products that are not judged."""
    positions: np.ndarray | None = None

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, schema: FeatureSchema | None = None) -> Dataset:
        """Check a table of keys, grade (absent when scoring) and features; sort it; build the arrays.

        schema: the features that must be there (a saved run's); by default those of the frame.
        Raises InputError for other features than the schema's, keys that are null, no strings or doubled,
        grades that are negative, not finite or, but in lists as they are served, null, and values too large
        for 32 bits.
        """
        _check_keys(frame)
        if schema is not None:
            schema.check(frame, "feature table")
        schema = schema or FeatureSchema.of(frame)
        if "grade" in frame.columns:
            frame = frame.with_columns(_checked_grades(frame, null=RETRIEVED in frame.columns))
        frame = frame.with_row_index(_PLACE).sort(KEYS)
        given = frame.drop_in_place(_PLACE).to_numpy()
        _check_pairs_once(frame)
        lists = frame["query_id"].rle().struct
        groups = lists.field("len").to_numpy().astype(np.int32)
        ids = lists.field("value").rename("query_id")
        return cls(frame, schema, _matrix(frame, schema), ids, groups, given=given)

    def as_given(self, values: np.ndarray) -> np.ndarray:
        """Values of the rows, (n,) or (n, …), such as a ranker's scores, in the order of the frame given."""
        if self.given is None:
            return values
        ordered = np.empty_like(values)
        ordered[self.given] = values
        return ordered

    @classmethod
    def of_list(cls, keys: pl.DataFrame, block: Block, *, columns: bool = False) -> Dataset:
        """One query's candidates, in the order of product_id, with the features just made of them: a request.

        What `from_frame` checks holds of these by the way they were made, but for values too large. columns:
        whether the frame has the features too, for who takes them from there.
        """
        if np.isinf(block.matrix).any():
            raise _bad("finite 32-bit values", "infinite ones", "mend the catalogue's numbers")
        groups = np.array([keys.height], dtype=np.int32)
        frame = keys.hstack(block.frame()) if columns and block.features else keys
        X = np.ascontiguousarray(block.matrix)
        return cls(frame, FeatureSchema(block.features), X, keys["query_id"].head(1), groups)

    @property
    def grades(self) -> np.ndarray:
        """(n,) float64, NaN where not judged; InputError when the table has none."""
        if "grade" not in self.frame.columns:
            raise _bad("graded pairs", "no column 'grade'", "join the judgements to the pairs")
        return self.frame["grade"].to_numpy()

    @property
    def is_judged(self) -> np.ndarray:
        """(n,) bool: rows whose grade is a judge's."""
        judged = ~np.isnan(self.grades)
        return judged & self.frame[ASSUMED].is_null().to_numpy() if ASSUMED in self.frame.columns else judged

    @property
    def row_weights(self) -> np.ndarray | None:
        """(n,) how much each row counts in training: the product of its query's weight, its judgement's (`WEIGHT`) and
        that of an assumed grade; None: all alike.
        """
        known = [name for name in (ASSUMED, WEIGHT) if name in self.frame.columns]
        own = [self.frame[name].fill_null(1.0).to_numpy() for name in known]
        by_query = [] if self.weights is None else [np.repeat(self.weights, self.groups)]
        return np.prod([*own, *by_query], axis=0) if own or by_query else None

    @property
    def query_weights(self) -> np.ndarray | None:
        """(q,) for rankers that weigh whole queries: its weight times the mean of its judgements'; None: all alike."""
        if WEIGHT not in self.frame.columns or not len(self.groups):
            return self.weights
        judgements = self.frame[WEIGHT].fill_null(1.0).to_numpy()
        mean = np.add.reduceat(judgements, np.cumsum(self.groups) - self.groups) / self.groups
        return mean if self.weights is None else mean * self.weights

    def judged(self) -> Dataset:
        """The judged rows alone, their features as they are in the whole list."""
        return self._rows(self.is_judged)

    def for_training(self, *, weighing: bool) -> Dataset:
        """Graded rows alone: the judged ones, and of the others those that train, with grade 0 (column `assumed`).

        weighing: whether the ranker weighs rows. Rows of lists that are whole judged stay as they are.
        """
        judged = self.is_judged
        if judged.all():
            return self
        drawn, weight = self.unjudged.drawn(len(judged), weighing=weighing)
        assumed = pl.when(pl.Series(judged)).then(None).otherwise(pl.lit(weight, pl.Float64)).alias(ASSUMED)
        filled = replace(self, frame=self.frame.with_columns(assumed, pl.col("grade").fill_null(0.0)))
        return filled._rows(judged | drawn)

    def _rows(self, kept: np.ndarray) -> Dataset:
        """These rows, (n,) bool; a query of which none is left goes with them."""
        if kept.all():
            return self
        counts = np.add.reduceat(kept, np.cumsum(self.groups) - self.groups, dtype=np.int32)
        some = counts > 0
        weights = None if self.weights is None else self.weights[some]
        ids = self.query_ids.filter(pl.Series(some))
        frame = self.frame.filter(pl.Series(kept))
        places = None if self.positions is None else self.positions[kept]
        return Dataset(
            frame, self.schema, self.X[kept], ids, counts[some], weights, None, self.unjudged, places
        )

    @property
    def categorical(self) -> list[int]:
        """Columns of X that hold category codes."""
        return [i for i, feature in enumerate(self.schema.features) if feature.kind == "categorical"]

    def scored(self, scores: np.ndarray) -> pl.DataFrame:
        """The keys, the grade where known and a score (n,) for each pair, as `ltr.evaluation.evaluate` takes them."""
        columns = [name for name in (*KEYS, "grade") if name in self.frame.columns]
        return self.frame.select(columns).with_columns(score=pl.Series(scores, dtype=pl.Float64))

    def split(self, fold: Fold) -> tuple[Dataset, Dataset, Dataset]:
        """The pairs of a fold's training, validation and test queries."""
        return self.take(fold.train), self.take(fold.validation), self.take(fold.test)

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()

    def take(self, query_ids: Iterable[str]) -> Dataset:
        """The pairs of these queries; an id with no pairs here is passed over."""
        wanted = pl.Series(list(query_ids), dtype=pl.String)
        kept = self.query_ids.is_in(wanted.implode())
        queries = kept.to_numpy()
        rows = np.repeat(queries, self.groups)
        frame = self.frame.filter(pl.Series(rows))
        weights = None if self.weights is None else self.weights[queries]
        ids = self.query_ids.filter(kept)
        places = None if self.positions is None else self.positions[rows]
        return Dataset(
            frame, self.schema, self.X[rows], ids, self.groups[queries], weights, None, self.unjudged, places
        )

    def select(self, features: FeatureSchema) -> Dataset:
        """The same pairs with only these features; InputError for one that is not here."""
        if features == self.schema:
            return self
        place = {feature: column for column, feature in enumerate(self.schema.features)}
        absent = [feature.name for feature in features.features if feature not in place]
        if absent:
            raise _bad(
                "features of this table", repr(absent[0]), f"choose among {', '.join(self.schema.names)}"
            )
        columns = [place[feature] for feature in features.features]
        others = [name for name in self.frame.columns if name not in self.schema.names]
        frame = self.frame.select(*others, *(name for name in features.names if name in self.frame.columns))
        X = np.take(self.X, columns, axis=1)
        return replace(self, frame=frame, schema=features, X=X)


def _check_keys(frame: pl.DataFrame) -> None:
    for key in KEYS:
        if key not in frame.columns:
            raise _bad(f"a column {key!r}", "none", f"name the column of {key} in data")
        if frame[key].dtype != pl.String:
            raise _bad(f"{key} as String", str(frame[key].dtype), "cast it to String")
        if frame[key].null_count():
            raise _bad(f"a {key} in every row", f"{frame[key].null_count()} nulls", "drop those rows")


def _checked_grades(frame: pl.DataFrame, *, null: bool) -> pl.Series:
    if not frame["grade"].dtype.is_numeric():
        raise _bad("numeric grades", str(frame["grade"].dtype), "map each label to a number")
    grades = frame["grade"].cast(pl.Float64)
    bad = (~grades.is_finite() | (grades < 0)).fill_null(value=not null)
    if bad.any():
        row = frame.select(*KEYS).filter(bad).row(0)
        raise _bad(
            "a grade of 0 or more in every row",
            f"{grades.filter(bad)[0]} for query {row[0]!r}, product {row[1]!r} ({bad.sum()} such rows)",
            "drop the unjudged pairs, or grade them 0",
        )
    return grades


def _check_pairs_once(frame: pl.DataFrame) -> None:
    """The frame is sorted, so copies of a pair are neighbours."""
    again = (pl.col(key) == pl.col(key).shift() for key in KEYS)
    doubled = frame.select(*KEYS).filter(*again)
    if doubled.height:
        query, product = doubled.row(0)
        raise _bad(
            "each pair once",
            f"product {product!r} again under query {query!r} ({doubled.height} such rows)",
            "keep one row per query_id and product_id",
        )


def _matrix(frame: pl.DataFrame, schema: FeatureSchema) -> np.ndarray:
    if not schema.features:
        return np.empty((frame.height, 0), np.float32)
    _check_range(frame, schema)
    wide = any(frame[name].dtype in WIDE for name in schema.names)
    codes = (
        pl.col(feature.name).to_physical() if feature.kind == "categorical" else pl.col(feature.name)
        for feature in schema.features
    )
    return np.ascontiguousarray(
        frame.select(codes).cast(pl.Float64 if wide else pl.Float32).to_numpy(order="c")
    )


def _check_range(frame: pl.DataFrame, schema: FeatureSchema) -> None:
    """XGBoost keeps values in 32 bits and refuses what becomes infinite there."""
    floats = [name for name in schema.names if frame[name].dtype.is_float()]
    if not floats:
        return
    column = pl.col(floats)
    beyond = frame.select((column.is_not_nan() & (column.abs() > LARGEST)).any()).row(0)
    if any(beyond):
        name = floats[beyond.index(True)]
        raise _bad(
            "finite 32-bit values",
            f"infinite or huge ones in {name!r}",
            "mend the feature, or set them to null",
        )


def _bad(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="feature table", expected=expected, got=got, cure=cure)
