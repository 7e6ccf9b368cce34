"""Rankers: one protocol, settings each with their `kind`, registered, made and loaded by one registry.

protocol              What a ranker is, what its settings say of it, and what it may add
registry              Which rankers there are: each `kind` of the config with the class that it makes
sklearn                Rankers as scikit-learn estimators: pipelines, and searches by group
lists                 Lists laid end to end: starts, nDCG, z-scores, weights on a grid
out_of_fold           Training queries scored by rankers fitted without them
devices               Is the device asked for really there?
known_files           Sums of files that this user wrote here, or tried and found harmless
model_files           A ranker on disk, with sums; nothing that runs code
search_space          What a search may try for a setting
boosters/             LightGBM, XGBoost, CatBoost
networks/             Logistic regression and neural networks
blend/                A ranker per modality, or a network and trees, their scores joined
"""

from ltr.rankers.blend.blend_ranker import BlendConfig, BlendRanker
from ltr.rankers.blend.network_and_trees import NetworkAndTreesConfig, NetworkAndTreesRanker
from ltr.rankers.boosters.catboost_ranker import CatBoostConfig, CatBoostRanker
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig, LightGBMRanker
from ltr.rankers.boosters.xgboost_ranker import XGBoostConfig, XGBoostRanker
from ltr.rankers.networks.logistic_ranker import LogisticConfig, LogisticRanker
from ltr.rankers.networks.network_settings import MLPConfig, NeuralConfig
from ltr.rankers.protocol import (
    Bagged,
    Classifier,
    Explainable,
    Limits,
    OnTree,
    Ranker,
    RankerSettings,
    Watchable,
    Widening,
)
from ltr.rankers.registry import (
    RANKERS,
    RankerConfig,
    load_ranker,
    make_ranker,
    parse_settings,
    register,
)
from ltr.rankers.search_space import Choice, Float, Int, Range

__all__ = [
    "RANKERS",
    "Bagged",
    "BlendConfig",
    "BlendRanker",
    "CatBoostConfig",
    "CatBoostRanker",
    "Choice",
    "Classifier",
    "Explainable",
    "Float",
    "Int",
    "LightGBMConfig",
    "LightGBMRanker",
    "Limits",
    "LogisticConfig",
    "LogisticRanker",
    "MLPConfig",
    "NetworkAndTreesConfig",
    "NetworkAndTreesRanker",
    "NeuralConfig",
    "OnTree",
    "Range",
    "Ranker",
    "RankerConfig",
    "RankerSettings",
    "Watchable",
    "Widening",
    "XGBoostConfig",
    "XGBoostRanker",
    "load_ranker",
    "make_ranker",
    "parse_settings",
    "register",
]
