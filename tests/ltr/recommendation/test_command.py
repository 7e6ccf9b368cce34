"""`ltr.recommend` on the events of simulated shoppers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import InputError
from features.sources.events import write_ubi
from ltr.demo import DemoShopConfig, generate
from ltr.demo.shoppers import Policy, Shoppers
from ltr.recommend import main


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shop = generate(DemoShopConfig(products=60, queries=12))
    shoppers = Shoppers(shop)
    events = shoppers.visit(
        Policy(shoppers.worth + np.random.default_rng(0).random((12, 60)) / 4), 600
    ).events
    folder = tmp_path_factory.mktemp("log")
    write_ubi(events, folder)
    return folder


def test_after_a_product_for_a_session_and_for_nobody(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--events", str(log)])
    home = capsys.readouterr().out
    assert "popularity" in home
    assert "nobody is named" in home
    main(["--events", str(log), "--by", "shopper", "--product", "p000003", "--count", "5"])
    after = capsys.readouterr().out
    assert "after p000003" in after


def test_a_trial_names_the_best_rule(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--events", str(log), "--by", "shopper", "--trial"])
    told = capsys.readouterr().out
    assert "the best plain rule" in told
    assert "HR@20" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--who", "nobody"], "--who"),
        (["--product", "p999999"], "--product"),
        (["--trial", "--trial-days", "400"], "trial"),
    ],
)
def test_whom_the_log_does_not_know(log: Path, words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        main(["--events", str(log), *words])


def test_one_of_events_and_config() -> None:
    with pytest.raises(InputError, match="one of --events and --config"):
        main([])
