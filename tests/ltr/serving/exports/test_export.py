"""A run through each target and back: files as the engines parse them, scores as the model gives them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.batch import PairBatch, QueryBatch
from features.errors import InputError
from features.feature_schema import Feature, FeatureSchema
from ltr import export, train
from ltr.pipeline.prepare import load_collection
from ltr.rankers.sklearn import LightGBMEstimator, LogisticEstimator, RankerEstimator, XGBoostEstimator
from ltr.runs.from_estimator import save_estimator
from ltr.runs.measuring import judged_data
from ltr.runs.saved_run import SavedRun
from ltr.serving.exports import Engine, forest_of
from ltr.serving.exports.engines import always_supplied
from ltr.serving.exports.export import engine_knows
from ltr.serving.exports.feature_set import engine_names, plugin_feature_set, supplied
from ltr.serving.exports.proof import by_engine, prove
from ltr.serving.exports.trees import Forest, Growing
from ltr.serving.exports.vespa_trees import fast_forest
from ltr.serving.ranking import one_query
from tests.ltr.conftest import Trained
from tests.ltr.rankers.test_sklearn import numbers, parts, shuffled
from tests.ltr.serving.exports.oracles import Plugin, given
from tests.ltr.serving.exports.vespa_oracle import Profile, Vespa

ENGINES = {"elasticsearch-ltr": "8.15.2", "opensearch-ltr": "3.8.0", "vespa": "8.656.31"}


@pytest.fixture(params=["lightgbm", "xgboost"], scope="module")
def run(request: pytest.FixtureRequest, trained: Trained) -> Path:
    if request.param == "lightgbm":
        return trained.run
    words = [
        "--ranker",
        "xgboost",
        "--ladder",
        "[]",
        "--run",
        str(trained.work / "exported"),
        "--ranker.bags",
        "2",
    ]
    return train.main(trained.words(*words))


def judged(run: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, features and the model's scores of the run's judged pairs."""
    opened = SavedRun.open(run)
    data, _ = judged_data(opened, load_collection(opened.config))
    return data.schema.names, data.X, opened.score_dataset(data)


def exported(run: Path, folder: Path, target: str, *words: str) -> dict[str, Any]:
    given = ["--engine-version", ENGINES[target]] if target in ENGINES else []
    proof = export.main(["--run", str(run), "--target", target, "--out", str(folder), *given, *words])
    found = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
    assert found.items() >= proof.to_dict().items()
    assert (found["lists"], found["reordered_lists"]) == (40, 0)
    assert found["adversarial_rows"] > 3 * found["thresholds_tried"] > 0
    assert max(found["max_difference"], found["max_difference_adversarial"]) < 1e-5
    return found


@pytest.mark.parametrize("target", ["elasticsearch-ltr", "opensearch-ltr"])
def test_a_plugin_parses_it_and_scores_alike(run: Path, target: str, tmp_path: Path) -> None:
    exported(run, tmp_path / "out", target)
    files = [
        json.loads((tmp_path / "out" / f"{name}.json").read_text("utf-8")) for name in ("featureset", "model")
    ]
    plugin = Plugin.parse(files[0], files[1], "own")
    names, X, theirs = judged(run)
    ours = [plugin.score(given(names, row)) for row in X[::7]]
    np.testing.assert_allclose(ours, theirs[::7], atol=1e-6)
    for feature in files[0]["featureset"]["features"]:
        template = feature["template"]
        if feature["template_language"] == "mustache" and isinstance(template, str):
            (name,) = feature["params"]
            empty = (
                template[: template.index("{{#")]
                + template[template.index(f"{{{{/{name}}}}}") + len(name) + 5 :]
            )
            assert json.loads(empty) == {"bool": {"should": [{"match_none": {}}]}}


