"""Products like another one, and products side by side: by commands, on the small demo shop."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from features.groups.likeness import PARTS
from ltr import compare, rank
from ltr.pipeline.prepare import load_collection
from ltr.reporting.product_page import attributes, page
from ltr.runs.saved_run import SavedRun
from tests.ltr.conftest import Shop, Trained, single_line


@pytest.fixture(scope="module")
def asked(trained: Trained) -> pl.DataFrame:
    """The products of the small demo shop."""
    return load_collection(SavedRun.open(trained.run).config).products


def test_the_model_ranks_products_like_another(
    trained: Trained, asked: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    first = asked["product_id"][0]
    rank.main(["--run", str(trained.run), "--like", first, "--top", "5", "--json"])
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert first not in {row["product_id"] for row in rows}
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    category = asked["category"][0].split(" > ")[0]
    assert rows[0]["category"].startswith(category)


def weighed(trained: Trained, product_id: str, **weights: float) -> pl.DataFrame:
    config = trained.run / "config.yaml"
    words = [word for part in PARTS for word in (f"--weights.{part}", str(weights.get(part, 0)))]
    return compare.main(["--config", str(config), "--like", product_id, "--top", "100", *words])


@pytest.mark.parametrize("part", PARTS)
def test_with_one_weight_the_order_is_that_of_its_part(
    trained: Trained, asked: pl.DataFrame, part: str
) -> None:
    ranked = weighed(trained, asked["product_id"][0], **{part: 1.0})
    assert ranked["score"].to_list() == pytest.approx(ranked[f"{part} alike"].to_list())
    assert ranked["score"].is_sorted(descending=True)
    assert ranked.height == asked.height - 1 - asked[1:][_column(part)].null_count()


def _column(part: str) -> str:
    return {"photo": "image", "text": "title"}.get(part, part)


def test_products_stand_side_by_side(trained: Trained, asked: pl.DataFrame, tmp_path: Path) -> None:
    ids = asked["product_id"][:3].to_list()
    config = str(trained.run / "config.yaml")
    alike = compare.main([*ids, "--config", config, "--html", str(tmp_path / "page.html")])
    assert alike.select("a", "b").rows() == [(ids[0], ids[1]), (ids[0], ids[2]), (ids[1], ids[2])]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for row in asked[:3].iter_rows(named=True):
        assert row["product_id"] in page
    assert page.count("data:image/jpeg") == 3 - asked[:3]["image"].null_count()
    assert "http" not in page


def test_what_differs_is_marked_and_what_nobody_has_is_left_out() -> None:
    chosen = pl.DataFrame(
        {
            "product_id": ["1", "2"],
            "title": ["<b>x</b>", "y"],
            "brand": ["Acme", "Acme"],
            "price": [1250.5, 3.0],
            "rating": [None, 4.5],
            "description": pl.Series([None, None], dtype=pl.String),
        }
    )
    lines = {line.name: line for line in attributes(chosen)}
    assert "description" not in lines
    assert {name: line.differs for name, line in lines.items()} == {
        "title": True,
        "brand": False,
        "price": True,
        "rating": False,
    }
    assert lines["price"].values == ("1,250.50", "3")
    alike = pl.DataFrame({"a": ["1"], "b": ["2"]} | {name: [None] for name in (*PARTS, "overall")})
    written = page(chosen, list(lines.values()), alike)
    assert "<b>x</b>" not in written
    assert "&lt;b&gt;x&lt;/b&gt;" in written
    assert "not known" in written


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("compare --like p01 --weights.photos 1", "photos: expected a number"),
        ("compare p01 p02 --weights.photo 2", "expected --like beside --weights.photo"),
        ("compare p01 p02 --top 3", "expected --like beside --top"),
        ("compare --like p01 --weights.photo -1", "photo: expected a number"),
        ("compare --like nope", "the id of a product"),
        ("rank --like p01 --query boots", "expected --like or --query, got both"),
        ("compare --like p01 p02", "expected --like or --products, got both"),
        ("compare --like p01 --top 0", "a whole number of 1 or more"),
        ("compare p01 --config BAD/shop.yaml", "two or more different product ids"),
        ("compare p01 p01 --config BAD/shop.yaml", "two or more different product ids"),
        ("compare p01 nope --config BAD/shop.yaml", "the id of a product"),
    ],
)
def test_bad_questions_are_refused(shop: Shop, line: str, problem: str) -> None:
    assert problem in single_line(shop.run(line))


def test_all_weights_at_zero_weigh_nothing(shop: Shop) -> None:
    words = " ".join(f"--weights.{part} 0" for part in PARTS)
    line = f"compare --like p01 {words}"
    assert "a part with a weight above 0" in shop.refused(line)
