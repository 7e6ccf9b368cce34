"""Trees as a Treelite checkpoint, which keeps splits by categories as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from features.installed import require
from ltr.serving.exports.trees import Forest, Tree


def check_treelite() -> None:
    require("--target treelite", ["treelite"], "export")


def write_treelite(forest: Forest, path: Path) -> None:
    """A checkpoint file of the forest's trees, for `treelite.Model.deserialize`.

    Features stand in the schema's order, NaN where missing.
    """
    from treelite.model_builder import (  # noqa: PLC0415 - of an extra
        Metadata,
        ModelBuilder,
        PostProcessorFunc,
        TreeAnnotation,
    )

    number = len(forest.trees)
    builder = ModelBuilder(
        threshold_type="float32",
        leaf_output_type="float32",
        metadata=Metadata(
            num_feature=forest.features,
            task_type="kRegressor",
            average_tree_output=False,
            num_target=1,
            num_class=[1],
            leaf_vector_shape=(1, 1),
        ),
        tree_annotation=TreeAnnotation(num_tree=number, target_id=[0] * number, class_id=[0] * number),
        postprocessor=PostProcessorFunc(name="identity"),
        base_scores=[0.0],
    )
    for tree in forest.trees:
        builder.start_tree()
        for node in range(len(tree)):
            _add_node(builder, tree, node)
        builder.end_tree()
    builder.commit().serialize(path)


def _add_node(builder: Any, tree: Tree, node: int) -> None:
    builder.start_node(node)
    sides = {
        "default_left": bool(tree.missing_left[node]),
        "left_child_key": int(tree.left[node]),
        "right_child_key": int(tree.right[node]),
    }
    if tree.feature[node] < 0:
        builder.leaf(float(np.float32(tree.value[node])))
    elif node in tree.categories:
        codes = list(tree.categories[node])
        builder.categorical_test(
            int(tree.feature[node]), category_list=codes, category_list_right_child=False, **sides
        )
    else:
        builder.numerical_test(int(tree.feature[node]), float(tree.threshold[node]), opname="<", **sides)
    builder.end_node()


def score_treelite(path: Path, X: np.ndarray) -> np.ndarray:
    """(n,) float64 by Treelite's own reference."""
    import treelite  # noqa: PLC0415 - of an extra

    model = treelite.Model.deserialize(path)
    return treelite.gtil.predict(model, X.astype(np.float32), nthread=1).reshape(len(X))
