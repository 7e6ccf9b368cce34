"""Measuring a run on new files looks at each of their photos once, however often it is measured."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from features.media import photos
from ltr import evaluate
from ltr.demo import shop as demo_shop
from tests.ltr.conftest import Trained


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many photos were decoded to see whether they are broken, call by call."""
    counts: list[int] = []
    look = photos._problem

    def counted(data: bytes) -> str | None:
        counts.append(len(data))
        return look(data)

    monkeypatch.setattr(photos, "_problem", counted)
    return counts


def test_a_second_measurement_decodes_no_photo_to_see_whether_it_is_broken(
    trained: Trained, tmp_path: Path, looked_at: list[int]
) -> None:
    shop = demo_shop.generate(demo_shop.DemoShopConfig(products=30, queries=6, judged_per_query=8, seed=77))
    broken = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(b"no photo")).otherwise("image")
    shop.products.with_columns(image=broken).write_parquet(tmp_path / "products.parquet")
    shop.queries.write_parquet(tmp_path / "queries.parquet")
    shop.judgements.write_parquet(tmp_path / "judgements.parquet")
    names = ("products", "queries", "judgements")
    words = [word for name in names for word in (f"--{name}", str(tmp_path / f"{name}.parquet"))]
    first = evaluate.main(["--run", str(trained.run), *words])
    assert sum(looked_at) > 0
    looked_at.clear()
    again = evaluate.main(["--run", str(trained.run), *words])
    assert sum(looked_at) == 0
    assert again.per_query.equals(first.per_query)
