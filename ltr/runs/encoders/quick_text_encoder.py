"""The text encoder of `kind: student` or `kind: static` made of a larger one, on the catalogue's own texts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from features.encoders.cache import EmbeddingCache
from features.encoders.fitting.distillation_settings import DistillationConfig
from features.encoders.fitting.static_distillation import make_static
from features.encoders.fitting.text_distillation import Progress, catalogue_texts, fit_student, held_out_count
from features.encoders.protocol import Encoder, torch_device
from features.encoders.registry import make_encoder
from features.encoders.text.model_files import load_model
from features.encoders.text.sentence_encoders import find_model
from features.encoders.text.static import StaticConfig, save_static
from features.encoders.text.student import StudentAbout, StudentConfig, save_student
from features.progress import clock, progress
from ltr.config.tree import Config
from ltr.pipeline.prepare import load_collection
from ltr.runs.record import new_run, versions

log = logging.getLogger(__name__)


def make_quick(config: Config, encoder: StudentConfig | StaticConfig, target: Path) -> str:
    """Make it and write it to `target`; what came of it, in a sentence. The teacher's vectors stay in the cache."""
    settings = config.distillation or DistillationConfig()
    texts = catalogue_texts(load_collection(config).products, settings)
    teacher = make_encoder(settings.teacher, config.base)
    if isinstance(encoder, StudentConfig):
        return _make_student(target, encoder, texts, teacher, config)
    return _make_static(target, texts, teacher, config)


def _make_student(
    target: Path, encoder: StudentConfig, texts: pl.Series, teacher: Encoder, config: Config
) -> str:
    settings = config.distillation or DistillationConfig()
    source, _ = find_model(settings.teacher.model, config.base)
    log.info("%s texts; fitting a student of %d layers", f"{len(texts):,}", settings.layers)
    vectors = _vectors(teacher, texts, config)
    fitted = fit_student(texts.to_list(), vectors, source, settings, torch_device(encoder), _tell)
    record = {
        "cosine to the teacher": round(fitted.cosine, 4),
        "held_out": fitted.held_out,
        "trained_on": fitted.trained_on,
        "seconds": round(fitted.seconds),
    }
    with new_run(target) as draft:
        about = StudentAbout(layers=settings.layers, space=teacher.space)
        save_student(draft, fitted.model, about, record | _how(settings))
    return (
        f"cosine to the teacher, mean of {fitted.held_out:,} held-out texts: {fitted.cosine:.4f}, "
        f"after {fitted.seconds / 60:.1f} minutes"
    )


def _make_static(target: Path, texts: pl.Series, teacher: Encoder, config: Config) -> str:
    settings = config.distillation or DistillationConfig()
    source, _ = find_model(settings.teacher.model, config.base)
    words = f"{settings.words:,}"
    log.info(
        "%s texts; the teacher reads every token and the %s most frequent words", f"{len(texts):,}", words
    )
    held = texts.head(held_out_count(len(texts), settings))
    begun = time.monotonic()
    network = load_model(source, torch_device(settings.teacher))
    with progress("tokens, in hundredths", 100) as step:
        model = make_static(texts.slice(len(held)).to_list(), network, settings, _Hundredths(step))
    seconds = time.monotonic() - begun
    theirs, ours = _vectors(teacher, held, config), model.encode(held.to_list())
    above = np.triu_indices(len(held), 1)  # all pairs of texts
    correlation = float(np.corrcoef((theirs @ theirs.T)[above], (ours @ ours.T)[above])[0, 1])
    figures = {"correlation of cosines": round(correlation, 4), "held_out": len(held)}
    with new_run(target) as draft:
        save_static(draft, model, figures | {"seconds": round(seconds)} | _how(settings))
    return (
        f"cosines of pairs of {len(held):,} held-out texts: correlation {correlation:.3f} with the teacher's"
    )


class _Hundredths:
    """Moves a bar of a hundred steps by a count of things done."""

    def __init__(self, step: Callable[[], None]) -> None:
        self._step, self._shown = step, 0

    def __call__(self, done: int, total: int) -> None:
        while self._shown < 100 * done // total:
            self._shown += 1
            self._step()


def _vectors(teacher: Encoder, texts: pl.Series, config: Config) -> np.ndarray:
    """(n, d): the teacher's, row by row; no text is blank, so each has one."""
    cache = EmbeddingCache(Path(config.cache.folder), config.cache.precision)
    found = cache.embed(teacher, texts, "text", "teacher")
    return found.vectors[found.rows]


def _how(settings: DistillationConfig) -> dict[str, object]:
    return {"settings": settings.model_dump(mode="json"), "versions": versions()}


def _tell(at: Progress) -> None:
    log.info(
        "  step %s/%s: loss %.4f, %s left", f"{at.step:,}", f"{at.steps:,}", at.loss, clock(at.seconds_left)
    )
