"""Few training queries: the ranker leans on a plain cosine by itself, says so, and serves every command but export."""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from features.feature_schema import Feature, FeatureSchema
from ltr import evaluate, explain, export, rank, train
from ltr.config.tree import dump_config, parse_config, read_config
from ltr.data.splits import Fold
from ltr.pipeline.few_queries import few_queries
from ltr.runs.saved_run import SavedRun
from ltr.training.anchoring import AnchoredRanker
from ltr.training.transfer import FEW
from tests.ltr.conftest import Trained

QUICK = ("--train.base", "when_few", "--ladder", "[]", "--ranker.trees", "5", "--ranker.bags", "2")


@pytest.fixture(scope="module")
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(scope="module")
def leaning(trained: Trained, said: io.StringIO) -> Path:
    with redirect_stdout(said):
        return train.main(trained.words(*QUICK, "--run", str(trained.work / "leaning"), "--split.folds", "2"))


def test_it_leans_and_says_why_wherever_it_speaks_of_itself(leaning: Path, said: io.StringIO) -> None:
    ranker = SavedRun.open(leaning).model.ranker
    assert isinstance(ranker, AnchoredRanker)
    about = json.loads((leaning / "run.json").read_text())["leans_on"]
    assert about["kept"] == {ranker.base: ranker.shares[1]}
    assert len(about["splits"]) == 2
    assert f"leans on {ranker.base} by " in about["says"]
    assert about["says"].endswith(", since 40 training queries are few")
    assert len(re.findall(r"leans on \S+ by \S+, since 40 training queries are few\n", said.getvalue())) >= 2
    assert about["says"] in (leaning / "report.html").read_text()
    assert about["says"] in (leaning / "report.md").read_text()


def test_the_model_beside_it_that_leans_on_nothing_is_the_plain_one(leaning: Path, trained: Trained) -> None:
    """To the last bit, though no fit was made for it."""
    words = trained.words(*QUICK, "--split.folds", "2", "--train.base", "none")
    plain = SavedRun.open(train.main([*words, "--run", str(trained.work / "plain")]))
    _, found = SavedRun.open(leaning).held_out()
    np.testing.assert_array_equal(found["lightgbm alone"], plain.held_out()[1]["lightgbm"])
    assert not np.array_equal(found["lightgbm"], found["lightgbm alone"])


def test_commands_take_it_as_any_run(leaning: Path) -> None:
    measured = evaluate.main(["--run", str(leaning)])
    assert {"lightgbm", "random"} <= set(measured.summary["system"])
    run = ["--run", str(leaning), "--query", "red shirt"]
    ranked = rank.main(run)
    found = explain.main([*run, "--top", "5"])["products"]
    assert [line["score"] for line in found] == pytest.approx(ranked["score"].head(5).to_list())
    first, second = ranked["product_id"].head(2)
    gap = explain.main([*run, "--product", first, "--over", second])["difference"]
    assert gap == pytest.approx(found[0]["score"] - found[1]["score"], abs=1e-5)


def test_an_export_is_refused_with_the_cure(leaning: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"one that leans on .*--train\.base none"):
        export.main(["--run", str(leaning), "--target", "onnx", "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


COSINE = FeatureSchema((Feature("text.title"), Feature("text.title_z"), Feature("lexical.bm25")))


def asked(
    learn: int, test: int, schema: FeatureSchema = COSINE, given: object = None, **settings: Any
) -> int | None:
    config = parse_config({"name": "shop", "data": {"kind": "demo"}} | settings, Path(), "here")
    names = [f"q{n}" for n in range(learn + test)]
    folds = [Fold(names[:learn], [], names[learn:])]
    prepared = SimpleNamespace(collection=SimpleNamespace(given=given), schema=schema)
    return few_queries(config, SimpleNamespace(prepared=prepared, folds=folds))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("learn", "settings", "few"),
    [
        (FEW - 40, {}, FEW),
        (FEW - 39, {}, None),
        (FEW, {"split": {"kind": "column"}}, FEW),
        (FEW + 1, {"split": {"kind": "column"}}, None),
        (1, {}, None),
        (80, {"train": {"base": "none"}}, None),
        (80, {"train": {"base": "auto"}}, None),
        (80, {"train": {"base": None}}, None),
        (80, {"train": {"clicks": {"strategy": "naive"}}}, None),
        (80, {"schema": FeatureSchema((Feature("lexical.bm25"), Feature("text.asked_said")))}, None),
        (80, {"given": pl.DataFrame()}, None),
    ],
)
def test_who_leans(learn: int, settings: dict[str, Any], few: int | None) -> None:
    """So many that the kept model learns from, with a cosine of our own making, unless told otherwise."""
    assert asked(learn, 40, **settings) == few


def test_a_config_of_before_means_what_it_meant(tmp_path: Path) -> None:
    config = parse_config({"name": "shop", "data": {"kind": "demo"}, "train": {"base": None}}, Path(), "here")
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert read_config(tmp_path / "config.yaml").train.base == "none"
