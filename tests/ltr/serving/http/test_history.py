"""What a shopper met before: the run's features know it for one request, and nothing keeps it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from features.batch import QueryBatch
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.log_check import read_log
from ltr.serving.ranking import rank
from tests.ltr.serving.http.conftest import Clients
from tests.ltr.serving.http.test_limits import check_problem
from tests.ltr.serving.http.test_search import found


@pytest.fixture(scope="module")
def asked_before(changing: Path) -> LiveRun:
    return LiveRun(changing / "runs" / "renewed-xgboost")


@pytest.mark.parametrize("length", [0, 1, 2, 5, 60])
def test_scores_are_those_of_a_query_with_that_history(
    clients: Clients, asked_before: LiveRun, length: int, tmp_path: Path
) -> None:
    live = asked_before
    client = clients(LiveRuns(live), log=tmp_path)
    ids = live.builder.catalogue.product_ids.to_list()
    met = [ids[(7 * step) % len(ids)] if step % 3 else f"secret {step}" for step in range(length)]
    answer = found(client, text="red shoe", history=met)
    frame = pl.DataFrame(
        {"query_id": ["q"], "text": ["red shoe"], "history": [met or None]},
        schema_overrides={"history": pl.List(pl.String)},
    )
    ranked = rank(live.run, live.builder, QueryBatch(frame))
    shown = [(card["product_id"], card["score"]) for card in answer["products"]]
    assert shown == ranked.select("product_id", "score").rows()[:100]
    features = live.builder.build(frame, ranked.select("product_id").with_columns(query_id=pl.lit("q"))).frame
    assert (features["history.seen"].null_count() == 0) == (length > 0)
    logged = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    assert "secret" not in logged
    if length:  # which nobody can make again without it
        found(client, text="red shoe")
        again, passed_over = read_log(live, tmp_path)
        assert (len(again), passed_over) == (1, {"with a history, which is not logged": 1})


@pytest.mark.parametrize("history", ["p001", [""], [None], [1], ["x" * 501], ["p001"] * 201, {"p001": 1}])
def test_what_is_no_history(clients: Clients, history: object) -> None:
    client = clients(no_log=True)
    problem = check_problem(client.post("/search", json={"text": "shoe", "history": history}), 422)
    assert "history" in problem["where"]
