"""What is left of a ranker when the catalogue lacks photos or descriptions, and training that mends it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from features.feature_schema import KEYS, FeatureSchema
from features.sources.load import Collection
from features.sources.schema import Products, completed
from ltr import train
from ltr.config import command_line
from ltr.config.tree import Config, parse_config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.data.splits import Fold, make_folds
from ltr.evaluation.per_query import evaluate
from ltr.pipeline import fitting
from ltr.pipeline.fitting import embed
from ltr.pipeline.prepare import Prepared, make_builder, make_encoders, prepare
from ltr.pipeline.robustness import (
    ALL,
    Robustness,
    RobustnessPoint,
    RobustnessTest,
    Trained,
    measure_robustness,
    trained_without,
)
from ltr.pipeline.thinned_catalogue import ThinnedCatalogue
from ltr.training.anchoring import Transfer
from ltr.training.cross_fit import CrossFit, cross_fit, held_out_scores
from ltr.training.modality_dropout import COLUMN, Part, lists_without, without
from tests.ltr.conftest import Trained as Run

PARTS: tuple[Part, ...] = ("photos", "descriptions")
every_part = pytest.mark.parametrize("part", PARTS)


def lacking(products: pl.DataFrame, part: Part) -> set[str]:
    return set(products.filter(pl.col(COLUMN[part]).is_null())["product_id"])


# ---- the demo shop -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(trained: Run) -> tuple[Config, Prepared, Trained, ThinnedCatalogue]:
    """The demo shop of `trained`, with its folds' models."""
    _, config = command_line.read_settings(
        command_line.parser(None),
        trained.words("--robustness.drop", "{photos: [1], descriptions: [0.5]}"),
    )
    prepared = prepare(config)
    rows = EmbeddedDataset(Dataset.from_frame(prepared.table.frame, prepared.schema))
    folds = make_folds(config.split, prepared.collection.queries, prepared.table.frame["query_id"])
    fitted = cross_fit(rows, folds, config.ranker)
    return config, prepared, Trained(rows, folds, fitted), ThinnedCatalogue(config, prepared, rows)


@every_part
def test_nothing_dropped_gives_the_held_out_scores_exactly(demo: tuple, part: Part) -> None:
    _, _, model, thinned = demo
    tested = [query for fold in model.folds for query in fold.test]
    scores, _ = held_out_scores(thinned.rows(tested, part, 0, 0), model.folds, model.fitted.models)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores, model.fitted.scores)


def test_without_photos_all_that_reads_a_products_photo_is_null(demo: tuple) -> None:
    _, _, model, thinned = demo
    whole = model.rows.data
    frame = thinned.rows(whole.query_ids.to_list(), "photos", 1, 0).data.frame
    photo = [
        n for n in whole.schema.names if n.startswith("image.") and not n.startswith("image.photo_title")
    ]
    assert photo
    assert frame.select(photo).null_count().row(0) == (frame.height,) * len(photo)
    assert (frame["structured.missing_image"] == 1).all()
    others = [n for n in frame.columns if n not in (*photo, "structured.missing_image")]
    assert frame.select(others).equals(whole.frame.select(others))


def test_without_descriptions_no_word_of_them_counts(demo: tuple) -> None:
    _, _, model, thinned = demo
    whole = model.rows.data
    frame = thinned.rows(whole.query_ids.to_list(), "descriptions", 1, 0).data.frame
    own = [name for name in whole.schema.names if "description" in name and "missing" not in name]
    assert frame.select(own).null_count().row(0) == (frame.height,) * len(own)
    assert not frame["lexical.bm25_all"].equals(whole.frame["lexical.bm25_all"])
    assert frame["text.title"].equals(whole.frame["text.title"])


@every_part
def test_half_dropped_changes_only_the_products_that_lost_it(demo: tuple, part: Part) -> None:
    _, prepared, model, thinned = demo
    whole = model.rows.data.frame
    frame = thinned.rows(model.rows.data.query_ids.to_list(), part, 0.5, 4).data.frame
    name = {"photos": "image.photo_photo", "descriptions": "text.description"}[part]
    lost = lacking(without(prepared.collection.products, part, 0.5, 4), part)
    gone = whole["product_id"].is_in(lost)
    assert frame.filter(gone)[name].null_count() == gone.sum()
    assert frame.filter(~gone)[name].equals(whole.filter(~gone)[name])


