"""Training and serving are the same code: a log's requests scored again, and features alone and in a large batch."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from features.batch import PairBatch, QueryBatch
from features.build import FeatureBuilder
from features.errors import InputError
from ltr import check
from ltr.pipeline.prepare import load_collection
from ltr.runs.record import read_settings
from ltr.serving.live.live_run import LiveRun
from ltr.serving.log.log_check import check_log
from tests.ltr.conftest import Trained
from tests.ltr.serving.http.conftest import Clients
from tests.ltr.serving.http.test_search import found

SIZE, SLOW = 80, bool(os.environ.get("LTR_SLOW_TESTS"))
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
    printed = capsys.readouterr()
    assert "equal bit by bit" in printed.err
    assert json.loads(printed.out)["worst"] in ("PASS", "WARN")


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


@pytest.mark.parametrize(
    "pairs", [200_000, pytest.param(1_000_000, marks=pytest.mark.skipif(not SLOW, reason="LTR_SLOW_TESTS=1"))]
)
def test_a_list_is_the_same_alone_and_inside_a_large_batch(trained: Trained, pairs: int) -> None:
    """Bit for bit, wherever it stands: by words and by columns, 80 products of the 90."""
    config = read_settings(trained.run)[0]
    features = config.features.model_copy(update={"similarity": None, "shown_words": None})
    builder = FeatureBuilder(load_collection(config).products, features, {})
    rows = np.sort(np.random.default_rng(0).choice(len(builder.catalogue), SIZE, replace=False))
    count = pairs // SIZE
    texts = [f"{ASKED[n % len(ASKED)]} {n % 97}" for n in range(count)]
    queries = pl.DataFrame({"query_id": [f"q{n:06d}" for n in range(count)], "text": texts})
    batch, order = PairBatch.of(queries, np.repeat(np.arange(count), SIZE), np.tile(rows, count))
    assert order is None
    assert len(batch) == pairs // SIZE * SIZE
    whole = builder.block(batch).matrix
    for place in (0, 1, count // 2, count - 1):
        alone = builder.block(PairBatch.of_one(QueryBatch(queries[place : place + 1]), rows)).matrix
        part = whole[place * SIZE : (place + 1) * SIZE]
        assert np.array_equal(part.view(np.uint32), alone.view(np.uint32)), place
