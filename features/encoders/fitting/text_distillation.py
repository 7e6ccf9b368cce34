"""Fit a student with fewer layers to a frozen text encoder's vectors, on the catalogue's own texts, no labels.

The student starts from some of the teacher's layers (Sanh et al., "DistilBERT", 2019) and learns to give the
teacher's sentence vectors (Reimers and Gurevych, "Making monolingual sentence embeddings multilingual", 2020).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

from features.encoders.fitting.contrastive import learning_rate_at
from features.encoders.fitting.distillation_settings import DistillationConfig
from features.encoders.image.aligned_network import has_bfloat16
from features.encoders.text.model_files import load_model
from features.encoders.text.token_batches import padded, token_batches
from features.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)

FIELDS = ("title", "description", "category", "brand")
_LONGEST_RUN = 5  # words: queries are short
_REPORT_SECONDS = 15.0
_FEWEST = 20  # texts: a tenth of them held out is two


@dataclass(frozen=True)
class Progress:
    """Where a fitting stands; loss: one minus the cosine to the teacher, since the last report."""

    step: int
    steps: int
    loss: float
    seconds_left: float


@dataclass(frozen=True)
class FittedStudent:
    """cosine: mean, of held-out texts, to the teacher's vectors."""

    model: SentenceTransformer
    cosine: float
    trained_on: int
    held_out: int
    seconds: float


def catalogue_texts(products: pl.DataFrame, settings: DistillationConfig) -> pl.Series:
    """Distinct texts of the catalogue's fields, and runs of titles' words, in an order that the seed decides.

    Raises InputError for a catalogue with fewer than 20.
    """
    present = [pl.col(name).cast(pl.String).alias("text") for name in FIELDS if name in products.columns]
    whole = pl.concat([products.select(column) for column in present])["text"]
    distinct = whole.filter(whole.str.contains(r"\S")).unique(maintain_order=True)
    kept = distinct.sample(min(settings.texts, len(distinct)), seed=settings.seed, shuffle=True)
    titles = products["title"].drop_nulls() if "title" in products.columns else kept
    runs = pl.Series("text", _word_runs(titles, settings), dtype=pl.String)
    texts = pl.concat([kept, runs]).unique(maintain_order=True)
    if len(texts) < _FEWEST:
        raise InputError(
            where="data.products",
            expected=f"at least {_FEWEST} texts of its own",
            got=str(len(texts)),
            cure="make the encoder on a larger catalogue, and name its folder here",
        )
    return texts.sample(fraction=1, shuffle=True, seed=settings.seed)


def _word_runs(titles: pl.Series, settings: DistillationConfig) -> list[str]:
    rng = np.random.default_rng(settings.seed)
    words = [title.split() for title in titles if title.strip()]
    runs = []
    for row in rng.integers(len(words), size=settings.runs if words else 0):
        length = min(int(rng.integers(1, _LONGEST_RUN + 1)), len(words[row]))
        start = rng.integers(len(words[row]) - length + 1)
        runs.append(" ".join(words[row][start : start + length]))
    return runs


