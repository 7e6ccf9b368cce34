"""A photo is read once and decoded once for each content, ever; what is remembered heals itself when damaged."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache
from features.encoders.image.plain import ColoursConfig, ColoursEncoder
from features.media import files, photos
from features.media.files import NOT_FOUND, content_hashes
from features.media.photos import PhotoChecks, problems
from features.sources.load import CatalogueConfig, load
from ltr.data.doctor import check_splits
from ltr.data.splits import FoldsConfig, looks, make_folds


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


ITEMS = [None, b"", b"not a photo", png(1), png(2), png(3), png(3)[:-20]]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was decoded, in order."""
    seen: list[bytes] = []
    decode = photos.decode

    def counted(data: bytes) -> Image.Image:
        seen.append(data)
        return decode(data)

    monkeypatch.setattr(photos, "decode", counted)
    return seen


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was opened, by its name."""
    counts: Counter[str] = Counter()
    open_ = files.os.open

    def counted(path: str, flags: int, *more: int) -> int:
        counts[Path(path).name] += 1
        return open_(path, flags, *more)

    monkeypatch.setattr(files.os, "open", counted)
    return counts


def one(items: list[bytes | None]) -> pl.Series:
    return pl.Series("image", items, dtype=pl.Binary)


@settings(max_examples=25, deadline=None)
@given(calls=st.lists(st.lists(st.sampled_from(ITEMS), max_size=12), min_size=1, max_size=4))
def test_it_tells_what_a_look_at_each_tells(
    calls: list[list[bytes | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("checks")
    for items in calls:
        found = PhotoChecks(folder).look(one(items))
        assert found["problem"].equals(problems(one(items)), null_equal=True)
        assert found["content_hash"].equals(content_hashes(one(items)), null_equal=True)


def test_each_content_is_decoded_once(tmp_path: Path, decoded: list[bytes]) -> None:
    for items in ([png(1), png(2), None, png(1), b"broken"], [png(1), b"broken"], [png(2), png(4)]):
        PhotoChecks(tmp_path).look(one(items))
    assert decoded == [png(1), png(2), b"broken", png(4)]


def test_a_file_that_was_not_there_is_looked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    items = pl.Series("image", [str(path), str(tmp_path / "never.png"), None], dtype=pl.String)
    checks = PhotoChecks(tmp_path / "checks")
    assert checks.look(items)["problem"].to_list() == [NOT_FOUND, NOT_FOUND, None]
    path.write_bytes(png(1))
    assert checks.look(items)["problem"].to_list() == [None, NOT_FOUND, None]
    path.write_bytes(b"broken")
    assert checks.look(items)["problem"].to_list() == ["not an image", NOT_FOUND, None]


def test_another_pillow_looks_again(
    tmp_path: Path, decoded: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    PhotoChecks(tmp_path).look(one([png(1)]))
    monkeypatch.setattr("PIL.__version__", "0.1")
    PhotoChecks(tmp_path).look(one([png(1)]))
    assert len(decoded) == 2


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_memory_is_made_again(tmp_path: Path, seed: int, decoded: list[bytes]) -> None:
    """Bits flipped, cut short, emptied, filled up, another's bytes: never a traceback, never another verdict."""
    items = one(ITEMS)
    expected = PhotoChecks(tmp_path).look(items)
    (path,) = tmp_path.rglob("*.parquet")
    rng = np.random.default_rng(seed)
    data = bytearray(path.read_bytes())
    place = int(rng.integers(len(data)))
    damages = [
        lambda: data.__setitem__(place, data[place] ^ 1 << int(rng.integers(8))),
        lambda: data.__delitem__(slice(place, None)),
        lambda: data.extend(rng.bytes(9)),
        lambda: data.__setitem__(slice(None), rng.bytes(place)),
    ]
    damages[seed % 4]()
    path.write_bytes(data)
    decoded.clear()
    for looked in (len(set(ITEMS)) - 1, 0):  # found out again, and then known again
        assert PhotoChecks(tmp_path).look(items).equals(expected, null_equal=True)
        assert len(decoded) == looked
        decoded.clear()


def test_where_nothing_can_be_written_nothing_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    checks = PhotoChecks(tmp_path / "file")  # no folder can be made of it
    assert checks.look(one(ITEMS)).equals(PhotoChecks().look(one(ITEMS)), null_equal=True)