def test_the_features_of_a_catalogue_that_never_had_photos(demo: tuple) -> None:
    _, _, model, thinned = demo
    bare = thinned.never_had("photos")
    rows = bare.whole
    assert bare.embeddings is None
    gone = set(model.rows.data.schema.names) - set(rows.data.schema.names)
    assert {"structured.missing_image", "image.photo_photo"} <= gone
    assert all(name.startswith("image.") or name == "structured.missing_image" for name in gone)
    assert rows.data.frame.select(KEYS).equals(model.rows.data.frame.select(KEYS))


def test_training_rows_differ_in_the_lists_drawn_alone(demo: tuple) -> None:
    _, _, model, thinned = demo
    shares: dict[Part, float] = {"photos": 0.4}
    learned = thinned.training_rows(shares, 5).data.frame
    whole = model.rows.data.frame
    drawn = list(lists_without(model.rows.data.query_ids, shares, 5))
    for ids, part in drawn:
        chosen = pl.col("query_id").is_in(ids)
        assert learned.filter(chosen).equals(thinned.rows(ids, part, 1, 0).data.frame)
    rest = ~pl.col("query_id").is_in([query for ids, _ in drawn for query in ids])
    assert learned.filter(rest).equals(whole.filter(rest))
    assert learned.select(*KEYS, "grade").equals(whole.select(*KEYS, "grade"))
    assert thinned.training_rows(shares, 5).data.frame.equals(learned)
    assert thinned.training_rows({}, 5) is model.rows


def test_a_catalogue_that_never_had_photos_is_trained_on_alike(demo: tuple) -> None:
    """The lists drawn to lack descriptions lack them there too; those drawn to lack photos are as they are."""
    _, _, _, thinned = demo
    bare, shares = thinned.never_had("photos"), {"photos": 0.3, "descriptions": 0.4}
    learned, whole = bare.training_rows(shares, 5).data.frame, bare.whole.data.frame
    drawn = {part: ids for ids, part in lists_without(bare.whole.data.query_ids, shares, 5)}
    lacking_words = pl.col("query_id").is_in(drawn["descriptions"])
    assert (
        learned.filter(lacking_words)["text.description"].null_count() == learned.filter(lacking_words).height
    )
    assert learned.filter(~lacking_words).equals(whole.filter(~lacking_words))
    assert thinned.never_had("descriptions").whole.data.schema != bare.whole.data.schema


def test_the_model_without_photos_is_trained_with_the_same_dropout_of_descriptions(demo: tuple) -> None:
    config, prepared, model, _ = demo
    sections = {"train": {"modality_dropout": {"descriptions": 0.5}}, "robustness": {"drop": {"photos": [1]}}}
    config = Config.model_validate(config.model_dump() | sections)
    thinned = ThinnedCatalogue(config, prepared, model.rows)
    bare = thinned.never_had("photos")
    alike, plain = (
        cross_fit(bare.whole, model.folds, config.ranker, thinned=how) for how in (bare.thinned(), None)
    )
    floor = next(
        point.mean for point in measure_robustness(config, thinned, model).points if point.system != ALL
    )

    def mean(fitted: CrossFit) -> float:
        judged = bare.whole.data.frame.with_columns(score=pl.Series(fitted.scores)).drop_nulls("grade")
        return float(evaluate(judged, config.evaluation)["nDCG@10"].drop_nulls().to_numpy().mean())

    assert floor == pytest.approx(mean(alike), abs=1e-12)
    assert floor != pytest.approx(mean(plain), abs=1e-12)


def test_the_curve_has_a_point_of_both_systems_at_each_share(demo: tuple) -> None:
    config, _, model, thinned = demo
    found = measure_robustness(config, thinned, model)
    assert [(point.dropped, point.share, point.system) for point in found.points] == [
        (part, share, system)
        for part, share in (("photos", 0), ("photos", 1), ("descriptions", 0), ("descriptions", 0.5))
        for system in (ALL, trained_without(part))
    ]
    assert all(point.low <= point.mean <= point.high for point in found.points)
    means = {(point.dropped, point.share, point.system): point.mean for point in found.points}
    assert len({means[part, 0, ALL] for part in PARTS}) == 1
    test = next(t for t in found.tests if t.share == 1 and t.against == trained_without("photos"))
    assert test.difference == pytest.approx(means["photos", 1, ALL] - means["photos", 0, test.against])
    assert len(found.tests) == 6
    assert measure_robustness(config, thinned, model) == found


