"""python -m ltr.explain on a finished run: importance, a query's products, one product, and two."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from features.batch import QueryBatch
from features.errors import InputError
from ltr import explain, train
from ltr.explanation.aspects import modality_of
from ltr.explanation.counterfactual import Change, in_a_sentence
from ltr.pipeline.prepare import load_collection
from ltr.runs.saved_run import SavedRun
from ltr.runs.sums import seal
from ltr.serving.ranking import one_query, rank
from ltr.serving.why.query_explanation import explain_query
from tests.ltr.conftest import Trained

Explain = Callable[..., dict]


@pytest.fixture(params=["lightgbm", "xgboost"], scope="module")
def run(request: pytest.FixtureRequest, trained: Trained) -> Path:
    if request.param == "lightgbm":
        return trained.run
    return train.main(
        trained.words("--ranker", "xgboost", "--ladder", "[]", "--run", str(trained.work / "explained"))
    )


def judged_query(run: Path) -> tuple[str, list[str]]:
    """A query with words, and its candidates, best first."""
    opened = SavedRun.open(run)
    shop = load_collection(opened.config)
    query = shop.queries.filter(pl.col("text").is_not_null(), pl.col("image").is_null())["query_id"][0]
    found = explain.main(["--run", str(run), "--query", query, "--json"])
    return query, [line["product_id"] for line in found["products"]]


def test_importance_is_that_which_training_found_on_held_out_queries(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = explain.main(["--run", str(run)])
    assert found == json.loads((run / "importance.json").read_text(encoding="utf-8"))
    printed = capsys.readouterr().out
    assert "held-out queries: 40 drawn of 40" in printed
    assert found["metric"] == "nDCG@10"
    names = {line["name"] for line in found["by_modality"]}
    assert {"text", "image", "price", "brand", "category", "popularity", "freshness", "lexical"} <= names
    assert names == {line["name"] for line in found["permutation"]}
    assert names == {modality_of(feature) for feature in SavedRun.open(run).schema.names}


def test_a_query_s_products_stand_as_ltr_rank_has_them(run: Path) -> None:
    opened = SavedRun.open(run)
    ranked = rank(opened, opened.catalogue_builder(), QueryBatch(one_query("red tee", None)))
    found = explain.main(["--run", str(run), "--query", "red tee", "--top", "5"])["products"]
    assert [line["product_id"] for line in found] == ranked["product_id"].head(5).to_list()
    assert [line["score"] for line in found] == pytest.approx(ranked["score"].head(5).to_list())
    assert all(1 <= len(line["reasons"]) <= 3 for line in found)


def test_a_typo_is_told_on_the_console_and_in_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, read = ["--run", str(run), "--query", "blue trousres"], {"trousres": "trouser"}
    found = explain.main(words)
    assert "no product has 'trousres': read as 'trouser'" in capsys.readouterr().out
    assert found["read_as"] == read
    first, second = (line["product_id"] for line in found["products"][:2])
    for more in ([], ["--product", first], ["--product", first, "--over", second]):
        explain.main([*words, *more, "--json"])
        assert json.loads(capsys.readouterr().out)["read_as"] == read
    assert explain.main(["--run", str(run), "--query", "blue trousers"])["read_as"] == {}


def test_one_product_is_told_against_the_mean_of_the_candidates(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query, products = judged_query(run)
    parts = [
        explain.main(["--run", str(run), "--query", query, "--product", product, "--json"])
        for product in (products[0], products[-1])
    ]
    assert parts[0]["rank"] == 1
    best, worst = (sum(line["difference"] for line in part["modalities"]) for part in parts)
    assert best > worst  # of the ten that are listed
    assert best - worst == pytest.approx(parts[0]["score"] - parts[1]["score"], abs=1e-5)
    explain.main(["--run", str(run), "--query", query, "--product", products[0]])
    assert f"{products[0]} is number 1 of" in capsys.readouterr().out.replace("\n", " ")


def test_why_one_stands_above_the_other_and_what_would_swap_them(run: Path) -> None:
    query, products = judged_query(run)
    first, second = products[:2]
    found = explain.main(["--run", str(run), "--query", query, "--product", first, "--over", second])
    scores = {
        line["product_id"]: line["score"]
        for line in explain.main(["--run", str(run), "--query", query])["products"]
    }
    gap = scores[first] - scores[second]
    assert found["difference"] == pytest.approx(gap, abs=1e-5)
    assert sum(line["difference"] for line in found["features"]) == pytest.approx(gap, abs=1e-5)
    assert sum(line["difference"] for line in found["modalities"]) == pytest.approx(gap, abs=1e-5)
    assert {change["column"] for change in found["swaps"]} == {"price"}
    for change in found["swaps"]:
        assert change["lead"] == pytest.approx(gap if change["product_id"] == first else -gap, abs=1e-6)
        if change["value"] is not None:
            assert change["lead"] * change["lead_after"] <= 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--query", "zzzz"], "--query: expected a query with candidates, got 'zzzz'"),
        (["--query", " "], "expected words, or the id of a query, got --query without any"),
        (["--product", "p"], "expected --query beside --product, got none"),
        (["--query", "tee", "--over", "p"], "expected --product beside --over, got none"),
        (["--query", "tee", "--change", "price"], "expected --over beside --change, got none"),
        (["--query", "tee", "--top", "0"], "expected a whole number of 1 or more, got '0'"),
        (["--query", "tee", "--product", "p", "--over", "p"], "expected another product for --over"),
        (["--query", "tee", "--product", "nothing"], "got 'nothing', which is not in the catalogue; choose"),
    ],
)
def test_bad_input_is_told_in_one_line(trained: Trained, words: list[str], message: str) -> None:
    with pytest.raises(InputError) as error:
        explain.main(["--run", str(trained.run), *words])
    assert message in str(error.value)


def test_a_product_that_is_no_candidate_is_told_apart_from_one_that_is_unknown(trained: Trained) -> None:
    run = SavedRun.open(trained.run)
    query, products = judged_query(trained.run)
    made = explain_query(run, load_collection(run.config), query)
    few = replace(made, ranked=made.ranked.filter(pl.col("product_id") != products[0]))
    with pytest.raises(InputError, match="which is none of them; choose among"):
        few.check_candidate("--over", products[0])
    with pytest.raises(InputError, match="not in the catalogue"):
        explain.main(["--run", str(trained.run), "--query", query, "--product", products[0], "--over", "nix"])


@pytest.mark.parametrize(
    ("odd", "way"),
    [
        (str.upper, "in other capitals"),
        (lambda one: f"{one}.0", "without '.0'"),
        (lambda one: f" {one}", "blanks"),
    ],
)
def test_an_unknown_product_is_told_with_the_one_that_may_be_meant(
    trained: Trained, odd: Callable[[str], str], way: str
) -> None:
    query, products = judged_query(trained.run)
    with pytest.raises(InputError) as error:
        explain.main(["--run", str(trained.run), "--query", query, "--product", odd(products[0])])
    assert f"{products[0]!r} is alike " in str(error.value)
    assert way in str(error.value)


@pytest.mark.parametrize("query", ["", "  ", "\u00a0"])
def test_a_query_that_says_nothing_is_refused(trained: Trained, query: str) -> None:
    with pytest.raises(InputError, match="--query without any"):
        explain.main(["--run", str(trained.run), "--query", query])


def test_columns_to_change_may_be_named_one_by_one(trained: Trained) -> None:
    query, products = judged_query(trained.run)
    words = ["--run", str(trained.run), "--query", query, "--product", products[0], "--over", products[1]]
    together = explain.main([*words, "--change", "price", "rating"])
    assert explain.main([*words, "--change", "price", "--change", "rating"]) == together


def test_only_numbers_can_be_changed(trained: Trained) -> None:
    query, products = judged_query(trained.run)
    words = ["--query", query, "--product", products[0], "--over", products[1], "--change", "title"]
    with pytest.raises(InputError, match="--change: expected a numeric column of the products, got 'title'"):
        explain.main(["--run", str(trained.run), *words])


def test_a_run_without_importance_names_the_cure(trained: Trained, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained.run, tmp_path / "run"))
    (copy / "importance.json").unlink()
    seal(copy)  # as of a ranker of no trees
    with pytest.raises(InputError, match="train the run again, with ranker lightgbm or xgboost"):
        explain.main(["--run", str(copy)])


def test_changes_are_told_in_a_sentence() -> None:
    found = Change("b", "a", "list_price", 129.0, 98.5, 10.0, -0.2, 0.01)
    assert in_a_sentence(found) == (
        "b: list price 129 → 98.5 (-23.6%) puts it above a (re-scored: -0.2000 → +0.0100)"
    )
    none = Change("b", "a", "price", 129.0, None, 10.0, -0.2)
    assert in_a_sentence(none) == "b: price 129: none from 10 to 129 swaps it with a"
