"""Runs of another ranker: measured and judged like our own, to the last digit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from ltr import evaluate as verb
from ltr.config import command_line
from ltr.evaluation import (
    TREC_EVAL,
    compare,
    evaluate,
    judge_run,
    read_qrels,
    read_run,
    write_qrels,
    write_run,
)
from ltr.pipeline.run_files import measure_run_files

QUERIES, ROWS = 60, 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Judgements, a run that follows them, one that does so less, and one of chance."""
    random = np.random.default_rng(5)
    keys = {
        "query_id": np.repeat([f"q{i:03d}" for i in range(QUERIES)], ROWS),
        "product_id": np.tile([f"p{i:02d}" for i in range(ROWS)], QUERIES),
    }
    grades = random.integers(-1, 4, QUERIES * ROWS).astype(float)
    write_qrels(pl.DataFrame({**keys, "grade": grades}), tmp_path / "qrels.txt")
    for name, noise in (("good.trec", 0.5), ("poor.trec", 3.0), ("chance.trec", 300.0)):
        scores = grades + random.normal(scale=noise, size=len(grades))
        write_run(pl.DataFrame({**keys, "score": scores}), tmp_path / name, name)
    return tmp_path


def test_the_verdict_is_that_of_the_figures(folder: Path) -> None:
    found = measure_run_files(folder / "good.trec", folder / "qrels.txt", folder / "poor.trec", {})
    assert found.verdict is not None
    assert found.verdict.says == "better"
    assert not found.verdict.failures
    back = measure_run_files(folder / "poor.trec", folder / "qrels.txt", folder / "good.trec", {})
    assert back.verdict is not None
    assert back.verdict.failures == ["all queries"]
    qrels = read_qrels(folder / "qrels.txt")
    ours, theirs = (
        evaluate(judge_run(read_run(folder / name), qrels).pairs, TREC_EVAL)
        for name in ("good.trec", "poor.trec")
    )
    assert found.verdict.overall == compare(ours, theirs, "nDCG@10", TREC_EVAL.bootstrap)
    assert found.measured.per_query["system"].unique(maintain_order=True).to_list() == [
        "good.trec",
        "poor.trec",
    ]
    assert "as trec_eval does" in found.verdict.convention
    assert any("grades below 0" in note for note in found.notes)


def test_equal_runs_are_within_noise(folder: Path) -> None:
    (folder / "copy.trec").write_bytes((folder / "good.trec").read_bytes())
    found = measure_run_files(folder / "copy.trec", folder / "qrels.txt", folder / "good.trec", {})
    assert found.verdict is not None
    assert (found.verdict.says, found.verdict.overall.p_value) == ("within noise", 1.0)


def test_queries_that_a_run_lacks_count_as_nothing_found(folder: Path) -> None:
    whole = read_run(folder / "good.trec")
    extra = pl.DataFrame({"query_id": ["other"], "product_id": ["p"], "score": [1.0]})
    write_run(pl.concat([whole.filter(pl.col("query_id") > "q009"), extra]), folder / "part.trec", "part")
    found = measure_run_files(folder / "part.trec", folder / "qrels.txt", None, {})
    assert found.notes[:2] == [
        "part.trec: left out 1 queries without judgements",
        "part.trec: nothing for 10 judged queries, which count as nothing found",
    ]
    per_query = found.measured.per_query
    assert per_query.filter(pl.col("query_id") <= "q009")["nDCG@10"].to_list() == [0.0] * 10
    assert per_query.height == QUERIES
    assert found.verdict is None


def test_conventions_are_asked_for_and_nothing_else(folder: Path) -> None:
    files = folder / "good.trec", folder / "qrels.txt"
    asked = {"evaluation.gain": "exp", "evaluation.cutoffs": [3]}
    found = measure_run_files(*files, None, asked)
    assert (found.evaluation.gain, found.evaluation.ties) == ("exp", "trec_eval")
    assert found.measured.headline == "nDCG@3"
    with pytest.raises(InputError, match="leave it out"):
        measure_run_files(*files, None, {"ranker.trees": 3})
    with pytest.raises(InputError, match=r"did you mean 'evaluation\.gain'"):
        measure_run_files(*files, None, {"evaluation.gains": 3})
    with pytest.raises(InputError, match="expected another run"):
        measure_run_files(*files, folder / "good.trec", {})


def ended(words: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = 0
    try:
        command_line.run(verb.main, words)
    except SystemExit as stopped:
        status = stopped.code if isinstance(stopped.code, int) else 1
    return status, *capfd.readouterr()


def test_the_command_is_a_gate(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    words = ["--run-file", "poor.trec", "--qrels", "qrels.txt", "--baseline-file", "good.trec"]
    status, out, _ = ended(
        [*words, "--fail-if-worse", "--markdown", "said.md", "--per-query", "all.csv"], capfd
    )
    assert status == command_line.VERDICT_NO
    assert "FAIL: worse than good.trec beyond noise: all queries" in out
    assert "### 🔴 poor.trec against good.trec: worse" in (folder / "said.md").read_text()
    per_query = pl.read_csv(folder / "all.csv")
    assert per_query.height == 2 * QUERIES
    assert per_query["nDCG@10"].is_between(0, 1).all()
    words = [
        "--run-file",
        "good.trec",
        "--qrels",
        "qrels.txt",
        "--baseline-file",
        "poor.trec",
        "--fail-if-worse",
    ]
    status, out, _ = ended([*words, "--json"], capfd)
    assert status == 0
    assert json.loads(out)["verdict"]["says"] == "better"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--run-file good.trec", "expected --qrels beside --run-file"),
        ("--qrels qrels.txt", "expected --run-file beside --qrels"),
        ("--baseline-file good.trec", "expected --run-file beside --baseline-file"),
        ("--run-file good.trec --qrels qrels.txt --fail-if-worse", "--baseline beside --fail-if-worse"),
        (
            "--run-file good.trec --qrels qrels.txt --baseline runs/x",
            "expected --run-file or --baseline, got both",
        ),
        ("--run-file none.trec --qrels qrels.txt", "none.trec: expected a file, got no such file"),
        ("--run-file good.trec --qrels good.trec", "good.trec, line 1: expected 4 fields"),
        ("--run-file good.trec --qrels qrels.txt --ranker.trees 3", "leave it out: the files say all else"),
    ],
)
def test_what_cannot_be_judged_is_told_in_one_line(
    words: str, message: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    status, _, err = ended(words.split(), capfd)
    assert status not in (0, command_line.VERDICT_NO)
    assert message in err
    assert err.count("\n") == 1
