"""The networks beyond the contract of every ranker: missing modalities, nasty tables, devices, safe files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from features.errors import InputError
from ltr.config.command_line import DEMO_CONFIG
from ltr.config.tree import read_config
from ltr.data.dataset import Dataset
from ltr.rankers import LogisticConfig, MLPConfig, NeuralConfig, load_ranker, make_ranker
from ltr.rankers.lists import mean_ndcg
from ltr.rankers.networks.embedded_fields import embedded_fields, towers_of
from ltr.rankers.networks.query_batches import TrainingPart, query_batches
from tests.ltr.rankers.test_rankers import dataset, ndcg, world

FAST: dict[str, Any] = {"epochs": 10, "learning_rate": 0.01, "batch_rows": 256, "threads": 1}
CONFIGS = [MLPConfig(**FAST, hidden=(32,)), NeuralConfig(**FAST, width=16), LogisticConfig()]
every_model = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
DIMENSIONS = 6


def modal_world(seed: int, queries: int = 120, photos: float = 0.5) -> Dataset:
    """A pair's grade is told by how its photo meets the query's if it has one, else by how its title does.

    Where there is a photo, the title is noise: a model that trusts titles everywhere goes wrong there.
    """
    random = np.random.default_rng(seed)
    rows = 12
    n = queries * rows
    text, title, look, photo = (unit(random, n) for _ in range(4))
    text, look = (np.repeat(vectors[::rows], rows, axis=0) for vectors in (text, look))
    has_photo = random.random(n) < photos
    agreement = np.where(has_photo, (look * photo).sum(axis=1), (text * title).sum(axis=1))
    photo[~has_photo] = np.nan
    fields = {"query_text": text, "title": title, "query_image": look, "image": photo}
    columns = {
        f"embedding.{name}_{i}": vectors[:, i] for name, vectors in fields.items() for i in range(DIMENSIONS)
    }
    frame = pl.DataFrame(
        {
            "query_id": np.repeat([f"q{i:03d}" for i in range(queries)], rows),
            "product_id": np.tile([f"p{i:03d}" for i in range(rows)], queries),
            "grade": np.digitize(agreement, [0.0, 0.4]).astype(float),
            "extra.noise": random.normal(size=n),
        }
        | columns
    )
    return Dataset.from_frame(
        frame.with_columns(pl.selectors.float().exclude("grade").cast(pl.Float32).fill_nan(None))
    )


def unit(random: np.random.Generator, n: int) -> np.ndarray:
    vectors = random.normal(size=(n, DIMENSIONS))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def neural() -> Any:
    ranker = make_ranker(NeuralConfig(epochs=40, learning_rate=5e-3, width=32, dropout=0.0, threads=1))
    ranker.fit(modal_world(0, queries=400))
    return ranker


def test_photos_decide_where_there_are_some_and_titles_where_not(neural: Any) -> None:
    for photos in (0.0, 0.5, 1.0):
        test = modal_world(1, photos=photos)
        chance = ndcg(test, np.random.default_rng(0).random(len(test.X)))
        assert ndcg(test, neural.score(test)) > chance + 0.15, photos


def test_a_table_whose_photos_are_all_gone_is_still_ranked_by_titles(neural: Any) -> None:
    test = modal_world(1, photos=0.0)
    gone = [name for name in test.schema.names if "image" in name]
    blind = Dataset.from_frame(test.frame.with_columns(pl.lit(None, pl.Float32).alias(name) for name in gone))
    scores = neural.score(blind)
    assert np.isfinite(scores).all()
    assert ndcg(blind, scores) > ndcg(blind, np.random.default_rng(0).random(len(scores))) + 0.15


def test_a_photo_that_lacks_one_dimension_is_not_read_at_all(neural: Any) -> None:
    holed = modal_world(1).frame.with_columns(pl.lit(None, pl.Float32).alias("embedding.image_0"))
    doubled = holed.with_columns(pl.col("embedding.image_1") * 2)
    np.testing.assert_array_equal(
        neural.score(Dataset.from_frame(holed)), neural.score(Dataset.from_frame(doubled))
    )


def test_fields_and_towers_come_from_the_names_of_features() -> None:
    names = [
        "embedding.query_text_0",
        "text.title",
        "embedding.title_0",
        "embedding.title_10",
        "embedding.image_0",
    ]
    schema = Dataset.from_frame(
        pl.DataFrame({"query_id": ["q"], "product_id": ["p"]} | {name: [1.0] for name in names})
    ).schema
    fields = embedded_fields(schema)
    assert fields == {"query_text": [0], "title": [2, 3], "image": [4]}
    text, image = towers_of(tuple(fields))
    assert text.meetings == (("query_text", "title"),)
    assert image.meetings == (("query_text", "image"),)
    assert towers_of(("query_text",)) == []


@every_model
def test_columns_that_say_nothing_do_no_harm(config: Any) -> None:
    def nasty(seed: int) -> Dataset:
        empty = pl.lit(None, pl.Float32)
        return Dataset.from_frame(
            world(seed=seed).with_columns(
                empty.alias("extra.empty"),
                empty.alias("embedding.title_0"),
                pl.lit(7.0, pl.Float32).alias("extra.level"),
                pl.lit(1.0, pl.Float32).alias("embedding.image_0"),
            )
        )

    ranker = make_ranker(config)
    ranker.fit(nasty(0))
    assert ndcg(nasty(1), ranker.score(nasty(1))) > 0.9


@every_model
def test_nothing_but_constants_gives_equal_scores(config: Any, tmp_path: Path) -> None:
    table = Dataset.from_frame(
        world().drop("lexical.noise", "structured.colour").with_columns(pl.lit(1.0).alias("lexical.good"))
    )
    ranker = make_ranker(config)
    ranker.fit(table)
    ranker.save(tmp_path)
    assert len(set(ranker.score(table))) == 1
    np.testing.assert_array_equal(load_ranker(tmp_path).score(table), ranker.score(table))


@every_model
@pytest.mark.parametrize("rows", [1, 2])
def test_one_small_query_is_enough_to_train_and_score(config: Any, rows: int) -> None:
    tiny = Dataset.from_frame(world(queries=1, rows=12).head(rows))
    ranker = make_ranker(config)
    ranker.fit(tiny)
    assert np.isfinite(ranker.score(tiny)).all()


@every_model
def test_a_model_file_that_changed_is_refused(config: Any, tmp_path: Path) -> None:
    ranker = make_ranker(config)
    ranker.fit(dataset(queries=5))
    ranker.save(tmp_path)
    path = tmp_path / "model_0.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(InputError, match="copy the whole run folder again"):
        load_ranker(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA GPU")
@pytest.mark.parametrize("kind", [MLPConfig, NeuralConfig])
def test_a_missing_gpu_is_an_error(kind: Any) -> None:
    with pytest.raises(InputError, match=r"ranker\.device: expected a device cuda that PyTorch can use"):
        make_ranker(kind(device="cuda")).fit(dataset(queries=3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("config", CONFIGS[:2], ids=lambda config: config.kind)
def test_a_gpu_learns_as_well(config: Any) -> None:
    ranker = make_ranker(config.model_copy(update={"device": "cuda"}))
    ranker.fit(dataset(), dataset(seed=2))
    assert ndcg(dataset(seed=1), ranker.score(dataset(seed=1))) > 0.9


@pytest.mark.parametrize("config", CONFIGS[:2], ids=lambda config: config.kind)
def test_threads_and_random_numbers_of_the_process_are_left_alone(config: Any) -> None:
    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    ranker = make_ranker(config.model_copy(update={"threads": before + 1, "epochs": 1}))
    ranker.fit(dataset(queries=5))
    ranker.score(dataset(queries=5))
    assert torch.get_num_threads() == before
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("kind", ["mlp", "neural", "logistic"])
def test_choosing_the_kind_keeps_what_it_shares_and_drops_what_it_does_not(kind: str) -> None:
    overrides = {"ranker.kind": kind, "ranker.gain": "linear"}
    ranker = read_config(DEMO_CONFIG, overrides).ranker
    assert (ranker.kind, ranker.gain) == (kind, "linear")


def test_a_setting_of_another_kind_is_no_slip_of_the_pen() -> None:
    with pytest.raises(InputError, match=r"'ranker\.device'; remove it, or choose another kind"):
        read_config(DEMO_CONFIG, {"ranker.kind": "logistic", "ranker.device": "cuda"})


def test_huge_gains_do_not_overflow() -> None:
    table = Dataset.from_frame(world().with_columns(pl.col("grade") * 40))
    ranker = make_ranker(NeuralConfig(**FAST, width=16))
    ranker.fit(table, table)
    assert ndcg(table, ranker.score(table)) > 0.9


@pytest.mark.parametrize(("cells", "longest"), [(1, 100), (40, 100), (10_000, 100), (40, 5)])
def test_batches_hold_every_query_once_and_whole(cells: int, longest: int) -> None:
    groups = np.array([3, 1, 30, 7, 7, 2])
    rows = groups.sum()
    query = np.repeat(np.arange(len(groups)), groups)
    part = TrainingPart.of(query[:, None].astype(np.float32), query, np.arange(1, rows + 1.0), groups, "cpu")
    seen: list[float] = []
    for batch in query_batches(part, cells, longest, np.random.default_rng(0)):
        queries, width = batch.shape
        assert queries == 1 or queries * width <= cells
        lists = batch.padded(batch.inputs[:, 0])
        for cells_of_one, there in zip(lists, batch.mask, strict=True):
            assert len(set(cells_of_one[there].tolist())) == 1
            assert int(there.sum()) == min(longest, groups[int(cells_of_one[0])])
        seen += batch.gains.tolist()
    assert len(seen) == len(set(seen)) == groups.clip(max=longest).sum()


def test_the_stopping_measure_is_ndcg() -> None:
    table = dataset(queries=9)
    scores = np.random.default_rng(0).integers(0, 5, len(table.X)).astype(float)
    gains = np.exp2(table.grades) - 1
    assert mean_ndcg(scores, gains, table.groups, 4) == pytest.approx(ndcg(table, scores, k=4))
