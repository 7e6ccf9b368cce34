"""A list is one thing: what is trained on, measured and shown have the same features and scores, to the last bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.batch import QueryBatch
from features.feature_schema import KEYS
from ltr.config.tree import Config, parse_config
from ltr.data.embedded import EmbeddedDataset
from ltr.pipeline.prepare import Prepared, prepare
from ltr.runs.record import SHOWN, read_json
from ltr.runs.saved_run import SavedRun
from ltr.runs.sums import seal
from ltr.serving.ranking import rank
from tests.ltr.conftest import Trained
from tests.ltr.pipeline.test_prepare_parts import SHOP


@pytest.fixture(scope="module")
def run(trained: Trained) -> SavedRun:
    return SavedRun.open(trained.run)


@pytest.fixture(scope="module")
def prepared(run: SavedRun, trained: Trained) -> Prepared:
    return prepare(run.config)


def test_the_store_keeps_whole_lists(prepared: Prepared) -> None:
    assert prepared.from_store
    assert prepared.lists == "served"
    table = prepared.table.frame
    judged = prepared.collection.judgements.select(*KEYS, "grade").sort(KEYS)
    assert_frame_equal(prepared.judged.select(*KEYS, "grade"), judged)
    assert table.filter("retrieved")["grade"].null_count() == table["grade"].null_count() > 0


def test_served_features_and_scores_are_those_of_training(run: SavedRun, prepared: Prepared) -> None:
    """Whatever is judged beside: a shopper's list has no judged products added."""
    builder, data, queries = prepared.builder, prepared.dataset, prepared.collection.queries
    scores = pl.Series("score", run.model.score(EmbeddedDataset(data)))
    for query_id in data.query_ids.gather_every(7):
        query = queries.filter(query_id=query_id)
        lists = data.frame.with_columns(scores).filter(pl.col("query_id") == query_id, "retrieved")
        # A photo encoded by itself differs in the last bit from one of a batch: then two are asked together.
        beside = query if query["image"][0] is None else queries.filter(pl.col("image").is_not_null()).head(2)
        asked = pl.concat([query, beside]).unique("query_id").sort("query_id")
        alone = builder.build(asked, builder.candidates(asked, run.config.lists.candidates)).frame
        alone = alone.filter(query_id=query_id)
        assert_frame_equal(alone, lists.select(alone.columns), check_exact=True)
        shown = rank(run, run.catalogue_builder(), QueryBatch(query)).sort("product_id")
        assert shown["product_id"].equals(lists["product_id"])
        if query["image"][0] is None:
            np.testing.assert_array_equal(shown["score"], lists["score"])


def test_the_run_says_which_lists_and_what_is_shown(run: SavedRun, trained: Trained) -> None:
    about, metrics = read_json(trained.run / "run.json"), read_json(trained.run / "metrics.json")
    ways = run.catalogue_builder().ways
    assert about["lists"] == {"kind": "served", "candidates": run.config.lists.candidates, "ways": ways}
    assert len(ways) > 2
    shown = metrics["shown"]
    assert shown["headline"] == "condensed nDCG@10"
    assert {"true nDCG@10", "bpref", "Judged@10"} <= {row["metric"] for row in shown["summary"]}
    first = run.table(SHOWN)
    assert first.group_by("query_id").agg(pl.col("rank").min())["rank"].unique().to_list() == [1]
    page = (trained.run / "report.html").read_text(encoding="utf-8")
    assert "best order of the candidates" in page
    assert page.index("What is shown") < page.index("Verdict on judged lists")
    assert "## What is shown" in (trained.run / "report.md").read_text(encoding="utf-8")


def settings(folder: Path, **lists: object) -> Config:
    places = {"cache": {"folder": str(folder / "cache")}, "store": {"root": str(folder / "store")}}
    return parse_config({**SHOP, **places, "lists": lists}, folder, "test")


def test_where_every_candidate_is_judged_the_lists_are_the_judged_ones(tmp_path: Path) -> None:
    data = {"kind": "demo", "products": 20, "queries": 12, "judged_per_query": 60}
    served, judged = (
        prepare(settings(tmp_path, kind=kind).model_copy(update={"data": parse(data, tmp_path)}))
        for kind in ("served", "judged")
    )
    assert served.lists == judged.lists == "judged"
    assert_frame_equal(served.table.frame, judged.table.frame, check_exact=True)


def parse(data: dict[str, object], folder: Path) -> object:
    return parse_config({**SHOP, "data": data}, folder, "test").data


def test_other_lists_are_other_features_in_the_store(tmp_path: Path) -> None:
    wide, narrow = (prepare(settings(tmp_path, candidates=count)) for count in (30, 5))
    assert not narrow.from_store
    assert narrow.table.frame.height < wide.table.frame.height
    assert prepare(settings(tmp_path, candidates=5)).from_store


def test_a_run_of_before_lists_opens_as_one_on_judged_lists(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_LTR_TRUST", str(trained.work))
    old = shutil.copytree(trained.run, tmp_path / "old")
    about = json.loads((old / "run.json").read_text(encoding="utf-8"))
    about.pop("lists")
    config = (old / "config.yaml").read_text(encoding="utf-8")
    start, end = config.index("lists:"), config.index("split:")
    (old / "config.yaml").write_text(config[:start] + config[end:], encoding="utf-8")
    (old / "run.json").write_text(json.dumps(about), encoding="utf-8")
    seal(old)
    opened = SavedRun.open(old)
    assert opened.config.lists.kind == "judged"