def test_vespa_s_importer_makes_an_expression_that_scores_alike(run: Path, tmp_path: Path) -> None:
    exported(run, tmp_path / "out", "vespa")
    (path,) = set((tmp_path / "out").glob("*.profile")) - set((tmp_path / "out").glob("*_by_engine.profile"))
    model = Vespa.parse(path.with_suffix(".json").read_text("utf-8"))
    assert model.rounds
    opened = SavedRun.open(run)
    _, forest = forest_of(opened)
    names, X, theirs = judged(run)
    plain = engine_names(names)
    base = fast_forest(forest.without_categories()).base
    ours = [model.run(given(plain, row)) + base for row in X[::7]]
    np.testing.assert_allclose(ours, theirs[::7], atol=1e-6)
    profile = Profile.parse(path.read_text("utf-8"))
    assert profile.name == path.stem
    assert profile.second_phase == [f'xgboost("{path.stem}.json")']
    assert profile.properties == {"vespa.eval.use_fast_forest": "true"}
    used = {name for name, splits in zip(plain, forest.used(), strict=True) if splits}
    assert used == set(profile.functions)
    assert set(re.findall(r"\b[a-z_]\w*\b(?= [<>])", model.expression)) <= used
    by_engine = Profile.parse((tmp_path / "out" / f"{path.stem}_by_engine.profile").read_text("utf-8"))
    assert by_engine.inherits == profile.name
    check_profiles(opened, profile, by_engine)


def check_profiles(run: SavedRun, exact: Profile, by_engine: Profile) -> None:
    """Nothing is left for the shop to define; BM25 and cosines are the engine's in the second profile alone."""
    inputs = exact.inputs | by_engine.inputs
    expressions = [*exact.functions.values(), *by_engine.functions.values()]
    assert {name for one in expressions for name in re.findall(r"query\((\w+)\)", one)} == set(inputs)
    assert not any("bm25(" in one for one in exact.functions.values())
    schema = run.model.ranker.schema.names
    names = dict(zip(engine_names(schema), schema, strict=True))
    knows = engine_knows(run)
    for name, expression in by_engine.functions.items():
        field = knows.field_of(names[name])
        cosine = knows.cosines.get(names[name])
        if field is not None:
            assert expression == f"bm25({field})"
            assert by_engine.properties[f"bm25({field}).k1"] == "0.9"
        else:
            assert cosine is not None
            assert inputs[f"q_{cosine.query}"] == f"tensor<float>(x[{cosine.dimensions}])"
            assert f"sum(query(q_{cosine.query}) * attribute({cosine.product}_vector))" in expression
    builder = run.catalogue_builder()
    vectors, query = builder.catalogue.vectors, QueryBatch(one_query("blue shoes", None))
    block = builder.block(PairBatch.of_one(query, np.arange(len(builder.catalogue))))
    for one in vectors.compared:  # a cosine is the sum that the profile takes
        if one.query.modality == "text" and one.name in block.names:
            asked, offered = vectors.of_queries(query, one.query), vectors.of_products(one.product)
            sums = (offered.vectors[offered.rows] * asked.vectors[asked.rows[0]]).sum(axis=1)
            known = offered.rows >= 0
            column = block.matrix[:, block.names.index(one.name)]
            np.testing.assert_allclose(column[known], sums[known], atol=1e-5)
            assert np.isnan(column[~known]).all()


