"""A sentence-transformers model → a folder for ONNX Runtime: the graph, the tokenizer, what it takes.

Made once from the weights on disk, without network, and whole or not at all.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from features.disk import draft_beside, publish
from features.encoders.text.model_files import load_model
from features.encoders.text.onnx_runtime import ABOUT, MODEL, TOKENIZER, OnnxPrecision
from features.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_EXACT = "exact.onnx"
_OPSET = 17
_PROBES = ("Red shirt", "a longer text, so that the first of the two is padded; (50 % off)")
_TOLERANCE = 1e-4  # of a component of a unit vector; MiniLM's export differs by 2e-7
_CURE = "set runtime: torch"


class _VectorsOf(nn.Module):
    """The model as a function of tensors: a graph has no dictionaries."""

    def __init__(self, model: SentenceTransformer, inputs: list[str]) -> None:
        super().__init__()
        self._model, self._inputs = model, inputs

    def forward(self, *tensors: Tensor) -> Tensor:
        return self._model(dict(zip(self._inputs, tensors, strict=True)))["sentence_embedding"]


def export(source: Path, precision: OnnxPrecision, target: Path) -> None:
    """Fill the folder `target`; one that another process has finished meanwhile is left as it is.

    Raises InputError for a model that cannot be exported, or whose export gives other vectors.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with draft_beside(target) as draft:
        _write(load_model(source, torch.device("cpu")), source, draft)
        if precision == "int8":
            _quantise(draft)
        else:
            (draft / _EXACT).rename(draft / MODEL)
        publish(draft, target, keep=True)


def _write(model: SentenceTransformer, source: Path, draft: Path) -> None:
    tokenizer = model.tokenizer
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise InputError(where=source, expected="a fast tokenizer", got=type(tokenizer).__name__, cure=_CURE)
    limit = model.max_seq_length
    cut = {"truncation": limit is not None, "max_length": limit}
    probes = tokenizer(list(_PROBES), padding=True, return_tensors="pt", **cut)
    inputs = [name for name in tokenizer.model_input_names if name in probes]
    _trace(_VectorsOf(model, inputs), {name: probes[name] for name in inputs}, source, draft / _EXACT)
    (draft / TOKENIZER).write_text(tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
    about = {
        "inputs": inputs,
        "dimensions": model.get_embedding_dimension(),
        "max_tokens": model.max_seq_length,
        "pad": tokenizer.pad_token_id or 0,
    }
    (draft / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    _check(model, {name: probes[name] for name in inputs}, source, draft / _EXACT)


def _trace(vectors_of: _VectorsOf, probes: dict[str, Tensor], source: Path, path: Path) -> None:
    sides: dict[str, dict[int, str]] = {name: {0: "texts", 1: "tokens"} for name in probes}
    with warnings.catch_warnings():
        # Of the exporter by tracing, which needs no further package; the check of the vectors judges it.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                vectors_of.eval(),
                tuple(probes.values()),
                path,
                input_names=list(probes),
                output_names=["vectors"],
                dynamic_axes=sides | {"vectors": {0: "texts"}},
                opset_version=_OPSET,
                dynamo=False,
            )
        except (RuntimeError, TypeError, ValueError) as error:
            got = str(error).split("\n", 1)[0]
            raise InputError(
                where=source, expected="a model that ONNX can hold", got=got, cure=_CURE
            ) from error


def _check(model: SentenceTransformer, probes: dict[str, Tensor], source: Path, path: Path) -> None:
    """Does the graph give the vectors that the library gives, prompts and letter case included?"""
    from onnxruntime import InferenceSession  # noqa: PLC0415 - an optional extra

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {name: tensor.numpy() for name, tensor in probes.items()}
    expected = model.encode(list(_PROBES), show_progress_bar=False)
    difference = abs(session.run(None, feed)[0] - expected).max()
    if not difference <= _TOLERANCE:
        raise InputError(
            where=source,
            expected=f"an exported model whose vectors differ by {_TOLERANCE:g} at most",
            got=f"{difference:.2g}",
            cure=_CURE,
        )


def _quantise(draft: Path) -> None:
    """Weights to 8 bits, a scale for each output; the other factor of each product at run time.

    Seven bits of the eight are used: processors without VNNI add pairs of products in 16 bits, which
    would overflow, and the vectors would differ from machine to machine.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - an optional extra
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    ready = draft / "ready.onnx"
    quant_pre_process(draft / _EXACT, ready, skip_symbolic_shape=True)
    quantize_dynamic(
        ready,
        draft / MODEL,
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    for intermediate in (ready, draft / _EXACT):
        intermediate.unlink()
