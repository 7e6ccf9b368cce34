"""`--without photos`: what a run is made of, and measured on, as if the shop had none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from features.build import FeatureBuilder, FeaturesConfig
from features.errors import InputError
from features.feature_schema import KEYS
from ltr import evaluate, train
from ltr.config.tree import parse_config
from ltr.data.embedded import EmbeddingFusionConfig
from ltr.demo import shop as demo_shop
from ltr.pipeline.prepare import cache_of
from ltr.runs.record import run_name
from ltr.runs.saved_run import SavedRun
from tests.ltr.conftest import Trained

PHOTOS = ("image.text_photo", "image.photo_title")
GROUPS = ("lexical", "structured", "text", "image")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Another shop's files, as words of ltr.evaluate."""
    folder = tmp_path_factory.mktemp("new")
    shop = demo_shop.generate(demo_shop.DemoShopConfig(products=30, queries=6, judged_per_query=8, seed=77))
    words = []
    for name in ("products", "queries", "judgements"):
        getattr(shop, name).write_parquet(folder / f"{name}.parquet")
        words += [f"--{name}", str(folder / f"{name}.parquet")]
    return words


@dataclass(frozen=True)
class Whole:
    """A run opened, its shop and its features with nothing left out."""

    run: SavedRun
    shop: demo_shop.DemoShop
    builder: FeatureBuilder


@pytest.fixture(scope="module")
def whole(trained: Trained) -> Whole:
    run = SavedRun.open(trained.run)
    shop = demo_shop.generate(run.config.data)  # type: ignore[arg-type]
    return Whole(run, shop, run.catalogue_builder())


@pytest.mark.parametrize(
    ("without", "fields", "adapted"),
    [
        ("photos", ("query_text", "title"), ("text.title", "words")),
        ("text", ("image", "query_image"), ("image.text_photo", "image.photo_title", "words")),
        ("lexical", ("query_text", "title", "image", "query_image"), ("text.title", *PHOTOS)),
        ("structured", ("query_text", "title", "image", "query_image"), ("text.title", *PHOTOS, "words")),
        ("photos, text, lexical", None, None),
    ],
)
def test_what_is_left_out_is_no_embedding_either(
    without: str, fields: tuple[str, ...] | None, adapted: tuple[str, ...] | None, tmp_path: Path
) -> None:
    embeddings = {
        "fields": ["query_text", "title", "image", "query_image"],
        "adapted": ["text.title", *PHOTOS, "words"],
    }
    tree = {
        "name": "shop",
        "data": {"kind": "demo"},
        "features": {"without": without},
        "embeddings": embeddings,
    }
    left = parse_config(tree, tmp_path, "test").embeddings
    assert (left and left.fields, left and left.adapted) == (fields, adapted)


def test_a_run_without_photos_adapts_no_photos_cosine(trained: Trained) -> None:
    run = trained.work / "adapted-without"
    settings = ["--embeddings", "{adapted: [text.title, image.photo_photo]}", "--ladder", "[]"]
    train.main(trained.words("--run", str(run), *settings, "--without", "photos"))
    assert SavedRun.open(run).config.embeddings == EmbeddingFusionConfig(adapted=("text.title",))


@pytest.mark.parametrize("without", [c for n in (1, 2, 3) for c in combinations(GROUPS, n)])
def test_the_features_left_are_those_of_the_whole(whole: Whole, without: tuple[str, ...]) -> None:
    """To the last bit, and nothing of a group left out finds candidates."""
    run, shop, cache = whole.run, whole.shop, cache_of(whole.run.config)
    encoders = {side.encoder.fingerprint: side.encoder for side in whole.builder.catalogue.vectors.sides}
    settings = run.config.features.model_copy(update={"without": without})
    builder = FeatureBuilder(shop.products, settings, encoders, cache)
    pairs = shop.judgements.sort(KEYS).head(45)
    gone = {*without, "extra"} if "structured" in without else {*without}
    kept = [name for name in run.schema.names if name.split(".")[0] not in gone]
    if "text" in gone:  # what is met by text or photo goes with either
        kept = [name for name in kept if "asked_met" not in name]
    assert sorted(builder.schema.names) == sorted(kept)
    found, known = (one.build(shop.queries, pairs).frame for one in (builder, whole.builder))
    assert found.select(kept).equals(known.select(kept))
    assert not gone & {by.group for by in builder.catalogue.vectors.searched.values()}


def test_a_run_without_photos_has_its_own_name_and_no_feature_of_them(
    trained: Trained, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train.main(
        trained.words("--run", str(run), "--without", "photos", "--ladder", "[]", "--split.folds", "2")
    )
    opened = SavedRun.open(run)
    assert opened.config.features.without == ("image",)
    assert "image" not in opened.schema.groups
    assert run_name(opened.config) == "demo-lightgbm-without-image"
    summary = json.loads((run / "metrics.json").read_text())["summary"]
    assert "photo cosine" not in {row["system"] for row in summary}


@pytest.mark.parametrize("without", ["photos", "image, text", "structured"])
def test_a_run_is_measured_as_if_the_new_shop_had_none(
    trained: Trained, files: list[str], without: str
) -> None:
    groups = FeaturesConfig.model_validate({"without": without}).without
    measured = evaluate.main(["--run", str(trained.run), *files, "--without", without])
    system = f"lightgbm without {', '.join(groups)}"
    assert system in set(measured.tests["against"])
    whole = measured.summary.filter(system="lightgbm", segment="all queries", metric="nDCG@10")
    plain = evaluate.main(["--run", str(trained.run), *files])
    assert whole.equals(plain.summary.filter(system="lightgbm", segment="all queries", metric="nDCG@10"))


def test_missing_is_missing_in_the_models_eyes(whole: Whole) -> None:
    run, shop = whole.run, whole.shop
    table = whole.builder.build(shop.queries, shop.judgements.sort(KEYS).head(60)).frame
    data = run.dataset(table)
    image = [place for place, name in enumerate(run.schema.names) if name.startswith("image.")]
    empty = run.dataset(table)
    empty.X[:, image] = np.nan
    np.testing.assert_array_equal(run.score_dataset(data, without=("image",)), run.score_dataset(empty))


def test_a_group_that_cannot_be_is_refused(trained: Trained, files: list[str]) -> None:
    tree = {"name": "shop", "data": {"kind": "demo"}, "features": {"without": "photoz"}}
    with pytest.raises(InputError, match="photoz"):
        parse_config(tree, Path(), "here")
    with pytest.raises(InputError, match=r"\(lexical, text.*'audio'"):
        evaluate.main(["--run", str(trained.run), *files, "--without", "audio"])
    with pytest.raises(InputError, match="--judgements beside --without"):
        evaluate.main(["--run", str(trained.run), "--without", "photos"])
