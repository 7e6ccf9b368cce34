"""Rankers as scikit-learn estimators: `fit(X, y, qid=…)`, `predict`, pipelines, and searches by group.

With `sklearn.set_config(enable_metadata_routing=True)` pipelines and searches pass `qid` on by themselves:
`GridSearchCV(LightGBMEstimator(), {"leaves": [7, 15]}, scoring=ndcg_scorer(), cv=QueryFolds()).fit(X, y, qid=qid)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import sklearn
from numpy.typing import ArrayLike
from pydantic import ValidationError
from sklearn.base import BaseEstimator
from sklearn.metrics import make_scorer
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.gains import Gain, gains_of
from ltr.rankers.boosters.catboost_ranker import CatBoostConfig
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig
from ltr.rankers.boosters.xgboost_ranker import XGBoostConfig
from ltr.rankers.lists import mean_ndcg
from ltr.rankers.networks.logistic_ranker import LogisticConfig
from ltr.rankers.networks.network_settings import MLPConfig
from ltr.rankers.protocol import Ranker, RankerSettings
from ltr.rankers.registry import make_ranker

PLAIN = (str, int, float, bool, tuple, type(None))  # what scikit-learn takes for a parameter's default
GROUP = "given"  # of features whose names have none

__all__ = [
    "CatBoostEstimator",
    "LightGBMEstimator",
    "LogisticEstimator",
    "MLPEstimator",
    "QueryFolds",
    "RankerEstimator",
    "XGBoostEstimator",
    "mean_ndcg_by_query",
    "ndcg_scorer",
]


class RankerEstimator(BaseEstimator):
    """A kind of ranker as an estimator; a subclass names its settings, which become the parameters.

    X: numpy, pandas or polars, NaN (or null) where missing; a column of categories (polars Enum or Categorical,
    pandas category) is one feature, and a category unseen in training is missing. Rows come in any order, and
    scores go back in the same. ranker_: the fitted ranker; schema_: its features, `given.` before a name without
    a group (`given.f1`, `given.f2`, … for arrays).
    """

    settings_class: ClassVar[type[RankerSettings]]
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"qid": True, "validation": None}
    __metadata_request__score: ClassVar[dict[str, Any]] = {"qid": True}

    ranker_: Ranker
    schema_: FeatureSchema
    n_features_in_: int

    def __init_subclass__(cls, settings: type[RankerSettings] | None = None, **more: Any) -> None:
        if settings is not None:
            cls.settings_class = settings
            cls.__init__ = _init_of(settings)  # type: ignore[method-assign]
        super().__init_subclass__(**more)

    @property
    def settings(self) -> RankerSettings:
        """The parameters as the ranker takes them; a parameter of None is its default. InputError for a bad one."""
        given = {name: value for name, value in self.get_params(deep=False).items() if value is not None}
        try:
            return self.settings_class.model_validate(given)
        except ValidationError as error:
            problem = error.errors()[0]
            raise InputError(
                where=f"{type(self).__name__}, {'.'.join(map(str, problem['loc']))}",
                expected=problem["msg"].removeprefix("Value error, ").removeprefix("Input should be "),
                got=repr(problem["input"])[:80],
                cure="set another value",
            ) from error

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        validation: tuple[Any, ArrayLike, ArrayLike] | None = None,
    ) -> Self:
        """Learn the order of each query's rows: y are grades from 0, qid says which query a row belongs to.

        validation: X, y, qid to stop the training early by; without, all trees (or epochs) are kept. Raises
        InputError without qid, and for what the ranker cannot learn from.
        """
        frame = self._frame(X, first=True)
        train = Dataset.from_frame(_with_keys(frame, qid, _grades(y, frame.height)))
        self.schema_ = train.schema
        held_out = None
        if validation is not None:
            rows = self._frame(validation[0], first=False)
            held_out = Dataset.from_frame(
                _with_keys(rows, validation[2], _grades(validation[1], rows.height))
            )
        self.ranker_ = make_ranker(self.settings)
        self.ranker_.fit(train, held_out)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Scores (n,) float64 in the order of X's rows: higher is better, comparable within a query only."""
        check_is_fitted(self)
        frame = self._frame(X, first=False)
        data = Dataset.from_frame(_with_keys(frame, np.zeros(frame.height, np.int64)), self.schema_)
        scores = np.empty(frame.height)
        scores[data.frame["product_id"].cast(pl.Int64).to_numpy()] = self.ranker_.score(data)
        return scores

    def score(self, X: Any, y: ArrayLike, qid: ArrayLike | None = None) -> float:
        """Mean nDCG@10 by query, as `ndcg_scorer` has it."""
        return mean_ndcg_by_query(y, self.predict(X), qid)

    def _frame(self, X: Any, *, first: bool) -> pl.DataFrame:
        """X as named columns; first: its features are those to be learnt, else they must be the same."""
        if hasattr(X, "columns") and not isinstance(X, pl.LazyFrame):
            validate_data(self, X, skip_check_array=True, reset=first)
            table = X if isinstance(X, pl.DataFrame) else pl.from_pandas(X)
            known = {} if first else {feature.name: feature.categories for feature in self.schema_.features}
            columns = [_column(column, known.get(_named(column.name), ())) for column in table]
            frame = pl.DataFrame(columns).rename(_named)
            numeric = frame.select(pl.selectors.numeric())
            if numeric.width:
                check_array(numeric.to_numpy(), ensure_all_finite="allow-nan", input_name="X", estimator=self)
            return frame
        matrix = validate_data(
            self, X, reset=first, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
        )
        names = [f"{GROUP}.f{place + 1}" for place in range(matrix.shape[1])]
        return pl.DataFrame(matrix, names, orient="row").fill_nan(None)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "ranker"
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.target_tags.positive_only = True
        return tags


