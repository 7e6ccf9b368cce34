"""A run → a folder for another engine: its model, what it must be given, and the proof that it scores alike."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.disk import draft_beside, publish
from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.pipeline.prepare import load_collection
from ltr.rankers import LightGBMRanker, XGBoostRanker
from ltr.rankers.boosters.boosted import BoostedRanker
from ltr.runs.measuring import judged_data
from ltr.runs.saved_run import SavedRun
from ltr.serving.arguments import Target
from ltr.serving.exports.engines import LIBRARIES, Engine, always_supplied
from ltr.serving.exports.feature_set import (
    Supplied,
    described,
    plugin_feature_set,
    plugin_model,
    supplied,
    typos_left_out,
)
from ltr.serving.exports.lightgbm_trees import read_lightgbm
from ltr.serving.exports.nested_json import read_nested, write_nested
from ltr.serving.exports.onnx_model import check_onnx, score_onnx, write_onnx
from ltr.serving.exports.plugin_index import plugin_mapping, plugin_search
from ltr.serving.exports.proof import Proof, Scorer, adversarial, by_engine, prove
from ltr.serving.exports.treelite_model import check_treelite, score_treelite, write_treelite
from ltr.serving.exports.trees import Forest
from ltr.serving.exports.vespa_profile import Cosine, EngineKnows, vespa_profiles
from ltr.serving.exports.vespa_trees import fast_forest
from ltr.serving.exports.xgboost_trees import read_xgboost
from ltr.training.anchoring import describe

log = logging.getLogger(__name__)

MOST_ROWS = 20_000
_READERS: dict[type, Callable[[str, int], Forest]] = {
    LightGBMRanker: read_lightgbm,
    XGBoostRanker: read_xgboost,
}


def export_run(run: SavedRun, target: Target, engine_version: str | None, folder: Path) -> Proof:
    """Fill the folder; what has its name already is set aside.

    Raises InputError for a model that the engine cannot hold, and for an export that scores otherwise: then
    nothing is written.
    """
    engine = Engine.of(target, engine_version or _installed(target))
    check_target(folder)
    ranker, forest = forest_of(run)
    schema = ranker.schema
    rows, groups = _judged_rows(run, schema)
    gaps = np.isnan(rows).any(axis=0) if len(rows) else np.ones(len(schema.features), dtype=bool)
    numeric = forest if target == "treelite" else forest.without_categories()
    always = always_supplied(numeric, engine, gaps, schema.names)
    features = supplied(schema, rows, forest.used())
    hard, known, tried = adversarial(forest, schema, rows, always)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with draft_beside(folder) as draft:
        base, exported, checked_by = _WRITERS[target](draft, run, numeric, engine, features)
        about = {"rule": engine.rule, "thresholds": known, "thresholds_tried": tried}
        model = _model(ranker, schema, base)
        about |= {"checked_by": checked_by, "always_supplied": always}
        about["not_proven"] = typos_left_out(features, target) if run.config.features.typos else []
        proof = prove(model, exported, rows, groups, hard, **about)
        (draft / "features.json").write_text(described(features, always), encoding="utf-8")
        _write_json(draft / "proof.json", _about(run, engine, forest, numeric) | proof.to_dict())
        publish(draft, folder)
    return proof


def check_target(folder: Path) -> None:
    """Raise InputError for a folder that holds something else than an export."""
    if folder.exists() and not (folder / "proof.json").is_file():
        raise InputError(
            where=folder,
            expected="a new folder, or an earlier export",
            got="a folder that is none" if folder.is_dir() else "a file",
            cure="name another with --out: this one would be moved away",
        )


def forest_of(run: SavedRun) -> tuple[BoostedRanker[Any, Any], Forest]:
    """The run's ranker and its trees, those of several bags averaged; InputError for what is more than trees."""
    ranker = run.model.ranker
    reader = _READERS.get(type(ranker))
    if reader is None or not isinstance(ranker, BoostedRanker) or run.config.embeddings is not None:
        got = "embeddings among its features" if reader else type(ranker).__name__
        cure = "train one of these without embeddings"
        if leaning := describe(ranker):
            got, cure = f"one that {leaning}", "train it with --train.base none and without train.start"
        raise InputError(
            where=run.folder,
            expected="a run whose score is the sum of its trees: of ranker lightgbm or xgboost",
            got=got,
            cure=f"{cure}, or serve this run with ltr.serve",
        )
    width = len(ranker.schema.features)
    files = sorted((run.folder / "model").glob(f"model_*{ranker.suffix}"))
    return ranker, Forest.mean([reader(path.read_text(encoding="utf-8"), width) for path in files])


