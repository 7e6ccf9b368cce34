"""How far a transformer reads: which texts are longer than its limit of tokens, told without loading the network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_ROOM = 2  # tokens that mark a text's beginning and end


def token_limit(folder: Path, wanted: int | None) -> int | None:
    """The tokens that a sentence-transformers folder reads of a text, those of its ends included; None: unknown."""
    about = folder / "sentence_bert_config.json"
    own = json.loads(about.read_text(encoding="utf-8")).get("max_seq_length") if about.is_file() else None
    limits = [limit for limit in (own, wanted) if isinstance(limit, int)]
    return min(limits, default=None)


def cut_texts(folder: Path, limit: int, texts: Sequence[str]) -> np.ndarray:
    """(n,) which texts have more tokens than `limit`; a token is a character at least, so short texts are not read."""
    longer = np.zeros(len(texts), dtype=bool)
    rows = [row for row, text in enumerate(texts) if len(text) > limit - _ROOM]
    if rows and (folder / "tokenizer.json").is_file():
        from tokenizers import Tokenizer  # noqa: PLC0415 - with torch's friends, not before them

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        longer[rows] = [
            len(found.ids) > limit for found in tokenizer.encode_batch_fast([texts[row] for row in rows])
        ]
    return longer
