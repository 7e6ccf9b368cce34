"""Files of an open modality: found and counted by the loader, compared by whatever encoder reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache
from features.errors import InputError
from features.sources.config import ProductsConfig
from features.sources.load import Collection, DataConfig, load

MEDIA = {"audio": "sound"}


def shop(base: Path, sounds: Sequence[Any], clips: Sequence[bytes | None], **products: Any) -> Collection:
    """A catalogue with these sounds, and queries a text or a clip each."""
    ids = [f"p{n}" for n in range(len(sounds))]
    pl.DataFrame({"product_id": ids, "title": ids, "sound": sounds}, strict=False).write_parquet(
        base / "products.parquet"
    )
    queries = {"query_id": [f"q{n}" for n in range(len(clips))], "clip": clips}
    pl.DataFrame(queries, schema_overrides={"clip": pl.Binary}).write_parquet(base / "queries.parquet")
    tables = {
        "products": {"path": "products.parquet", "media": MEDIA, **products},
        "queries": {"path": "queries.parquet", "media": {"audio": "clip"}},
    }
    return load(TypeAdapter(DataConfig).validate_python({"kind": "catalogue", **tables}), base)


def changed(collection: Collection) -> dict[tuple[str, str], int]:
    return {(step.table, step.step): step.affected for step in collection.steps if step.affected}


def test_files_that_are_not_there_are_null_and_counted(tmp_path: Path) -> None:
    (tmp_path / "0.wav").write_bytes(b"sound")
    (tmp_path / "1.wav").write_bytes(b"")
    found = shop(tmp_path, ["0.wav", "1.wav", "2.wav", None], [b"x", None])
    assert found.products["media.audio"].to_list() == [str(tmp_path / "0.wav"), None, None, None]
    assert changed(found) == {
        ("products", "audio set to null: file not found"): 1,
        ("products", "audio set to null: empty"): 1,
        ("queries", "neither text nor a readable photo, nor audio"): 1,
    }
    assert found.rejected["products audio"].rows() == [
        ("p1", "1.wav", "empty"),
        ("p2", "2.wav", "file not found"),
    ]
    assert found.queries["media.audio"].to_list() == [b"x"]


def test_the_fingerprint_follows_what_the_files_hold(tmp_path: Path) -> None:
    def fingerprint(content: bytes) -> str:
        (tmp_path / "0.wav").write_bytes(content)
        return shop(tmp_path, ["0.wav"], [b"x"]).fingerprints["products audio"]

    assert fingerprint(b"one") == fingerprint(b"one") != fingerprint(b"two")


def test_bytes_need_no_files(tmp_path: Path) -> None:
    found = shop(tmp_path, [b"sound", None, b""], [b"x"])
    assert found.products["media.audio"].to_list() == [b"sound", None, None]
    assert "products audio" not in found.fingerprints


def test_a_column_of_no_files_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="files that are there, got none of 2"):
        shop(tmp_path, ["a", "b"], [b"x"])
    with pytest.raises(InputError, match=r"data.products.media.audio .*nearest name is 'sound'"):
        shop(tmp_path, ["a", "b"], [b"x"], media={"audio": "sounds"})


@pytest.mark.parametrize(
    "name", ["text", "image", "title", "lexical", "extra", "Audio", "my audio", "a.b", ""]
)
def test_a_name_that_features_have_already_is_no_modality(name: str) -> None:
    with pytest.raises(ValidationError, match="modalities in lower-case letters"):
        ProductsConfig(path="x.csv", media={name: "column"})


class SharedSpace:
    """Reads sounds and says words, both as counts of their letters."""

    modalities = frozenset({"text", "audio"})
    dimensions = 26
    space = fingerprint = "letters"

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        words = [item if isinstance(item, str) else item.decode() for item in items]
        counts = np.array([[word.count(chr(97 + n)) for n in range(26)] for word in words], dtype=np.float32)
        with np.errstate(invalid="ignore"):
            return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def test_words_find_sounds_where_they_share_a_space(tmp_path: Path) -> None:
    """No query has a sound, and the queries need not have the column."""
    products = pl.DataFrame(
        {"product_id": ["a", "b", "c", "d"], "title": ["one", "two", "six", "ten"]}
    ).with_columns(pl.Series("media.audio", [b"hum", b"hiss", b"123", None]))
    queries = pl.DataFrame({"query_id": ["q", "silent"], "text": ["hiss", None]})
    pairs = queries.select("query_id").join(products.select("product_id"), how="cross")
    config = FeaturesConfig(lexical=None, shown_words=None, structured=None)
    made = FeatureBuilder(products, config, {"joint": SharedSpace()}, EmbeddingCache(tmp_path))
    found = made.build(queries, pairs).frame.filter(query_id="q")
    hum_and_hiss = 1 / np.sqrt(3 * 6)  # they share one h; hiss counts its s twice
    assert found["audio.text_audio"].to_list() == pytest.approx([hum_and_hiss, 1, None, None], abs=1e-6)
    assert found["audio.text_audio_rank"].null_count() == 2
    assert found["audio.audio_audio"].null_count() == found["audio.audio_title"].null_count() == 4
    assert made.stats.unreadable == {"product audio": 1}
