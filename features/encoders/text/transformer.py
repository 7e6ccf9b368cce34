"""What every encoder around a sentence-transformers folder shares: torch or ONNX Runtime, batches by length."""

# ruff: noqa: PLC0415 - torch takes seconds to import, and a run whose vectors are all cached needs none

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from pydantic import Field

from features.encoders.protocol import (
    TorchSettings,
    check_modality,
    fingerprint_of,
    major_versions,
    torch_device,
    unit_rows,
)
from features.encoders.text.model_files import load_model
from features.encoders.text.onnx_runtime import ABOUT, OnnxPrecision, OnnxText
from features.encoders.text.reach import cut_texts, parted, reach_of, token_limit
from features.encoders.text.single_text import SingleText, reads
from features.encoders.text.token_batches import token_batches
from features.errors import InputError
from features.installed import require

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Tokens of one batch, padding included. On a CPU small batches stay in its cache: 2,048 gave 1.2 times
# the rate of batches of 32 texts (MiniLM, 128 tokens a text, one AVX2 core); a GPU wants to be filled.
_BATCH_TOKENS = {"cpu": 2_048, "cuda": 65_536}
_RECIPE = 1  # to be raised when the way of exporting or rounding changes


class TransformerSettings(TorchSettings):
    """How a transformer reads texts. Only `max_tokens`, `parts`, bfloat16 and int8 change the vectors."""

    packages: ClassVar[tuple[str, ...]] = ("torch", "sentence_transformers")
    extra: ClassVar[str] = "text"

    max_tokens: int | None = Field(None, ge=3, description="cut texts here; null: the model's own limit")
    parts: int = Field(
        1,
        ge=1,
        le=64,
        description="a text that is longer than the model reads is encoded in up to so many parts, of which the mean "
        "counts; 1: its beginning alone",
    )
    batch_tokens: int = Field(0, ge=0, description="tokens of one batch; 0: as measured to be quick")
    runtime: Literal["torch", "torch-bfloat16", "onnx", "onnx-int8"] = Field(
        "torch",
        description="torch-bfloat16: quick where the processor multiplies bfloat16 (AVX512-BF16, AMX, GPUs), "
        "within a cosine of about .9999; onnx: ONNX Runtime, on a CPU, the same vectors; onnx-int8: products "
        "of 8-bit numbers, quick on any processor, within about .99",
    )
    exports: str = Field(
        "cache/onnx", description="where models made ready for ONNX Runtime are kept; relative to the "
        "working folder",
    )  # fmt: skip


