"""The loop, played small: it ends in a decision that its experiments bear out, or says why nothing was learned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.errors import InputError
from ltr import loop
from ltr.pipeline.loop import LoopSettings

SMALL = [
    *("--data.products", "90", "--data.queries", "40", "--data.judged_per_query", "15"),
    *("--encoders", "{text: {kind: tfidf, dimensions: 16}}", "--ladder", "[lexical, structured, text]"),
    *("--ranker.trees", "20", "--ranker.bags", "1", "--ranker.threads", "1", "--lists.candidates", "40"),
    *("--loop.truth_sessions", "300", "--loop.experiment_sessions", "800", "--loop.shown", "4"),
]


def played(folder: Path, *words: str) -> tuple[int, dict, str]:
    places = ("--cache.folder", str(folder / "cache"), "--runs", str(folder / "runs"))
    with pytest.raises(SystemExit) as end:
        loop.main([*SMALL, *places, *words])
    made = folder / "runs" / "demo-loop"
    record = json.loads((made / "decision.json").read_text(encoding="utf-8"))
    return int(end.value.code or 0), record, (made / "loop.html").read_text(encoding="utf-8")


def test_the_decision_is_what_the_experiments_say(tmp_path: Path) -> None:
    words = ("--loop.judged_queries", "4", "--loop.sessions", "3000", "--loop.exploration", "1")
    status, record, page = played(tmp_path, *words)
    figures = record["seen"]["figures"]
    both = figures["interleaving"]["says"] == figures["A/B test"]["says"] == "yes"
    assert figures["promoted"] == both == (status == 0)
    assert record["decided"] == ("go" if both else "stay")
    titles = [step["title"] for step in figures["steps"]]
    assert [title[0] for title in titles] == list("123456")
    assert all(title in page for title in titles)
    truth = {name: clicks for name, _, _, clicks in figures["steps"][3]["rows"]}
    assert figures["true_lift"] == pytest.approx(truth["new"] / truth["old"] - 1)
    (against_truth, *_) = figures["steps"][2]["rows"]
    assert against_truth[2] > 0.3  # labels from clicks rank pairs as the truth does, more or less


def test_clicks_that_tell_nothing_promote_nothing(tmp_path: Path) -> None:
    words = ("--loop.judged_queries", "4", "--loop.sessions", "100", "--loop.exploration", "0")
    status, record, page = played(tmp_path, *words)
    assert (status, record["says"], record["decided"]) == (2, "cannot", "nothing")
    assert "Not promoted: no labels" in page


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"sessions": 0}, "--loop.sessions"),
        ({"held_out": 1}, "--loop.held_out"),
        ({"sesions": 5}, "--loop.sesions"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(given: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        LoopSettings.read(given)


def test_more_judged_queries_than_there_are_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"loop\.judged_queries"):
        loop.main([*SMALL, "--loop.judged_queries", "39", "--cache.folder", str(tmp_path)])
