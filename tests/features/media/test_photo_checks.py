"""What is remembered of photos is what a look at each would tell, and nothing is looked at twice."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from features.media import photos as images
from features.media.photo_checks import PhotoChecks
from features.sources.load import CatalogueConfig, load


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


ITEMS = [None, b"", b"not a photo", png(1), png(2), png(3), png(3)[:-20]]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many photos were decoded, call by call."""
    counts: list[int] = []
    look = images.problems

    def counted(photos: pl.Series) -> pl.Series:
        counts.append(len(photos))
        return look(photos)

    monkeypatch.setattr(images, "problems", counted)
    return counts


@settings(max_examples=25, deadline=None)
@given(calls=st.lists(st.lists(st.sampled_from(ITEMS), max_size=12), min_size=1, max_size=4))
def test_it_tells_what_a_look_at_each_tells(
    calls: list[list[bytes | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("checks")
    for items in calls:
        photos = pl.Series("image", items, dtype=pl.Binary)
        assert PhotoChecks(folder).problems(photos).equals(images.problems(photos), null_equal=True)


def test_each_content_is_decoded_once(tmp_path: Path, looked_at: list[int]) -> None:
    photos = pl.Series("image", [png(1), png(2), None, png(1), b"broken"], dtype=pl.Binary)
    PhotoChecks(tmp_path).problems(photos)
    PhotoChecks(tmp_path).problems(photos)
    PhotoChecks(tmp_path).problems(pl.Series("image", [png(2), png(4)], dtype=pl.Binary))
    assert looked_at == [3, 0, 1]


def test_a_file_that_was_not_there_is_looked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    photos = pl.Series("image", [str(path), str(tmp_path / "never.png"), None], dtype=pl.String)
    checks = PhotoChecks(tmp_path / "checks")
    assert checks.problems(photos).to_list() == [images.NOT_FOUND, images.NOT_FOUND, None]
    path.write_bytes(png(1))
    assert checks.problems(photos).to_list() == [None, images.NOT_FOUND, None]
    path.write_bytes(b"broken")
    assert checks.problems(photos).to_list() == ["not an image", images.NOT_FOUND, None]


def test_another_pillow_looks_again(
    tmp_path: Path, looked_at: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = pl.Series("image", [png(1)], dtype=pl.Binary)
    PhotoChecks(tmp_path).problems(photos)
    monkeypatch.setattr("PIL.__version__", "0.1")
    PhotoChecks(tmp_path).problems(photos)
    assert looked_at == [1, 1]


def test_a_second_load_rejects_the_same_without_a_look(tmp_path: Path, looked_at: list[int]) -> None:
    products = {"product_id": ["a", "b", "c"], "title": ["x", "y", "z"], "image": [png(1), b"bad", None]}
    pl.DataFrame(products).write_parquet(tmp_path / "products.parquet")
    settings_ = {"kind": "catalogue", "products": {"path": "products.parquet"}}
    settings_["queries"] = {"path": "queries.parquet"}
    pl.DataFrame({"query_id": ["q"], "text": ["x"]}).write_parquet(tmp_path / "queries.parquet")
    config = CatalogueConfig.model_validate(settings_)
    plain = load(config, tmp_path)
    looked_at.clear()
    loaded = [load(config, tmp_path, checks=PhotoChecks(tmp_path / "checks")) for _ in range(2)]
    for one in loaded:
        assert one.products.equals(plain.products, null_equal=True)
        assert one.steps == plain.steps
        assert one.rejected["products photos"].equals(plain.rejected["products photos"])
    assert sum(looked_at) == 2
