"""A table of features → what rankers eat, split honestly and examined by the data doctor.

checks/                The data doctor on what a shop brings, before any feature is made, and on what tells
                       its answers
dataset                From a feature table to the arrays a ranker eats: X, grades and group sizes, cut
                       from one sorted frame
doctor                 The data doctor: what in a table of judged pairs would spoil training or flatter
                       its measurement
embedded               A dataset with the vectors of its rows beside it, for where the embeddings
                       themselves are features
gains                  What a grade is worth, to a measure and to a ranker's objective: any range of
                       grades, whole or fractional
kinds                  The kind of a query is what it has: words, a photo, both, or files of another
                       modality
limits                 What a ranker's library refuses of a table of judged pairs; each kind of ranker
                       says its own
lists                  What a list is: the candidates that retrieval gives a query, as a shopper gets
                       them, or its judged products alone
sketch                 What each feature looked like in training, to hold against what is served later
splits                 Which queries train, stop the training early, and test: always whole queries,
                       never rows
"""

from ltr.data.dataset import Dataset
from ltr.data.doctor import Finding, Findings, examine
from ltr.data.gains import Gain, gains_of
from ltr.data.limits import Limits
from ltr.data.lists import ListsConfig, UnjudgedConfig
from ltr.data.splits import (
    ColumnSplitConfig,
    Fold,
    FoldsConfig,
    RotateConfig,
    TimeSplitConfig,
    make_folds,
)

__all__ = [
    "ColumnSplitConfig",
    "Dataset",
    "Finding",
    "Findings",
    "Fold",
    "FoldsConfig",
    "Gain",
    "Limits",
    "ListsConfig",
    "RotateConfig",
    "TimeSplitConfig",
    "UnjudgedConfig",
    "examine",
    "gains_of",
    "make_folds",
]
