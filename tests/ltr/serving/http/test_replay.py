"""Training and serving are the same code: a log's requests scored again, and features alone and in a large batch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from features.batch import PairBatch, QueryBatch
from features.errors import InputError
from ltr import check
from ltr.serving.live.live_run import LiveRun
from ltr.serving.log.log_check import check_log
from tests.ltr.serving.http.conftest import Clients
from tests.ltr.serving.http.test_search import found

ASKED = ["blue shoes", "dress", "lamp under 40", "warm hat for winter", "bag by Oakline", "☃ zzz", "tee"]


def served(client: TestClient) -> None:
    for number, words in enumerate(ASKED * 2):
        filters = {"season": ["summer", "all year"]} if number % 3 == 0 else {}
        found(client, text=words, filters=filters, size=1 + number, page=1 + number % 2)
    found(client, sort="price")


@pytest.fixture
def logged(clients: Clients, tmp_path: Path) -> Path:
    served(clients(log=tmp_path, explore_swaps=0.4))
    return tmp_path


def test_logged_scores_are_made_again_bit_by_bit(logged: Path, live: LiveRun) -> None:
    counted, scores, lists, *_ = check_log(live, logged)
    assert (scores.level, lists.level) == ("PASS", "PASS")
    assert "1 sorted by price or date" in counted.evidence
    count = int(scores.evidence.split(" of ")[1].split()[0])
    assert count > 50
    assert scores.evidence.startswith(f"{count} of {count} equal")


def test_a_score_that_differs_in_its_last_bit_is_found(logged: Path, live: LiveRun) -> None:
    path = next(path for path in logged.glob("ubi_queries-*") if path.stat().st_size)
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    line = json.loads(first)
    scores = line["query_attributes"]["scores"]
    scores[0] = float(np.nextafter(scores[0], np.inf))
    path.write_text("\n".join([json.dumps(line), *rest]) + "\n", encoding="utf-8")
    by_check = {one.check: one for one in check_log(live, logged)}
    assert by_check["scores are those that were served"].level == "FAIL"
    assert line["query_response_hit_ids"][0] in by_check["scores are those that were served"].evidence


def test_by_the_command(logged: Path, live: LiveRun, capsys: pytest.CaptureFixture[str]) -> None:
    check.main(["--run", str(live.run.folder), "--against-log", str(logged), "--verbose", "--json"])
    told = capsys.readouterr()
    assert "equal bit by bit" in told.err
    assert json.loads(told.out)["worst"] in ("PASS", "WARN")


def test_a_log_of_another_run_is_no_log_of_this_one(logged: Path, live: LiveRun) -> None:
    for path in logged.glob("ubi_queries-*"):
        path.write_text(path.read_text(encoding="utf-8").replace(live.version, "f" * 12), encoding="utf-8")
    with pytest.raises(InputError, match="of another run"):
        check_log(live, logged)


@pytest.mark.parametrize("words", ASKED)
def test_a_list_alone_has_the_features_that_it_has_among_many(live: LiveRun, words: str) -> None:
    """The list first, last and in the middle of many others: every bit of every feature is the same."""
    rows = np.arange(0, len(live.builder.catalogue), 2)
    alone = live.builder.block(
        PairBatch.of_one(QueryBatch(pl.DataFrame({"query_id": ["q"], "text": [words]})), rows)
    )
    texts = [*ASKED, words, *ASKED[::-1]]
    queries = pl.DataFrame({"query_id": [f"q{n:03d}" for n in range(len(texts))], "text": texts})
    every = np.repeat(np.arange(len(texts)), len(rows))
    batch, order = PairBatch.of(queries, every, np.tile(rows, len(texts)))
    assert order is None
    block = live.builder.block(batch)
    for place, text in enumerate(texts):
        if text == words:
            part = block.matrix[place * len(rows) : (place + 1) * len(rows)]
            assert np.array_equal(part, alone.matrix, equal_nan=True)
