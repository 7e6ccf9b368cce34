"""One strict tree: every wrong key or value is named by its full path, and the file round-trips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml

from features.errors import InputError
from ltr.config.command_line import DEMO_CONFIG
from ltr.config.tree import dump_config, parse_config, read_config

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = [DEMO_CONFIG, *sorted((ROOT / "configs").glob("*.yaml"))]


def write(folder: Path, text: str) -> Path:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_is_valid_and_round_trips(path: Path) -> None:
    config = read_config(path)
    again = parse_config(yaml.safe_load(dump_config(config)), config.base, "dump")
    assert again == config


def numbers(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where numbers stand in settings."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from numbers(value, (*path, key))
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("word", [True, False])
def test_true_and_false_are_no_numbers(path: Path, word: bool) -> None:
    config = read_config(path)
    places = list(numbers(yaml.safe_load(dump_config(config))))
    assert len(places) > 20
    for place in places:
        tree = yaml.safe_load(dump_config(config))
        reduce(getitem, place[:-1], tree)[place[-1]] = word
        named = ".".join(map(str, place))
        with pytest.raises(InputError, match=re.escape(f"key {named!r}")):
            parse_config(tree, config.base, "shop.yaml")


@pytest.mark.parametrize(
    ("override", "value", "named"),
    [
        ("nmae", 1, "'nmae'"),
        ("ranker.treees", 5, "'ranker.trees'"),
        ("features.lexical.k2", 1.2, "'features.lexical.k2'"),
        ("evaluation.bootstrap.resample", 10, "'evaluation.bootstrap.resamples'"),
        ("data.product", 10, "'data.products'"),
    ],
)
def test_an_unknown_key_is_named_in_full_with_the_nearest_known_one(
    override: str, value: object, named: str
) -> None:
    with pytest.raises(InputError, match=named):
        read_config(DEMO_CONFIG, {override: value})


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("ranker.trees", "many"),
        ("ranker.kind", "catboots"),
        ("ranker.objective", "rank:map"),
        ("evaluation.cutoffs", []),
        ("encoders.text.kind", "word2vec"),
        ("split.folds", 1),
    ],
)
def test_a_wrong_value_names_its_key(override: str, value: object) -> None:
    with pytest.raises(InputError, match=override.removesuffix(".kind").replace(".", r"\.")):
        read_config(DEMO_CONFIG, {override: value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "an empty file"),
        ("- a\n- b\n", "a tree of settings"),
        ("name: [", "YAML"),
        ("name: demo\n", "data"),
    ],
)
def test_a_file_that_is_no_config_gives_one_clear_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        read_config(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_config(tmp_path / "absent.yaml")


def test_another_ranker_keeps_the_settings_both_know(tmp_path: Path) -> None:
    text = "name: a\ndata: {kind: demo}\nranker: {kind: lightgbm, trees: 33, params: {max_bin: 15}}\n"
    config = read_config(write(tmp_path, text), {"ranker.objective": "lambdarank", "ranker.kind": "xgboost"})
    assert (config.ranker.kind, config.ranker.trees, dict(config.ranker.params)) == ("xgboost", 33, {})


@pytest.mark.parametrize("value", [False, None])
def test_a_feature_group_is_switched_off(value: object) -> None:
    assert read_config(DEMO_CONFIG, {"features.lexical": value}).features.lexical is None


@pytest.mark.parametrize("text", ["", "ranker: {trees: 9}\nsplit: {folds: 3}\n"])
def test_a_section_without_a_kind_has_the_default_one(tmp_path: Path, text: str) -> None:
    config = read_config(
        write(tmp_path, f"name: a\ndata: {{kind: demo}}\n{text}"), {"ranker.objective": "rank_xendcg"}
    )
    assert (config.ranker.kind, config.ranker.objective, config.split.kind) == (
        "lightgbm",
        "rank_xendcg",
        "folds",
    )


GIVEN = "data: {kind: svmlight, files: {given: a.svm}}\n"
ODD = {
    "a slip in a needed key": ("nam: a\n" + GIVEN, "got 'nam'; did you mean 'name'?"),
    "one below": (
        "name: a\ndata: {kind: catalogue, products: {pth: a.csv}}\n",
        "got 'data.products.pth'; did you mean 'data.products.path'?",
    ),
    "capitals": (
        "name: a\n" + GIVEN.replace("files", "FILES"),
        "got 'data.FILES'; did you mean 'data.files'?",
    ),
    "another tool's": ("objective: rank:ndcg\neta: 0.1\n", "got the keys objective, eta; start from a file"),
    "a number as the name": ("name: 5\n" + GIVEN, "key 'name': expected a text, got 5; put it in quotes"),
    "a key that is no name": ("name: a\n" + GIVEN + "5: 6\n", "expected names as keys, got 5; remove it"),
    "no key at all": ("name: a\n" + GIVEN + "~: 6\n", "expected names as keys, got None; remove it"),
    "tabs": (
        "name: a\ndata:\n\tkind: svmlight\n",
        "line 3: expected YAML, got a tab at the beginning of the line",
    ),
    "twice": (
        "name: a\nname: b\n" + GIVEN,
        "line 2: expected YAML, got a mistake (the key 'name' a second time)",
    ),
    "a section for anchors": (
        "x: &x {trees: 5}\nname: a\n" + GIVEN,
        "expected a known key, got 'x'; remove it",
    ),
    "code": ("name: !!python/name:os.system\n", "could not determine a constructor"),
    "two files in one": ("name: a\n" + GIVEN + "---\nname: b\n", "but found another document"),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_config_by_another_hand_is_told_in_one_line(kind: str, tmp_path: Path) -> None:
    text, message = ODD[kind]
    with pytest.raises(InputError) as caught:
        read_config(write(tmp_path, text))
    assert str(tmp_path / "shop.yaml") in caught.value.where
    assert message in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_config_in_another_encoding(encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path, "")
    path.write_bytes(("name: a\n" + GIVEN).encode(encoding))
    assert read_config(path).name == "a"
    path.write_bytes(("# größe\nname: a\n" + GIVEN).encode("latin-1"))
    with pytest.raises(
        InputError, match=r"line 1: expected UTF-8 text, got the byte 0xf6; save the file as UTF-8$"
    ):
        read_config(path)
