"""python -m benchmarks.photos

What photos are worth on fashion's test queries, from the runs that `benchmarks.quality fashion_aligned` left: for
text queries the gain of all features over the same without any that uses a photo, in total and for queries that
name a colour, a pattern, a price limit or a brand; for photo queries the aligned encoder's cosines beside raw pixels,
colour histograms and a network of random weights. Then the same comparisons out of fold on the training queries:
there are four times as many, but the aligned encoder, the features and the dropout were chosen on them.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from benchmarks import record
from benchmarks.quality import RANKERS
from features.encoders.registry import EncoderConfig
from features.feature_schema import KEYS
from features.sources.load import Collection
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.data.splits import FoldsConfig, make_folds
from ltr.evaluation.baselines import baseline_scores
from ltr.evaluation.gate import judge
from ltr.evaluation.per_query import convention, evaluate, headline_metric
from ltr.evaluation.segments import query_segments
from ltr.evaluation.significance import compare
from ltr.evaluation.systems import measure
from ltr.pipeline.fitting import embed, score_systems
from ltr.pipeline.prepare import load_collection, make_builder, prepare
from ltr.pipeline.thinned_catalogue import ThinnedCatalogue
from ltr.runs.saved_run import held_out

WITHOUT = "+ text"  # the last rung without photos
PLAIN: dict[str, dict[str, Any]] = {
    "raw pixels": {"kind": "pixels"},
    "colour histogram": {"kind": "colours"},
    "ResNet-18, random weights": {
        "kind": "torchvision",
        "backbone": "resnet18",
        "weights": "random",
        "seed": 7,
        "size": 64,
    },
}
OTHERS = ("lexical", "structured", "shown_words", "asked_words")
SHOWN = ("family", "segment", "queries", "mean_a", "mean_b", "difference", "low", "high", "p_value", "p_holm")


def main() -> None:
    if not (record.have("fashion") and record.have_aligned_encoder("fashion_aligned")):
        return
    config = read_config(record.ROOT / "configs" / "fashion_aligned.yaml")
    collection = load_collection(config)
    figures = {
        "config": "configs/fashion_aligned.yaml",
        "convention": convention(config.evaluation),
        "text_queries": {ranker: gain(config, collection, ranker) for ranker in RANKERS},
        "photo_queries": photo_queries(config, collection),
        "out_of_fold": out_of_fold(config),
    }
    record.write("photos", "python -m benchmarks.photos", figures)


def gain(config: Config, collection: Collection, ranker: str) -> dict[str, Any]:
    """All features against those without photos, on the test split's text queries."""
    pairs, scores = run_scores(ranker)
    worded = collection.queries.filter(pl.col("text").is_not_null())
    values = []
    for system in (ranker, WITHOUT):
        scored = pairs.with_columns(score=pl.Series(scores[system])).filter(pl.col("score").is_not_nan())
        values.append(evaluate(scored.join(worded, on="query_id", how="semi"), config.evaluation))
    judged = pairs.join(values[0], on="query_id", how="semi")
    segments = query_segments(worded, judged, collection.products, config.evaluation.relevant_from)
    named = segments.filter(pl.col("family") == "names")
    verdict = judge(("all features", values[0]), ("without photos", values[1]), named, config.evaluation)
    return {
        "all": asdict(verdict.overall),
        "segments": verdict.segments.select(SHOWN).to_dicts(),
        "queries_needed_for_.01": verdict.queries_needed,
        "smallest_seen": verdict.smallest_seen,
    }


def run_scores(ranker: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    _, pairs, scores = held_out(record.ROOT / "runs" / f"bench-fashion_aligned-{ranker}")
    return pairs, scores


def photo_queries(config: Config, collection: Collection) -> dict[str, Any]:
    """Means of every system on the test split's photo queries; the models against the best cosine."""
    asked = collection.queries.filter(pl.col("image").is_not_null() & (pl.col("split") == "test"))
    pairs = collection.judgements.join(asked, on="query_id", how="semi").select(*KEYS, "grade").sort(KEYS)
    kept, scores = run_scores(RANKERS[0])
    systems = aligned_to(
        pairs, kept, scores, {RANKERS[0]: "LightGBM, all features", WITHOUT: "LightGBM, no photos"}
    )
    systems["aligned encoder: photo–photo"] = aligned_to(pairs, kept, scores, {"photo cosine": "x"})["x"]
    systems["aligned encoder: photo–title"] = aligned_to(pairs, kept, scores, {"photo–title cosine": "x"})[
        "x"
    ]
    kept, scores = run_scores("xgboost")
    systems |= aligned_to(pairs, kept, scores, {"xgboost": "XGBoost, all features"})
    for name, encoder in PLAIN.items():
        systems[name] = baseline_scores(seen_by(config, collection, encoder, pairs))["photo cosine"]
    measured = measure(pairs, systems, asked, config.evaluation, "LightGBM, all features")
    return {
        "summary": measured.summary.filter(pl.col("metric") == measured.headline).to_dicts(),
        "tests": measured.tests.to_dicts(),
    }


def out_of_fold(config: Config) -> list[dict[str, Any]]:
    """All features against no photos on text queries, and against the best cosine on photo queries."""
    prepared = prepare(config)
    queries = prepared.collection.queries.filter(split="train")
    rows = embed(config, prepared, Dataset.from_frame(prepared.table.frame, prepared.schema))
    folds = make_folds(FoldsConfig(), queries, rows.data.frame["query_id"])
    thinned = ThinnedCatalogue(config, prepared, rows).thinned()
    _, scores, _ = score_systems(config, rows, folds, thinned=thinned)
    compared = {"text": WITHOUT, "image": "photo–title cosine"}
    found = []
    for column, baseline in compared.items():
        asked = queries.filter(pl.col(column).is_not_null())
        pairs = rows.data.frame.select(*KEYS, "grade").join(asked, on="query_id", how="semi")
        ours, theirs = (
            evaluate(judged(rows, scores[name]).join(pairs, on=KEYS, how="semi"), config.evaluation)
            for name in (config.ranker.kind, baseline)
        )
        tested = compare(ours, theirs, headline_metric(config.evaluation), config.evaluation.bootstrap)
        found.append({"kind": column, "baseline": baseline, **asdict(tested)})
    return found


def judged(rows: EmbeddedDataset, scores: np.ndarray) -> pl.DataFrame:
    """The judged pairs with their scores."""
    pairs = rows.data.frame.select(*KEYS, "grade").with_columns(score=pl.Series(scores))
    return pairs.filter(pl.col("grade").is_not_null())


def aligned_to(
    pairs: pl.DataFrame, kept: pl.DataFrame, scores: dict[str, Any], names: dict[str, str]
) -> dict[str, Any]:
    """Scores (n,) of chosen systems of a run, in the order of `pairs`, by new names."""
    table = kept.select(KEYS).with_columns(**{new: pl.Series(scores[old]) for old, new in names.items()})
    joined = pairs.join(table, on=KEYS, how="left", maintain_order="left")
    return {new: joined[new].to_numpy() for new in names.values()}


def seen_by(config: Config, collection: Collection, encoder: dict[str, Any], pairs: pl.DataFrame) -> Dataset:
    """The features of these pairs, photos read by another encoder."""
    image = TypeAdapter(EncoderConfig).validate_python(encoder)
    features = config.features.model_copy(update=dict.fromkeys(OTHERS))
    changed = config.model_copy(update={"encoders": {"image": image}, "features": features})
    return Dataset.from_frame(
        make_builder(changed, collection.products).build(collection.queries, pairs).frame
    )


if __name__ == "__main__":
    main()
