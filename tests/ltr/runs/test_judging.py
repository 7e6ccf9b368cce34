"""What to judge next: a world in which the most telling product is known, and the command's file read back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from features.errors import InputError
from ltr import judge_next as command
from ltr.pipeline.judging import EXPECTED, judge_next
from ltr.runs import judging
from ltr.runs.judging import next_to_judge
from tests.ltr.conftest import Trained


def shown(**lists: str) -> pl.DataFrame:
    rows = [(query, product, place) for query, ids in lists.items() for place, product in enumerate(ids, 1)]
    return pl.DataFrame(rows, schema=["query_id", "product_id", "rank"], orient="row")


JUDGED = pl.DataFrame({"query_id": ["q", "q", "r"], "product_id": ["x", "y", "x"], "grade": [3.0, 0.0, 1.0]})


def test_what_both_show_at_one_place_tells_nothing() -> None:
    found = judge_next(shown(q="abcx"), shown(q="abdy"), JUDGED, 9, 10, "exp")
    assert found["product_id"].to_list() == ["c", "d"]
    assert found["grade"].null_count() == 2
    assert found["rank"].to_list() == [3, None]


def test_the_change_is_that_of_the_places() -> None:
    found = judge_next(shown(q="ab"), shown(q="ba"), JUDGED, 9, 10, "exp")
    assert found[EXPECTED][0] == found[EXPECTED][1]
    alone = judge_next(shown(q="ab"), None, JUDGED, 9, 10, "exp")
    assert alone["product_id"].to_list() == ["a", "b"]
    assert alone[EXPECTED][0] / alone[EXPECTED][1] == pytest.approx(math.log2(3))


def test_a_query_with_little_to_gain_moves_more_and_deep_places_not_at_all() -> None:
    found = judge_next(shown(q="a", r="a"), shown(q="b", r="b"), JUDGED, 1, 10, "exp")
    assert found["query_id"].to_list() == ["r"], "its ideal is a grade of 1: a new product moves it more"
    assert judge_next(shown(q="xa"), shown(q="xb"), JUDGED, 9, 1, "exp").is_empty()


def test_the_command_writes_a_file_that_is_read_back(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "next.csv"
    found = command.main(["--run", str(trained.run), "--count", "7", "--out", str(out)])
    printed = pl.read_csv(out, infer_schema=False)
    assert printed.height == found.height == 7
    assert {"query_id", "product_id", "grade", "query", "title"} <= set(printed.columns)
    filled = printed.with_columns(grade=pl.lit(2.0)).select("query_id", "product_id", "grade")
    after = next_to_judge(trained.run, None, 7, filled)
    assert after.join(filled, on=["query_id", "product_id"], how="semi").is_empty()
    assert next_to_judge(trained.run, trained.run, 7).is_empty(), "a run differs in nothing from itself"


@pytest.mark.parametrize("same", ["{}", "{}/", "{0}/../{1}"])
def test_a_run_is_not_set_against_itself(trained: Trained, same: str) -> None:
    other = same.format(trained.run, trained.run.name)
    with pytest.raises(InputError, match="another run than --run, for --against, got the same"):
        command.main(["--run", str(trained.run), "--against", other])


@pytest.mark.parametrize("more", [["--out", "next.xlsx"], ["--out", "next"], ["--evaluation.k", "5"]])
def test_words_that_would_go_unheard_are_refused(trained: Trained, more: list[str]) -> None:
    with pytest.raises(InputError, match="command line"):
        command.main(["--run", str(trained.run), *more])


def test_json_is_written_beside_the_file_and_too_few_are_said(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--run", str(trained.run), "--count", "100000", "--out", str(tmp_path / "next.csv"), "--json"]
    found = command.main(words)
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)) == found.height == pl.read_csv(tmp_path / "next.csv").height
    assert f"{found.height:,} products are all whose grades would tell" in printed.err


@pytest.mark.parametrize("column", ["text", "image_hash"])
@pytest.mark.parametrize("alike", [0, 1, 4, 5])
def test_runs_of_other_shops_have_no_query_in_common_though_its_ids_are_alike(
    column: str, alike: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [f"q{number}" for number in range(5)]
    ours = pl.DataFrame({"query_id": ids, "text": ["hat", *[None] * 4], "image_hash": [None, *"abcd"]})
    asked = [value if place < alike else f"other {place}" for place, value in enumerate(ours[column])]
    theirs = ours.with_columns(pl.Series(column, asked, dtype=pl.String))
    of = {"ours": SimpleNamespace(queries=ours), "theirs": SimpleNamespace(queries=theirs)}
    monkeypatch.setattr(judging, "load_collection", lambda config: of[config.data])
    runs = [SimpleNamespace(folder=Path(name), config=SimpleNamespace(data=name)) for name in of]
    tables = shown(**dict.fromkeys(ids, "ab")), shown(**dict.fromkeys(ids, "ba"))

    def both() -> tuple[pl.DataFrame, pl.DataFrame]:
        return judging._of_both(runs[0], tables[0], runs[1], tables[1], of["ours"])  # type: ignore[arg-type]

    if not alike:
        with pytest.raises(InputError, match="but 5 ids of queries that ask something else"):
            both()
        return
    assert [sorted(set(one["query_id"])) for one in both()] == [ids[:alike]] * 2
    assert (f"left out {5 - alike} of 5 queries" in caplog.text) == (alike < 5)


@pytest.mark.parametrize(("count", "said"), [(0, "--count: expected 1 or more")])
def test_bad_words_are_one_line(trained: Trained, count: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        next_to_judge(trained.run, None, count)