class _Engine(Protocol):
    @property
    def dimensions(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


class TransformerTextEncoder:
    """A frozen transformer. bfloat16 and int8 keep the `space` of float32.

    It computes the same function, only more roughly, so its vectors may be compared with those of float32
    and with an aligned encoder fitted to them: a cosine of .99 to the exact vector moves cosines with others by
    some hundredths at most, far less than photos' own spread. It has a fingerprint of its own all the same.
    """

    modalities = frozenset({"text"})

    def __init__(
        self,
        config: TransformerSettings,
        folder: Path,
        hashes: Mapping[str, str],
        kind: str,
        space: str | None = None,
    ) -> None:
        """hashes: of the folder's files; space: another model's, where this one was fitted to its vectors."""
        self._config, self._folder, self._hashes = config, folder, hashes
        parts: dict[str, object] = {
            "kind": kind,
            "files": dict(hashes),
            "max_tokens": config.max_tokens,
            "versions": major_versions("sentence-transformers", "transformers"),
        }
        exact = fingerprint_of(parts)
        self.space = space or exact
        if config.parts > 1:  # another reading of long texts, in the same space
            parts["parts"] = config.parts
        self.fingerprint = fingerprint_of(parts)
        if config.runtime.startswith("onnx"):
            self._check_onnx()
        if config.runtime == "torch-bfloat16":
            self.fingerprint = fingerprint_of(parts | {"precision": "bfloat16"})
        if config.runtime == "onnx-int8":
            rounding = {"int8": _RECIPE, "runtime": major_versions("onnxruntime")}
            self.fingerprint = fingerprint_of(parts | rounding)
        if config.device == "cuda":
            torch_device(config)

    @property
    def dimensions(self) -> int:
        return self._engine.dimensions

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        texts = [str(item) for item in items]
        if self._config.parts > 1 and self._limit is not None:
            return self._in_parts(parted(self._folder, self._limit, self._config.parts, texts))
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        if len(texts) == 1 and texts[0].strip() and self._single is not None:
            return unit_rows(self._single.encode(texts[0])[np.newaxis])
        vectors = np.full((len(texts), self.dimensions), np.nan, dtype=np.float32)
        readable = [row for row, text in enumerate(texts) if text.strip()]
        if readable:
            vectors[readable] = self._engine.encode([texts[row] for row in readable])
        return unit_rows(vectors)

    def _in_parts(self, texts: Sequence[Sequence[str]]) -> np.ndarray:
        """The mean of the parts' unit vectors, of unit length; parts that are blank do not count."""
        found = self._encode([part for parts in texts for part in parts])
        counts = [len(parts) for parts in texts]
        if len(found) == len(texts):
            return found
        read = ~np.isnan(found).any(axis=1)
        starts = np.cumsum([0, *counts[:-1]])
        sums = np.add.reduceat(np.where(read[:, None], found, 0.0), starts, axis=0)
        some = np.add.reduceat(read, starts) > 0
        return unit_rows(np.where(some[:, None], sums, np.nan).astype(np.float32))

    @cached_property
    def _single(self) -> SingleText | None:
        """The shortest way for one text: float32 on a CPU, of a model that can be computed so."""
        here = self._config.runtime == "torch" and self._config.device != "cuda"
        return SingleText(self._folder, self._config.max_tokens) if here and reads(self._folder) else None

    @cached_property
    def _limit(self) -> int | None:
        return token_limit(self._folder, self._config.max_tokens)

    @property
    def longest(self) -> int | None:
        """The tokens that are read of a text, in all its parts; None: unknown."""
        return None if self._limit is None else reach_of(self._limit, self._config.parts)

    def cuts(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) bool: texts of which the end is never read."""
        if self.longest is None:
            return np.zeros(len(texts), dtype=bool)
        return cut_texts(self._folder, self.longest, texts)

    def _check_onnx(self) -> None:
        require(
            f"encoder {self._config.kind!r}, runtime", ["onnx", "onnxruntime"], "fast", "set runtime: torch"
        )
        if self._config.device == "cuda":
            raise InputError(
                where=f"encoder {self._config.kind!r}",
                expected="device: cpu (or auto) with ONNX Runtime",
                got="device: cuda",
                cure="set device: cpu, or runtime: torch",
            )

    @cached_property
    def _engine(self) -> _Engine:
        config = self._config
        if config.runtime.startswith("torch"):
            return TorchText(config, self._folder)
        precision: OnnxPrecision = "int8" if config.runtime == "onnx-int8" else "float32"
        export = self._exported(precision)
        return OnnxText(export, precision, config.max_tokens, config.batch_tokens, config.threads)

    def _exported(self, precision: OnnxPrecision) -> Path:
        """The folder of the model as ONNX Runtime reads it, made at the first call."""
        key = {"files": dict(self._hashes), "recipe": _RECIPE, "versions": major_versions("transformers")}
        folder = Path(self._config.exports) / f"{fingerprint_of(key)}-{precision}"
        if not (folder / ABOUT).is_file():
            from features.encoders.text.onnx_export import export

            export(self._folder, precision, folder)
        return folder


class TorchText:
    """The library's own model, in batches of equal token counts; on a GPU nearly equal ones."""

    def __init__(self, config: TransformerSettings, folder: Path) -> None:
        self._model = load_model(folder, torch_device(config))
        if config.runtime == "torch-bfloat16":
            self._model.bfloat16()
        if config.max_tokens is not None:
            limit = self._model.max_seq_length or config.max_tokens
            self._model.max_seq_length = min(config.max_tokens, limit)
        self._budget = config.batch_tokens or _BATCH_TOKENS[self._model.device.type]
        self._padding = self._model.device.type != "cpu"

    @property
    def dimensions(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for batch in token_batches(count_tokens(self._model, texts), self._budget, self._padding):
            vectors[batch] = self._model.encode(
                [texts[row] for row in batch], batch_size=len(batch), show_progress_bar=False
            )
        return vectors


def count_tokens(model: SentenceTransformer, texts: Sequence[str]) -> np.ndarray:
    """(n,) tokens of each text after cutting; a guess by letters where the tokenizer is not transformers'."""
    from transformers import PreTrainedTokenizerBase

    tokenizer, limit = model.tokenizer, model.max_seq_length
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        return np.array([len(text) // 4 + 1 for text in texts], dtype=np.int64)
    tokens = tokenizer(list(texts), truncation=limit is not None, max_length=limit)["input_ids"]
    return np.array([len(ids) for ids in tokens], dtype=np.int64)
