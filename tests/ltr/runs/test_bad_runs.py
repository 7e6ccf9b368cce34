"""Run folders that are not whole, queries and judgements that a run cannot use, and a run that is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from features.errors import InputError
from ltr import judge_next, train
from ltr.runs.sums import seal

if TYPE_CHECKING:
    from tests.ltr.conftest import Shop

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SHOP = ["--config", str(ROOT / "tests" / "bad_input" / "shop.yaml")]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the whole shop, with a text encoder that learnt from it."""
    work = tmp_path_factory.mktemp("work")
    places = ["--store.root", f"{work}/store", "--cache.folder", f"{work}/cache", "--runs", f"{work}/runs"]
    return train.main([*SHOP, *places, "--encoders.text", "{kind: tfidf, dimensions: 4}"])


@pytest.fixture
def copied_run(whole_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole_run, tmp_path / "run"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


BROKEN_RUNS = [
    (remove, "config.yaml", "run: expected config.yaml, got no such file; copy the whole run folder again"),
    (remove, "model", "got no such file; copy the whole run folder again, or train it again"),
    (remove, "run.json", "run: expected a run folder, got one without run.json; copy the whole run folder again"),
    (remove, "model/ranker.json", "run/model: expected ranker.json, got no such file; copy the whole"),
    (remove, "model/model_0.txt", "run/model: expected model_0.txt, got no such file; copy the whole"),
    (remove, "encoder-text.safetensors", "run: expected encoder-text.safetensors, got no such file; copy the whole"),
    (cut, "model/model_0.txt", "run/model/model_0.txt: expected the file as ltr.train wrote it, got another file of"),
    (cut, "model/ranker.json", "run/model/ranker.json: expected the file as ltr.train wrote it, got another"),
    (cut, "run.json", "run/run.json: expected the file as ltr.train wrote it, got another (JSONDecodeError"),
    (cut, "features.json", "run/features.json: expected the file as ltr.train wrote it, got another"),
    (cut, "encoder-text.safetensors", "run/encoder-text.safetensors: expected the file as ltr.train wrote it, got"),
]  # fmt: skip


@pytest.mark.parametrize(("break_it", "file", "line"), BROKEN_RUNS)
def test_a_run_folder_that_is_not_whole(
    shop: Shop, copied_run: Path, break_it: Callable[[Path], None], file: str, line: str
) -> None:
    break_it(copied_run / file)
    assert line in shop.refused("rank --run run --query hat")


@pytest.mark.parametrize(
    ("break_it", "line"),
    [
        (remove, "run: expected a run with held-out scores, got no scores.parquet in it"),
        (cut, "run/scores.parquet: expected the file as ltr.train wrote it, got another file of"),
    ],
)
def test_a_run_whose_scores_are_lost(
    shop: Shop, copied_run: Path, break_it: Callable[[Path], None], line: str
) -> None:
    break_it(copied_run / "scores.parquet")
    assert line in shop.refused("evaluate --run run")


def test_a_lost_file_is_no_reason_to_train_another_kind_of_run(shop: Shop, copied_run: Path) -> None:
    whole = "got no such file; copy the whole run folder again, or train it again"
    remove(copied_run / "importance.json")
    assert f"run: expected importance.json, {whole}" in shop.refused("explain --run run")
    remove(copied_run / "shown.parquet")
    with pytest.raises(InputError, match=f"run: expected shown.parquet, {whole}"):
        judge_next.main(["--run", "run", "--out", "next.csv"])


def test_a_run_of_another_version_is_not_to_be_edited(shop: Shop, copied_run: Path) -> None:
    config = copied_run / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "to_come: {new: 1}\n", encoding="utf-8")
    seal(copied_run)
    line = "run/config.yaml: expected a known key, got 'to_come'; use the version or the plug-in that wrote it (this is"
    assert line in shop.refused("rank --run run --query hat")


