"""Text → vectors by ONNX Runtime on a CPU, from a model exported beforehand; needs no torch once that is done."""

# ruff: noqa: PLC0415 - onnxruntime is an optional extra

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from features.encoders.text.onnx_check import CURE, check_export
from features.encoders.text.token_batches import padded, token_batches
from features.errors import InputError

OnnxPrecision = Literal["float32", "int8"]

# The files of an exported model (see onnx_export).
MODEL, TOKENIZER, ABOUT = "model.onnx", "tokenizer.json", "about.json"

# Tokens of one batch of float32, padding included. One core was quicker with few than with many: the same texts
# took 7.2 s in batches of 1,024, 8.7 s in batches of 4,096.
_BATCH_TOKENS = 1_024


class OnnxText:
    """A model and its tokenizer; batches run side by side, each on one thread.

    At int8 every text is a batch of its own: the scale by which a product's left side is rounded is taken
    over the whole batch, so a text's vector would hang on its neighbours (and on their padding).
    """

    def __init__(
        self,
        folder: Path,
        precision: OnnxPrecision,
        max_tokens: int | None = None,
        batch_tokens: int = 0,
        threads: int = 0,
    ) -> None:
        from onnxruntime import InferenceSession, SessionOptions
        from tokenizers import Tokenizer

        about = check_export(folder, MODEL, ABOUT, TOKENIZER)
        self.dimensions = int(about["dimensions"])
        self._inputs, self._pad = about["inputs"], about["pad"]
        self._budget = 1 if precision == "int8" else batch_tokens or _BATCH_TOKENS
        self._threads = threads or os.cpu_count() or 1
        with _whole(folder / TOKENIZER):
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        limits = [limit for limit in (max_tokens, about["max_tokens"]) if limit is not None]
        if limits:
            self._tokenizer.enable_truncation(min(limits))
        options = SessionOptions()
        options.intra_op_num_threads = 1
        with _whole(folder / MODEL):
            self._session = InferenceSession(folder / MODEL, options, providers=["CPUExecutionProvider"])

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dimensions) float32."""
        tokens = [found.ids for found in self._tokenizer.encode_batch_fast(list(texts))]
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)

        def fill(batch: np.ndarray) -> None:
            ids, mask = padded([tokens[row] for row in batch], self._pad)
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            vectors[batch] = self._session.run(None, {name: feed[name] for name in self._inputs})[0]

        counts = np.array([len(ids) for ids in tokens], dtype=np.int64)
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(fill, token_batches(counts, self._budget)):
                pass  # an error in a thread is raised here
        return vectors


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Raise what the libraries raise of a file that they cannot use as InputError: they have no class for it."""
    try:
        yield
    except Exception as error:
        got = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
        raise InputError(where=path, expected="an exported model's file", got=got, cure=CURE) from error
