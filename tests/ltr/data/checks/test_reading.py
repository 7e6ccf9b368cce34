"""The data doctor on how files were read: a finding for each guess, and levels by the share that is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.sources.load import CatalogueConfig, Collection, load
from ltr.data.checks.reading import examine_reading
from ltr.data.doctor import Finding


def _shop(
    folder: Path,
    *,
    unknown: int = 0,
    known: int = 20,
    products: str = "product_id,title\np1,hat\n",
    **config: object,
) -> Collection:
    (folder / "p.csv").write_text(products)
    pairs = [f"q{i},p1,1" for i in range(known)] + [f"q{i},gone{i},1" for i in range(unknown)]
    (folder / "j.csv").write_text("\n".join(["query,product_id,grade", *pairs]))
    data = {"products": {"path": "p.csv", **config}, "judgements": {"path": "j.csv"}}
    return load(CatalogueConfig.model_validate(data), folder)


def _finding(collection: Collection, check: str) -> Finding:
    return next(one for one in examine_reading(collection) if one.check == check)


@pytest.mark.parametrize(
    ("unknown", "known", "level"),
    [(0, 20, "PASS"), (1, 200, "PASS"), (1, 20, "WARN"), (20, 20, "WARN"), (21, 20, "FAIL")],
)
def test_the_share_left_out_has_limits(tmp_path: Path, unknown: int, known: int, level: str) -> None:
    found = _finding(_shop(tmp_path, unknown=unknown, known=known), "judgements left out")
    assert found.level == level
    assert f"{unknown} of {unknown + known} rows" in found.evidence
    assert ("gone0" in found.evidence) == (unknown > 0)


def test_every_remark_is_a_finding(tmp_path: Path) -> None:
    shop = _shop(tmp_path, products="product_id;title;price\np1;hat;1.299\np2;tee;12,50\n")
    findings = {(one.level, one.check, one.evidence) for one in examine_reading(shop)}
    assert {(one.level, one.check, one.evidence) for one in shop.remarks} <= findings
    assert any("read '1.299' as 1299" in one.evidence for one in shop.remarks)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    rows = "".join(f"x{i},hat,5\n" for i in range(20))
    shop = _shop(tmp_path, products=f"product_id,title,price\np1,hat,2 for 5\n{rows}")
    found = _finding(shop, "values that cannot be read")
    assert found.level == "WARN"
    assert "'2 for 5'" in found.evidence


@pytest.mark.parametrize(
    ("titles", "level"), [(["hat"] * 200, "PASS"), (["hat", ""], "WARN"), ([""], "WARN")]
)
def test_products_without_title(tmp_path: Path, titles: list[str], level: str) -> None:
    rows = "".join(f"p{i},{title}\n" for i, title in enumerate(titles, start=1))
    assert (
        _finding(_shop(tmp_path, products=f"product_id,title\n{rows}"), "products without title").level
        == level
    )


FUTURE = (datetime.now() + timedelta(days=40)).date()


@pytest.mark.parametrize(
    ("date", "level"), [("2024-05-01", "PASS"), ("1970-08-23", "WARN"), (str(FUTURE), "WARN")]
)
def test_dates_before_1990_and_in_the_future(tmp_path: Path, date: str, level: str) -> None:
    shop = _shop(tmp_path, products=f"product_id,title,listed_at\np1,hat,{date}\n")
    found = _finding(shop, "dates of products")
    assert found.level == level
    assert (date in found.evidence) == (level == "WARN")


@pytest.mark.parametrize("title", ["红色鞋", "赤いくつ", "รองเท้า"])
def test_scripts_without_blanks_are_said(tmp_path: Path, title: str) -> None:
    shop = _shop(tmp_path, products=f"product_id,title\np1,{title}\n")
    assert _finding(shop, "titles without blanks between words").level == "WARN"
    assert not [one for one in examine_reading(_shop(tmp_path)) if "blanks" in one.check]


def test_ids_that_would_meet_are_pointed_out(tmp_path: Path) -> None:
    shop = _shop(tmp_path, products="product_id,title\np1,hat\nGONE0,tee\n", unknown=1)
    assert (
        "1 of 1 unknown values of product_id would be known in other capitals"
        in _finding(shop, "judgements: product_id").evidence
    )


def test_a_table_without_anything_odd_passes(tmp_path: Path) -> None:
    assert {one.level for one in examine_reading(_shop(tmp_path))} == {"PASS"}
    assert pl.Series([one.check for one in examine_reading(_shop(tmp_path))]).is_unique().all()
