"""Make a static text encoder of a frozen one: a vector for every token and for the catalogue's own words.

The method of model2vec (Tulkens and van Dongen, 2024): each token is read by the teacher alone; the vectors
are reduced to their principal axes and weighed by rarity (Arora et al., "A simple but tough-to-beat baseline
for sentence embeddings", 2017), here by the catalogue's own frequencies. Written out because the library's
own making asks the hub for a model card and wants transformers below 5.4; its result is the library's own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tokenizers import Tokenizer

from features.encoders.fitting.distillation_settings import DistillationConfig
from features.encoders.text.token_batches import token_batches

if TYPE_CHECKING:
    from model2vec import StaticModel
    from sentence_transformers import SentenceTransformer

_RARITY = 1e-3  # a of a / (a + p), where p is a token's share of all tokens
_BATCH_TOKENS = 2_048
_LEAST_COUNT = 3  # of a word that gets a vector of its own


def make_static(
    texts: Sequence[str],
    teacher: SentenceTransformer,
    settings: DistillationConfig,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> StaticModel:
    """texts: the catalogue's; tell: called with the tokens read so far, and with how many there are."""
    from model2vec import StaticModel  # noqa: PLC0415 - an optional extra

    plain = Tokenizer.from_str(teacher.tokenizer.backend_tokenizer.to_str())
    plain.no_truncation()
    plain.no_padding()
    tokenizer, words = _with_words(plain, frequent_words(texts, plain, settings.words))
    tokens = _framed([[token] for token in range(plain.get_vocab_size())] + words, plain)
    read = _read_each(teacher, tokens, tell)
    centred = read - read.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    vectors = centred @ axes[:, ::-1][:, : settings.dimensions]  # along the axes of largest variance
    found = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    every = np.fromiter(chain.from_iterable(text.ids for text in found), np.int64)
    counts = np.bincount(every, minlength=len(vectors))
    weights = _RARITY / (_RARITY + counts / counts.sum())
    about = {"model_type": "model2vec", "architectures": ["StaticModel"], "hidden_dim": vectors.shape[1]}
    scaled = (vectors * weights[:, None]).astype(np.float32)
    return StaticModel(scaled, tokenizer, about, normalize=True, max_length=None)


def frequent_words(texts: Sequence[str], tokenizer: Tokenizer, count: int) -> list[str]:
    """The most frequent words that the tokenizer would cut, the alphabet deciding between equals."""
    if json.loads(tokenizer.to_str())["model"]["type"] != "WordPiece":
        return []  # only there is a longer entry of the vocabulary simply preferred
    known = tokenizer.get_vocab()
    found: Counter[str] = Counter()
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
        found.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    new = [(-times, word) for word, times in found.items() if word not in known and times >= _LEAST_COUNT]
    return [word for _, word in sorted(new)[:count]]


def _with_words(tokenizer: Tokenizer, words: Sequence[str]) -> tuple[Tokenizer, list[list[int]]]:
    """A tokenizer that knows the words too, and the tokens that the plain one cuts each into."""
    tree: dict[str, Any] = json.loads(tokenizer.to_str())
    first = tokenizer.get_vocab_size()
    for place, word in enumerate(words):
        tree["model"]["vocab"][word] = first + place
    cut = [found.ids for found in tokenizer.encode_batch_fast(list(words), add_special_tokens=False)]
    return Tokenizer.from_str(json.dumps(tree)), cut


def _framed(tokens: list[list[int]], tokenizer: Tokenizer) -> list[list[int]]:
    """Each with what the tokenizer puts before and after a text ([CLS] and [SEP])."""
    bare, whole = (tokenizer.encode("a", add_special_tokens=special).ids for special in (False, True))
    start = next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
    return [whole[:start] + ids + whole[start + len(bare) :] for ids in tokens]


def _read_each(
    teacher: SentenceTransformer, tokens: list[list[int]], tell: Callable[[int, int], None]
) -> np.ndarray:
    """(n, d): what the teacher makes of each."""
    counts = np.array([len(ids) for ids in tokens])
    vectors = np.empty((len(tokens), teacher.get_embedding_dimension() or 0), dtype=np.float32)
    done = 0
    for batch in token_batches(counts, _BATCH_TOKENS):
        vectors[batch] = _read(teacher, [tokens[row] for row in batch])
        done += len(batch)
        tell(done, len(tokens))
    return vectors


@torch.no_grad()
def _read(teacher: SentenceTransformer, tokens: Sequence[Sequence[int]]) -> np.ndarray:
    shape = (len(tokens), len(tokens[0]))
    ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, text in enumerate(tokens):
        ids[row, : len(text)], mask[row, : len(text)] = text, 1
    features = {"input_ids": ids, "attention_mask": mask}
    tensors = {name: torch.from_numpy(array).to(teacher.device) for name, array in features.items()}
    return teacher(tensors)["sentence_embedding"].float().cpu().numpy()
