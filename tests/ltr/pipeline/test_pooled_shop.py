"""The demo shop judged by pooling: through the commands, made once, and the same whatever the run at hand reads."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from features.feature_schema import KEYS
from ltr.config.command_line import DEMO_CONFIG, parser, read_settings
from ltr.config.tree import Config
from ltr.demo import shop
from ltr.pipeline import prepare
from ltr.pipeline.pooled_judging import DEPTH, POOLED
from ltr.pipeline.prepare import load_collection

SMALL = ("--data.products", "60", "--data.queries", "8", "--data.judged_per_query", "6")


def settings(folder: Path, *words: str) -> Config:
    given = ["--config", str(DEMO_CONFIG), *SMALL, "--cache.folder", str(folder), *words]
    return read_settings(parser("pooled"), given)[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pooled")


@pytest.fixture(scope="module")
def pooled(folder: Path) -> pl.DataFrame:
    return load_collection(settings(folder, "--data.judged", "pooled")).judgements


def test_grades_are_those_that_the_shops_judges_give_when_asked(folder: Path, pooled: pl.DataFrame) -> None:
    config = settings(folder)
    assert isinstance(config.data, shop.DemoShopConfig)
    made = shop.kept_shop(config.data, folder)
    asked = shop.judged_grades(config.data, made.wishes, made.stock)
    assert pooled.join(asked, on=[*KEYS, "grade"], how="semi").height == pooled.height
    deepest = pooled.group_by("query_id").len()["len"].max()
    assert isinstance(deepest, int)
    assert DEPTH <= deepest <= DEPTH * (len(POOLED) + 1)
    assert load_collection(config).judgements.equals(made.judgements)  # drawn, as ever


def test_it_is_judged_once(folder: Path, pooled: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(prepare, "pooled_judgements")
    found = load_collection(settings(folder, "--data.judged", "pooled"))
    assert found.judgements.equals(pooled)
    assert found.fingerprints != load_collection(settings(folder)).fingerprints
    assert [remark.check for remark in found.remarks] == ["pooled judgements"]


@pytest.mark.parametrize(
    "words", [("--features.without", "photos"), ("--encoders", "{}"), ("--lists.candidates", "20")]
)
def test_runs_with_other_features_are_compared_on_the_same_judgements(
    folder: Path, pooled: pl.DataFrame, words: tuple[str, str]
) -> None:
    found = load_collection(settings(folder, "--data.judged", "pooled", *words))
    assert found.judgements.equals(pooled)


def test_another_shop_is_judged_anew(folder: Path, pooled: pl.DataFrame) -> None:
    other = load_collection(settings(folder, "--data.judged", "pooled", "--data.seed", "8"))
    assert not other.judgements.equals(pooled)


def test_killed_in_between_it_leaves_nothing_half_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> pl.DataFrame:
        raise KeyboardInterrupt

    config = settings(tmp_path, "--data.judged", "pooled")
    with monkeypatch.context() as patched:
        patched.setattr(prepare, "pooled_judgements", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_collection(config)
    assert not list(tmp_path.glob("demo-pooled-*"))
    assert load_collection(config).judgements.height
