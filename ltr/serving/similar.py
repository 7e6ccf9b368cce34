"""Products like another one: a trained model asked with its words and photo, or likeness itself."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from features.encoders.cache import EmbeddingCache
from features.errors import InputError
from features.groups.likeness import PARTS, Likeness, LikenessWeights, overall
from ltr.config.tree import Config
from ltr.pipeline.prepare import make_encoders
from ltr.runs.saved_run import SavedRun
from ltr.serving.ranking import CANDIDATES, SHOWN


def make_likeness(config: Config, products: pl.DataFrame) -> Likeness:
    """InputError for a config of ready-made features, whose products are numbers only."""
    if not {"title", "image"} & set(products.columns):
        raise InputError(
            where=f"config {config.name!r}",
            expected="products with titles or photos",
            got="ready-made features",
            cure="name a catalogue under data.products",
        )
    cache = EmbeddingCache(Path(config.cache.folder), config.cache.precision)
    return Likeness(products, make_encoders(config, products), cache)


def like_by_model(run: SavedRun, products: pl.DataFrame, product_id: str) -> pl.DataFrame:
    """The run's candidates for a query made of the product's title and photo, in the model's order.

    Returns rank, SHOWN, the parts of likeness, score.
    """
    likeness = make_likeness(run.config, products)
    row = products.row(likeness.rows_of([product_id])[0], named=True)
    query = pl.DataFrame(
        {"query_id": ["like"], "text": [row.get("title")]},
        schema={"query_id": pl.String, "text": pl.String},
    ).with_columns(image=pl.Series([row.get("image")], dtype=products.schema.get("image", pl.Binary)))
    builder = run.builder(products)
    pairs = builder.candidates(query, CANDIDATES).filter(pl.col("product_id") != product_id)
    scored = pairs.with_columns(score=pl.Series(run.score(builder, query, pairs), dtype=pl.Float64))
    return _told(scored.select("product_id", "score"), likeness.to(product_id), products)


def like_by_weights(
    config: Config, products: pl.DataFrame, product_id: str, weights: LikenessWeights
) -> pl.DataFrame:
    """Every other product by the weighted mean of the parts of likeness; as `like_by_model`, without a model."""
    parts = make_likeness(config, products).to(product_id)
    scored = parts.select("product_id", score=overall(parts, weights).cast(pl.Float64))
    return _told(scored.filter(pl.col("product_id") != product_id).drop_nulls(), parts, products)


def _told(scored: pl.DataFrame, parts: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    alike = parts.rename({part: f"{part} alike" for part in PARTS})
    return (
        scored.sort(["score", "product_id"], descending=[True, False])
        .join(
            products.select(n for n in SHOWN if n in products.columns), on="product_id", maintain_order="left"
        )
        .join(alike, on="product_id", how="left", maintain_order="left")
        .with_row_index("rank", offset=1)
        .select(
            "rank",
            *(name for name in SHOWN if name in products.columns),
            *(f"{part} alike" for part in PARTS),
            "score",
        )
    )
