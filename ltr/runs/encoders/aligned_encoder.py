"""The image encoder of `kind: aligned` fitted on a catalogue's own photos, in the space of its text encoder."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import polars as pl

from features.encoders.cache import EmbeddingCache
from features.encoders.fitting.aligned_training import Fitted, Progress, fit_aligned_encoder
from features.encoders.fitting.pair_sampling import Pairs, catalogue_photos, judged_photos, make_pairs
from features.encoders.image.aligned import AlignedConfig, AlignedShape, save_aligned
from features.encoders.image.aligned_settings import AlignedTrainingConfig
from features.encoders.protocol import torch_device
from features.encoders.registry import Encoder
from features.errors import InputError
from features.progress import clock
from features.sources.load import Collection
from ltr.config.tree import Config
from ltr.data.splits import make_folds
from ltr.pipeline.prepare import load_collection, make_encoders
from ltr.runs.record import new_run, versions

log = logging.getLogger(__name__)


def fit_aligned(config: Config, encoder: AlignedConfig, target: Path) -> str:
    """Fit it and write it to `target`; what came of it, in a sentence. Killed and run again, it goes on."""
    settings = config.aligned or AlignedTrainingConfig()
    begun = time.monotonic()
    pairs = _pairs(config, settings)
    log.info("%s; fitting a %s network", _in_words(pairs, settings), settings.backbone)
    checkpoint = target.with_name(f"{target.name}.checkpoint")
    device = torch_device(encoder)
    fitted = fit_aligned_encoder(
        pairs,
        settings,
        device,
        checkpoint,
        lambda at: _tell(at, settings),
        config.base,
        spent=time.monotonic() - begun,
    )
    _save(target, fitted, pairs, settings)
    if not fitted.cut:
        checkpoint.unlink(missing_ok=True)
    return (
        f"recall@{settings.recall_at} of {fitted.held_out:,} held-out pairs: {fitted.recall:.3f}, "
        f"after {fitted.epochs} epochs in {fitted.seconds / 60:.1f} minutes{', cut short' * fitted.cut}"
    )


def _pairs(config: Config, settings: AlignedTrainingConfig) -> Pairs:
    collection = load_collection(config)
    cache = EmbeddingCache(Path(config.cache.folder), config.cache.precision)
    encoder = _text_encoder(config, collection.products)
    own = asked = None
    if settings.pairs != "judgements":
        own = catalogue_photos(collection.products, collection.queries)
    if settings.pairs != "catalogue":
        training = _training_queries(config, collection)
        asked = judged_photos(collection.products, collection.queries, collection.judgements, training)
    return make_pairs(own, asked, encoder, cache, settings)


def _training_queries(config: Config, collection: Collection) -> list[str]:
    """Those of the one split; where every query is tested in its turn, none may teach the aligned encoder."""
    folds = make_folds(config.split, collection.queries, collection.judgements["query_id"])
    if len(folds) > 1:
        raise InputError(
            where="split",
            expected="one training part, if aligned.pairs takes queries' photos",
            got=f"{len(folds)} folds, in which each query is tested once",
            cure="choose split.kind: column, or aligned.pairs: catalogue",
        )
    return folds[0].train


def _in_words(pairs: Pairs, settings: AlignedTrainingConfig) -> str:
    asked = 0 if pairs.asked is None else int(pairs.asked.sum())
    own = f"{len(pairs) - asked:,} products with a photo and a {settings.text}"
    photos = f"{asked:,} photos of training queries"
    return " and ".join([own] * (asked < len(pairs)) + [photos] * (asked > 0))


def _text_encoder(config: Config, products: pl.DataFrame) -> Encoder:
    """The encoder that queries' texts are read by: the first that reads text."""
    others = {name: e for name, e in config.encoders.items() if not isinstance(e, AlignedConfig)}
    for encoder in make_encoders(config.model_copy(update={"encoders": others}), products).values():
        if "text" in encoder.modalities:
            return encoder
    raise InputError(
        where="encoders",
        expected="a text encoder, whose space the aligned encoder is fitted to",
        got="none",
        cure="add text: {kind: sentence-transformer}",
    )


def _save(target: Path, fitted: Fitted, pairs: Pairs, settings: AlignedTrainingConfig) -> None:
    shape = AlignedShape(
        backbone=settings.backbone,
        dimensions=pairs.text.vectors.shape[1],
        height=settings.height,
        width=settings.width,
        space=pairs.space,
    )
    record = {
        "settings": settings.model_dump(mode="json"),
        f"recall@{settings.recall_at}": fitted.recall,
        "judgements_used": pairs.asked is not None,
        "photos_of_queries": 0 if pairs.asked is None else int(pairs.asked.sum()),
        "held_out": fitted.held_out,
        "trained_on": fitted.trained_on,
        "epochs": fitted.epochs,
        "cut_short": fitted.cut,
        "seconds": round(fitted.seconds),
        "versions": versions(),
    }
    with new_run(target) as draft:
        save_aligned(draft, fitted.photo_network, shape, record)


def _tell(at: Progress, settings: AlignedTrainingConfig) -> None:
    recall = "" if at.recall is None else f", held-out recall@{settings.recall_at} {at.recall:.3f}"
    loss = "" if math.isnan(at.loss) else f"loss {at.loss:.3f}, "
    log.info(
        "  epoch %d/%d, step %s/%s: %stemperature %.3f%s, %s left",
        *(at.epoch, settings.epochs, f"{at.step:,}", f"{at.steps:,}", loss, at.temperature, recall),
        clock(at.seconds_left),
    )