def _init_of(settings: type[RankerSettings]) -> Callable[..., None]:
    """An `__init__` with a keyword for each setting but `kind`, as scikit-learn reads it from the signature."""
    defaults = {
        name: default if isinstance(default := field.get_default(call_default_factory=True), PLAIN) else None
        for name, field in settings.model_fields.items()
        if name != "kind"
    }

    def __init__(self: RankerEstimator, **given: Any) -> None:  # noqa: N807 - it becomes the class's own
        if unknown := [name for name in given if name not in defaults]:
            raise TypeError(f"{type(self).__name__} has no parameter {unknown[0]!r}")
        for name, default in defaults.items():
            setattr(self, name, given.get(name, default))

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [inspect.Parameter(name, keyword, default=default) for name, default in defaults.items()]
    __init__.__signature__ = inspect.Signature([own, *parameters])  # type: ignore[attr-defined]
    return __init__


class LightGBMEstimator(RankerEstimator, settings=LightGBMConfig):
    """`ltr.rankers.LightGBMRanker`."""


class XGBoostEstimator(RankerEstimator, settings=XGBoostConfig):
    """`ltr.rankers.XGBoostRanker`."""


class CatBoostEstimator(RankerEstimator, settings=CatBoostConfig):
    """`ltr.rankers.CatBoostRanker`."""


class LogisticEstimator(RankerEstimator, settings=LogisticConfig):
    """`ltr.rankers.LogisticRanker`."""


class MLPEstimator(RankerEstimator, settings=MLPConfig):
    """The multilayer perceptron."""


