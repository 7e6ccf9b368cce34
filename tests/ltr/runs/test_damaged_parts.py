"""Damaged or forged parts of a run: what `save` wrote, or one clear line; never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.encoders.text.sentence_encoders import TfidfConfig, TfidfEncoder
from features.errors import InputError
from features.feature_schema import Feature, FeatureSchema
from features.groups.embeddings import EmbeddingFeatures
from ltr.config.yaml_files import parse_yaml
from ltr.runs.sums import check_files, read_about, write_about

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SCHEMA = FeatureSchema((Feature("lexical.a"), Feature("extra.colour", "categorical", ("blue", "red"))))
REFUSED = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)  # what readers of a run turn into a line


@settings(max_examples=300)
@given(
    place=st.sampled_from([(0,), (1,), (0, "name"), (1, "kind"), (1, "categories"), (0, "categories")]),
    value=VALUES,
)
def test_a_schema_of_other_things_is_refused_or_whole(place: tuple[int | str, ...], value: object) -> None:
    tree = json.loads(SCHEMA.to_json())
    node = tree
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    try:
        found = FeatureSchema.from_json(json.dumps(tree))
    except REFUSED:
        return
    for feature in found.features:
        assert isinstance(feature.name, str)
        assert feature.kind in ("numeric", "categorical")
        pl.Enum(feature.categories)


@given(
    text=st.text(max_size=30) | st.sampled_from(["[" * 100_000, "{}", "null", "[7]", "[[]]", '"x"', "NaN"])
)
def test_no_text_of_a_schema_breaks_more_than_the_reading(text: str) -> None:
    with suppress(*REFUSED):
        FeatureSchema.from_json(text)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(["format", "model", "base", "sha256", "made_at", "fingerprints", "sum", "none"]),
    value=VALUES
    | st.dictionaries(st.sampled_from(["../x", "/etc/passwd", "a\0b", "model/x"]), VALUES, max_size=2),
    sealed=st.booleans(),
)
def test_a_forged_about_is_a_run_or_one_line(
    name: str, value: object, sealed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also where its own sum was made to fit."""
    folder = tmp_path_factory.mktemp("run")
    about = {"format": 1, "model": "lightgbm", "base": "/x", "sha256": {"features.json": "0" * 64}}
    try:
        write_about(folder, about | {name: value})
    except ValueError:  # NaN, which no JSON holds
        return
    if not sealed:
        path = folder / "run.json"
        path.write_text(path.read_text(encoding="utf-8").replace("1", "2"), encoding="utf-8")
    try:
        found = read_about(folder)
        check_files(folder, found, "features.json", "model")
    except InputError as error:
        assert "as ltr.train wrote it" in str(error) or "run" in str(error)


def _damages(seed: int) -> Callable[[bytes], bytes]:
    """A few bits flipped, cut, grown, emptied, or other bytes."""
    rng = np.random.default_rng(seed)

    def damage(data: bytes) -> bytes:
        found = bytearray(data)
        place = int(rng.integers(len(found)))
        if seed % 4 == 0:
            for _ in range(3):
                found[int(rng.integers(min(len(found), 200)))] ^= 1 << int(rng.integers(8))
        elif seed % 4 == 1:
            del found[place:]
        elif seed % 4 == 2:
            found[place : place + 8] = rng.bytes(8)
        else:
            found = bytearray(rng.bytes(place))
        return bytes(found)

    return damage


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_projection_is_one_line_or_still_projects(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    axes = {
        "title": rng.normal(size=(2, 6)).astype(np.float32),
        "image": rng.normal(size=(2, 4)).astype(np.float32),
    }
    means = {"title": np.zeros(6, np.float32), "image": np.zeros(4, np.float32)}
    path = tmp_path / "projection.safetensors"
    EmbeddingFeatures(means, axes).save(path)
    path.write_bytes(_damages(seed)(path.read_bytes()))
    try:
        found = EmbeddingFeatures.load(path)
    except InputError as error:
        assert "a saved projection" in str(error)
    else:
        assert all(np.isfinite(axis).all() for axis in found.axes.values())


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("tfidf")
    encoder = TfidfEncoder(TfidfConfig(dimensions=4), base)
    encoder.fit(pl.Series(["red shoe", "blue shoe", "green hat", "red hat", "wool scarf", "blue scarf"]))
    encoder.save(base / "state.safetensors")
    return base / "state.safetensors"


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_tfidf_is_one_line_or_still_encodes(seed: int, fitted: Path, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(_damages(seed)(fitted.read_bytes()))
    try:
        encoder = TfidfEncoder(TfidfConfig(state=str(path)), tmp_path)
    except InputError as error:
        assert "a saved TF-IDF state" in str(error)
    else:
        assert encoder.encode(["red shoe", "nothing known"], "text").shape == (2, encoder.dimensions)


@pytest.mark.parametrize(
    "terms", ["7", "null", "[]", "[1, 2]", '["a", "a"]', '{"a": 1}', "[" * 100_000, "x", '["a"]', '"abc"']
)
def test_forged_terms_are_one_line(terms: str, fitted: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = tmp_path / "state.safetensors"
    save_file(load_file(fitted), path, metadata={"terms": terms})
    with pytest.raises(InputError, match="a saved TF-IDF state"):
        TfidfEncoder(TfidfConfig(state=str(path)), tmp_path)


ODD_YAML = [
    "[" * 5000,
    "{a: " * 3000,
    "- " * 3000 + "x",
    "9" * 5000,
    "2024-99-99",
    "2024-02-30T99:99:99",
    "!!python/object/apply:os.system [ls]",
    "!!int x",
    "!!float [1]",
    "!!timestamp x",
    "!!binary ___",
    "*nowhere",
    "&a [*a]",
    "? [a]\n: b",
    "{[a]: b}",
    "\x00",
    "a: &x {b: *x}",
    "\n".join(
        ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
        + [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    ),
    "<<: 7",
    "=: 1",
    "0o99",
    "1:99:99",
    "%TAG ! x\n---",
]


@pytest.mark.parametrize("text", ODD_YAML, ids=range(len(ODD_YAML)))
def test_odd_yaml_is_a_value_or_one_line(text: str) -> None:
    try:
        parse_yaml(text, "settings")
    except InputError as error:
        assert "expected YAML" in str(error)
        assert len(str(error)) < 1000


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from("a1:-.{}[],&*!?|>'\"%@`\n\t #=<"), max_size=30))
def test_any_yaml_is_a_value_or_one_line(text: str) -> None:
    try:
        parse_yaml(text, "settings")
    except InputError as error:
        assert "YAML" in str(error)
