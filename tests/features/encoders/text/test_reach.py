"""Which texts a transformer reads to their end: told without its network, as the network itself would cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.encoders.protocol import Bounded
from features.encoders.text.sentence_encoders import SentenceTransformerConfig, SentenceTransformerEncoder


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