def _shop(folder: Path, copies: int = 2) -> CatalogueConfig:
    """Products and photo queries over files, every content under `copies` names."""
    (folder / "photos").mkdir()
    names = []
    for shade in range(12):
        for copy in range(copies):
            names.append(f"{shade}-{copy}.png")
            (folder / "photos" / names[-1]).write_bytes(png(shade))
    rows = pl.DataFrame({"id": [f"p{n:02}" for n in range(len(names))], "file": names})
    rows.select(product_id="id", title="id", file="file").write_csv(folder / "products.csv")
    photo = pl.format("photos/{}", "file")
    rows.select(query_id="id", text=None, image=photo).write_csv(folder / "queries.csv")
    rows.select(query_id="id", product_id="id", grade=1).write_csv(folder / "judgements.csv")
    return CatalogueConfig.model_validate(
        {
            "products": {"path": "products.csv"},
            "images": {"folder": "photos", "column": "file"},
            "queries": {"path": "queries.csv"},
            "judgements": {"path": "judgements.csv"},
        }
    )


def test_a_file_is_read_once_for_hash_and_check_and_once_to_be_encoded(
    tmp_path: Path, opened: Counter[str]
) -> None:
    config, checks = _shop(tmp_path, copies=1), PhotoChecks(tmp_path / "checks")
    found = load(config, tmp_path, checks=checks)
    assert set(opened.values()) == {2}, "once as a product's photo, once as a query's"
    opened.clear()
    make_folds(FoldsConfig(folds=3), found.queries)
    looks(found.queries)
    list(check_splits(found.judgements, found.queries, make_folds(FoldsConfig(folds=3), found.queries)))
    assert not opened
    for _ in range(2):
        encoders = {"image": ColoursEncoder(ColoursConfig(), tmp_path)}
        cache = EmbeddingCache(tmp_path / "cache")
        config = FeaturesConfig(lexical=None, shown_words=None, structured=None)
        FeatureBuilder(found.products, config, encoders, cache).build(found.queries, found.judgements)
    photos = {name: times for name, times in opened.items() if name.endswith(".png")}
    assert set(photos.values()) == {1}, "the first time, as products; queries and the second time by hash"


@pytest.mark.parametrize("seed", range(20))
def test_queries_of_equal_photos_under_two_names_never_part_and_are_seen_if_they_do(
    seed: int, tmp_path: Path
) -> None:
    found = load(_shop(tmp_path), tmp_path)
    same = dict(zip(found.queries["query_id"], found.queries["image_hash"], strict=True))
    folds = make_folds(FoldsConfig(folds=4, seed=seed), found.queries)
    for fold in folds:
        parts = [{same[query] for query in part} for part in (fold.train, fold.validation, fold.test)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
    leaks = {f.check: f.level for f in check_splits(found.judgements, found.queries, folds)}
    assert leaks["query photo in two parts"] == "PASS"
    parted = make_folds(FoldsConfig(folds=4, seed=seed), found.queries.drop("image", "image_hash"))
    leaks = {f.check: f.level for f in check_splits(found.judgements, found.queries, parted)}
    assert leaks["query photo in two parts"] == "WARN"


def test_a_second_load_rejects_the_same_without_decoding(tmp_path: Path, decoded: list[bytes]) -> None:
    products = {"product_id": ["a", "b", "c"], "title": ["x", "y", "z"], "image": [png(1), b"bad", None]}
    pl.DataFrame(products).write_parquet(tmp_path / "products.parquet")
    pl.DataFrame({"query_id": ["q"], "text": ["x"]}).write_parquet(tmp_path / "queries.parquet")
    config = CatalogueConfig.model_validate(
        {"products": {"path": "products.parquet"}, "queries": {"path": "queries.parquet"}}
    )
    plain = load(config, tmp_path)
    decoded.clear()
    loaded = [load(config, tmp_path, checks=PhotoChecks(tmp_path / "checks")) for _ in range(2)]
    for found in loaded:
        assert found.products.equals(plain.products, null_equal=True)
        assert found.steps == plain.steps
        assert found.rejected["products photos"].equals(plain.rejected["products photos"])
    assert len(decoded) == 2
