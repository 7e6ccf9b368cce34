"""How far a transformer reads, and long texts in parts; told by its tokenizer, without loading the network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_ROOM = 2  # tokens that mark a text's beginning and end


def token_limit(folder: Path, wanted: int | None) -> int | None:
    """The tokens that a sentence-transformers folder reads of a text, those of its ends included; None: unknown."""
    about = folder / "sentence_bert_config.json"
    own = json.loads(about.read_text(encoding="utf-8")).get("max_seq_length") if about.is_file() else None
    limits = [limit for limit in (own, wanted) if isinstance(limit, int)]
    return min(limits, default=None)


def reach_of(limit: int, parts: int) -> int:
    """The tokens that are read of a text in so many parts, each of up to `limit` with its ends."""
    return (limit - _ROOM) * parts + _ROOM


def cut_texts(folder: Path, limit: int, texts: Sequence[str]) -> np.ndarray:
    """(n,) which texts have more tokens than `limit`; a token is a character at least, so short texts are not read."""
    longer = np.zeros(len(texts), dtype=bool)
    rows = [row for row, text in enumerate(texts) if len(text) > limit - _ROOM]
    tokenizer = _tokenizer(folder) if rows else None
    if tokenizer is not None:
        longer[rows] = [
            len(found.ids) > limit for found in tokenizer.encode_batch_fast([texts[row] for row in rows])
        ]
    return longer


def parted(folder: Path, limit: int, most: int, texts: Sequence[str]) -> list[list[str]]:
    """Each text in up to `most` parts of at most `limit` tokens, ends included; cut between words where there are any.

    One that fits is one part. What lies beyond the last part is left out.
    """
    found = [[text] for text in texts]
    rows = [row for row, text in enumerate(texts) if len(text) > limit - _ROOM]
    tokenizer = _tokenizer(folder) if rows else None
    if tokenizer is None:
        return found
    read = tokenizer.encode_batch([texts[row] for row in rows], add_special_tokens=False)
    for row, tokens in zip(rows, read, strict=True):
        room = limit - _ROOM
        if len(tokens.ids) > room:
            spans = _spans(tokens.word_ids, room)[:most]
            ends = [(tokens.offsets[first][0], tokens.offsets[last - 1][1]) for first, last in spans]
            found[row] = [texts[row][start:end] for start, end in ends]
    return found


def _spans(words: Sequence[int | None], room: int) -> list[tuple[int, int]]:
    """First token and end of runs of at most `room` tokens, which end with a word where one ends in them."""
    spans, start = [], 0
    while start < len(words):
        end = min(start + room, len(words))
        whole = end
        while end < len(words) and whole > start and words[whole] == words[whole - 1]:
            whole -= 1
        end = whole if whole > start else end
        spans.append((start, end))
        start = end
    return spans


def _tokenizer(folder: Path) -> Tokenizer | None:
    """The folder's own, which cuts and fills nothing; None where it has none of this library."""
    if not (folder / "tokenizer.json").is_file():
        return None
    from tokenizers import Tokenizer  # noqa: PLC0415 - with torch's friends, not before them

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
