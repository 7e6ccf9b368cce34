"""Graphs that a stranger may have left in a folder of exports: refused in one line before the runtime opens them."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from features.encoders.text.onnx_runtime import ABOUT, MODEL, TOKENIZER, OnnxText
from features.errors import InputError

WORDS = {"[PAD]": 0, "red": 1, "shirt": 2}
TABLE = np.arange(12, dtype=np.float32).reshape(3, 4)


def graph() -> onnx.ModelProto:
    """Word vectors, looked up and averaged."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["looked"]),
        helper.make_node("ReduceMean", ["looked"], ["vectors"], axes=[1], keepdims=0),
    ]
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", 4])],
        [numpy_helper.from_array(TABLE, "table")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = tmp_path / "export"
    made.mkdir()
    onnx.save(graph(), made / MODEL)
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(made / TOKENIZER))
    (made / ABOUT).write_text(
        json.dumps({"inputs": ["input_ids"], "dimensions": 4, "max_tokens": 8, "pad": 0})
    )
    return made


def encoded(folder: Path) -> np.ndarray:
    return OnnxText(folder, "float32", threads=1).encode(["red", "shirt"])


def external(place: str, **more: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        put_outside(tensor, place, **more)

    return change


def put_outside(tensor: TensorProto, place: str, **more: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": place, **more}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def inner(change: Callable[[onnx.GraphProto], None]) -> Callable[[onnx.ModelProto], None]:
    """The change made to the graph within an If."""

    def nested(model: onnx.ModelProto) -> None:
        side = helper.make_graph([], "side", [], [])
        change(side)
        model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=side, else_branch=side))

    return nested


def outside_constant(graph: onnx.GraphProto) -> None:
    tensor = numpy_helper.from_array(TABLE)
    put_outside(tensor, "../secret")
    graph.node.append(helper.make_node("Constant", [], ["x"], value=tensor))


def node_of(domain: str, kind: str) -> Callable[[onnx.GraphProto], None]:
    return lambda graph: graph.node.append(helper.make_node(kind, [], ["y"], domain=domain))


def in_model(change: Callable[[onnx.GraphProto], None]) -> Callable[[onnx.ModelProto], None]:
    return lambda model: change(model.graph)


FOREIGN = [node_of("com.microsoft", "Inverse"), node_of("evil", "Gather"), node_of("ai.onnx.ml", "Scaler")]
LOOPS = [node_of("", "Loop"), node_of("", "Scan")]
PLACES = ["/etc/passwd", "../secret", "sub/../../secret", "", ".", "..", "a\x00b", "nowhere", "link", "pipe"]


def test_a_whole_export_gives_its_vectors(folder: Path) -> None:
    assert np.array_equal(encoded(folder), TABLE[1:])


def test_weights_beside_the_graph_are_read(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(TABLE.tobytes())
    model = graph()
    external("weights.bin", offset="0", length=str(TABLE.nbytes))(model)
    onnx.save(model, folder / MODEL)
    assert np.array_equal(encoded(folder), TABLE[1:])


@pytest.mark.parametrize("wrap", [in_model, inner])
@pytest.mark.parametrize("change", [*FOREIGN, *LOOPS, outside_constant])
def test_what_no_export_has_is_refused_however_deep(
    folder: Path,
    wrap: Callable[..., Callable[[onnx.ModelProto], None]],
    change: Callable[[onnx.GraphProto], None],
) -> None:
    model = graph()
    wrap(change)(model)
    onnx.save(model, folder / MODEL)
    with pytest.raises(
        InputError, match=r"operators of the ONNX standard|without loops|file of the same folder"
    ):
        encoded(folder)


@pytest.mark.parametrize("place", PLACES)
def test_weights_elsewhere_are_refused(folder: Path, place: str) -> None:
    (folder.parent / "secret").write_bytes(TABLE.tobytes())
    (folder / "link").symlink_to(folder.parent / "secret")
    os.mkfifo(folder / "pipe")
    model = graph()
    external(place)(model)
    (folder / MODEL).write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"expected (weights in|a plain file|a file)"):
        encoded(folder)


@pytest.mark.parametrize(
    "more", [{"offset": "-8"}, {"length": "99999999999"}, {"offset": "40", "length": "48"}, {"offset": "x"}]
)
def test_weights_beyond_their_file_are_refused(folder: Path, more: dict[str, str]) -> None:
    (folder / "weights.bin").write_bytes(TABLE.tobytes())
    model = graph()
    external("weights.bin", **more)(model)
    (folder / MODEL).write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="weights"):
        encoded(folder)


def test_functions_of_its_own_and_other_inputs_are_refused(folder: Path) -> None:
    model = graph()
    model.functions.add().name = "Gather"
    onnx.save(model, folder / MODEL)
    with pytest.raises(InputError, match="functions of its own"):
        encoded(folder)
    model = graph()
    model.graph.input.append(helper.make_tensor_value_info("key", TensorProto.INT64, [1]))
    onnx.save(model, folder / MODEL)
    with pytest.raises(InputError, match="a graph from input_ids to vectors"):
        encoded(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": ["key"]},
        {"inputs": []},
        {"inputs": [["input_ids"]]},
        {"inputs": None},
        *({"dimensions": value} for value in (0, -1, 1 << 40, "4", True, None, 4.0)),
        *({"max_tokens": value} for value in (0, -3, "8", 1 << 60)),
        {"pad": "x"},
    ],
)
def test_a_strange_description_is_refused(folder: Path, change: dict[str, object]) -> None:
    said = json.loads((folder / ABOUT).read_text()) | change
    (folder / ABOUT).write_text(json.dumps(said))
    with pytest.raises(InputError, match=ABOUT):
        encoded(folder)


@pytest.mark.parametrize("name", [MODEL, ABOUT, TOKENIZER])
def test_damaged_files_give_one_line(folder: Path, name: str) -> None:
    draw, whole = random.Random(0), (folder / name).read_bytes()
    for damaged in (b"", b"[" * 100_000, whole[: len(whole) // 2], draw.randbytes(2_000)):
        (folder / name).write_bytes(damaged)
        with pytest.raises(InputError):
            encoded(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match="expected a file"):
        encoded(folder)
    (folder / name).symlink_to("/dev/zero")
    with pytest.raises(InputError, match="a plain file"):
        encoded(folder)
