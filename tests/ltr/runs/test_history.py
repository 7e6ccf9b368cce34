"""All runs of a folder on a page, and two of them side by side."""

from __future__ import annotations

import json
import shutil
from html import escape
from pathlib import Path

import pytest
import yaml

from features.errors import InputError
from ltr.runs import __main__ as runs
from ltr.runs.history import STEP, differences, flat, read_history, read_past_run
from ltr.runs.sums import seal
from tests.ltr.conftest import Trained

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def folder(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs of the same data, one of another split, a broken one, and a folder that is none."""
    monkeypatch.setenv("SHOP_LTR_TRUST", str(trained.work))  # their settings name the folders of another run
    made = tmp_path / "runs"
    for number, (name, trees) in enumerate({"first": 20, "second": 30, SCRIPT.replace("/", "_"): 30}.items()):
        _copy(trained.run, made / name, number, {"ranker": {"trees": trees}})
    _copy(trained.run, made / "other", 9, {}, split="kind=time")
    _copy(trained.run, made / "broken", 9, {})
    (made / "broken" / "metrics.json").write_text("{", encoding="utf-8")
    (made / "no run").mkdir()
    return made


def _copy(run: Path, target: Path, day: int, changed: dict, split: str = "") -> None:
    shutil.copytree(run, target)
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    about["made_at"] = f"2026-01-{day + 1:02d}T00:00:00+00:00"
    (target / "run.json").write_text(json.dumps(about), encoding="utf-8")
    settings = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    for section, values in changed.items():
        settings[section] |= values
    (target / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    if split:
        figures = json.loads((run / "metrics.json").read_text(encoding="utf-8")) | {"split": split}
        (target / "metrics.json").write_text(json.dumps(figures), encoding="utf-8")
    seal(target)


def test_runs_that_can_be_compared_stand_together_in_order(folder: Path) -> None:
    history = read_history(folder)
    names = [[run.name for run in group] for group in history.groups]
    assert names == [["other"], ["first", "second", SCRIPT.replace("/", "_")]]
    assert [name for name, _ in history.unread] == ["broken"]


def test_what_sets_two_runs_apart_is_named(folder: Path) -> None:
    first, second = (read_past_run(folder / name) for name in ("first", "second"))
    assert differences(second, first) == [("ranker.trees", "20", "30")]
    assert differences(first, first) == []


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({"a": {"b": 1, "c": {"d": None}}}, {"a.b": 1, "a.c.d": None}),
        ({"a": {}, "b": [1, 2]}, {"a": {}, "b": [1, 2]}),
    ],
)
def test_settings_are_laid_flat(tree: dict, found: dict) -> None:
    assert flat(tree) == found


def test_the_page_of_all_runs_links_their_reports_and_escapes_names(folder: Path) -> None:
    page = runs.main(["--runs", str(folder)])
    assert page == folder / "index.html"
    text = page.read_text(encoding="utf-8")
    assert 'href="second/report.html"' in text
    assert escape(SCRIPT.replace("/", "_")) in text
    assert SCRIPT.replace("/", "_") not in text
    assert "<code>ranker.trees</code>: 20 → 30" in text
    assert "broken: " in text
    assert "Trend" in text
    assert f"step: {STEP}" in text
    assert "shown: condensed nDCG@10" in text
    assert "shown: true nDCG@10" in text


def test_two_runs_stand_side_by_side_as_the_gate_sees_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = runs.main(["second", "first", "--runs", str(folder)])
    text = page.read_text(encoding="utf-8")
    assert page.name == "second-beside-first.html"
    assert "is within noise of <b>first</b>" in text
    assert "ranker.trees" in capsys.readouterr().out
    assert "What is shown: within noise" in text
    assert text.count('<details class="example"') > 0
    assert "data:image/jpeg" in text


@pytest.mark.parametrize("words", [["one"], ["one", "two", "three"]])
def test_other_than_two_runs_are_refused(words: list[str]) -> None:
    with pytest.raises(InputError, match="two runs, or none"):
        runs.main(words)


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_runs_is_refused(tmp_path: Path, made: bool) -> None:
    target = tmp_path / "runs"
    if made:
        target.mkdir()
    with pytest.raises(InputError, match="a folder of runs"):
        runs.main(["--runs", str(target)])
