"""A run with adapted cosines: trained, saved with sums, opened, and scored by the query as by the table."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.batch import QueryBatch
from features.errors import InputError
from features.groups.adapted import feature_of
from features.groups.word_by_word.word_pairs import WordPairs
from features.words.word_hashes import word_hash
from ltr import explain, train
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig
from ltr.data.splits import make_folds
from ltr.pipeline.fitting import embed, score_systems
from ltr.pipeline.prepare import embedded_dataset, load_collection, prepare
from ltr.rankers import RankerSettings
from ltr.runs.saved_run import SavedRun
from ltr.serving.ranking import one_query
from ltr.serving.why.query_explanation import explain_query, one_product, two_products
from ltr.training.cross_fit import cross_fit
from ltr.training.fused_ranker import ADAPTED, FusedRanker
from tests.ltr.conftest import Trained

SETTINGS = ["--embeddings", "{adapted: [text.title, image.photo_photo, words]}", "--ladder", "[]"]


@pytest.fixture(scope="module")
def adapted_run(trained: Trained) -> Path:
    run = trained.work / "adapted"
    train.main(trained.words("--run", str(run), *SETTINGS))
    return run


def test_scores_of_one_query_are_those_of_the_table(adapted_run: Path) -> None:
    run = SavedRun.open(adapted_run)
    shop = load_collection(run.config)
    builder = run.builder(shop.products)
    query = shop.queries.filter(pl.col("text").is_not_null()).head(1)
    rows = np.arange(0, len(builder.catalogue), 3)
    ids = builder.catalogue.product_ids.gather(rows)
    pairs = pl.DataFrame({"product_id": ids}).with_columns(query_id=pl.lit(query["query_id"][0]))
    table = run.score(builder, query, pairs)
    assert np.allclose(run.score_list(builder, QueryBatch(query), rows), table, atol=1e-6)
    assert len(np.unique(table)) > 3


def test_model_sees_the_adapted_cosines_beside_the_table(adapted_run: Path) -> None:
    run = SavedRun.open(adapted_run)
    added = set(run.model.ranker.schema.names) - set(run.schema.names)
    assert added == {
        f"adapted.{n}{s}" for n in ("title", "photo_photo", "words") for s in ("", "_rank", "_z")
    }


def test_a_rung_learns_from_the_vectors_and_words_of_its_own_groups(adapted_run: Path) -> None:
    """What titles' vectors give is not laid to photos, which come after them, nor to the full model."""
    config = SavedRun.open(adapted_run).config.model_copy(update={"ladder": ("lexical", "text", "image")})
    prepared = prepare(config)
    rows = embed(config, prepared, Dataset.from_frame(prepared.table.frame, prepared.schema))
    folds = make_folds(config.split, prepared.collection.queries, rows.data.frame["query_id"])
    _, scores, _ = score_systems(config, rows, folds)
    rungs = {
        "lexical": (["lexical"], ("words",)),
        "+ text": (["lexical", "text"], ("text.title", "words")),
        "+ image": (["lexical", "text", "image"], ("text.title", "image.photo_photo", "words")),
    }
    for name, (groups, adapted) in rungs.items():
        part = EmbeddedDataset(rows.data.select(rows.data.schema.select(groups)), rows.vectors)
        alone = cross_fit(part, folds, config.ranker, EmbeddingFusionConfig(adapted=adapted))
        np.testing.assert_array_equal(scores[name], alone.scores)
        assert {feature_of(one) for one in adapted} <= set(alone.models[0].ranker.schema.names)


def test_pairs_of_words_are_told_where_they_were_learnt(
    adapted_run: Path, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = SavedRun.open(adapted_run)
    builder = run.catalogue_builder()
    title = builder.catalogue.products["title"].drop_nulls()[0]
    words = ["--query", title]
    # Small shops say too little of any pair: weights as if they had been learnt.
    keys = [
        word_hash(ours) << 32 | word_hash(theirs)
        for ours in title.lower().split()
        for theirs in ("red", "tee")
    ]
    learned = WordPairs(np.sort(np.array(keys, dtype=np.uint64)), np.full(len(keys), 0.5, dtype=np.float32))
    assert run.model.word_pairs is not None
    first, second = (
        line["product_id"] for line in explain.main(["--run", str(adapted_run), *words])["products"][:2]
    )
    explained = explain_query(run, load_collection(run.config), title)
    said = {product: builder.words_of_pair(one_query(title, None), product) for product in (first, second)}
    with_pairs = replace(explained, word_pairs=lambda product: learned.shares(*said[product]))
    for found, products in (
        (one_product(with_pairs, first), [first]),
        (two_products(with_pairs, first, second), [first, second]),
    ):
        having = [product for product in products if learned.shares(*said[product])]
        assert list(dict.fromkeys(pair["product"] for pair in found["word_pairs"])) == having
        assert sum("as judgements pair them" in text for text in found["sentences"]) == len(having)
    plain = explain.main(["--run", str(trained.run), *words, "--product", first, "--json"])
    assert plain["word_pairs"] == []
    capsys.readouterr()


def test_training_features_of_a_query_do_not_hang_on_its_grades(adapted_run: Path) -> None:
    """Other grades for one query, and the table that the ranker is fitted to is the same in that query's rows."""
    run = SavedRun.open(adapted_run)
    shop = load_collection(run.config)
    builder = run.builder(shop.products)
    pairs = shop.judgements.select("query_id", "product_id", "grade").sort("query_id", "product_id")
    data = Dataset.from_frame(builder.build(shop.queries, pairs).frame)
    other = pl.col("query_id") == data.query_ids[0]
    turned = data.frame.with_columns(
        pl.when(other).then(3 - pl.col("grade")).otherwise(pl.col("grade")).alias("grade")
    )
    seen = []
    for frame in (data.frame, turned):
        ranker = _Watched(run.config.ranker)
        rows = embedded_dataset(run.config, Dataset.from_frame(frame), shop.queries, builder)
        FusedRanker(ranker, run.config.embeddings).fit(rows, None)  # type: ignore[arg-type]
        seen.append(ranker.train.X[: int(data.groups[0])])
    assert np.array_equal(*seen, equal_nan=True)


def test_a_changed_file_of_maps_is_told(adapted_run: Path, tmp_path: Path) -> None:
    assert (adapted_run / ADAPTED).is_file()
    copy = tmp_path / "run"
    shutil.copytree(adapted_run, copy)
    whole = (copy / ADAPTED).read_bytes()
    (copy / ADAPTED).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match="another file"):
        SavedRun.open(copy)


def test_a_cosine_that_is_not_there_is_told(trained: Trained) -> None:
    with pytest.raises(InputError, match=r"the nearest to 'text\.titel' is 'text\.title'"):
        train.main(trained.words("--embeddings", "{adapted: [text.titel]}"))
    with pytest.raises(InputError, match="one space"):
        train.main(trained.words("--embeddings", "{adapted: [image.text_photo]}"))


class _Watched:
    """A ranker that keeps what it was fitted to."""

    def __init__(self, config: RankerSettings) -> None:
        self.config = config

    def fit(self, train: Dataset, validation: Dataset | None) -> None:
        assert validation is None
        self.train = train
