"""What the two boosters share: settings, checks, the mean over bags, saving and loading."""

from __future__ import annotations

import difflib
import fnmatch
import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import polars as pl
from pydantic import Field

from features.disk import sha256
from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.rankers.boosters.committee import common_stop, seats
from ltr.rankers.boosters.trial_load import try_out
from ltr.rankers.devices import Device
from ltr.rankers.known_files import is_known, remember
from ltr.rankers.lists import differ_in_gain
from ltr.rankers.model_files import check_unchanged
from ltr.rankers.protocol import OnTree, RankerSettings
from ltr.rankers.search_space import Float, Int, Range

Scalar = bool | int | float | str
# Below this a second core saves two seconds a fit at most; on a busy machine it cost thirty times the fit,
# since LightGBM's threads wait for one another at every node (MQ2008, 450,000 cells: 0.9 s against 32 s).
CELLS_FOR_ONE_THREAD = 1_000_000


class BoostedConfig(RankerSettings):
    """Settings that mean the same to all boosters."""

    trees: int = Field(500, ge=1, description="at most; early stopping may keep fewer")
    learning_rate: float = Field(0.05, gt=0)
    leaves: int = Field(15, ge=2)
    l2: float = Field(1.0, ge=0)
    feature_fraction: float = Field(0.7, gt=0, le=1, description="share of the features each tree may use")
    bagging_fraction: float = Field(0.8, gt=0, le=1, description="share of the rows each tree is grown on")
    early_stopping_rounds: int = Field(50, ge=0, description="trees without a better validation nDCG; 0: off")
    stop_at: int = Field(10, ge=1, description="the k of the validation nDCG@k")
    bags: int = Field(
        3,
        ge=1,
        description="models of seeds seed, seed + 1, … whose scores are averaged; fitting takes as many times as "
        "long. With fewer than 100 validation queries each leaves out a part of the training queries, by which it "
        "is stopped, too",
    )
    monotone: tuple[str, ...] = Field(
        (), description="numeric features (* allowed) that may only raise a score"
    )
    device: Device = "cpu"
    threads: int | None = Field(None, ge=1, description="null: all cores, but one for small tables")
    seed: int = Field(0, ge=0, lt=2**30)
    params: dict[str, Scalar | list[Scalar]] = Field({}, description="the library's own parameters; they win")

    def check(self, schema: FeatureSchema) -> None:
        """Raise InputError for a `monotone` pattern that names no numeric feature of the whole table."""
        check_monotone(schema, self.monotone)

    def search_space(self) -> dict[str, Range]:
        """What ltr.tune tries by default; the number of trees only where nothing stops the training early."""
        trees: dict[str, Range] = {} if self.early_stopping_rounds else {"trees": Int(20, 1000, log=True)}
        return trees | {
            "learning_rate": Float(0.01, 0.3, log=True),
            "leaves": Int(4, 63, log=True),
            "l2": Float(0.01, 100, log=True),
            "feature_fraction": Float(0.3, 1),
            "bagging_fraction": Float(0.5, 1),
        }


Config = TypeVar("Config", bound=BoostedConfig)
Booster = TypeVar("Booster")


