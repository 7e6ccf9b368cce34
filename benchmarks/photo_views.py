"""python -m benchmarks.photo_views [--photos 8000] [--epochs 6]

What a second view of each photo is worth in fitting an aligned encoder (`aligned.views`), beside the texts: on fashion,
with so many of its photos and epochs, once without and once with. Compared are plain cosines of the two encoders on the
training queries, whose grades neither of them saw: photo by photo for photo queries, words by photo for text queries.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from benchmarks import record
from features.batch import rows_of
from features.encoders.cache import EmbeddingCache
from features.encoders.fitting.aligned_training import Fitted, fit_aligned_encoder
from features.encoders.fitting.pair_sampling import Pairs, catalogue_photos, decode_photos, make_pairs
from features.encoders.image.aligned_network import encode_pixels
from features.encoders.image.aligned_settings import AlignedTrainingConfig
from features.encoders.protocol import Encoder
from features.feature_schema import KEYS
from features.sources.load import Collection
from ltr.config.tree import Config, read_config
from ltr.evaluation.per_query import convention, evaluate, headline_metric
from ltr.evaluation.significance import compare
from ltr.pipeline.prepare import load_collection, make_config_encoder

CONFIG = "fashion_aligned"
WITHOUT, WITH = "texts alone", "texts and second views"
VIEWS = {WITHOUT: 0.0, WITH: 1.0}


def main(argv: list[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--photos", type=int, default=8000, help="of the catalogue, to fit on")
    arguments.add_argument("--epochs", type=int, default=6)
    given = arguments.parse_args(argv)
    if not record.have("fashion"):
        return
    config = read_config(record.config_path(CONFIG))
    collection = load_collection(config)
    text = make_config_encoder(config, "text")
    cache = EmbeddingCache(Path(config.cache.folder), config.cache.precision)
    settings = (config.aligned or AlignedTrainingConfig()).model_copy(update={"epochs": given.epochs})
    own = catalogue_photos(collection.products, collection.queries).sample(given.photos, seed=0)
    pairs = make_pairs(own, None, text, cache, settings)
    fitted = {
        name: fit(pairs, settings.model_copy(update={"views": weight})) for name, weight in VIEWS.items()
    }
    figures = {
        "config": f"configs/{CONFIG}.yaml",
        "convention": convention(config.evaluation),
        "photos": given.photos,
        "epochs": given.epochs,
        "fitted": {n: {"seconds": round(one.seconds), "recall": one.recall} for n, one in fitted.items()},
        "queries": list(compared(config, collection, text, settings, fitted)),
    }
    command = f"python -m benchmarks.photo_views --photos {given.photos} --epochs {given.epochs}"
    record.write("photo_views", command, figures)


def fit(pairs: Pairs, settings: AlignedTrainingConfig) -> Fitted:
    """In a folder of its own, so that nothing is gone on from."""
    with tempfile.TemporaryDirectory() as scratch:
        found = fit_aligned_encoder(pairs, settings, torch.device("cpu"), Path(scratch) / "checkpoint")
    print(f"views {settings.views:g}: recall {found.recall:.3f}, {found.seconds:.0f} s", flush=True)
    return found


def compared(
    config: Config,
    collection: Collection,
    text: Encoder,
    settings: AlignedTrainingConfig,
    fitted: dict[str, Fitted],
) -> Iterator[dict[str, Any]]:
    """By kind of training query: with second views against without, by the cosine alone."""
    asked = collection.queries.filter(split="train").sort("query_id")
    pairs = collection.judgements.join(asked, on="query_id", how="semi").select(*KEYS, "grade").sort(KEYS)
    judged = collection.products.join(pairs, on="product_id", how="semi").sort("product_id")
    shown = {
        name: {n: vectors(one, photos, settings) for n, photos in (("of", judged), ("asked", asked))}
        for name, one in fitted.items()
    }
    worded = asked.with_row_index("row").filter(pl.col("text").is_not_null())
    words = np.full((asked.height, text.dimensions), np.nan, dtype=np.float32)
    words[worded["row"].to_numpy()] = text.encode(worded["text"].to_list(), "text")
    metric = headline_metric(config.evaluation)
    places = [
        rows_of(pairs["query_id"], asked["query_id"]),
        rows_of(pairs["product_id"], judged["product_id"]),
    ]
    for kind in ("text", "image"):
        of_kind = pairs.join(asked.filter(pl.col(kind).is_not_null()), on="query_id", how="semi")
        values = {}
        for name, found in shown.items():
            queries = words if kind == "text" else found["asked"]
            cosines = np.einsum("nd,nd->n", queries[places[0]], found["of"][places[1]])
            scored = pairs.with_columns(score=pl.Series(np.nan_to_num(cosines, nan=-1.0)))
            values[name] = evaluate(scored.join(of_kind, on=KEYS, how="semi"), config.evaluation)
        found = compare(values[WITH], values[WITHOUT], metric, config.evaluation.bootstrap)
        print(f"{kind}: {found}", flush=True)
        yield {"kind": kind, **asdict(found)}


def vectors(fitted: Fitted, photos: pl.DataFrame, settings: AlignedTrainingConfig) -> np.ndarray:
    """The unit vectors of the photos, (n, d); NaN where there is none."""
    pixels, readable = decode_photos(photos["image"].fill_null(b""), settings.height, settings.width)
    found = encode_pixels(fitted.photo_network, torch.from_numpy(pixels), torch.device("cpu"))
    found[~readable] = np.nan
    return found


if __name__ == "__main__":
    main()
