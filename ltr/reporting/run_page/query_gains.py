"""What each query gains from the model over the best plain baseline for queries of its kind."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from features.media.columns import media_columns, modality_of
from ltr.data.kinds import UNKNOWN
from ltr.evaluation.significance import ROUNDING
from ltr.evaluation.systems import Measurement, best_values
from ltr.reporting.thumbnails import ROW, thumbnail

MOST_LINES = 12_000  # a page of more would pass 3 MB: the queries that moved least are left out
MOST_PHOTOS = 300  # queries with a photo of their own in the table


@dataclass(frozen=True)
class QueryLine:
    """A query in the table of all; text: its words, or what it has in their stead; photo: a data URI or empty."""

    query_id: str
    text: str
    photo: str
    kind: str
    baseline: str
    before: float
    after: float
    gain: float

    @property
    def outcome(self) -> str:
        return "won" if self.gain > 0 else "lost" if self.gain < 0 else "equal"


def query_gains(measured: Measurement) -> pl.DataFrame:
    """query_id, kind, baseline, before, after, gain of every query that counts; the largest gain first.

    before: the headline of the baseline that is best for queries of that kind.
    """
    metric = pl.col(measured.headline)
    values = measured.per_query.filter(metric.is_not_null())
    before = best_values(values, measured.best)
    after = values.filter(system=measured.model).select("query_id", after=metric)
    gain = pl.col("after") - pl.col("before")
    return (
        before.select("query_id", "kind", baseline="system", before=metric)
        .join(after, on="query_id")
        .with_columns(gain=pl.when(gain.abs() > ROUNDING).then(gain).otherwise(0.0))
        .sort("gain", "query_id", descending=[True, False])
    )


def query_lines(gains: pl.DataFrame, queries: pl.DataFrame) -> list[QueryLine]:
    """Lines for the MOST_LINES queries that moved most, in the order of `gains`; queries: query_id, text, image."""
    moved = gains.with_row_index("place").sort(pl.col("gain").abs(), descending=True, maintain_order=True)
    shown = (
        moved.head(MOST_LINES).sort("place").join(queries, on="query_id", how="left", maintain_order="left")
    )
    photos = "image" in shown.columns and shown["image"].count() <= MOST_PHOTOS
    return [
        QueryLine(
            row["query_id"],
            query_text(row),
            thumbnail(row["image"], ROW) if photos else "",
            "" if row["kind"] == UNKNOWN else row["kind"],
            *(row[name] for name in ("baseline", "before", "after", "gain")),
        )
        for row in shown.iter_rows(named=True)
    ]


def query_text(query: dict[str, object]) -> str:
    """What a query is called on a page: its words, what it shows or plays ("(photo)"), or else its id."""
    files = ["photo"] * bool(query.get("image"))
    files += [modality_of(column) for column in media_columns(query) if query[column]]
    return str(query.get("text") or (f"({', '.join(files)})" if files else query["query_id"]))