def test_a_gate_without_what_is_shown_says_so(
    shop: Shop, whole_run: Path, copied_run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remove(copied_run / "shown_per_query.parquet")
    assert shop.run(f"evaluate --run {whole_run} --baseline run").status == 0
    assert "what run shows is not compared: its shown_per_query.parquet is not there" in caplog.text


REFUSED_SEARCHES = [
    ("", "command line: expected --query or --image, got neither; say what to look for"),
    ("--query ' '", "command line: expected --query or --image, got neither; say what to look for"),
    ("--query hat --top 0", "command line: expected a whole number of 1 or more, got '0'"),
    ("--query hat --top -3", "command line: expected a whole number of 1 or more, got '-3'"),
    ("--image absent.jpg", "absent.jpg: expected a photo, got none that can be read (file not found); name a"),
    ("--image BAD/photos/text.jpg", "expected a photo, got none that can be read (not an image); name a whole JPEG"),
    ("--image BAD/photos/cut.jpg", "expected a photo, got none that can be read (truncated); name a whole JPEG"),
    ("--image BAD/photos/empty.jpg", "expected a photo, got none that can be read (empty); name a whole JPEG"),
    (
        "--query hat --image BAD/photos/whole.jpg",
        "run: expected a run that looks at photos, for --image, got features of lexical, text, structured only; name",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("words", "line"), REFUSED_SEARCHES)
def test_a_query_that_cannot_be_ranked_for(shop: Shop, copied_run: Path, words: str, line: str) -> None:
    assert line in shop.refused(f"rank --run run {words}")


def test_a_query_that_matches_nothing_says_so(shop: Shop, copied_run: Path) -> None:
    ended = shop.run("rank --run run --query zzz")
    assert (ended.status, ended.err) == (0, "")
    assert "nothing found" in ended.out


def test_who_names_no_run_is_told_which_there_are(shop: Shop, copied_run: Path) -> None:
    line = shop.refused("rank --run nothing --query hat")
    assert f"name a folder that ltr.train wrote: {copied_run.name}" in line
    line = shop.refused("rank --query hat")
    assert "runs/demo-lightgbm: expected a run folder, got no such folder" in line
    assert "there is none beside it: first python -m ltr.train" in line


def test_words_that_no_product_has_are_told(shop: Shop, copied_run: Path) -> None:
    assert "WARNING: no product has a word of 'zzz'" in shop.run("rank --run run --query zzz").out
    assert "WARNING" not in shop.run("rank --run run --query hat").out


def test_what_looks_like_an_id_is_not_taken_as_words(shop: Shop, copied_run: Path) -> None:
    line = shop.refused("explain --run run --query q99")
    assert "got 'q99', which looks like an id and is none; near it: q" in line


def test_a_folder_that_is_no_run(shop: Shop) -> None:
    (shop.folder / "mine").mkdir()
    assert (
        "mine: expected a run folder, got one without run.json; name a folder that ltr.train"
        in shop.refused("rank --run mine --query hat")
    )
    assert "nowhere: expected a run folder, got no such folder; name" in shop.refused(
        "evaluate --run nowhere"
    )


def test_a_run_on_ready_made_features_ranks_no_words(shop: Shop) -> None:
    assert shop.run("train --data.kind svmlight --data.files.all not_finite.svm").status == 0
    line = shop.refused("rank --run runs/shop-lightgbm --query hat")
    assert "expected a run that compares queries with products, got features of given only; switch on" in line


REFUSED_MEASUREMENTS = [
    ("--judgements BAD/empty.csv", "empty.csv: expected rows, got an empty file"),
    ("--judgements BAD/other_queries.csv", "expected values of query_id as in the other tables ('q01', 'q02', 'q03')"),
    ("--judgements BAD/other_products.csv", "expected values of product_id as in the other tables ('p01', 'p02', 'p0"),
    ("--judgements BAD/wrong_columns.csv", "wrong_columns.csv: expected a column 'grade', got the columns sku, name"),
    ("--queries BAD/queries.csv", "command line: expected --judgements beside --queries, got none; add --judgements"),
    ("--ranker.trees 3", "expected --evaluation.KEY VALUE (all else was settled in training), got --ranker.trees"),
    ("--evaluation.cutoffs [0]", "key 'evaluation.cutoffs.0': expected a number greater than or equal to 1, got 0"),
    ("--evaluation.cutofs [1]", "expected a known key, got 'evaluation.cutofs'; did you mean 'evaluation.cutoffs'?"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "line"), REFUSED_MEASUREMENTS)
def test_a_saved_run_that_cannot_be_measured_so(shop: Shop, copied_run: Path, words: str, line: str) -> None:
    assert line in shop.refused(f"evaluate --run run {words}")


def test_judgements_of_unknown_queries_and_products_are_counted(shop: Shop, copied_run: Path) -> None:
    ended = shop.run("evaluate --run run --judgements BAD/some_unknown.csv")
    assert (ended.status, ended.err) == (0, "")
    for step in ("product_id not among the products", "query_id not among the queries", "query_id missing"):
        assert f"judgements  {step} " in ended.out
    assert "all queries: 12 queries" in ended.out


@pytest.mark.parametrize(
    ("break_it", "files"), [(cut, "_delta_log/*.json"), (cut, "*.parquet"), (remove, "*.parquet")]
)
def test_a_damaged_feature_store(shop: Shop, break_it: Callable[[Path], None], files: str) -> None:
    assert shop.run("build_features").status == 0
    for path in (shop.folder / "store" / "shop_pairs").glob(files):
        break_it(path)
    line = shop.refused("build_features")
    assert "store/shop_pairs: expected a whole Delta table, got one with a missing or damaged file (" in line
    assert "remove it and build the features again" in line


# Killed when all of the run but its report is written.
KILLED = """
import os, signal, sys
from ltr import train
from ltr.config import command_line
from ltr.reporting.run_page import run_report
run_report.write_report = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
command_line.run(train.main, sys.argv[1:])
"""


def kill_a_run(folder: Path, *words: str) -> None:
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, *SHOP, *words]
    ended = subprocess.run(command, cwd=folder, env=path, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_a_killed_run_leaves_nothing_under_its_name(shop: Shop) -> None:
    kill_a_run(shop.folder)
    assert list(shop.folder.glob("runs/[!.]*")) == []
    assert len(list(shop.folder.glob("runs/.*"))) == 1
    assert shop.run("train").status == 0
    assert list(shop.folder.glob("runs/.*")) == []
    assert shop.run("rank --run runs/shop-lightgbm --query 'red hat'").status == 0


def test_a_killed_run_leaves_the_earlier_one_whole(shop: Shop) -> None:
    assert shop.run("train").status == 0
    run = shop.folder / "runs" / "shop-lightgbm"
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    kill_a_run(shop.folder, "--seed", "5")
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    assert [path.name for path in shop.folder.glob("runs/[!.]*") if path.is_dir()] == [run.name]
