"""python -m benchmarks.grocery

Phone photo → shop product on the test queries of the grocery set, every product a candidate: cosines of several
photo encoders, and LambdaMART over the aligned encoders' features. It reads three aligned encoders, fitted by

    python -m ltr.fit_encoder --config configs/fashion_aligned.yaml
    python -m ltr.fit_encoder --config configs/grocery_aligned.yaml
    python -m ltr.fit_encoder --config configs/grocery_aligned.yaml --split.validation_share 0.5 \
        --encoders.image.folder ../fitted/grocery_half

An aligned encoder knows the photos it was fitted on, so its cosines of training queries flatter it and a ranker would
learn to trust them blindly. The ranker is therefore fitted on the half of those queries that the third encoder has not
seen, by that encoder's features; the fashion encoder has seen none, so its ranker learns from all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from benchmarks import record
from features.encoders.registry import EncoderConfig, known_kinds
from features.errors import InputError
from features.feature_schema import KEYS
from features.sources.load import Collection
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.splits import Fold, make_folds
from ltr.evaluation.baselines import baseline_scores, random_scores
from ltr.evaluation.per_query import convention
from ltr.evaluation.systems import Measurement, measure
from ltr.pipeline.prepare import load_collection, make_builder
from ltr.rankers import make_ranker

Encoding = dict[str, Any]

CONFIG = record.ROOT / "configs" / "grocery.yaml"
FASHION, GROCERY, HALF = (
    {"kind": "aligned", "folder": f"../fitted/{name}"} for name in ("fashion", "grocery", "grocery_half")
)
ENCODERS: dict[str, Encoding] = {
    "raw pixels": {"kind": "pixels"},
    "colour histogram": {"kind": "colours"},
    "ResNet-18, random weights": {
        "kind": "torchvision",
        "backbone": "resnet18",
        "weights": "random",
        "seed": 7,
        "size": 64,
    },
    "ResNet-50, ImageNet": {"kind": "torchvision", "backbone": "resnet50", "weights": "IMAGENET1K_V2"},
    "CLIP ViT-B/32": {"kind": "clip", "model": "sentence-transformers/clip-ViT-B-32"},
    "fashion aligned encoder": FASHION,
    "grocery aligned encoder": GROCERY,
}
COSINES = {"photo cosine": "photo–photo", "photo–title cosine": "photo–title"}
SEEN, UNSEEN = "product photographed in val", "product in no val photo"


def main() -> None:
    if not record.have("grocery"):
        return
    config = read_config(CONFIG)
    collection = load_collection(config)
    measured, absent = compare(config, collection)
    kept = ("nDCG@10", f"R(rel={config.evaluation.relevant_from:g})@1")
    figures = {
        "config": f"configs/{CONFIG.name}",
        "convention": convention(config.evaluation),
        "products": collection.products.height,
        "metrics": kept,
        "model": measured.model,
        "summary": measured.summary.filter(pl.col("metric").is_in(kept)).to_dicts(),
        "tests": measured.tests.to_dicts(),
        "absent": absent,
    }
    record.write("grocery", "python -m benchmarks.grocery", figures)


def compare(config: Config, collection: Collection) -> tuple[Measurement, dict[str, str]]:
    """Every system on the test queries, and why the encoders that could not be had are absent."""
    fold = make_folds(config.split, collection.queries, collection.judgements["query_id"])[0]
    pairs = judged(collection, fold.test)
    absent: dict[str, str] = {}
    scores = {"random": random_scores(pairs)}
    for name, encoder in ENCODERS.items():
        if encoder["kind"] not in known_kinds():
            absent[name] = "no such kind of encoder"
            continue
        try:
            scores |= cosines(config, collection, name, encoder, pairs)
        except InputError as error:
            absent[name] = reason(encoder, error)
    for name, fitting, asking, queries in rankers(config, collection, fold):
        try:
            train = dataset(config, collection, fitting, judged(collection, queries))
            test = dataset(config, collection, asking, pairs)
        except InputError as error:
            absent[name] = reason(fitting, error)
            continue
        ranker = make_ranker(config.ranker)
        ranker.fit(train)
        scores[name] = ranker.score(test)
    segmented = with_segments(collection, [*fold.train, *fold.validation])
    return measure(pairs, scores, segmented, config.evaluation, list(scores)[-1]), absent


def cosines(
    config: Config, collection: Collection, name: str, encoder: Encoding, pairs: pl.DataFrame
) -> dict[str, np.ndarray]:
    """Scores (n,) by what is compared, photo–title only where the encoder has a text space."""
    data = dataset(config, collection, encoder, pairs)
    found = baseline_scores(data)
    return {f"{name}: {what}": found[plain] for plain, what in COSINES.items() if plain in found}


def rankers(
    config: Config, collection: Collection, fold: Fold
) -> list[tuple[str, Encoding, Encoding, Sequence[str]]]:
    """Name, encoder for fitting, encoder for the test, and training queries that the former has not seen."""
    halves = config.split.model_copy(update={"validation_share": 0.5})
    unseen = make_folds(halves, collection.queries, collection.judgements["query_id"])[0].validation
    return [
        ("LambdaMART, fashion aligned encoder", FASHION, FASHION, [*fold.train, *fold.validation]),
        ("LambdaMART, aligned encoder of half the val photos", HALF, HALF, unseen),
        ("LambdaMART, grocery aligned encoder", HALF, GROCERY, unseen),
    ]


def judged(collection: Collection, queries: Sequence[str]) -> pl.DataFrame:
    chosen = pl.col("query_id").is_in(pl.Series(queries, dtype=pl.String).implode())
    return collection.judgements.filter(chosen).sort(KEYS)


def dataset(config: Config, collection: Collection, encoder: Encoding, pairs: pl.DataFrame) -> Dataset:
    """The features of these pairs by the config, its photos read by another encoder."""
    image = TypeAdapter(EncoderConfig).validate_python(encoder)
    changed = config.model_copy(update={"encoders": {**config.encoders, "image": image}})
    frame = make_builder(changed, collection.products).build(collection.queries, pairs).frame
    return Dataset.from_frame(frame)


def reason(encoder: Encoding, error: InputError) -> str:
    """In short for the record, which must not name folders of this machine; in full for whoever runs it."""
    print(f"  {error}", flush=True)
    return "aligned encoder not fitted" if encoder["kind"] == "aligned" else "weights not reachable"


def with_segments(collection: Collection, training: Sequence[str]) -> pl.DataFrame:
    """query_id, segment: whether any training photo shows the product that the query shows."""
    best = collection.judgements.filter(pl.col("grade") == pl.col("grade").max().over("query_id"))
    trains = pl.col("query_id").is_in(pl.Series(training, dtype=pl.String).implode())
    known = best.filter(trains)["product_id"]
    shown = best.group_by("query_id").agg(seen=pl.col("product_id").is_in(known.implode()).any())
    segment = pl.when("seen").then(pl.lit(SEEN)).otherwise(pl.lit(UNSEEN))
    return shown.select("query_id", segment=segment)


if __name__ == "__main__":
    main()
