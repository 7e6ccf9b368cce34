"""Rankers: one protocol, a config class each with its `kind`, made and loaded here.

To add one: write its class and config, name them in RankerConfig and make_ranker, and add a line to
the contract suite in tests/ltr/rankers/test_rankers.py.

  lists                 Lists laid end to end: starts, nDCG, z-scores, weights on a grid
  out_of_fold           Training queries scored by rankers fitted without them
  devices               Is the device asked for really there?
  model_files           A ranker on disk, with sums; nothing that runs code
  search_space          What a search may try for a setting
  boosters/             LightGBM, XGBoost, CatBoost
  networks/             Logistic regression and neural networks
  blend/                A ranker per modality, their scores joined
"""

# ruff: noqa: PLC0415 - torch takes seconds to import, and the boosters need none

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Protocol, Self, runtime_checkable

import lightgbm as lgb
import numpy as np
import polars as pl
from pydantic import Field, TypeAdapter

from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.rankers.blend.blend_ranker import BlendConfig, BlendRanker
from ltr.rankers.boosters.catboost_ranker import CatBoostConfig, CatBoostRanker
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig, LightGBMRanker
from ltr.rankers.boosters.xgboost_ranker import XGBoostConfig, XGBoostRanker
from ltr.rankers.networks.logistic_ranker import LogisticConfig, LogisticRanker
from ltr.rankers.networks.network_settings import MLPConfig, NeuralConfig

RankerConfig = Annotated[
    LightGBMConfig | XGBoostConfig | CatBoostConfig | BlendConfig | LogisticConfig | MLPConfig | NeuralConfig,
    Field(discriminator="kind"),
]


class Ranker(Protocol):
    """Learns from graded pairs, then scores pairs it has not seen."""

    schema: FeatureSchema
    history: pl.DataFrame

    @property
    def best_iteration(self) -> int: ...

    def fit(self, train: Dataset, validation: Dataset | None = None) -> None: ...

    def score(self, data: Dataset) -> np.ndarray: ...

    def save(self, folder: Path) -> None: ...

    @classmethod
    def load(cls, folder: Path) -> Self: ...


@runtime_checkable
class Classifier(Protocol):
    """A pointwise ranker that also says how sure it is of each class.

    classes: (k,) the lowest grade of each class, rising; the first also takes what lies below it.
    """

    classes: np.ndarray

    def probabilities(self, data: Dataset) -> np.ndarray:
        """(n, k) float64, rows that sum to 1, in the order of `data.frame`."""


def make_ranker(config: RankerConfig) -> Ranker:
    """The unfitted ranker of a config."""
    ranker: Ranker
    match config:
        case LightGBMConfig():
            ranker = LightGBMRanker(config)
        case XGBoostConfig():
            ranker = XGBoostRanker(config)
        case CatBoostConfig():
            ranker = CatBoostRanker(config)
        case LogisticConfig():
            ranker = LogisticRanker(config)
        case MLPConfig():
            from ltr.rankers.networks.mlp_ranker import MLPRanker

            ranker = MLPRanker(config)
        case NeuralConfig():
            from ltr.rankers.networks.neural_ranker import NeuralRanker

            ranker = NeuralRanker(config)
        case BlendConfig():
            ranker = BlendRanker(config)
    return ranker


def load_ranker(folder: Path) -> Ranker:
    """The fitted ranker that `save` wrote to the folder; InputError when there is none, or it is damaged."""
    try:
        about = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        config: RankerConfig = TypeAdapter(RankerConfig).validate_python(about["config"])
        return make_ranker(config).load(folder)
    except (OSError, ValueError, KeyError, lgb.basic.LightGBMError) as error:
        raise InputError(
            where=folder,
            expected="a saved ranker, as ltr.train wrote it",
            got=f"another ({type(error).__name__}: {str(error).partition(chr(10))[0]})",
            cure="copy the whole run folder again, or train it again",
        ) from error