def _judged_rows(run: SavedRun, schema: FeatureSchema) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, f) of judged lists, as many whole ones as make about MOST_ROWS, and their sizes; perhaps none."""
    try:
        collection = load_collection(run.config)
        sizes = collection.judgements.group_by("query_id").len().sort("query_id")
        wanted = sizes.filter(pl.col("len").cum_sum() <= pl.max_horizontal(MOST_ROWS, pl.col("len").max()))
        data = judged_data(run, collection, wanted["query_id"])[0].judged()
    except (InputError, OSError) as error:
        log.warning("no judged lists to prove it on, made-up rows alone: %s", error)
        return np.empty((0, len(schema.features)), dtype=np.float32), np.empty(0, dtype=np.int32)
    return data.X, data.groups


def _model(ranker: BoostedRanker[Any, Any], schema: FeatureSchema, base: float) -> Scorer:
    """The model's score of rows, less the base score where the engine knows none."""

    def score(X: np.ndarray) -> np.ndarray:
        groups = np.array([len(X)], dtype=np.int32)
        return ranker.score(Dataset(pl.DataFrame(), schema, X, pl.Series(["rows"]), groups)) - base

    return score


Written = tuple[float, Scorer, str]
"""The base score that the file leaves out, how the file scores, and what said so."""


def engine_knows(run: SavedRun) -> EngineKnows:
    """What a search engine can compute of the run's features; the cosines where its catalogue is at hand."""
    lexical = run.config.features.lexical
    fields = () if lexical is None else lexical.fields
    k1, b = (0.9, 0.4) if lexical is None else (lexical.k1, lexical.b)
    try:
        vectors = run.catalogue_builder().catalogue.vectors
    except (InputError, OSError) as error:
        log.warning("no catalogue at hand, so cosines stay parameters: %s", error)
        return EngineKnows(fields, k1, b)
    sizes = {one.name: vectors.of_products(one.product).vectors.shape[1] for one in vectors.compared}
    cosines = {
        one.name: Cosine(one.query.column, one.product.column, sizes[one.name]) for one in vectors.compared
    }
    return EngineKnows(fields, k1, b, cosines)


def _write_plugin(
    draft: Path, run: SavedRun, forest: Forest, engine: Engine, features: list[Supplied]
) -> Written:
    name = _plain(run.folder.name)
    names = [one.name for one in features]
    definition = write_nested(forest.with_base_first(), names)
    feature_set = plugin_feature_set(name, features, engine.missing)
    _write_json(draft / "featureset.json", feature_set)
    _write_json(draft / "mapping.json", plugin_mapping(feature_set))
    _write_json(draft / "search.json", plugin_search(feature_set))
    _write_json(draft / "model.json", plugin_model(name, definition, engine.target))
    written = json.loads((draft / "model.json").read_text(encoding="utf-8"))
    trees = read_nested(written["model"]["model"]["definition"], names)
    return 0.0, by_engine(trees, engine), "the plugin's rules in numpy"


def _write_vespa(
    draft: Path, run: SavedRun, forest: Forest, engine: Engine, features: list[Supplied]
) -> Written:
    name = _plain(run.folder.name)
    names = [one.engine_name for one in features]
    path = draft / f"{name}.json"
    rounded = fast_forest(forest)
    path.write_text(write_nested(rounded, names), encoding="utf-8")
    for profile, text in vespa_profiles(name, features, engine_knows(run)).items():
        (draft / f"{profile}.profile").write_text(text, encoding="utf-8")
    trees = read_nested(path.read_text(encoding="utf-8"), names)
    return rounded.base, by_engine(trees, engine), "Vespa's rules in numpy"


def _write_onnx(draft: Path, run: SavedRun, forest: Forest, _: Engine, features: list[Supplied]) -> Written:
    check_onnx()
    path = draft / f"{_plain(run.folder.name)}.onnx"
    write_onnx(forest.with_base_first(), path, json.dumps([one.name for one in features]))
    written = path.read_bytes()
    return 0.0, lambda X: score_onnx(written, X).astype(np.float64), f"onnxruntime {version('onnxruntime')}"


def _write_treelite(draft: Path, run: SavedRun, forest: Forest, _: Engine, __: list[Supplied]) -> Written:
    check_treelite()
    path = draft / f"{_plain(run.folder.name)}.treelite"
    write_treelite(forest.with_base_first(), path)
    return 0.0, lambda X: score_treelite(path, X).astype(np.float64), f"treelite {version('treelite')}"


_WRITERS: dict[Target, Callable[[Path, SavedRun, Forest, Engine, list[Supplied]], Written]] = {
    "elasticsearch-ltr": _write_plugin,
    "opensearch-ltr": _write_plugin,
    "vespa": _write_vespa,
    "onnx": _write_onnx,
    "treelite": _write_treelite,
}


def _installed(target: Target) -> str:
    """The version of the library that runs such a file here; InputError for an engine, which nobody can guess."""
    if target not in LIBRARIES:
        raise InputError(
            where="command line",
            expected=f"--engine-version for {target}",
            got="none",
            cure="name the version in use: they differ in what a missing feature does",
        )
    (check_onnx if target == "onnx" else check_treelite)()
    return version(LIBRARIES[target])


def _plain(name: str) -> str:
    """A name that every engine takes, and that is a file's."""
    found = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    return found if found[:1].isalpha() else f"run_{found}"


def _about(run: SavedRun, engine: Engine, forest: Forest, numeric: Forest) -> dict[str, Any]:
    return {
        "run": run.folder.name,
        "target": engine.target,
        "engine_version": engine.version,
        "trees": len(forest.trees),
        "splits_by_categories": forest.categorical_splits,
        "nodes": numeric.nodes,
    }


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n", encoding="utf-8")
