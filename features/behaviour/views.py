"""The views that hold what was counted, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from features.behaviour.catalogue_changes import CHANGING, view_of
from features.behaviour.counting import LEVELS
from features.store import FeatureStore, FeatureView

COUNTED = {level: FeatureView(f"behaviour_{level}", keys=keys) for level, keys in LEVELS.items()}
TOGETHER = FeatureView("behaviour_together", keys=("product_id", "other_id"))
WRITTEN = (*COUNTED.values(), TOGETHER)


def write_counts(
    store: FeatureStore,
    view: FeatureView,
    rows: pl.DataFrame,
    notes: Mapping[str, str],
    kept_before: datetime | None,
) -> None:
    """In place of the view's earlier counts, but for those before `kept_before`, whose events are deleted."""
    if kept_before is not None and store.exists(view):
        earlier = store.read(view).filter(pl.col("available_at") < kept_before)
        if earlier.schema == rows.schema:
            rows = pl.concat([earlier, rows.filter(pl.col("available_at") >= kept_before)])
    store.write(view, rows, mode="overwrite", metadata=notes)


def settled(store: FeatureStore) -> dict[str, int] | None:
    """As `versions`; None while a job, or one that was killed, has written some of the counts only."""
    found = versions(store)
    moments = {read_moment(store, view, found) for view in WRITTEN if view.name in found}
    return found if len(moments) == 1 else None


def read_moment(store: FeatureStore, view: FeatureView, found: Mapping[str, int]) -> datetime:
    """Up to when the events are counted in this version of a view; found: as of `versions`."""
    return datetime.fromisoformat(store.metadata(view, found.get(view.name))["moment"])


def versions(store: FeatureStore) -> dict[str, int]:
    """Of every table that behaviour features are read from, by name; none that is not there."""
    views = [*WRITTEN, *(view_of(column) for column in CHANGING)]
    return {view.name: store.version(view) for view in views if store.exists(view)}
