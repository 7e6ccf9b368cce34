"""python -m ltr.experiment: status, page, JSON, decision record, and one line for bad input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ltr import experiment
from ltr.config import command_line
from ltr.experiments import KINDS
from tests.ltr.experiments.interleaving_world import interleaved
from tests.ltr.experiments.off_policy_worlds import small_shop
from tests.ltr.experiments.test_off_policy import table_of
from tests.ltr.experiments.worlds import searches

AB = "ab --arm arm --unit visitor --control old --metric ctr=clicks/impressions gmv"
INTERLEAVE = "interleave --list shown --position place --method team-draft --team team --click click --rank"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """The status that the command ends with, in a folder of files for every kind."""
    monkeypatch.chdir(tmp_path)
    searches(3000, lift=0.2, seed=1).write_csv("better.csv")
    searches(1500, seed=2).write_parquet("same.parquet")
    searches(2500, seed=3, shares=(0.6, 0.4)).write_csv("lopsided.csv")
    interleaved("team-draft", 1500, (1.5, 0.2), seed=3).write_csv("mixed.csv")
    table_of(small_shop(1), 3000).write_csv("log.csv")
    asked = pl.DataFrame({"session": [f"s{i}" for i in range(400)], "arm": ["a", "b"] * 200})
    asked.write_csv("asked.csv")
    stars = np.random.default_rng(0).integers(1, 5, 400) + np.tile([0, 1], 200)
    asked.select("session", stars=pl.Series(stars)).write_csv("answers.csv")

    def command(words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            command_line.run(experiment.main, words.split())
        return int(str(ended.value.code))

    return command


COMMANDS = [
    ("plan --effect .05 --rate .04 --per-day 9000", 0),
    ("plan --effect .05 --rate .04 --per-day 900 --days 7", 1),
    ("plan --effect .2 --data better.csv --unit visitor --metric gmv --guardrail p95:latency --looks 4", 0),
    ("plan --effect .9 --rate .6", 2),
    (f"{AB} --data better.csv", 0),
    (f"{AB} --data same.parquet --segment device --a-a 200 --before gmv=past", 1),
    (f"{AB} --data lopsided.csv", 2),
    (f"{INTERLEAVE} a=rank_a b=rank_b --data mixed.csv", 0),
    (f"{INTERLEAVE} b=rank_b a=rank_a --data mixed.csv", 1),
    ("off-policy --data log.csv --reward click --propensity chance --target new", None),
    (
        "off-policy --data log.csv --reward click --propensity chance --target uniform --action item --context page",
        None,
    ),
    ("survey --data answers.csv --answer stars --session session --arms asked.csv --arm arm", 0),
]


@pytest.mark.parametrize(("words", "status"), COMMANDS)
def test_each_kind_with_its_page_and_record(
    run: Callable[[str], int], words: str, status: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = run(f"{words} --html page.html --json record.json")
    record = json.loads(Path("record.json").read_text(encoding="utf-8"))
    assert ended == {"yes": 0, "no": 1, "cannot": 2}[record["says"]]
    assert status in {None, ended}
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.index('class="verdict') < page.index("<h2")  # the verdict is first
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)  # nothing from elsewhere
    assert record["seen"]["verdict"].split(":")[0][:40] in capsys.readouterr().out
    again = run(f"{words} --json")
    assert again == ended
    assert json.loads(capsys.readouterr().out)["seen"] == record["seen"]


def test_every_kind_is_tried() -> None:
    assert {words.split()[0] for words, _ in COMMANDS} == set(KINDS)


def test_the_record_is_kept_with_the_run_and_holds_the_plan(run: Callable[[str], int]) -> None:
    Path("myrun").mkdir()
    Path("myrun/run.json").write_text("{}", encoding="utf-8")
    assert (
        run(
            "plan --effect .2 --data same.parquet --unit visitor --metric ctr=clicks/impressions --json plan.json"
        )
        == 0
    )
    assert run(f"{AB} --data better.csv --run myrun --planned plan.json --tried colours --decide stay") == 0
    kept = sorted(Path("myrun/decisions").iterdir())
    assert [path.suffix for path in kept] == [".html", ".json"]
    record = json.loads(kept[1].read_text(encoding="utf-8"))
    assert record["tried"] == "colours"
    assert record["decided"] == "stay"
    assert record["planned"]["metric"] == "ctr"
    assert len(record["data"]["sha256"]) == 64
    assert any(check["name"] == "plan: units" for check in record["seen"]["checks"])


def test_a_plan_alone_is_no_decision_to_go_live(run: Callable[[str], int]) -> None:
    Path("myrun").mkdir()
    Path("myrun/run.json").write_text("{}", encoding="utf-8")
    assert run("plan --effect .05 --rate .04 --run myrun --json record.json") == 0
    assert json.loads(Path("record.json").read_text(encoding="utf-8"))["decided"] == "nothing"


def test_to_go_against_the_verdict_is_recorded(run: Callable[[str], int]) -> None:
    run(f"{AB} --data same.parquet --decide go --json record.json")
    assert json.loads(Path("record.json").read_text(encoding="utf-8"))["against_verdict"] is True


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{AB} --data absent.csv", "absent.csv: expected a file, got no such file"),
        (f"{AB} --data better.csv --level 2", "--level: "),
        (f"{AB} --data better.csv --looks .5 .2", "looks: expected rising shares"),
        (f"{AB} --data better.csv --always-valid", "--always-valid needs --planned-units"),
        (f"{AB} --data better.csv --planned better.csv", "better.csv: expected a plan"),
        (f"{AB} --data better.csv --run nowhere", "nowhere: expected a run folder"),
        ("plan --effect .1", "give one of --data, --rate and --mean"),
        ("plan --effect lots --rate .1", "--effect: "),
        (
            "off-policy --data log.csv --reward click --propensity chance --target gone",
            "expected a column 'gone'",
        ),
        (
            "survey --data answers.csv --answer arm --session session --arms asked.csv --arm arm",
            "column 'arm'",
        ),
        (f"{INTERLEAVE} a b --data mixed.csv", "--rank: expected NAME=VALUE, got 'a'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    run: Callable[[str], int], words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