def test_a_run_writes_its_curve_and_says_it(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--split.folds", "2", "--robustness.drop", "{photos: [0.5]}", "--ranker.trees", "5"]
    train.main(
        trained.words("--run", str(tmp_path / "run"), *words, "--train.modality_dropout", "{photos: 0.5}")
    )
    written = json.loads((tmp_path / "run" / "robustness.json").read_text())
    assert [point["share"] for point in written["points"]] == [0, 0, 0.5, 0.5]
    out = capsys.readouterr().out
    assert "products without photos" in out
    assert written["findings"][0] in out


# ---- a world where the photo decides, and the title says it less surely ----------------------------------------

HUES = {"red": 0, "yellow": 40, "green": 85, "blue": 170, "purple": 210}
LIST = 12


def colour_shop(queries: int = 160, seed: int = 0) -> Collection:
    """Every photo is of one colour, which the title names right two times in three; a query wants one colour."""
    rng = np.random.default_rng(seed)
    names = list(HUES)
    shown = rng.integers(0, len(names), 60)
    answers = np.where(rng.random(60) < 2 / 3, shown, rng.integers(0, len(names), 60))
    wanted = rng.integers(0, len(names), queries)
    listed = np.stack([rng.choice(60, LIST, replace=False) for _ in range(queries)])
    products = pl.DataFrame(
        {
            "product_id": [f"p{n:02d}" for n in range(60)],
            "title": [names[n] for n in answers],
            "image": [photo(names[n]) for n in shown],
        }
    )
    asked = pl.DataFrame(
        {
            "query_id": [f"q{n:03d}" for n in range(queries)],
            "text": [names[n] for n in wanted],
            "image": [photo(names[n]) for n in wanted],
        }
    )
    judged = pl.DataFrame(
        {
            "query_id": asked["query_id"].gather(np.repeat(np.arange(queries), LIST)),
            "product_id": products["product_id"].gather(listed.ravel()),
            "grade": (shown[listed] == wanted[:, None]).ravel().astype(float),
        }
    )
    products = completed(Products, products)
    return Collection(products, asked, judged, None, None, [], {}, {})


def photo(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("HSV", (8, 8), (HUES[colour], 255, 255)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def colours(folder: Path, dropout: dict[str, float], **settings: object) -> tuple[Config, ThinnedCatalogue]:
    tree = {
        "name": "colours",
        "data": {"kind": "demo"},
        "encoders": {"image": {"kind": "colours"}, "text": {"kind": "tfidf", "dimensions": 4}},
        "features": {"structured": False, "asked_words": False},  # which a text without colours helps as well
        "ranker": {"trees": 30, "learning_rate": 0.2, "threads": 1, "bags": 1, "min_rows_per_leaf": 5},
        "robustness": {"drop": {"photos": [0.5, 1]}},
        "train": {"modality_dropout": dropout},
        "cache": {"folder": str(folder)},
    }
    config = parse_config(tree | settings, folder, "test")
    shop = colour_shop()
    encoders = make_encoders(config, shop.products)
    builder = make_builder(config, shop.products, encoders=encoders)
    table = builder.build(shop.queries, shop.judgements.sort(KEYS))
    schema = FeatureSchema.of(table.frame)
    prepared = Prepared(config, shop, encoders, table, schema, from_store=False, version=0)
    rows = embed(config, prepared, Dataset.from_frame(table.frame, prepared.schema))
    return config, ThinnedCatalogue(config, prepared, rows)


def halves(rows: EmbeddedDataset) -> list[Fold]:
    ids = rows.data.query_ids.to_list()
    return [Fold(ids[:80], [], ids[80:])]


def colour_curve(folder: Path, dropout: dict[str, float], **settings: object) -> Robustness:
    config, thinned = colours(folder, dropout, **settings)
    rows, folds = thinned.whole, halves(thinned.whole)
    fitted = cross_fit(rows, folds, config.ranker, config.embeddings, thinned=thinned.thinned())
    return measure_robustness(config, thinned, Trained(rows, folds, fitted))


def test_a_model_that_only_looks_fails_without_photos_and_dropout_mends_it(tmp_path: Path) -> None:
    looks = colour_curve(tmp_path, {})
    mended = colour_curve(tmp_path, {"photos": 0.3})
    with_all, without_any = (
        {point.share: point.mean for point in found.points if point.system == ALL}
        for found in (looks, mended)
    )
    assert with_all[0] == pytest.approx(1)
    assert without_any[0] > 0.98
    assert not looks.costs
    assert mended.findings[0].startswith(
        "modality dropout where nothing is missing, nDCG@10 against the same"
    )
    (cost,) = mended.costs
    assert cost.queries == "all queries"
    assert cost.difference == pytest.approx(without_any[0] - with_all[0])
    assert looks.findings[0].endswith("below the model trained without photos at 50%, 100% beyond noise")
    assert mended.findings[-1].endswith("never below beyond noise")


def test_every_rung_learns_from_the_lists_that_the_full_model_learns_from(tmp_path: Path) -> None:
    """A rung of words is what it was, to the last bit; one that looked at photos no longer can, without any."""
    scores, value = {}, {}
    for share in (0.0, 0.3, 1.0):
        config, thinned = colours(tmp_path, {"photos": share}, ladder=["text", "image"])
        rows, folds = thinned.whole, halves(thinned.whole)
        _, found, _ = fitting.score_systems(config, rows, folds, thinned=thinned.thinned())
        scores[share] = found
        part = rows.data.select(rows.data.schema.select(["text", "image"]))
        seen = thinned.thinned().data.select(part.schema)
        alone = cross_fit(EmbeddedDataset(part), folds, config.ranker, thinned=EmbeddedDataset(seen))
        np.testing.assert_array_equal(found["+ image"], alone.scores)
        tested = rows.data.frame.with_columns(score=pl.Series(found["+ image"])).drop_nans("score")
        value[share] = evaluate(tested, config.evaluation)["nDCG@10"].drop_nulls().mean()
    for same in ("text", "text cosine", "photo cosine", "random"):
        np.testing.assert_array_equal(scores[0.0][same], scores[1.0][same])
    assert not np.array_equal(scores[0.0]["+ image"], scores[0.3]["+ image"])
    assert value[0.0] > 0.99
    assert value[1.0] < 0.9


def test_a_base_that_goes_with_the_photos_is_not_leant_on_without_them(tmp_path: Path) -> None:
    for base in ("image.photo_photo", "auto"):
        config, thinned = colours(
            tmp_path, {}, encoders={"image": {"kind": "colours"}}, robustness={"drop": {"photos": [1]}}
        )
        rows, folds, transfer = thinned.whole, halves(thinned.whole), Transfer(base=base)
        fitted = cross_fit(rows, folds, config.ranker, transfer=transfer)
        found = measure_robustness(config, thinned, Trained(rows, folds, fitted, transfer))
        assert [point.share for point in found.points if point.system == ALL] == [0, 1]


def test_embeddings_as_features_are_taken_away_too(tmp_path: Path) -> None:
    fields = {"fields": ["image", "query_image", "title"], "components": 3}
    found = colour_curve(tmp_path, {"photos": 0.3}, embeddings=fields)
    assert [point.share for point in found.points if point.system == ALL] == [0, 0.5, 1]


def test_a_finding_names_what_is_beyond_noise() -> None:
    points = [RobustnessPoint("photos", share, ALL, 0.8 - share / 10, 0, 1) for share in (0, 0.1, 0.5)]
    floor = trained_without("photos")

    def says(*tests: tuple[float, str, float, float]) -> str:
        made = [RobustnessTest("photos", s, against, d, d, d, p) for s, against, d, p in tests]
        return Robustness("nDCG@10", points, made).findings[0]

    start = "photos: nDCG@10 .800 with all, .750 with 50% missing; "
    assert says((0.5, floor, -0.1, 0.06), (0.5, "10% missing", 0.1, 0.06)) == (
        start + "falls without a rise, never below beyond noise"
    )
    assert says((0.1, floor, -0.1, 0.04), (0.5, floor, 0.1, 0.01)) == (
        start + "falls without a rise, below the model trained without photos at 10% beyond noise"
    )
    assert says((0.5, "10% missing", 0.1, 0.01), (0.1, "0% missing", -0.1, 0.01)) == (
        start + "rises on the way, never below beyond noise"
    )
