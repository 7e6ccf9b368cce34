"""`ltr.recommend` on the events of simulated shoppers."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
    printed = capsys.readouterr().out
    assert "the best plain rule" in printed
    assert "HR@20" in printed


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


@pytest.mark.parametrize(
    ("written", "way"),
    [
        ("P000004", "'p000004' is alike in other capitals"),
        ("p-000 004", "'p000004' is alike without blanks and dashes"),
        ("p000004.0", "'p000004' is alike without '.0'"),
        ("sku-000004", "'p000004' is alike without what stands before their last number"),
        ("nothing alike", ""),
    ],
)
def test_unknown_products_are_said_with_what_is_written_nearly_so(
    log: Path, written: str, way: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--events", str(log), "--by", "shopper", "--count", "3", "--product"]
    with pytest.raises(InputError) as refused:
        main([*words, written])
    main([*words, "p000003", written, written])
    for printed in (str(refused.value), caplog.text):
        assert printed.count(repr(written)) == 1
        assert way in printed
    assert "after p000003:" in capsys.readouterr().out


@pytest.mark.parametrize("more", [["--product", "p000003"], ["--trial"]])
def test_who_and_products_and_a_trial_are_not_asked_together(log: Path, more: list[str]) -> None:
    with pytest.raises(InputError, match="options that go together"):
        main(["--events", str(log), "--who", "somebody", *more])


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (["--trial", "--count", "3"], "leave --count out"),
        (["--trial", "--count", "20"], "leave --count out"),
        (["--trial-days", "3"], "add --trial"),
    ],
)
def test_options_that_would_go_unheard_are_refused(log: Path, words: list[str], cure: str) -> None:
    with pytest.raises(InputError, match=cure):
        main(["--events", str(log), *words])


def test_products_may_be_named_one_by_one(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--events", str(log), "--by", "shopper", "--product", "p000003"]
    main([*words, "p000004"])
    together = capsys.readouterr().out
    main([*words, "--product", "p000004"])
    assert capsys.readouterr().out == together
    assert "after p000003, p000004:" in together


def _line(product: str, at: str, action: str = "click", **more: Any) -> str:
    thing = {"event_attributes": {"object": {"object_id": product}}}
    return json.dumps({"action_name": action, "timestamp": at, "session_id": "v", **thing, **more}) + "\n"


LEFT_OUT = {
    "no line of UBI": "{broken\n",
    "timestamp missing or unreadable": _line("p000003", "last week"),
    "action of another kind ('hover'): left out": _line("p000003", "2024-11-05T10:00:00Z", "hover"),
    "actions after": _line("p000003", (datetime.now(UTC) + timedelta(days=30)).isoformat()),
    "without a session: in no history": _line("p000003", "2024-11-05T10:00:00Z", session_id=None),
    "what was sent back: in no history": _line("p000003", "2024-11-05T10:00:00Z", "return"),
    "the same action again, to the microsecond": 2 * _line("p000003", "2024-11-05T10:00:00Z"),
}


@pytest.mark.parametrize("step", LEFT_OUT)
@pytest.mark.parametrize("more", [[], ["--trial"]])
def test_what_is_left_out_of_the_log_is_counted(
    log: Path, tmp_path: Path, step: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(log, tmp_path / "log")
    main(["--events", str(tmp_path / "log"), *more])
    before = _affected(capsys.readouterr().out, step)
    with (tmp_path / "log" / "ubi_events.ndjson").open("a") as file:
        file.write(LEFT_OUT[step])
    main(["--events", str(tmp_path / "log"), *more])
    assert _affected(capsys.readouterr().out, step) == before + 1


def _affected(printed: str, step: str) -> int:
    lines = [line for line in printed.splitlines() if step in line]
    return int(lines[0].split("  ")[-2].replace(",", "").split()[-1]) if lines else 0


def test_a_log_without_sessions_is_refused(tmp_path: Path) -> None:
    line = _line("a", "2024-11-05T10:00:00Z", session_id=None, client_id="ann")
    (tmp_path / "ubi_events.ndjson").write_text(line)
    with pytest.raises(InputError, match="expected actions with a session, got none of 1; give --by shopper"):
        main(["--events", str(tmp_path)])


def test_one_of_events_and_config() -> None:
    with pytest.raises(InputError, match="one of --events and --config"):
        main([])
