"""The feature store: Delta tables per feature view, read as of a time or a version.

as_of                 The point-in-time join: for each row, the newest value that was available at
                      that row's time
commits               The log of a feature table: what the store notes in each commit, and which
                      version a request means
delta                 The feature store: one Delta table per feature view, read as of any time or any
                      version
files                 The data files of a feature table: written whole with their sums, and read only
                      where the sums hold
view                  A feature view: the name, keys and clock of one table of features, and the rows
                      it accepts
"""

from features.store.as_of import join_as_of, newest_per_key
from features.store.delta import FeatureStore
from features.store.view import FeatureView

__all__ = [
    "FeatureStore",
    "FeatureView",
    "join_as_of",
    "newest_per_key",
]
