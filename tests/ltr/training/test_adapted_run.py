"""A run with adapted cosines: trained, saved with sums, opened, and scored by the query as by the table."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.batch import QueryBatch
from features.errors import InputError
from ltr import train
from ltr.data.dataset import Dataset
from ltr.pipeline.prepare import embedded_dataset, load_collection
from ltr.rankers import RankerSettings
from ltr.runs.saved_run import SavedRun
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
