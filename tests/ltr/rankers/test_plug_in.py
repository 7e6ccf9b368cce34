"""A kind of ranker from outside the package, from config to run folder: trained, measured, asked, tuned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from pydantic import ValidationError

from features.errors import InputError
from ltr import evaluate, rank, train, tune
from ltr.config.tree import read_config
from ltr.data import examine
from ltr.rankers import RANKERS, BlendConfig, RankerSettings, make_ranker, parse_settings, register
from ltr.runs.saved_run import SavedRun
from tests.ltr.conftest import BAD_INPUT
from tests.ltr.rankers.ridge_ranker import RidgeConfig, RidgeRanker
from tests.ltr.rankers.test_rankers import world

SMALL = [
    *("--data.products", "60", "--data.queries", "30", "--data.judged_per_query", "10"),
    *("--encoders", "{text: {kind: tfidf, dimensions: 16}}", "--split.folds", "2"),
    *("--ladder", "[lexical]", "--evaluation.bootstrap.resamples", "100"),
    *("--train.base", "none"),
]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(RANKERS, "_known", dict(RANKERS._known))
    register(RidgeConfig, RidgeRanker)
    yield


def test_it_trains_measures_and_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = train.main([*SMALL, "--ranker", "ridge", "--ranker.l2", "3", "--run", "run"])
    opened = SavedRun.open(run)
    assert isinstance(opened.model.ranker, RidgeRanker)
    assert opened.config.ranker == RidgeConfig(l2=3)
    summary = json.loads((run / "metrics.json").read_text())["summary"]
    figures = {row["system"]: row["mean"] for row in summary if row["metric"] == "nDCG@10"}
    assert figures["ridge"] > figures["random"]
    assert "longest query for ridge" in (run / "doctor.json").read_text()
    evaluate.main(["--run", str(run)])
    assert rank.main(["--run", str(run), "--query", "blue dress", "--top", "3"]).height == 3


def test_it_is_tuned_over_its_own_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = tune.main([*SMALL, "--ranker", "ridge", "--trials", "3", "--tuning.folds", "2", "--run", "tuned"])
    assert run is not None
    assert isinstance(SavedRun.open(run).config.ranker, RidgeConfig)
    both = [
        *SMALL,
        "--ranker",
        "ridge",
        "--trials",
        "2",
        "--tuning.kinds",
        "[ridge, lightgbm]",
        "--study",
        "both",
    ]
    assert tune.main([*both, "--tuning.folds", "2", "--search-only"]) is None


def test_its_weights_are_asked_of_its_class() -> None:
    assert {kind for kind in RANKERS.names if RANKERS.settings_of(kind).weighs} == {
        *("blend", "lightgbm", "ridge", "xgboost")
    }


def test_its_limits_are_told_by_the_doctor() -> None:
    pairs = world(queries=1, rows=701)
    (finding,) = (f for f in examine(pairs, limits={"ridge": RidgeConfig().limits}) if "longest" in f.check)
    assert finding.level == "FAIL"
    assert "701 rows, limit 700" in finding.evidence


def test_a_setting_that_is_none_of_its_own_is_explained() -> None:
    config = BAD_INPUT / "shop.yaml"
    with pytest.raises(InputError, match=r"did you mean 'ranker\.l2'"):
        read_config(config, {"ranker.kind": "ridge", "ranker.l22": 1})
    with pytest.raises(InputError, match="this one has no such setting"):
        read_config(config, {"ranker.kind": "ridge", "ranker.trees": 5})
    with pytest.raises(InputError, match="'ridge', 'xgboost', got 'forest'"):
        read_config(config, {"ranker.kind": "forest"})


def test_choosing_it_keeps_the_settings_that_both_kinds_know(tmp_path: Path) -> None:
    text = (BAD_INPUT / "shop.yaml").read_text().replace("ranker:", "ranker_was:")
    whole = "\n".join(line for line in text.splitlines() if "ranker_was" not in line)
    path = tmp_path / "shop.yaml"
    path.write_text(whole + "\nranker: {kind: lightgbm, leaves: 9, l2: 7.5, gain: linear}\n")
    ranker = read_config(path, {"ranker.kind": "ridge"}).ranker
    assert ranker == RidgeConfig(l2=7.5, gain="linear")


class _Nameless(RankerSettings):
    objective: Literal["none"] = "none"


class _Taken(RankerSettings):
    kind: Literal["lightgbm"] = "lightgbm"
    objective: Literal["none"] = "none"


class _Unregistered(RankerSettings):
    kind: Literal["new"] = "new"
    objective: Literal["none"] = "none"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (_Nameless, ValueError, "no Literal of one word"),
        (_Taken, ValueError, "'lightgbm' is taken by LightGBMConfig"),
        (dict, TypeError, "does not derive from RankerSettings"),
    ],
)
def test_a_class_that_cannot_be_registered_is_told(
    settings: type[RankerSettings], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        register(settings, RidgeRanker)  # type: ignore[arg-type]


def test_settings_that_nobody_registered_make_nothing() -> None:
    with pytest.raises(TypeError, match="_Unregistered is not registered"):
        make_ranker(_Unregistered())


def test_only_boosters_join_a_blend() -> None:
    assert parse_settings({"kind": "blend", "booster": "catboost"}) == BlendConfig(booster="catboost")
    for kind in ("ridge", "blend", "mlp", "none"):
        with pytest.raises(ValidationError, match="one of 'catboost', 'lightgbm', 'xgboost'"):
            BlendConfig(booster=kind)
