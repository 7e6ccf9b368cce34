"""A run of a shop with its own names of columns, measured on files of ours: canonical names, grades in numbers."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ltr import evaluate, train

WORDS = ["shoe", "hat", "lamp", "sofa", "ring", "belt"]
KINDS = len(WORDS)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on judgements that say 'good' and 'bad' of texts, under names of their own."""
    folder = tmp_path_factory.mktemp("own_names")
    products = [{"sku": f"p{n}", "name": f"{WORDS[n % KINDS]} number {n}"} for n in range(40)]
    pl.DataFrame(products).write_csv(folder / "products.csv")
    judged = [
        {
            "asked": f"{word} {turn}",
            "item": f"p{n}",
            "verdict": "good" if n % KINDS == place or n % 7 == 0 else "bad",
        }
        for place, word in enumerate(WORDS)
        for turn in ("cheap", "new")
        for n in range(place, place + 8)
    ]
    pl.DataFrame(judged).write_csv(folder / "judged.csv")
    (folder / "shop.yaml").write_text(
        """
name: own
data:
  kind: catalogue
  products: {path: products.csv, columns: {product_id: sku, title: name}}
  judgements:
    path: judged.csv
    columns: {query: asked, product_id: item, grade: verdict}
    grades: {good: 2, bad: 0}
encoders: {text: {kind: tfidf}}
ladder: [lexical]
split: {kind: folds, folds: 2}
ranker: {kind: lightgbm, trees: 5, threads: 1}
""",
        encoding="utf-8",
    )
    places = ["--cache.folder", str(folder / "cache"), "--store.root", str(folder / "store")]
    return train.main(["--config", str(folder / "shop.yaml"), *places, "--run", str(folder / "run")])


@pytest.mark.parametrize(
    ("columns", "grades"),
    [
        (("query", "product_id", "grade"), (2, 0)),
        (("query", "product_id", "grade"), ("good", "bad")),
        (("asked", "item", "verdict"), ("good", "bad")),
        (("asked", "product_id", "grade"), (1, 0)),
    ],
)
def test_new_judgements_are_read_by_the_runs_names_or_by_ours(
    run: Path, columns: tuple[str, ...], grades: tuple[object, object], tmp_path: Path
) -> None:
    rows = [("round lamp", "p2", grades[0]), ("round lamp", "p3", grades[1]), ("round lamp", "p8", grades[0])]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(tmp_path / "new.csv")
    measured = evaluate.main(["--run", str(run), "--judgements", str(tmp_path / "new.csv")])
    found = measured.summary.filter(system="lightgbm", metric="P@10")
    assert found["mean"][0] == pytest.approx(2 / 10)


def test_a_table_of_queries_under_our_names_goes_with_ids_in_the_judgements(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame({"query_id": ["x"], "text": ["old sofa"]}).write_csv(tmp_path / "queries.csv")
    judged = {"query_id": "x", "product_id": ["p3", "p4"], "grade": [3, 0]}
    pl.DataFrame(judged).write_csv(tmp_path / "new.csv")
    files = ["--queries", str(tmp_path / "queries.csv"), "--judgements", str(tmp_path / "new.csv")]
    measured = evaluate.main(["--run", str(run), *files])
    assert measured.per_query["query_id"].unique().to_list() == ["x"]
    said = capsys.readouterr().out
    assert "new.csv: read by its own names of columns, not by the run's: query, product_id, grade" in said
    assert "grades are taken as numbers, not by the names of the run's: good, bad" in said
