"""Which texts a transformer reads to their end: told without its network, as the network itself would cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.encoders.protocol import Bounded
from features.encoders.text.reach import cut_texts, parted
from features.encoders.text.sentence_encoders import (
    SentenceTransformerConfig,
    SentenceTransformerEncoder,
    find_model,
)

FOLDER = find_model("minilm", Path())[0]


@pytest.mark.parametrize("limit", [None, 16])
def test_a_text_is_cut_where_its_end_changes_nothing(limit: int | None) -> None:
    encoder = SentenceTransformerEncoder(SentenceTransformerConfig(max_tokens=limit), Path())
    assert isinstance(encoder, Bounded)
    longest = encoder.longest
    assert longest == (limit or 256)
    words = longest - 2  # two tokens mark the ends
    texts = ["hat " * words, "hat " * (words + 1), "hat", "", "超" * (words + 1)]
    cut = encoder.cuts(texts)
    assert cut.tolist() == [False, True, False, False, True]
    tails = encoder.encode([text + " blue leather wallet" for text in texts[1:2]], "text")
    np.testing.assert_allclose(tails, encoder.encode(texts[1:2], "text"), atol=1e-5)


LONG = st.lists(
    st.sampled_from(
        ["red", "dress", "waterproof", "unbelievably", "x" * 40, "über", "日本語", "  ", "a-b", "9"]
    ),
    max_size=60,
).map(" ".join)


@given(st.lists(LONG, min_size=1, max_size=4), st.integers(8, 20), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_parts_fit_and_lose_nothing_but_the_end(texts: list[str], limit: int, most: int) -> None:
    for text, parts in zip(texts, parted(FOLDER, limit, most, texts), strict=True):
        assert 1 <= len(parts) <= most
        assert not cut_texts(FOLDER, limit + 2, parts).any()  # a word cut in two may be one token more
        if most >= 4 and not cut_texts(FOLDER, limit, [text]).any():
            assert parts == [text]
        read = "".join("".join(parts).split())
        assert "".join(text.split()).startswith(read)
        if len(parts) < most:
            assert read == "".join(text.split())


def test_a_long_text_is_the_mean_of_its_parts() -> None:
    whole = SentenceTransformerEncoder(SentenceTransformerConfig(max_tokens=12), Path())
    parts = SentenceTransformerEncoder(SentenceTransformerConfig(max_tokens=12, parts=3), Path())
    texts = ["red dress", " ".join(f"word{n} and" for n in range(40)), "", "blue shoes"]
    made, plain = parts.encode(texts, "text"), whole.encode(texts, "text")
    assert made[[0, 3]] == pytest.approx(plain[[0, 3]], abs=1e-6)
    assert np.isnan(made[2]).all()
    pieces = whole.encode(parted(FOLDER, 12, 3, [texts[1]])[0], "text")
    assert len(pieces) == 3
    mean = pieces.mean(axis=0)
    assert made[1] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert parts.encode([texts[1]], "text")[0] == pytest.approx(made[1], abs=1e-5)  # alone as among others
    assert parts.fingerprint != whole.fingerprint
    assert parts.space == whole.space
    assert (whole.longest, parts.longest) == (12, 32)
