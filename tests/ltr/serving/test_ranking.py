"""One query ranked: by the id of a run's query, beside BM25's order, and from another folder than training's."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from features.groups.likeness import product_rows
from ltr import rank, train
from ltr.pipeline.prepare import load_collection
from ltr.runs.record import read_settings
from ltr.runs.saved_run import SavedRun
from ltr.serving.ranking import ask, looks_like_an_id, side_by_side
from tests.ltr.conftest import WORDS, Trained


def test_a_querys_id_ranks_that_query(trained: Trained, caplog: pytest.LogCaptureFixture) -> None:
    run = SavedRun.open(trained.run)
    queries = load_collection(run.config).queries
    plain = queries.filter(pl.col("text").is_not_null() & pl.col("image").is_null()).row(0, named=True)
    with caplog.at_level(logging.INFO, "ltr"):
        by_id = ask(run, plain["query_id"], None)
    assert f"query {plain['query_id']} of the run: {plain['text']!r}" in caplog.text
    assert by_id.equals(ask(run, plain["text"], None))
    shown = queries.filter(pl.col("image").is_not_null())["query_id"][0]
    assert ask(run, shown, None).height


def test_a_word_that_no_product_has_is_read_as_the_nearest_which_is_said(
    trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    run = SavedRun.open(trained.run)
    with caplog.at_level(logging.INFO, "ltr"):
        found = ask(run, "blue trousres", None, compare=True)
    assert "no product has 'trousres': read as 'trouser'" in caplog.text
    assert "Trousers" in found.filter(pl.col("bm25_rank") == 1)["category"][0]


@pytest.mark.parametrize("asked", ["q999999", "q000040", "q123"])
def test_what_only_looks_like_an_id_is_refused(trained: Trained, asked: str) -> None:
    run = SavedRun.open(trained.run)
    with pytest.raises(InputError, match="looks like an id and is none; near it: q"):
        ask(run, asked, None)


@pytest.mark.parametrize(
    ("asked", "is_like_an_id"),
    [("q7", True), ("q007", True), ("tee", False), ("q7 tee", False), ("1.5", False), ("first", True)],
)
def test_the_look_of_ids(asked: str, is_like_an_id: bool) -> None:
    assert looks_like_an_id(asked, pl.Series(["q000001", "q000002", "first"])) == is_like_an_id


def test_bm25s_order_stands_beside_the_models(trained: Trained) -> None:
    run, words = SavedRun.open(trained.run), "blue shoes under 90"
    ranked = ask(run, words, None, compare=True)
    assert ranked.drop("bm25_rank").equals(ask(run, words, None))
    places = ranked["bm25_rank"].drop_nulls().sort().to_list()
    assert places == list(range(1, len(places) + 1))  # BM25's hits are all among the candidates
    builder = run.builder(load_collection(run.config).products)
    block = builder.build(
        pl.DataFrame({"query_id": ["q"], "text": [words]}),
        ranked.select(query_id=pl.lit("q"), product_id="product_id"),
    ).frame
    scores = ranked.join(block.select("product_id", "lexical.bm25_all"), on="product_id", how="left")
    by_bm25 = scores.drop_nulls("bm25_rank").sort("bm25_rank")["lexical.bm25_all"].to_numpy()
    assert (np.diff(by_bm25) <= 1e-6).all()
    shown = side_by_side(ranked, 5)
    assert shown["place"].to_list() == [1, 2, 3, 4, 5]
    assert shown["product_id"].equals(ranked["product_id"].head(5))
    for place, product, by_model in shown.select("place", "BM25: product_id", "by the model").rows():
        row = ranked.filter(product_id=product).row(0, named=True)
        assert (row["bm25_rank"], row["rank"]) == (place, by_model)


def test_the_command_shows_both_orders(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    rank.main(["--run", str(trained.run), "--query", "blue shoes", "--compare", "--top", "3", "--json"])
    printed = capsys.readouterr()
    assert [row["place"] for row in json.loads(printed.out)] == [1, 2, 3]
    assert "next: python -m ltr.explain --run" in printed.err


def test_near_ids_are_suggested_before_anything_is_encoded(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encodes(*_: object) -> None:
        pytest.fail("encoded before the id was looked up")

    monkeypatch.setattr("ltr.serving.catalogue.similar.make_encoders", encodes)
    with pytest.raises(InputError, match=r"got 'p00001'; near it: p0000"):
        rank.main(["--run", str(trained.run), "--like", "p00001"])


def test_near_ids_among_very_many() -> None:
    known = pl.Series([f"{letter}{number:06d}" for letter in "ab" for number in range(20_000)])
    with pytest.raises(InputError, match="near it: b0"):
        product_rows(known, ["b01234"])
    with pytest.raises(InputError, match="look the id up"):
        product_rows(known, ["zz"])
    assert product_rows(known, ["b000001", "a000000"]) == [20_001, 0]


def test_a_run_used_from_another_folder_finds_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    for folder in (home, away):
        folder.mkdir()
    monkeypatch.chdir(home)
    run = train.main(WORDS).absolute()
    assert 'href="demo-lightgbm/report.html"' in (home / "runs" / "index.html").read_text(encoding="utf-8")
    first = rank.main(["--run", str(run), "--query", "blue shoes"])
    monkeypatch.chdir(away)
    assert read_settings(run)[0].cache.folder == str(home / "cache")
    assert rank.main(["--run", str(run), "--query", "blue shoes"]).equals(first)
    assert list(away.iterdir()) == []

    # Of another user's run no recorded folder is read: what is made anew is said.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another user"))
    assert read_settings(run)[0].cache.folder == "cache"
    with caplog.at_level(logging.INFO, "ltr"):
        again = ask(SavedRun.open(run), "blue shoes", None)
    assert f"no index of this catalogue in {away / 'cache'}" in caplog.text
    assert again.head(first.height)["product_id"].equals(first["product_id"])


def test_a_run_names_the_index_that_its_features_come_from(trained: Trained) -> None:
    named = json.loads((trained.run / "run.json").read_text())["index"]
    assert (trained.work / "cache" / "index" / named["key"]).is_dir()
    assert set(named["encoders"]) == {"text", "image"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"definitions": 1}, "got one of definitions 1; train it again"),
        ({"definitions": None}, "definitions None"),
        (
            {"encoders": {"text": "another", "image": "one more"}},
            "other weights, settings or another version",
        ),
    ],
)
def test_a_run_whose_features_would_mean_something_else_is_refused(
    trained: Trained, changed: dict[str, object], expected: str
) -> None:
    run = SavedRun.open(trained.run)
    other = dataclasses.replace(run, made_with={**(run.made_with or {}), **changed})
    with pytest.raises(InputError, match=expected):
        ask(other, "blue shoes", None)
    with pytest.raises(InputError, match=expected):
        other.builder(run.catalogue_builder().catalogue.products)
