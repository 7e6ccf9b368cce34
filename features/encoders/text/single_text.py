"""One text through a small BERT in numpy: a shopper's query is encoded before torch is even imported.

The same function as the library's float32 model, to rounding (tests: within 1e-5); for batches torch is quicker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_CONFIG, _WEIGHTS, _TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_POOLINGS = ("cls_token", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


class SingleText:
    """A BERT with mean pooling, as sentence-transformers keeps it in a folder."""

    def __init__(self, folder: Path, max_tokens: int | None) -> None:
        from safetensors.numpy import load_file  # noqa: PLC0415 - a cached run needs none
        from tokenizers import Tokenizer  # noqa: PLC0415

        config, limit = _read(folder / _CONFIG), _read(folder / "sentence_bert_config.json")["max_seq_length"]
        self._heads, self._layers = config["num_attention_heads"], config["num_hidden_layers"]
        self._epsilon = config["layer_norm_eps"]
        weights = load_file(folder / _WEIGHTS)
        self._weights = {
            name.removeprefix("bert."): array.astype(np.float32) for name, array in weights.items()
        }
        self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(filter(None, (max_tokens, limit))))

    def encode(self, text: str) -> np.ndarray:
        """(d,) float32, of no particular length: the mean over the text's tokens."""
        ids = np.array(self._tokenizer.encode(text).ids)
        state = self._normed(
            self._weights["embeddings.word_embeddings.weight"][ids]
            + self._weights["embeddings.position_embeddings.weight"][: len(ids)]
            + self._weights["embeddings.token_type_embeddings.weight"][0],
            "embeddings.LayerNorm",
        )
        for layer in range(self._layers):
            state = self._layer(state, f"encoder.layer.{layer}")
        mean: np.ndarray = state.mean(axis=0)
        return mean

    def _layer(self, state: np.ndarray, name: str) -> np.ndarray:
        query, key, value = (
            self._linear(state, f"{name}.attention.self.{part}").reshape(len(state), self._heads, -1)
            for part in ("query", "key", "value")
        )
        scores = query.transpose(1, 0, 2) @ key.transpose(1, 2, 0) / np.float32(np.sqrt(query.shape[2]))
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        seen = (weights @ value.transpose(1, 0, 2)).transpose(1, 0, 2).reshape(state.shape)
        seen = self._linear(seen, f"{name}.attention.output.dense")
        state = self._normed(state + seen, f"{name}.attention.output.LayerNorm")
        inner = _gelu(self._linear(state, f"{name}.intermediate.dense"))
        return self._normed(state + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _linear(self, state: np.ndarray, name: str) -> np.ndarray:
        # From the left: a few tokens are a thin matrix, which a product takes quicker as its right side.
        return (self._weights[f"{name}.weight"] @ state.T).T + self._weights[f"{name}.bias"]

    def _normed(self, state: np.ndarray, name: str) -> np.ndarray:
        centred = state - state.mean(axis=1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(self._epsilon))
        return centred / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def reads(folder: Path) -> bool:
    """Whether a folder holds the kind of model that is computed here, in every detail that matters."""
    try:
        config, modules = _read(folder / _CONFIG), json.loads((folder / "modules.json").read_text("utf-8"))
        pooling = _read(folder / "1_Pooling" / _CONFIG)
        lower = _read(folder / "sentence_bert_config.json").get("do_lower_case")
        kinds = [str(module["type"]).rsplit(".", 1)[1] for module in modules]
        wanted = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
        plain = all(config.get(name, value) == value for name, value in wanted.items())
        files = all((folder / name).is_file() for name in (_WEIGHTS, _TOKENIZER))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return False
    means = pooling.get("pooling_mode_mean_tokens") and not any(
        pooling.get(f"pooling_mode_{name}") for name in _POOLINGS
    )
    known = kinds in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
    return bool(plain and means and known and files and not lower and config.get("model_type") == "bert")


def _gelu(values: np.ndarray) -> np.ndarray:
    from scipy.special import erf  # noqa: PLC0415 - a cached run needs none

    found: np.ndarray = np.float32(0.5) * values * (1 + erf(values * np.float32(np.sqrt(0.5))))
    return found


def _read(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
