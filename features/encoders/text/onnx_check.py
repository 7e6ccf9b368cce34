"""An exported model's folder from anywhere, looked through before ONNX Runtime opens it."""

# ruff: noqa: PLC0415 - onnx is an optional extra

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import InputError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_DOMAINS = ("", "ai.onnx")  # the standard's own operators: all that an export has
_ENDLESS = ("Loop", "Scan")  # a traced model has none, and they may go on for ever
_LARGEST = {".onnx": 2 << 30, ".json": 256 << 20}  # protobuf's own limit; a tokenizer
_WIDEST = 1 << 16
CURE = "remove the folder: it is made again from the model; or set runtime: torch"


def check_export(folder: Path, model: str, about: str, tokenizer: str) -> dict[str, Any]:
    """What the file `about` says; InputError for a folder that `export` would not have written.

    The graph has the standard's operators alone, no loops, no functions of its own, takes what a tokenizer
    gives, and reads no file but plain ones in its folder.
    """
    for name in (model, about, tokenizer):
        _check_file(folder / name, folder)
    said = _read_about(folder / about)
    _check_graph(_parsed(folder / model), folder / model, said["inputs"])
    return said


def _check_file(path: Path, folder: Path) -> None:
    """A regular file within the folder, of a size that such a file may have."""
    try:
        found = path.resolve(strict=True)
        inside, status = found.is_relative_to(folder.resolve()), found.stat()
    except (OSError, RuntimeError, ValueError) as error:
        raise _bad(path, "a file", f"none that can be read ({type(error).__name__})") from error
    if not inside or not stat.S_ISREG(status.st_mode):
        raise _bad(path, "a plain file within the folder", "a link that leads out, or a device")
    if status.st_size > _LARGEST.get(path.suffix, status.st_size):
        raise _bad(path, f"at most {_LARGEST[path.suffix]:,} bytes", f"{status.st_size:,}")


def _read_about(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _bad(path, "what a model takes, as JSON", type(error).__name__) from error
    if not isinstance(said, dict):
        raise _bad(path, "what a model takes, as JSON", type(said).__name__)
    inputs, limit = said.get("inputs"), said.get("max_tokens")
    if not isinstance(inputs, list) or not inputs or any(name not in INPUTS for name in inputs):
        raise _bad(path, f"inputs among {', '.join(INPUTS)}", repr(inputs)[:80])
    for name, low, high in (("dimensions", 1, _WIDEST), ("pad", 0, 1 << 31)):
        if not _is_whole(said.get(name), low, high):
            raise _bad(path, f"{name} from {low} to {high:,}", repr(said.get(name))[:80])
    if limit is not None and not _is_whole(limit, 1, 1 << 31):
        raise _bad(path, "max_tokens null or from 1", repr(limit)[:80])
    return said


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _parsed(path: Path) -> ModelProto:
    """The graph as plain data; nothing that it names is opened."""
    import onnx

    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's errors have no parent but this
        raise _bad(path, "a whole ONNX graph", f"{type(error).__name__}") from error


def _check_graph(model: ModelProto, path: Path, inputs: list[str]) -> None:
    taken = {value.name for value in model.graph.input} - {one.name for one in model.graph.initializer}
    if taken != set(inputs) or not model.graph.output:
        raise _bad(path, f"a graph from {', '.join(inputs)} to vectors", f"one from {sorted(taken)}"[:200])
    if model.functions:
        raise _bad(path, "operators of the ONNX standard", f"{len(model.functions)} functions of its own")
    for node in (node for graph in _graphs(model.graph) for node in graph.node):
        if node.domain not in _DOMAINS:
            raise _bad(path, "operators of the ONNX standard", f"{node.domain!r}: {node.op_type!r}"[:200])
        if node.op_type in _ENDLESS:
            raise _bad(path, "a traced graph, without loops", node.op_type)
    for tensor in _tensors(model.graph):
        if tensor.external_data or tensor.data_location == tensor.EXTERNAL:
            _check_outside(tensor, path)


def _check_outside(tensor: TensorProto, path: Path) -> None:
    """Weights beside the graph (of a model beyond 2 GiB) lie in a plain file of the same folder, within its size."""
    named = {entry.key: entry.value for entry in tensor.external_data}
    place = named.get("location", "")
    if not place or "\0" in place or Path(place).name != place:
        raise _bad(path, "weights in a file of the same folder", repr(place)[:200])
    _check_file(path.parent / place, path.parent)
    try:
        start, length = (int(named.get(key) or 0) for key in ("offset", "length"))
    except ValueError as error:
        raise _bad(path, "whole numbers as the place of weights", "others") from error
    if start < 0 or length < 0 or start + length > (path.parent / place).stat().st_size:
        raise _bad(path, f"weights within {place}", f"bytes {start:,} to {start + length:,}")


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph, and those that its nodes hold (the two sides of an If)."""
    yield graph
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            yield from _graphs(inner)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Every tensor that is written down, in weights, sparse weights and attributes, inner graphs included."""
    for one in _graphs(graph):
        yield from one.initializer
        sparse = [*one.sparse_initializer]
        for attribute in (attribute for node in one.node for attribute in node.attribute):
            yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
        for tensor in sparse:
            yield from (tensor.values, tensor.indices)


def _bad(path: Path, expected: str, got: str) -> InputError:
    return InputError(where=path, expected=expected, got=got, cure=CURE)
