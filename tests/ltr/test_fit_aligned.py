"""The command: from a config to an aligned encoder that the same config's encoder reads, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.errors import InputError
from ltr import fit_encoder
from ltr.config.command_line import DEMO_CONFIG
from ltr.config.tree import Config, lay_over, parse_config
from ltr.pipeline.prepare import load_collection, make_builder

TEXT = {"kind": "tfidf", "dimensions": 16}
SIZE = ["--data.products", "80", "--data.queries", "12", "--data.judged_per_query", "5"]
ALIGNED = "{height: 16, width: 16, epochs: 2, batch_size: 16, held_out: 8}"


def words(folder: Path, encoders: dict | None = None) -> list[str]:
    both = {"text": TEXT, "image": {"kind": "aligned", "folder": str(folder / "aligned"), "threads": 1}}
    made = both if encoders is None else encoders
    places = ["--cache.folder", str(folder / "cache"), "--encoders", json.dumps(made)]
    return [*SIZE, *places, "--aligned", ALIGNED]


def config_of(folder: Path, text: dict) -> Config:
    image = {"kind": "aligned", "folder": str(folder / "aligned"), "threads": 1}
    tree = {"name": "shop", "data": {"kind": "demo", "products": 80, "queries": 12, "judged_per_query": 5}}
    laid = lay_over(tree, {"encoders": {"text": text, "image": image}, "cache.folder": str(folder / "cache")})
    return parse_config(laid, DEMO_CONFIG.parent, "test")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    fit_encoder.main(words(folder))
    return folder


@pytest.mark.parametrize(
    ("text", "there"), [(TEXT, True), ({"kind": "tfidf", "dimensions": 12}, False)], ids=["same", "other"]
)
def test_the_aligned_encoder_gives_text_photo_features_with_its_own_text_encoder_only(
    fitted: Path, text: dict, there: bool
) -> None:
    config = config_of(fitted, text)
    collection = load_collection(config)
    pairs = collection.judgements.head(20)
    features = make_builder(config, collection.products).build(collection.queries, pairs).frame
    assert "image.photo_photo" in features.columns
    assert ("image.text_photo" in features.columns) == there
    if there:
        with_both = pairs.join(collection.queries.drop_nulls("text"), on="query_id")
        with_both = with_both.join(collection.products.drop_nulls("image"), on="product_id")
        assert features["image.text_photo"].count() == len(with_both)


def test_the_folder_tells_how_it_was_made(fitted: Path) -> None:
    names = {"config.json", "aligned.safetensors", "fitting.json", "sums.json"}
    assert {path.name for path in (fitted / "aligned").iterdir()} == names
    record = json.loads((fitted / "aligned" / "fitting.json").read_text())
    assert 0 <= record["recall@10"] <= 1
    assert record["settings"]["height"] == 16
    assert record["trained_on"] + record["held_out"] <= 80
    left = {path.name for path in fitted.iterdir()}
    assert left == {"aligned", "cache"}  # no checkpoint once it is whole


def test_progress_and_result_are_told(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit_encoder.main(words(tmp_path))
    printed = capsys.readouterr().out
    assert "products with a photo and a title; fitting a small network" in printed
    assert "epoch 2/2" in printed
    assert "held-out recall@10" in printed
    assert f"aligned encoder: {tmp_path / 'aligned'}" in printed


def test_an_earlier_aligned_encoder_is_set_aside(tmp_path: Path) -> None:
    fit_encoder.main(words(tmp_path))
    before = (tmp_path / "aligned" / "aligned.safetensors").read_bytes()
    fit_encoder.main([*words(tmp_path), "--aligned.seed", "1"])
    aside = next(tmp_path.glob("aligned@*"))
    assert (aside / "aligned.safetensors").read_bytes() == before
    assert (tmp_path / "aligned" / "aligned.safetensors").read_bytes() != before


# What it refuses


def test_a_config_without_an_aligned_encoder(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"expected one that is fitted on the catalogue.*got text: tfidf; add one"
    ):
        fit_encoder.main(words(tmp_path, {"text": TEXT}))


def test_a_config_without_a_text_encoder(tmp_path: Path) -> None:
    image = {"kind": "aligned", "folder": str(tmp_path / "aligned")}
    with pytest.raises(InputError, match="expected a text encoder"):
        fit_encoder.main(words(tmp_path, {"image": image}))


def test_a_folder_that_is_something_else_is_not_moved_away(tmp_path: Path) -> None:
    (tmp_path / "aligned").mkdir()
    (tmp_path / "aligned" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="got another folder"):
        fit_encoder.main(words(tmp_path))


def test_training_before_fitting_names_the_command(tmp_path: Path) -> None:
    config = config_of(tmp_path, TEXT)
    with pytest.raises(InputError, match=r"fit it on a catalogue first: python -m ltr\.fit_encoder"):
        make_builder(config, load_collection(config).products)
