"""python -m ltr.label_clicks: judgements, page and figures from UBI files; refusals and bad input in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from features.sources.events import Events, read_ubi, write_ubi
from ltr import label_clicks
from ltr.config import command_line
from ltr.demo.shoppers import Policy, Shoppers, ShopperSettings
from ltr.pipeline.events.labelling import _judgements
from tests.ltr.demo.shopper_world import bare_shop


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events with exploration, events without, and the shop's human judgements."""
    made = tmp_path_factory.mktemp("clicks")
    shop = bare_shop(80, 8)
    shoppers = Shoppers(shop, ShopperSettings(new_products=0, shown=5))
    noise = np.random.default_rng(0).normal(0, 0.3, shoppers.worth.shape)
    for name, exploration in (("explored", "shuffle"), ("fixed", "none")):
        policy = Policy(shoppers.worth + noise, "weak", exploration, 0.5)  # type: ignore[arg-type]
        write_ubi(shoppers.visit(policy, 600).events, made / name)
    shop.judgements.write_csv(made / "human.csv")
    return made


@pytest.fixture
def command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[int, str]]:
    """Status and what was written, of words in which IN/ is the fixture's folder."""
    monkeypatch.chdir(tmp_path)

    def run(words: str) -> tuple[int, str]:
        status = 0
        try:
            command_line.run(label_clicks.main, words.replace("IN/", f"{folder}/").split())
        except SystemExit as ended:
            status = int(str(ended.code))
        out, err = capfd.readouterr()
        return status, out + err

    return run


def test_judgements_given_twice_are_counted_and_ids_met_as_numbers(
    command: Callable[[str], tuple[int, str]], folder: Path, tmp_path: Path
) -> None:
    human = pl.read_csv(
        folder / "human.csv", schema_overrides={"product_id": pl.String, "query_id": pl.String}
    )
    again = human.with_columns(grade=pl.lit(0))[:7]
    pl.concat([human, again], how="vertical_relaxed").write_csv(tmp_path / "twice.csv")
    made = []
    for name in (str(folder / "human.csv"), "twice.csv"):
        command(f"--events IN/explored --judgements {name} --out made.csv --json record.json")
        made.append((tmp_path / "made.csv").read_bytes())
        left_out = json.loads((tmp_path / "record.json").read_text())["figures"]["left_out"]
        assert left_out.get("judgements of a pair that has one already", 0) == (
            7 if name == "twice.csv" else 0
        )
    assert made[0] == made[1]
    numbers = pl.DataFrame({"query_id": [1.0, 2.0], "product_id": [1000.0, 7.0], "grade": [1, 2]})
    numbers.write_parquet(tmp_path / "numbers.parquet")
    read, _ = _judgements(tmp_path / "numbers.parquet")
    assert read.rows() == [("1", "1000", 1.0), ("2", "7", 2.0)]


def test_judgements_page_and_figures(command: Callable[[str], tuple[int, str]], tmp_path: Path) -> None:
    words = "--events IN/explored --judgements IN/human.csv --out made/both.csv --html page.html --json record.json"
    status, said = command(words)
    assert status == 0
    assert "views counted by logged lots, all pairs" in said
    assert "next: name made/both.csv under data.judgements" in said
    both = pl.read_csv(tmp_path / "made" / "both.csv", schema_overrides={"product_id": pl.String})
    assert {"query_id", "product_id", "grade", "weight", "effective_size"} <= set(both.columns)
    assert set(both["source"]) == {"human", "clicks", "both"}
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["says"] == "yes"
    assert record["figures"]["examination"][0] == 1
    assert record["figures"]["left_out"]["actions repeated on a row"] > 0
    page = (tmp_path / "page.html").read_text()
    assert "How often each place is seen" in page
    assert ("Where clicks and people differ most" in page) == ("grades are on the human scale" in said)


def test_what_cannot_be_told_is_refused_and_nothing_written(
    command: Callable[[str], tuple[int, str]], tmp_path: Path
) -> None:
    status, said = command("--events IN/fixed --html page.html")
    assert status == 2
    assert "Cannot judge: 0.0% of rows are of pairs seen at two places or more" in said
    assert "Cannot judge" in (tmp_path / "page.html").read_text()
    assert not (tmp_path / "click_judgements.parquet").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "expected --events or --config, got neither"),
        ("--events nowhere", "nowhere"),
        ("--events IN/explored --out made.txt", "--out: expected a name that ends in .parquet or .csv"),
        ("--events IN/explored --worth money", "--worth"),
        ("--events IN/explored --clip 0", "--clip"),
        (
            "--events IN/explored --judgements IN/explored/ubi_events.ndjson",
            "columns query_id, product_id, grade",
        ),
    ],
)
def test_bad_input_is_one_line(command: Callable[[str], tuple[int, str]], words: str, message: str) -> None:
    status, said = command(words)
    assert status == 2
    assert message in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_words_that_few_people_asked_are_in_no_file(
    command: Callable[[str], tuple[int, str]], folder: Path, tmp_path: Path
) -> None:
    """A log whose queries have no ids: each is called by its words, and some were asked by one person or two."""
    seen = read_ubi(folder / "explored")
    rare = pl.col("shopper").rank("dense") <= 4  # of these four people each asks in words of two's own
    words = (
        pl.when(rare)
        .then(pl.format("secret of {}", pl.col("shopper").rank("dense") // 2))
        .otherwise("query_id")
    )
    shown = seen.shown.with_columns(text=words, query_id=pl.lit(None, dtype=pl.String))
    write_ubi(Events(shown, seen.actions), tmp_path / "worded")
    for least, reveals in ((5, False), (1, True)):
        status, said = command(
            f"--events worded --out out{least}.csv --html page.html --least-people {least}"
        )
        assert status == 0, said
        made = [(tmp_path / name).read_text() for name in (f"out{least}.csv", "page.html")]
        assert any("secret" in text for text in [said, *made]) == reveals
        assert any("that fewer than 5 people asked" in text for text in [said, *made]) != reveals
    assert pl.read_csv(tmp_path / "out5.csv").height > 20


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hello", "events.ndjson: expected lines of UBI queries or events, got none among 1 lines"),
        ("", "events.ndjson: expected lists that were shown, got none; name events that say what was shown"),
        ('{"user_query": "a", "query_id": "1", "query_response_hit_ids": ["b"]}', "timestamp missing"),
    ],
)
def test_events_that_tell_of_nothing_are_named_by_their_file(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "ubi_events.ndjson").write_text(line, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        label_clicks.main(["--events", str(tmp_path / "ubi_events.ndjson")])
    assert said in str(caught.value)
    assert str(tmp_path / "ubi_events.ndjson") in caught.value.where
