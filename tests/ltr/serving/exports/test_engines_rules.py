"""What the engines' sources say of files, features and missing values, against what is written for them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from features.errors import InputError
from features.feature_schema import Feature, FeatureSchema
from ltr.serving.exports import feature_set as of_plugins
from ltr.serving.exports import vespa_trees
from ltr.serving.exports.engines import Engine, Missing
from ltr.serving.exports.feature_set import Supplied, plugin_feature_set, plugin_model, supplied
from ltr.serving.exports.nested_json import read_nested, write_nested
from ltr.serving.exports.plugin_index import plugin_mapping, plugin_search
from ltr.serving.exports.proof import by_engine
from ltr.serving.exports.trees import Forest, Growing, Tree
from ltr.serving.exports.vespa_profile import Cosine, EngineKnows, vespa_profiles
from ltr.serving.exports.vespa_trees import fast_forest
from tests.ltr.serving.exports.oracles import FeatureSet, Plugin, fields
from tests.ltr.serving.exports.vespa_oracle import Profile, Vespa

SPLIT: dict[str, Any] = {
    "nodeid": 0, "depth": 0, "split": "f", "split_condition": 0.5, "yes": 1, "no": 2, "missing": 1,
    "children": [{"nodeid": 1, "leaf": -1.0}, {"nodeid": 2, "leaf": 1.0}],
}  # fmt: skip


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in SPLIT.items() if key != name}


LEFT, RIGHT = SPLIT["children"]
BAD_TREES: dict[str, Any] = {
    **{f"no {name}": [without(name)] for name in SPLIT if name != "missing"},
    **{
        f"{name} as text": [SPLIT | {name: "1"}]
        for name in ("nodeid", "depth", "split_condition", "yes", "no")
    },
    **{f"unknown {name}": [SPLIT | {name: 1.0}] for name in ("gain", "cover", "split_type", "default_left")},
    "children the other way round": [SPLIT | {"children": [RIGHT, LEFT]}],
    "one child": [SPLIT | {"children": [LEFT]}],
    "three children": [SPLIT | {"children": [LEFT, RIGHT, RIGHT]}],
    "a leaf without an id": [SPLIT | {"children": [{"leaf": 1.0}, RIGHT]}],
    "a leaf that is null": [{"nodeid": 0, "leaf": None}],
    "another feature": [SPLIT | {"split": "g"}],
    "codes for a threshold": [SPLIT | {"split_condition": [1, 2]}],
    "no tree": [],
    "another objective": {"objective": "survival:cox", "splits": [SPLIT]},
    "an objective that bends the sum": {"objective": "binary:logistic", "splits": [SPLIT]},
    "no splits": {"objective": "rank:ndcg"},
    "a saved model": {"learner": {}, "version": [3, 2, 0]},
}


@pytest.mark.parametrize("trees", BAD_TREES.values(), ids=BAD_TREES)
def test_trees_that_a_plugin_refuses(trees: Any) -> None:
    with pytest.raises((AssertionError, ValueError)):
        Plugin.trees(json.dumps(trees), ("f",), "own")


def test_trees_that_a_plugin_takes() -> None:
    for trees in ([SPLIT], {"splits": [SPLIT]}, {"objective": "rank:pairwise", "splits": [SPLIT]}):
        plugin = Plugin.trees(json.dumps(trees), ("f",), "own")
        assert [plugin.score(row) for row in ({"f": 0.4}, {"f": 0.5}, {})] == [-1, 1, -1]


def feature(name: str, source: str, field: str | None = None, **over: Any) -> Supplied:
    known: dict[str, Any] = {"engine_name": name.replace(".", "_"), "source": source, "modifier": "none", "codes": (),
                             "missing": True, "lowest": 0.0, "highest": 1.0, "splits": 1}  # fmt: skip
    return Supplied(name=name, field=field, **(known | over))


FEATURES = [
    feature("lexical.query_terms", "query"),
    feature("lexical.bm25_title", "pair"),
    feature("lexical.bm25_title_z", "pair", lowest=-3.0),
    feature("structured.price", "column", "price"),
    feature("structured.log_price", "column", "price", modifier="ln1p"),
    feature("extra.Net Weight", "column", "Net Weight", engine_name="extra_Net_Weight"),
    feature("extra.Net_Weight", "column", "Net_Weight", engine_name="extra_Net_Weight_2"),
    feature("extra.position", "column", "position"),
    feature("structured.age_days", "product", "structured_age_days", lowest=-1.0),
    feature("text.query_title", "pair", lowest=-1.0),
    feature("left.alone", "pair", splits=0),
]
BAD_SETS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "twice": lambda one: [one, one],
    "unknown field": lambda one: [one | {"store": "x"}],
    "no name": lambda one: [{key: value for key, value in one.items() if key != "name"}],
    "no template": lambda one: [{key: value for key, value in one.items() if key != "template"}],
    "a number for a template": lambda one: [one | {"template": 1}],
    "another language": lambda one: [one | {"template_language": "painless"}],
    "an unknown variable": lambda one: [one | {"template_language": "derived_expression", "template": "b"}],
    "a variable behind": lambda one: [
        one | {"template_language": "derived_expression", "template": "b"}, one | {"name": "b"}],
    "a name of both": lambda one: [
        one, one | {"name": "b", "params": ["a"], "template_language": "derived_expression", "template": "a"}],
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD_SETS.values(), ids=BAD_SETS)
def test_feature_sets_that_a_plugin_refuses(bad: Callable[[dict[str, Any]], Any]) -> None:
    one = {"name": "a", "params": [], "template_language": "mustache", "template": {"match_all": {}}}
    FeatureSet.parse({"featureset": {"name": "s", "features": [one]}})
    with pytest.raises(AssertionError):
        FeatureSet.parse({"featureset": {"name": "s", "features": bad(one)}})


@pytest.mark.parametrize(("missing", "unset"), [("zero", 0.0), ("right", np.nan), ("own side", np.nan)])
def test_a_plugin_s_vector_is_that_of_the_model_or_the_version_s_way(missing: Missing, unset: float) -> None:
    found = FeatureSet.parse(plugin_feature_set("run", FEATURES, missing))
    (parameter,) = found.features[0]["params"]
    scored = {"lexical.bm25_title": 2.5, "lexical_bm25_title_z_above": 0.0, "lexical_bm25_title_z_below": 1.25,
              "text_query_title_above": 0.5, "text_query_title_below": 0.0}  # fmt: skip
    vector = found.vector(scored, {parameter: 3}, unset)
    assert [vector[one.name] for one in FEATURES[:3]] == [3, 2.5, -1.25]
    assert vector["text.query_title"] == 0.5
    nothing = found.vector({}, {parameter: 0}, unset)
    np.testing.assert_array_equal([nothing[one.name] for one in FEATURES[:-1]], unset)
    assert "left.alone" not in found.names


def rendered(template: str, params: dict[str, Any]) -> Any:
    """Mustache, as far as ours goes: a section of a list, and what its entries hold."""
    opened = re.fullmatch(r"(.*)\{\{#(\w+)\}\}(.*)\{\{/\2\}\}(.*)", template)
    assert opened
    before, name, inner, behind = opened.groups()
    pieces = re.split(r"\{\{(\w+)\}\}", inner)  # every second one a name
    for entry in params[name]:
        before += "".join(str(entry[piece]) if place % 2 else piece for place, piece in enumerate(pieces))
    return json.loads(before + behind)


def test_index_and_search_have_what_the_set_asks_for() -> None:
    made = plugin_feature_set("run", FEATURES, "own side")
    found = FeatureSet.parse(made)
    search = plugin_search(made)
    asked = search["rescore"]["query"]["rescore_query"]["sltr"]
    fields(asked, {"model": str, "params": dict, "store": str, "active_features": list}, {"model", "params"})
    assert set(asked["params"]) == {param for one in found.features for param in one["params"]}
    assert search["size"] <= search["rescore"]["window_size"] <= 1024
    properties = plugin_mapping(made)["properties"]
    for one in found.features:
        if isinstance(one["template"], dict):
            scored = one["template"]["function_score"]
            assert scored["field_value_factor"]["modifier"] in ("none", "ln1p")
            assert scored["query"]["exists"]["field"] == scored["field_value_factor"]["field"]
            assert properties[scored["field_value_factor"]["field"]] == {"type": "double"}
        elif one["template_language"] == "mustache":
            first, last = rendered(one["template"], asked["params"])["bool"]["should"]
            assert first["constant_score"]["filter"] == {"term": {"product_id": "PRODUCT_ID"}}
            assert (first["constant_score"]["boost"], last) == (1.5, {"match_none": {}})
    assert asked["params"]["lexical_query_terms_value"] == 2
    assert asked["params"]["text_query_title"] == [{"id": "PRODUCT_ID", "above": 1.5, "below": 1.5}]


def test_parts_of_a_modified_column_are_parts_of_the_modified_number() -> None:
    unknown = {"lowest": None, "highest": None, "missing": None}
    price = feature("structured.log_price", "column", "price", modifier="ln1p", **unknown)
    count = feature("structured.rating_count", "column", "rating_count", modifier="ln1p", **unknown)
    made = plugin_feature_set("run", [price, count], "own side")["featureset"]["features"]
    factors = [one["template"]["function_score"]["field_value_factor"] for one in made[:-1]]
    assert factors == [
        {"field": "price", "modifier": "ln1p"},
        {"field": "structured_rating_count_above", "modifier": "none"},
        {"field": "structured_rating_count_below", "modifier": "none"},
    ]
    assert made[-1]["template"] == "structured_rating_count_above - structured_rating_count_below"


@drawn(st.lists(st.sampled_from(["a", "a.b", "a_b", "a_above", "a.above", "a_below", "a_value", "a_above_2",
                                 "lexical.query_terms", "lexical_query_terms_value", "lexical_query_terms"]),
                unique=True, min_size=1), st.data())  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_names_of_a_set_and_its_parameters_stay_apart(names: list[str], data: st.DataObject) -> None:
    schema = FeatureSchema(tuple(Feature(name) for name in names))
    lowest = data.draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=len(names), max_size=len(names)))
    features = supplied(schema, np.array([lowest]), np.ones(len(names)))
    found = FeatureSet.parse(plugin_feature_set("run", features, "own side"))
    assert set(names) <= set(found.names)


def grown(seed: int, leaves: int) -> Tree:
    """A tree of random shape over two features."""
    rng = np.random.default_rng(seed)
    made = Growing()

    def below(left: int) -> int:
        if left == 1:
            return made.leaf(float(rng.normal()))
        node = made.split(
            int(rng.integers(2)), float(np.float32(rng.normal())), missing_left=bool(rng.random() < 0.5)
        )
        share = int(rng.integers(1, left))
        made.children(node, below(share), below(left - share))
        return node

    below(leaves)
    return made.tree()


@drawn(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_vespa_rounds_features_for_every_forest_with_a_split(leaves: list[int], seed: int) -> None:
    forest = Forest([grown(seed + place, count) for place, count in enumerate(leaves)], 0.25, 2)
    rounded = fast_forest(forest)
    text = write_nested(rounded, ["f", "g"])
    model = Vespa.parse(text)
    assert model.rounds == any(count > 1 for count in leaves)
    edges = np.concatenate([tree.threshold[tree.splits] for tree in forest.trees] + [[0.5]])
    rng = np.random.default_rng(seed)
    X = rng.choice(edges, (20, 2)).astype(np.float64) + rng.choice([0, 1e-12, -1e-12, 1], (20, 2))  # 64 bits
    X[rng.random(X.shape) < 0.2] = np.nan
    rows = [
        {name: float(value) for name, value in zip("fg", row, strict=True) if not np.isnan(value)}
        for row in X
    ]
    kept = X.astype(np.float32)
    theirs = sum(forest.leaves(kept), np.full(len(X), forest.base))
    np.testing.assert_allclose([model.run(row) + rounded.base for row in rows], theirs, atol=1e-6)
    ours = by_engine(read_nested(text, ["f", "g"]), Engine.of("vespa", "8.1"))(kept) + rounded.base
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_without_that_property_a_price_stands_on_the_other_side() -> None:
    price = 0.1  # of which the 32-bit number is larger
    tree = Growing()
    root = tree.split(0, float(np.float32(price)), missing_left=False)
    tree.children(root, tree.leaf(-1.0), tree.leaf(1.0))
    forest = Forest([tree.tree()], 0.0, 1)
    alone, rounded = (Vespa.parse(write_nested(one, ["f"])) for one in (forest, fast_forest(forest)))
    assert (alone.rounds, alone.run({"f": price})) == (False, -1)
    assert (rounded.rounds, rounded.run({"f": price})) == (True, 1)
    assert forest.trees[0].leaves(np.array([[price]], dtype=np.float32)) == [1]


def test_trees_beyond_what_an_engine_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vespa_trees, "MOST_LEAVES", 4)
    assert fast_forest(Forest([grown(0, 4), grown(1, 4)], 0.0, 2)).nodes == 14
    with pytest.raises(InputError, match=r"at most 4 leaves.* got one of 5"):
        fast_forest(Forest([grown(0, 5)], 0.0, 2))
    monkeypatch.setattr(of_plugins, "MOST_CHARACTERS", {"opensearch-ltr": 10, "elasticsearch-ltr": 11})
    monkeypatch.setattr(of_plugins, "MOST_FEATURES", 3)
    assert plugin_model("run", "[" + " " * 8 + "]", "opensearch-ltr")
    assert plugin_model("run", "[" + " " * 9 + "]", "elasticsearch-ltr")
    with pytest.raises(InputError, match=r"at most 10 characters as JSON, .* got one of 11"):
        plugin_model("run", "[" + " " * 9 + "]", "opensearch-ltr")
    with pytest.raises(InputError, match="at most 3 features"):
        plugin_feature_set("run", FEATURES, "own side")


def test_vespa_s_profiles_are_of_one_file_each_and_keep_to_its_grammar() -> None:
    knows = EngineKnows(("title",), k1=1e-5, b=1.0, cosines={"text.query_title": Cosine("text", "title", 8)})
    texts = vespa_profiles("run", FEATURES, knows)
    exact, near = (Profile.parse(texts[name]) for name in ("run", "run_by_engine"))
    assert exact.functions["lexical_query_terms"] == (
        "if (query(lexical_query_terms) > 0, query(lexical_query_terms), 0.0 / 0.0)")  # fmt: skip
    assert exact.functions["structured_log_price"] == "log(1 + attribute(price))"
    of_columns = [exact.functions[f"extra_{name}"] for name in ("Net_Weight", "Net_Weight_2", "position")]
    assert of_columns == ["attribute(Net_Weight)", "attribute(Net_Weight_2)", "attribute(f_position)"]
    assert '# attribute(Net_Weight): the column "Net Weight"' in texts["run"]
    assert (near.inherits, near.properties) == ("run", {"bm25(title).k1": "0.00001", "bm25(title).b": "1.0"})
    asked, offered = "query(q_text)", "attribute(title_vector)"
    lengths = f"sum({asked} * {asked}) * sum({offered} * {offered})"
    assert near.functions["text_query_title"] == f"if ({lengths} > 0, sum({asked} * {offered}), 0.0 / 0.0)"
    assert list(vespa_profiles("run", FEATURES, EngineKnows())) == ["run"]


@pytest.mark.parametrize("change", [
    lambda text: "\n" + text, lambda text: "# of a run\n" + text, lambda text: text + text,
    lambda text: text.replace("attribute(price)", "attribute(Net Weight)"),
    lambda text: text.replace("attribute(price)", "attribute(position)"),
    lambda text: text.replace("rank-profile run {", "rank-profile my run {"),
    lambda text: text.rstrip().removesuffix("}"),
    lambda text: text.replace("double", "double: 1e-5"),
    lambda text: text.replace("fast_forest: true", "fast_forest: 1e-5"),
    lambda text: text.replace("log(1", "{log(1"),
    lambda text: text.replace("function structured_log_price", "function structured_price"),
])  # fmt: skip
def test_profiles_that_vespa_refuses_or_passes_over(change: Callable[[str], str]) -> None:
    text = vespa_profiles("run", FEATURES, EngineKnows())["run"]
    Profile.parse(text)
    with pytest.raises((AssertionError, StopIteration)):
        Profile.parse(change(text))