def held_out_count(texts: int, settings: DistillationConfig) -> int:
    """How many of the texts, the first ones, measure the result."""
    return min(settings.held_out, texts // 10)


def fit_student(
    texts: Sequence[str],
    vectors: np.ndarray,
    teacher: Path,
    settings: DistillationConfig,
    device: torch.device,
    tell: Callable[[Progress], None] = lambda _: None,
) -> FittedStudent:
    """Train until the epochs or minutes are over.

    vectors: (n, d), the teacher's of each text; teacher: its folder. Raises InputError for a teacher whose
    layers cannot be told apart.
    """
    student = fewer_layers(load_model(teacher, device), settings.layers, teacher)
    limit = settings.teacher.max_tokens
    if limit is not None:
        student.max_seq_length = min(limit, student.max_seq_length or limit)
    fitting = _Fitting(student, texts, vectors, settings, device, tell)
    fitting.run()
    held = held_out_count(len(texts), settings)
    return FittedStudent(student, fitting.measure(), len(texts) - held, held, fitting.seconds)


def fewer_layers(model: SentenceTransformer, count: int, where: Path) -> SentenceTransformer:
    """The model with `count` of its layers, evenly drawn, the first and the last among them."""
    network: Any = model[0].auto_model
    layers = getattr(getattr(network, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList) or len(layers) < count:
        got = "none" if not isinstance(layers, nn.ModuleList) else str(len(layers))
        raise InputError(
            where=where,
            expected=f"a teacher of at least {count} layers (BERT's kind)",
            got=got,
            cure="change distillation.layers, or name another teacher",
        )
    chosen = np.linspace(0, len(layers) - 1, count).round().astype(int) if count > 1 else [len(layers) - 1]
    network.encoder.layer = nn.ModuleList([layers[int(place)] for place in chosen])
    network.config.num_hidden_layers = count
    return model


class _Fitting:
    """One fitting: the network, its texts as tokens, and how long it has taken."""

    def __init__(
        self,
        student: SentenceTransformer,
        texts: Sequence[str],
        vectors: np.ndarray,
        settings: DistillationConfig,
        device: torch.device,
        tell: Callable[[Progress], None],
    ) -> None:
        self._student, self._settings, self._device, self._tell = student, settings, device, tell
        limit = student.max_seq_length
        found = student.tokenizer(list(texts), truncation=limit is not None, max_length=limit)["input_ids"]
        self._tokens = [np.array(ids) for ids in found]
        self._targets = torch.from_numpy(vectors).to(device)
        counts = np.array([len(ids) for ids in self._tokens])
        held = held_out_count(len(texts), settings)
        budget = settings.batch_tokens
        self._held = list(token_batches(counts[:held], budget, padding=True))
        self._batches = [held + batch for batch in token_batches(counts[held:], budget, padding=True)]
        self._optimiser = torch.optim.AdamW(student.parameters(), lr=0.0)
        self.seconds = 0.0

    def run(self) -> None:
        # Out of training mode throughout: without dropout the teacher's vectors are the whole target.
        limit = 60 * (self._settings.minutes or math.inf)
        steps = self._settings.epochs * len(self._batches)
        begun = reported = time.monotonic()
        losses: list[float] = []
        for step, batch in enumerate(self._drawn_batches()):
            losses.append(self._take_step(batch, max(step / steps, self.seconds / limit)))
            self.seconds = time.monotonic() - begun
            done = max((step + 1) / steps, self.seconds / limit)
            if done >= 1 or time.monotonic() - reported > _REPORT_SECONDS:
                reported, left = time.monotonic(), max(0.0, self.seconds * (1 - done) / done)
                self._tell(Progress(step + 1, steps, float(np.mean(losses)), left))
                losses = []
            if done >= 1:
                if step + 1 < steps:
                    log.warning(
                        "WARN: cut short by distillation.minutes %g after step %s of %s: a busier machine would "
                        "give another student",
                        *(self._settings.minutes, f"{step + 1:,}", f"{steps:,}"),
                    )
                break

    def _drawn_batches(self) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(self._settings.seed)
        for _ in range(self._settings.epochs):
            for place in rng.permutation(len(self._batches)):
                yield self._batches[place]

    def measure(self) -> float:
        with torch.no_grad():
            found = [(len(batch), self._cosine(batch).item()) for batch in self._held]
        return sum(size * cosine for size, cosine in found) / sum(size for size, _ in found)

    def _take_step(self, batch: np.ndarray, share: float) -> float:
        for group in self._optimiser.param_groups:
            group["lr"] = self._settings.learning_rate * learning_rate_at(share)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=has_bfloat16(self._device)):
            loss = 1 - self._cosine(batch)
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._student.parameters(), 1.0)
        self._optimiser.step()
        return loss.item()

    def _cosine(self, batch: np.ndarray) -> Tensor:
        ids, mask = padded([self._tokens[row] for row in batch], self._student.tokenizer.pad_token_id or 0)
        features = {"input_ids": ids, "attention_mask": mask}
        tensors = {name: torch.from_numpy(array).to(self._device) for name, array in features.items()}
        found = self._student(tensors)["sentence_embedding"].float()
        return functional.cosine_similarity(found, self._targets[torch.from_numpy(batch)]).mean()