def test_onnx_runtime_scores_alike(run: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra export")
    exported(run, tmp_path / "out", "onnx")
    (path,) = (tmp_path / "out").glob("*.onnx")
    session = onnxruntime.InferenceSession(path)
    names, X, theirs = judged(run)
    (ours,) = session.run(["score"], {"features": X.astype(np.float32)})
    np.testing.assert_allclose(ours[:, 0], theirs, atol=1e-6)
    import onnx

    assert json.loads(onnx.load(path).graph.doc_string) == names


def test_treelite_scores_alike_with_its_own_categories(run: Path, tmp_path: Path) -> None:
    treelite = pytest.importorskip("treelite", reason="needs the extra export")
    found = exported(run, tmp_path / "out", "treelite")
    assert found["nodes"] == forest_of(SavedRun.open(run))[1].nodes
    (path,) = (tmp_path / "out").glob("*.treelite")
    _, X, theirs = judged(run)
    ours = treelite.gtil.predict(treelite.Model.deserialize(path), X.astype(np.float32)).reshape(-1)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("target", "in_the_engine"),
    [("opensearch-ltr", "fuzziness 1"), ("vespa", "maxEditDistance 1"), ("onnx", None)],
)
def test_that_typos_are_not_read_there_is_told(
    run: Path, target: str, in_the_engine: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (said,) = exported(run, tmp_path / "out", target)["not_proven"]
    assert f"not proven: {said}" in capsys.readouterr().out
    assert "this reading is not in the export" in said
    assert said.endswith(in_the_engine or "read_as") or f"{in_the_engine}, " in said
    _, forest = forest_of(SavedRun.open(run))
    used = {
        name for name, splits in zip(SavedRun.open(run).schema.names, forest.used(), strict=True) if splits
    }
    assert said.partition("such as ")[2].partition(";")[0] in used


def test_xgboost_s_scores_are_kept_to_the_last_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # without the files that the run names
    X, y, qid = parts(shuffled())
    folder = save_estimator(
        XGBoostEstimator(trees=30, threads=1, bags=1).fit(X, y, qid=qid), tmp_path / "run"
    )
    proof = export.main(["--run", str(folder), "--target", "elasticsearch-ltr", "--engine-version", "8.11.4"])
    assert proof.max_difference_adversarial == 0
    assert (proof.rows, proof.lists) == (0, 0)
    assert (tmp_path / "exports" / "run-elasticsearch-ltr" / "model.json").is_file()
    for target, package in (("onnx", "onnxruntime"), ("treelite", "treelite")):
        pytest.importorskip(package, reason="needs the extra export")
        assert export.main(["--run", str(folder), "--target", target]).max_difference_adversarial == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--target vespa", "expected --engine-version for vespa, got none"),
        ("--target vespa --engine-version eight", "--engine-version: expected a version"),
        ("--target vespa --engine-version 7.594", "expected vespa 8.0.0 or later, got 7.594"),
        ("--target elasticsearch-ltr --engine-version 8.9.2", "a missing feature is read as 0 there"),
        ("--target opensearch-ltr --engine-version 3.1.0", "a missing feature is read as 0 there"),
        ("--target opensearch-ltr --engine-version 3.4.0.0", "goes right at every split there"),
        ("--target vespa --engine-version 8.1 --out .", "a new folder, or an earlier export"),
    ],
)
def test_what_would_score_otherwise_is_refused(
    trained: Trained, words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        export.main(["--run", str(trained.run), *words.split(" ")])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("estimator", [LogisticEstimator()], ids=lambda one: type(one).__name__)
def test_a_run_that_is_no_sum_of_trees_is_refused(estimator: RankerEstimator, tmp_path: Path) -> None:
    folder = save_estimator(estimator.fit(*numbers()), tmp_path / "run")
    with pytest.raises(InputError, match="of ranker lightgbm or xgboost, got LogisticRanker"):
        export.main(["--run", str(folder), "--target", "onnx"])


def stump(threshold: float, *, missing_left: bool) -> Forest:
    grown = Growing()
    root = grown.split(0, threshold, missing_left=missing_left)
    grown.children(root, grown.leaf(-1.0), grown.leaf(1.0))
    return Forest([grown.tree()], 0.0, 1)


@pytest.mark.parametrize(("target", "version", "way"), [
    ("elasticsearch-ltr", "7.17.4", "zero"), ("elasticsearch-ltr", "8.9.2", "zero"),
    ("elasticsearch-ltr", "v8.11.4", "own"), ("elasticsearch-ltr", "9.0.1", "own"),
    ("opensearch-ltr", "2.19.6", "zero"), ("opensearch-ltr", "3.2.0.0", "right"),
    ("opensearch-ltr", "3.7.0-SNAPSHOT", "right"), ("opensearch-ltr", "3.8.0", "own"),
])  # fmt: skip
@pytest.mark.parametrize("threshold", [-2.0, 0.0, 3.0])
@pytest.mark.parametrize("missing_left", [True, False])
def test_each_version_s_way_with_what_is_missing(
    target: Any, version: str, way: str, threshold: float, missing_left: bool
) -> None:
    engine, forest = Engine.of(target, version), stump(threshold, missing_left=missing_left)
    gap = np.array([[np.nan]], dtype=np.float32)
    root = {
        "nodeid": 0,
        "depth": 0,
        "split": "f",
        "split_condition": threshold,
        "yes": 1,
        "no": 2,
        "missing": 1 if missing_left else 2,
        "children": [{"nodeid": 1, "leaf": -1.0}, {"nodeid": 2, "leaf": 1.0}],
    }
    oracle = Plugin(("f",), [root], way).score({})
    assert by_engine(list(forest.trees), engine)(gap)[0] == oracle
    kept = oracle == forest.trees[0].leaves(gap)[0]
    assert always_supplied(forest, engine, np.array([False]), ["f"]) == ([] if kept else ["f"])
    if not kept:
        with pytest.raises(InputError, match="'f' is missing"):
            always_supplied(forest, engine, np.array([True]), ["f"])


def test_a_file_that_scores_otherwise_is_no_proof() -> None:
    rows, groups = np.zeros((4, 1)), np.array([4])
    about: dict[str, Any] = {
        "rule": "",
        "checked_by": "",
        "thresholds": 0,
        "thresholds_tried": 0,
        "always_supplied": [],
        "not_proven": [],
    }
    with pytest.raises(InputError, match=r"others by up to 0\.5"):
        prove(lambda X: X[:, 0], lambda X: X[:, 0] + 0.5, rows, groups, rows, **about)
    swapped = prove(
        lambda X: np.arange(len(X)) * 1e-9, lambda X: -np.arange(len(X)) * 1e-9, rows, groups, rows, **about
    )
    assert swapped.reordered_lists == 1


def test_what_can_be_negative_is_made_of_two_that_cannot() -> None:
    schema = FeatureSchema(
        (Feature("text.title"), Feature("lexical.query_terms"), Feature("structured.price"))
    )
    rows = np.array([[-0.5, 2, 3], [0.5, 3, np.nan]])
    made = plugin_feature_set("run", supplied(schema, rows, np.array([1, 1, 1])), "zero")
    features = made["featureset"]["features"]
    assert [one["name"] for one in features] == [
        *("text_title_above", "text_title_below", "text.title", "lexical.query_terms", "structured.price")
    ]
    assert features[2]["template"] == "text_title_above - text_title_below"
    assert features[3] == {"name": "lexical.query_terms", "params": ["lexical_query_terms_value"],
                           "template_language": "derived_expression",
                           "template": "lexical_query_terms_value"}  # fmt: skip
    assert features[4]["template"]["function_score"]["field_value_factor"] == {
        "field": "price",
        "modifier": "none",
    }


def test_engine_names_stay_apart() -> None:
    assert engine_names(["a.b", "a_b", "7", "ä", "a.b"]) == ["a_b", "a_b_2", "f_7", "f__", "a_b_3"]


def test_a_run_that_goes_by_one_feature_alone_needs_that_one_alone(tmp_path: Path) -> None:
    X = pl.DataFrame({"text.title": [float(i % 5) for i in range(100)], "text.brand": [1.0] * 100})
    estimator = LightGBMEstimator(trees=5, threads=1, min_rows_per_leaf=1)
    folder = save_estimator(
        estimator.fit(X, [i % 5 for i in range(100)], qid=[i // 10 for i in range(100)]), tmp_path / "r"
    )
    export.main(
        [
            "--run",
            str(folder),
            "--target",
            "opensearch-ltr",
            "--engine-version",
            "3.8.0",
            "--out",
            str(tmp_path / "o"),
        ]
    )
    assert json.loads((tmp_path / "o" / "proof.json").read_text("utf-8"))["not_proven"] == []  # no words
    made = json.loads((tmp_path / "o" / "featureset.json").read_text("utf-8"))["featureset"]["features"]
    assert {one["name"].partition("_a")[0].partition("_b")[0] for one in made} == {"text_title", "text.title"}
