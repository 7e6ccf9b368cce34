"""Trees as an ONNX graph of one operator, TreeEnsembleRegressor, which every runtime has.

Converters that guess what a booster is make a classifier of a ranker; here nothing is guessed. The fields are those of
the specification (onnx/onnx, docs/Operators-ml.md): ids of nodes from 0 in each tree, `BRANCH_LT` for `x < t`, and 1
among `nodes_missing_value_tracks_true` where what is missing goes that way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from features.installed import require
from ltr.serving.exports.trees import Forest

INPUT, OUTPUT = "features", "score"
_MACHINE_LEARNING = 1  # version of the operators: the first has all that is needed
_IR = 8  # of the file: read by runtimes since 2022


def check_onnx() -> None:
    require("--target onnx", ["onnx", "onnxruntime"], "export")


def write_onnx(forest: Forest, path: Path, doc: str) -> None:
    """A model file of the forest's trees: `features` (n, f) float32 → `score` (n, 1) float32.

    Features stand in the schema's order, NaN where missing.
    """
    from onnx import TensorProto, checker, helper  # noqa: PLC0415 - of an extra

    node = helper.make_node(
        "TreeEnsembleRegressor", [INPUT], [OUTPUT], domain="ai.onnx.ml", **_attributes(forest)
    )
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])
        for name, width in ((INPUT, forest.features), (OUTPUT, 1))
    ]
    graph = helper.make_graph([node], "ranker", ends[:1], ends[1:], doc_string=doc)
    versions = [helper.make_opsetid("ai.onnx.ml", _MACHINE_LEARNING), helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=_IR, producer_name="shop-ltr")
    checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _attributes(forest: Forest) -> dict[str, Any]:
    sizes = [len(tree) for tree in forest.trees]
    nodes: dict[str, list[np.ndarray]] = {
        "nodes_featureids": [np.maximum(tree.feature, 0) for tree in forest.trees],
        "nodes_values": [tree.threshold for tree in forest.trees],
        "nodes_truenodeids": [tree.left for tree in forest.trees],
        "nodes_falsenodeids": [tree.right for tree in forest.trees],
        "nodes_missing_value_tracks_true": [tree.missing_left.astype(np.int64) for tree in forest.trees],
        "nodes_nodeids": [np.arange(size) for size in sizes],
        "nodes_treeids": [np.full(size, number) for number, size in enumerate(sizes)],
    }
    flat = {name: np.concatenate(parts).tolist() for name, parts in nodes.items()}
    leaf = np.concatenate([tree.feature < 0 for tree in forest.trees])
    values = np.concatenate([tree.value for tree in forest.trees]).astype(np.float32)[leaf]
    places = np.flatnonzero(leaf).tolist()
    return flat | {
        "nodes_modes": ["LEAF" if one else "BRANCH_LT" for one in leaf],
        "target_nodeids": [flat["nodes_nodeids"][place] for place in places],
        "target_treeids": [flat["nodes_treeids"][place] for place in places],
        "target_ids": [0] * len(places),
        "target_weights": values.tolist(),
        "n_targets": 1,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }


def score_onnx(model: bytes, X: np.ndarray) -> np.ndarray:
    """(n,) float32 by ONNX Runtime."""
    import onnxruntime  # noqa: PLC0415 - of an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # sums in one order
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run([OUTPUT], {INPUT: X.astype(np.float32)})[0][:, 0]
