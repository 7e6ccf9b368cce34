"""The shoppers' log through the commands: labels, training by them and by the lists themselves, measuring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from features.sources.events import write_ubi
from ltr import evaluate, label_clicks, train
from ltr.config import command_line
from ltr.demo.shoppers import Policy, Shoppers, ShopperSettings
from tests.ltr.demo.shopper_world import bare_shop

CONFIG = """
name: shop
data:
  kind: catalogue
  products: {path: products.csv}
  queries: {path: queries.csv}
  judgements: {path: mixed.parquet}
  events: {path: log}
ranker: {kind: lightgbm, trees: 15, bags: 1, threads: 1, early_stopping_rounds: 0}
split: {kind: folds, folds: 2, validation_share: 0}
lists: {kind: judged}
evaluation: {bootstrap: {resamples: 100}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's files, a log of lists in random order, one of lists in a fixed order, and labels of the first."""
    made = tmp_path_factory.mktemp("shop")
    shop = bare_shop(60, 24)
    shoppers = Shoppers(shop, ShopperSettings(new_products=0, shown=6))
    for name, exploration, share in (("log", "shuffle", 1.0), ("fixed", "none", 0.0)):
        policy = Policy(shoppers.worth, "weak", exploration, share)  # type: ignore[arg-type]
        write_ubi(shoppers.visit(policy, 900).events, made / name)
    shop.products.select("product_id", "title", "brand", "category", "price").write_csv(made / "products.csv")
    shop.queries.select("query_id", "text").drop_nulls().write_csv(made / "queries.csv")
    shop.judgements.write_csv(made / "human.csv")
    (made / "shop.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        label_clicks.main(["--events", "log", "--judgements", "human.csv", "--out", "mixed.parquet"])
        label_clicks.main(["--events", "log", "--out", "clicks.parquet"])
    return made


@pytest.fixture
def command(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[int, str]]:
    monkeypatch.chdir(shop)

    def run(words: str) -> tuple[int, str]:
        status, verb = 0, words.split(maxsplit=1)[0]
        try:
            command_line.run({"train": train, "evaluate": evaluate}[verb].main, words.split()[1:])
        except SystemExit as ended:
            status = int(str(ended.code))
        out, err = capfd.readouterr()
        return status, out + err

    return run


def test_from_the_log_to_a_measured_run(command: Callable[[str], tuple[int, str]], shop: Path) -> None:
    status, said = command("train --config shop.yaml --train.clicks.strategy automatic --run made")
    assert status == 0, said
    about = json.loads((shop / "made" / "run.json").read_text())["clicks"]
    kept = about["kept"]
    assert about["asked"] == "automatic"
    assert kept["strategy"] == "smoothed"
    assert {one["strategy"] for one in kept["tried"]} == {"naive", "smoothed"}
    assert len(about["splits"]) == 2
    assert f"shown lists train: clicks by smoothed: {kept['why']}" in said
    assert kept["why"] in (shop / "made" / "report.html").read_text()
    systems = json.loads((shop / "made" / "metrics.json").read_text())["summary"]
    assert {"lightgbm", "lightgbm alone"} <= {row["system"] for row in systems}
    status, said = command("evaluate --run made")
    assert status == 0, said


def test_labels_alone_are_judgements_with_weights(
    command: Callable[[str], tuple[int, str]], shop: Path
) -> None:
    labels = pl.read_parquet(shop / "clicks.parquet")
    assert set(labels["source"]) == {"clicks"}
    assert {"grade", "weight", "position", "seen"} <= set(labels.columns)
    assert labels["position"].is_between(1, 6).all()
    words = "train --config shop.yaml --data.judgements.path clicks.parquet --run labelled"
    status, said = command(words)
    assert status == 0, said
    assert "shown lists train" not in said
    found = {one["check"]: one["evidence"] for one in json.loads((shop / "labelled/doctor.json").read_text())}
    assert "lightgbm heeds each" in found["weights of judgements"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("unbiased", "a ranker that can learn by 'unbiased', got lightgbm has no unbiased LambdaMART"),
        ("positions --ranker.kind xgboost", "choose ranker lightgbm"),
        ("labels --data.events.path fixed", "events that tell being seen from being good, got"),
        ("naive --data.events null", "train.clicks.strategy: expected data.events, got a config without"),
        ("naive --train.base auto", "either clicks or base"),
        ("sideways", "'smoothed', 'positions'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    command: Callable[[str], tuple[int, str]], words: str, message: str
) -> None:
    status, said = command(f"train --config shop.yaml --run refused --train.clicks.strategy {words}")
    assert status == 2
    error = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert message in error[0]
