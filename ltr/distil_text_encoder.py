"""python -m ltr.distil_text_encoder --config FILE [--distillation.layers 2] [--distillation.minutes 20]

Make a quick text encoder of a larger one, on the catalogue's own texts and without a judgement: a student
with fewer layers, or a table of token vectors. Which of them, and where it is written, says the config's
encoder of `kind: student` or `kind: static`. What the teacher has read is kept in the cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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
from features.encoders.text.static import StaticConfig, is_static, save_static
from features.encoders.text.student import StudentAbout, StudentConfig, is_student, save_student
from features.errors import InputError
from features.installed import require
from ltr.config import command_line
from ltr.config.command_line import say
from ltr.config.tree import Config
from ltr.pipeline.prepare import load_collection
from ltr.runs.record import new_run, versions


def main(argv: Sequence[str] | None = None) -> Path:
    watch = command_line.Stopwatch()
    _, config = command_line.read_settings(command_line.parser(__doc__), argv)
    encoder, settings = _quick_encoder(config), config.distillation or DistillationConfig()
    target = (config.base / encoder.folder).resolve()
    _check_target(target)
    texts = catalogue_texts(load_collection(config).products, settings)
    teacher = make_encoder(settings.teacher, config.base)
    if isinstance(encoder, StudentConfig):
        _make_student(target, encoder, texts, teacher, config)
    else:
        _make_static(target, texts, teacher, config)
    say(f"{encoder.kind} text encoder: {target} ({watch})")
    return target


def _quick_encoder(config: Config) -> StudentConfig | StaticConfig:
    for encoder in config.encoders.values():
        if isinstance(encoder, StudentConfig | StaticConfig):
            if isinstance(encoder, StaticConfig):
                require("encoder 'static'", ["model2vec"], "fast")
            return encoder
    raise InputError(
        where="encoders",
        expected="one of kind student or static: its folder is where it is written",
        got=", ".join(encoder.kind for encoder in config.encoders.values()) or "none",
        cure="add text: {kind: student, folder: ../students/NAME}",
    )


def _check_target(target: Path) -> None:
    """Before the work: is the folder new, or one of ours, which will be set aside?"""
    if target.exists() and not (is_student(target) or is_static(target)):
        raise InputError(
            where=target,
            expected="a new folder, or an earlier student or static encoder",
            got="another folder" if target.is_dir() else "a file",
            cure="name another folder in the config: this one would be moved away",
        )
    target.parent.mkdir(parents=True, exist_ok=True)


def _make_student(
    target: Path, encoder: StudentConfig, texts: pl.Series, teacher: Encoder, config: Config
) -> None:
    settings = config.distillation or DistillationConfig()
    source, _ = find_model(settings.teacher.model, config.base)
    say(f"{len(texts):,} texts; fitting a student of {settings.layers} layers")
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
    say(
        f"cosine to the teacher, mean of {fitted.held_out:,} held-out texts: {fitted.cosine:.4f}, "
        f"after {fitted.seconds / 60:.1f} minutes"
    )


def _make_static(target: Path, texts: pl.Series, teacher: Encoder, config: Config) -> None:
    settings = config.distillation or DistillationConfig()
    source, _ = find_model(settings.teacher.model, config.base)
    say(f"{len(texts):,} texts; the teacher reads every token and the {settings.words:,} most frequent words")
    held = texts.head(held_out_count(len(texts), settings))
    begun = time.monotonic()
    with command_line.progress("tokens", 100) as step:
        network = load_model(source, torch_device(settings.teacher))
        model = make_static(texts.slice(len(held)).to_list(), network, settings, _Hundredths(step))
    seconds = time.monotonic() - begun
    correlation = _agreement(_vectors(teacher, held, config), model.encode(held.to_list()))
    figures = {"correlation of cosines": round(correlation, 4), "held_out": len(held)}
    with new_run(target) as draft:
        save_static(draft, model, figures | {"seconds": round(seconds)} | _how(settings))
    say(f"cosines of pairs of {len(held):,} held-out texts: correlation {correlation:.3f} with the teacher's")


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


def _agreement(teacher: np.ndarray, ours: np.ndarray) -> float:
    """Pearson's correlation of the two encoders' cosines over all pairs of (n, d) texts."""
    above = np.triu_indices(len(teacher), 1)
    return float(np.corrcoef((teacher @ teacher.T)[above], (ours @ ours.T)[above])[0, 1])


def _how(settings: DistillationConfig) -> dict[str, object]:
    return {"settings": settings.model_dump(mode="json"), "versions": versions()}


def _tell(at: Progress) -> None:
    minutes, seconds = divmod(round(at.seconds_left), 60)
    say(f"  step {at.step:,}/{at.steps:,}: loss {at.loss:.4f}, {minutes}:{seconds:02} left")


if __name__ == "__main__":
    command_line.run(main)