class BoostedRanker(ABC, Generic[Config, Booster]):
    """The mean of `bags` boosters; a library's subclass trains, reads and writes them one by one.

    schema: the features it was fitted on. history: validation nDCG by bag and iteration (both from 1),
    without rows when there was no validation part. on_tree: set before `fit` to watch the validation part.
    """

    config_class: ClassVar[type[BoostedConfig]]
    suffix: ClassVar[str]

    def __init__(self, config: Config | None = None) -> None:
        self.config: Config = config or self.config_class.model_validate({})  # type: ignore[assignment]
        self.schema = FeatureSchema(())
        self.history = _history([])
        self.on_tree: OnTree | None = None
        self._keeps_all = False  # the trees after the best one, too, until the committee has agreed
        self._boosters: list[Booster] = []
        self._trees: list[int] = []

    @property
    def best_iteration(self) -> int:
        """Trees kept; of several bags the rounded mean."""
        return round(float(np.mean(self._trees)))

    @property
    def trees(self) -> int:
        """Trees kept in all bags together: what scoring or explaining a row costs."""
        return sum(self._trees)

    def fit(self, train: Dataset, validation: Dataset | None = None) -> None:
        """Train on graded pairs; stop early by the nDCG of the validation part, where there is one.

        Raises InputError for settings, data or a device that the library cannot train with.
        """
        validation = validation if validation is not None and len(validation.groups) else None
        self._check(train, validation)
        boosters, ndcg = self._train_committee(train, validation) or self._train(train, validation)
        self.schema, self._boosters = train.schema, boosters
        self._trees = [self._count_trees(booster) for booster in boosters]
        self.history = _history(ndcg)

    def _train_committee(
        self, train: Dataset, validation: Dataset | None
    ) -> tuple[list[Booster], list[list[float]]] | None:
        """The boosters where few queries say when to stop (see `committee`); None where enough do."""
        config = self.config
        if validation is None or not config.early_stopping_rounds:
            return None

        def telling(part: Dataset) -> bool:
            return differ_in_gain(gains_of(part.grades, config.gain), part.groups)

        boosters, curves = list[Booster](), list[list[float]]()
        for bag, seat in enumerate(seats(train, validation, config.bags, config.seed, telling)):
            one = type(self)(config.model_copy(update={"bags": 1, "seed": config.seed + bag}))
            one.on_tree, one._keeps_all = self.on_tree, True
            made, ndcg = one._train(seat.train, seat.watched)
            boosters += made
            curves += ndcg
        if not boosters:
            return None
        trees = common_stop(curves)
        return [self._cut(booster, trees) for booster in boosters], curves

    def score(self, data: Dataset) -> np.ndarray:
        """Scores (n,) float64 in the order of `data.frame`: higher is better, comparable within a query only.

        Always on the CPU, so that a run scores alike everywhere. Raises InputError when the features
        are not those of training.
        """
        return self.score_bags(data).T.mean(axis=0)

    def score_bags(self, data: Dataset) -> np.ndarray:
        """Scores (n, bags) of each bag's model, of which `score` is the mean."""
        if data.schema != self.schema:
            self.schema.check(data.frame, "table to score")
        if not len(data.X):
            return np.empty((0, len(self._boosters)))
        threads = thread_count(self.config.threads, data.X)
        scores = [self._predict(booster, data.X, threads) for booster in self._boosters]
        return np.stack(scores).astype(np.float64).T

    def contributions(self, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """What each feature adds to each score: (n, f), and what is there before any feature: (n,), float64.

        Exact TreeSHAP by the library itself (Lundberg et al., Nature Machine Intelligence 2020), the mean over
        bags; in units of the score. A row's contributions and base sum to its score: LightGBM's to 1e-9 of
        it, XGBoost's to 1e-5, since it sums 32-bit numbers.
        """
        if data.schema != self.schema:
            self.schema.check(data.frame, "table to explain")
        if not len(data.X):
            return np.empty((0, data.X.shape[1])), np.empty(0)
        threads = thread_count(self.config.threads, data.X)
        parts = [self._contribute(booster, data.X, threads) for booster in self._boosters]
        mean = np.stack(parts).astype(np.float64).mean(axis=0)
        return mean[:, :-1], mean[:, -1]

    def save(self, folder: Path) -> None:
        """Write ranker.json, and one model file per bag in the library's own text form."""
        folder.mkdir(parents=True, exist_ok=True)
        for bag, booster in enumerate(self._boosters):
            self._write(booster, folder / f"model_{bag}{self.suffix}")
        about = {
            "sha256": {path.name: sha256(path) for path in sorted(folder.glob(f"model_*{self.suffix}"))},
            "config": self.config.model_dump(mode="json"),
            "features": json.loads(self.schema.to_json()),
            "trees": self._trees,
            "history": self.history.to_dict(as_series=False),
        }
        (folder / "ranker.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        remember(about["sha256"].values())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; scores are equal to the last bit.

        Raises InputError for a model file that changed since, and for one from elsewhere that ends the process
        that tries it: the libraries trust their files.
        """
        about = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        check_unchanged(folder, about["sha256"])
        if not is_known(about["sha256"].values()):
            for name in about["sha256"]:
                cls._checked(folder / name, len(about["features"]))
            try_out(cls, folder)
            remember(about["sha256"].values())
        return cls.open_models(folder)

    @classmethod
    def open_models(cls, folder: Path) -> Self:
        """As `load`, in this process at once."""
        about = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        ranker = cls(cls.config_class.model_validate(about["config"]))  # type: ignore[arg-type]
        ranker.schema = FeatureSchema.from_json(json.dumps(about["features"]))
        ranker.history = pl.DataFrame(about["history"], schema=HISTORY)
        ranker._trees = about["trees"]
        names = [f"model_{bag}{cls.suffix}" for bag in range(len(ranker._trees))]
        if sorted(names) != sorted(about["sha256"]):
            raise ValueError(f"models {', '.join(about['sha256'])} for {len(names)} bags")
        ranker._boosters = [cls._read(folder / name, len(ranker.schema.features)) for name in names]
        return ranker

    def try_models(self, rows: Callable[[int], np.ndarray]) -> None:
        """Score and explain some rows by each booster."""
        X = rows(len(self.schema.features))
        for booster in self._boosters:
            self._predict(booster, X, 1)
            with suppress(InputError):  # trees that the library does not explain
                self._contribute(booster, X, 1)

    def _check(self, train: Dataset, validation: Dataset | None) -> None:
        """Raise InputError for data that no booster can learn from."""
        if not train.X.size:
            got = f"{len(train.X)} pairs with {train.X.shape[1]} features"
            raise bad_data(
                "pairs with features to train on", got, "check the judgements and the feature groups"
            )
        if (
            validation is not None
            and self.config.early_stopping_rounds
            and not differ_in_gain(gains_of(validation.grades, self.config.gain), validation.groups)
        ):
            raise bad_data(
                "a validation query whose products differ in grade",
                f"none in {len(validation.groups)} queries: nothing tells when to stop",
                "raise split.validation_share, or set ranker.early_stopping_rounds: 0",
            )

    def _rows_of_a_tree(self, train: Dataset) -> float:
        """The share of rows that each tree sees; all, where the share asked for would leave none."""
        share = self.config.bagging_fraction
        return share if len(train.X) * share >= 1 else 1.0

    @abstractmethod
    def _train(self, train: Dataset, validation: Dataset | None) -> tuple[list[Booster], list[list[float]]]:
        """The boosters, one per bag, and the validation nDCG after each of their trees."""

    @abstractmethod
    def _predict(self, booster: Booster, X: np.ndarray, threads: int) -> np.ndarray: ...

    @abstractmethod
    def _contribute(self, booster: Booster, X: np.ndarray, threads: int) -> np.ndarray:
        """TreeSHAP of each row: (n, f + 1), the last column the expected score."""

    @staticmethod
    @abstractmethod
    def _cut(booster: Booster, trees: int) -> Booster:
        """The booster with its first so many trees, of which it has as many or more; it stops early or did."""

    @abstractmethod
    def _count_trees(self, booster: Booster) -> int: ...

    @staticmethod
    @abstractmethod
    def _write(booster: Booster, path: Path) -> None: ...

    @staticmethod
    @abstractmethod
    def _checked(path: Path, features: int, /) -> bytes:
        """The file, where it may be read as a model over so many features; ValueError or the like where not."""

    @classmethod
    @abstractmethod
    def _read(cls, path: Path, features: int) -> Booster:
        """The booster of a file that is `_checked`; ValueError for one over other features."""


HISTORY = {"bag": pl.Int64, "iteration": pl.Int64, "ndcg": pl.Float64}


def _history(ndcg: list[list[float]]) -> pl.DataFrame:
    rows = [(bag, step, value) for bag, run in enumerate(ndcg, 1) for step, value in enumerate(run, 1)]
    return pl.DataFrame(rows, schema=HISTORY, orient="row")


def thread_count(threads: int | None, X: np.ndarray) -> int:
    """The threads asked for, else all cores this process may use, else one where they would only wait."""
    if threads is not None:
        return threads
    if X.size < CELLS_FOR_ONE_THREAD:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def monotone_signs(schema: FeatureSchema, patterns: tuple[str, ...]) -> list[int]:
    """1 for each numeric feature that a pattern names, else 0: codes of categories have no order.

    A pattern that names no feature is no error: the ladder trains on parts of the features.
    """
    return [
        int(
            feature.kind == "numeric"
            and any(fnmatch.fnmatchcase(feature.name, pattern) for pattern in patterns)
        )
        for feature in schema.features
    ]


def check_monotone(schema: FeatureSchema, patterns: tuple[str, ...]) -> None:
    """Raise InputError for a pattern that names no numeric feature of the whole table: a slip, most likely."""
    for pattern in patterns:
        if not any(monotone_signs(schema, (pattern,))):
            near = difflib.get_close_matches(pattern, schema.names, n=1)
            cure = f"did you mean {near[0]!r}?" if near else f"choose among {', '.join(schema.names[:5])}, …"
            raise InputError(
                where="ranker.monotone", expected="names of numeric features", got=repr(pattern), cure=cure
            )


def library_names(schema: FeatureSchema) -> list[str] | None:
    """The feature names, for readers of the model files; None where a library would refuse or rewrite one."""
    plain = all(re.fullmatch(r"[\w.-]+", name, re.ASCII) for name in schema.names)
    return schema.names if plain else None


def merge_params(
    ours: dict[str, Any], theirs: dict[str, Any], main_names: dict[str, str], owned: frozenset[str]
) -> dict[str, Any]:
    """Our parameters with the user's laid over them, by main names (`main_names`: one by alias).

    Raises InputError for a name that is not known, or is `owned`: decided by a setting of the ranker's own.
    """
    merged = dict(ours)
    for alias, value in theirs.items():
        if alias not in main_names:
            near = difflib.get_close_matches(alias, main_names, n=1)
            cure = f"did you mean {near[0]!r}?" if near else "remove it"
            raise bad_params("parameters the library knows", repr(alias), cure)
        if main_names[alias] in owned:
            raise bad_params("none that the ranker sets itself", repr(alias), "use the ranker's own settings")
        merged[main_names[alias]] = value
    return merged


def bad_params(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="ranker.params", expected=expected, got=got, cure=cure)


def bad_data(expected: str, got: str, cure: str) -> InputError:
    return InputError(where="training data", expected=expected, got=got, cure=cure)