class QueryFolds(BaseCrossValidator):
    """Folds of whole queries, dealt at random by the seed; asks pipelines and searches for `qid`."""

    __metadata_request__split: ClassVar[dict[str, Any]] = {"qid": True, "groups": UNUSED}

    def __init__(self, n_splits: int = 5, seed: int = 0) -> None:
        self.n_splits, self.seed = n_splits, seed

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None, qid: Any = None) -> int:  # noqa: ARG002
        return self.n_splits

    def split(
        self,
        X: Any,  # noqa: ARG002 - what scikit-learn gives every splitter
        y: Any = None,  # noqa: ARG002
        groups: Any = None,  # noqa: ARG002
        qid: ArrayLike | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows to fit on and rows held out, fold by fold; InputError without qid, or with fewer queries than folds."""
        queries = _queries(qid, None)
        count = int(queries.max(initial=-1)) + 1
        if not 2 <= self.n_splits <= count:
            raise InputError(
                where="QueryFolds, n_splits",
                expected=f"2 to {count} folds, as many as there are queries",
                got=str(self.n_splits),
                cure="ask for other folds, or judge more queries",
            )
        fold = (np.random.default_rng(self.seed).permutation(count) % self.n_splits)[queries]
        for number in range(self.n_splits):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def mean_ndcg_by_query(
    y: ArrayLike, scores: ArrayLike, qid: ArrayLike | None = None, *, k: int = 10, gain: Gain = "exp"
) -> float:
    """Mean nDCG@k over the queries with anything relevant (0 where none has), rows in any order.

    Equal scores stand in the order of rows. Raises InputError without qid.
    """
    grades, queries = np.asarray(y, dtype=np.float64), _queries(qid, None)
    check_consistent_length(grades, scores, queries)
    order = np.argsort(queries, kind="stable")
    gains = gains_of(grades[order], gain, "gain")
    groups = np.bincount(queries)
    return mean_ndcg(np.asarray(scores, dtype=np.float64)[order], gains, groups, k)


def ndcg_scorer(k: int = 10, gain: Gain = "exp") -> Any:
    """For `scoring=` of a search or cross-validation: mean nDCG@k by query; it asks for `qid` itself."""
    with sklearn.config_context(enable_metadata_routing=True):
        return make_scorer(mean_ndcg_by_query, k=k, gain=gain).set_score_request(qid=True)


def _named(name: str) -> str:
    """A feature's name has a group before a point."""
    return name if "." in name else f"{GROUP}.{name}"


def _column(column: pl.Series, known: tuple[str, ...]) -> pl.Series:
    """Numbers as they are, NaN as null; categories by the codes of training, unseen ones null."""
    if known:
        return column.cast(pl.String).cast(pl.Enum(known), strict=False)
    if isinstance(column.dtype, pl.Categorical):
        found = column.cast(pl.String)
        return found.cast(pl.Enum(found.drop_nulls().unique().sort()))
    return column.fill_nan(None) if column.dtype.is_float() else column


def _grades(y: ArrayLike, height: int) -> np.ndarray:
    grades = column_or_1d(y, warn=True)
    checked = check_array(grades, ensure_2d=False, dtype=np.float64, input_name="y")
    check_consistent_length(checked, np.empty(height))
    return checked


def _queries(qid: ArrayLike | None, height: int | None) -> np.ndarray:
    """(n,) each row's query, from 0 in the order of their ids."""
    if qid is None:
        raise InputError(
            where="qid",
            expected="the query of each row",
            got="none",
            cure="pass qid=…; in a pipeline or search first sklearn.set_config(enable_metadata_routing=True)",
        )
    ids = qid if isinstance(qid, pl.Series) else pl.Series("qid", np.asarray(qid, dtype=object).tolist())
    if ids.null_count() or (ids.dtype.is_float() and ids.is_nan().any()):
        raise InputError(where="qid", expected="a query in every row", got="null", cure="drop those rows")
    if height is not None:
        check_consistent_length(ids.to_numpy(), np.empty(height))
    return ids.rank("dense").cast(pl.Int64).to_numpy() - 1


def _with_keys(frame: pl.DataFrame, qid: ArrayLike | None, grades: np.ndarray | None = None) -> pl.DataFrame:
    """The rows with a query_id that sorts as the queries do, and the row's number as product_id."""
    queries = _queries(qid, frame.height)
    rows = pl.Series(range(frame.height), dtype=pl.Int64).cast(pl.String).str.zfill(10)
    query_ids = pl.Series(queries).cast(pl.String).str.zfill(10)
    keyed = frame.select(query_ids.alias("query_id"), rows.alias("product_id"), pl.all())
    return keyed if grades is None else keyed.with_columns(grade=pl.Series(grades))
