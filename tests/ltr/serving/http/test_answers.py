"""Reranking, reasons, comparison, the log of what was shown, exploration and experiments as they are served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from features.batch import PairBatch, QueryBatch
from features.sources.events import read_ubi
from features.sources.privacy import pseudonym
from ltr.explanation.contributions import modality_sums
from ltr.serving.http.app import PATHS
from ltr.serving.lists.exploration import arm_of
from ltr.serving.lists.searching import Asked
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.ranking import one_query
from ltr.serving.why.reasons import explained_list
from tests.ltr.serving.http.conftest import BEARER, KEY, Clients
from tests.ltr.serving.http.test_search import WORDS, found, ids


def post(client: TestClient, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body, headers=BEARER)
    assert answer.status_code < 300, answer.text
    return answer.json()


def test_reranked_candidates_have_the_runs_scores(client: TestClient, live: LiveRun) -> None:
    chosen = live.builder.catalogue.product_ids.sample(20, seed=1).to_list()
    answer = post(client, "/rerank", text=WORDS, candidates=chosen)
    pairs = pl.DataFrame({"query_id": ["query"] * 20, "product_id": chosen})
    scores = live.run.score(live.builder, one_query(WORDS, None), pairs)
    expected = sorted(zip(-scores, chosen, strict=True))
    assert ids(answer) == [product for _, product in expected]
    assert [p["score"] for p in answer["products"]] == [-score for score, _ in expected]


def test_a_typo_is_told_where_candidates_are_reranked(client: TestClient, live: LiveRun) -> None:
    """And read as it is in a search: the scores are those of what was meant."""
    chosen = live.builder.catalogue.product_ids.sample(20, seed=1).to_list()
    answer = post(client, "/rerank", text="blue trousres", candidates=chosen)
    assert answer["read_as"] == {"trousres": "trouser"}
    assert post(client, "/rerank", text=WORDS, candidates=chosen)["read_as"] == {}
    pairs = pl.DataFrame({"query_id": ["query"] * 20, "product_id": chosen})
    scores = live.run.score(live.builder, one_query("blue trousres", None), pairs)
    assert {p["product_id"]: p["score"] for p in answer["products"]} == dict(zip(chosen, scores, strict=True))


def test_reranked_by_the_shops_own_features(client: TestClient, live: LiveRun) -> None:
    """All features sent: the scores are those of a catalogue's products, whatever the ids."""
    rows = np.arange(6)
    query = QueryBatch(one_query(WORDS, None))
    block = live.builder.block(PairBatch.of_one(query, rows))
    table = block.frame().to_dicts()
    sent = [
        {"product_id": f"z{n}", "features": {k: v for k, v in row.items() if v is not None}}
        for n, row in enumerate(table)
    ]
    answer = post(client, "/rerank", text=WORDS, candidates=sent)
    scores = live.run.score_list(live.builder, query, rows)
    assert {p["product_id"]: p["score"] for p in answer["products"]} == {
        f"z{n}": score for n, score in enumerate(scores)
    }


def test_reasons_are_the_leading_aspects(client: TestClient, live: LiveRun) -> None:
    answer = found(client, reasons=2, size=10)
    explained = explained_list(live, Asked("q", 200, WORDS))
    centred = explained.explanation.centred()
    assert any(product["reasons"] for product in answer["products"])
    for product in answer["products"]:
        names, values = centred.by_modality()
        sums = dict(zip(names, values[explained.row(product["product_id"])], strict=True))
        largest = sorted(sums, key=lambda name: -abs(sums[name]))[: len(product["reasons"])]
        assert {one["aspect"] for one in product["reasons"]} == set(largest)
        assert all(one["says"] and abs(one["share"]) <= 1 for one in product["reasons"])


def test_why_one_stands_above_another(client: TestClient, live: LiveRun) -> None:
    first, *_, last = ids(found(client))
    answer = post(client, "/explain", text=WORDS, product_id=first, over=last)
    scores = {p["product_id"]: p["score"] for p in found(client)["products"]}
    assert answer["difference"] == pytest.approx(scores[first] - scores[last], abs=1e-6)
    assert answer["ranks"][first] < answer["ranks"][last]
    alone = post(client, "/explain", text=WORDS, product_id=first)
    assert alone["score"] == pytest.approx(scores[first], abs=1e-6)
    assert modality_sums(pl.DataFrame(alone["features"])).height == len(alone["modalities"])


def test_a_typo_is_told_where_a_place_is_explained(client: TestClient) -> None:
    for text, read in (("blue trousres", {"trousres": "trouser"}), ("blue trousers", {})):
        first, second = ids(found(client, text=text))[:2]
        assert post(client, "/explain", text=text, product_id=first)["read_as"] == read
        assert post(client, "/explain", text=text, product_id=first, over=second)["read_as"] == read


def test_products_side_by_side(client: TestClient) -> None:
    answer = post(client, "/compare", products=["p000001", "p000003", "p000004"])
    assert [product["product_id"] for product in answer["products"]] == ["p000001", "p000003", "p000004"]
    assert len(answer["alike"]) == 3


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    files = sorted(folder.glob(f"ubi_{kind}-*"))
    return [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_is_shown_and_done_is_logged_under_pseudonyms(
    clients: Clients, live: LiveRun, tmp_path: Path
) -> None:
    client = clients(log=tmp_path)
    answer = found(client, shopper="Bob Smith", session="visit 1", size=5, page=2)
    acts = [
        {
            "request_id": answer["request_id"],
            "product_id": answer["products"][0]["product_id"],
            "action": "click",
        }
    ]
    assert post(client, "/events", shopper="Bob Smith", events=acts)["logged"] == 1
    raw = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    assert "Bob" not in raw
    assert "visit" not in raw
    events = read_ubi(tmp_path, key=KEY)
    assert events.shown["product_id"].to_list() == ids(answer)
    assert events.shown["position"].to_list() == [6, 7, 8, 9, 10]
    assert set(events.shown["run"]) == {live.label}
    assert set(events.shown["propensity"]) == {1.0}
    person = pseudonym("Bob Smith", KEY)
    assert {*events.shown["shopper"], *events.actions["shopper"]} == {person}
    joined = events.shown.join(events.actions, on=["request_id", "product_id", "shopper"])
    assert joined.height == 1


def test_explored_lists_go_on_over_their_pages(clients: Clients, live: LiveRun, tmp_path: Path) -> None:
    client = clients(log=tmp_path, explore_swaps=0.5, explore_depth=8)
    plain = [p["product_id"] for p in found(clients(no_log=True), facets=False)["products"]]
    for _ in range(5):
        first = found(client, size=4)
        pages = [ids(first)] + [
            ids(found(client, size=4, page=page, list_id=first["list_id"])) for page in (2, 3)
        ]
        whole = [product for page in pages for product in page]
        assert sorted(whole) == sorted(plain[:12])
        assert whole[8:] == plain[8:12]
    logged = read_ubi(tmp_path, key=KEY).shown
    assert set(logged.filter(pl.col("position") > 8)["propensity"]) == {1.0}
    assert set(logged.filter(pl.col("position") <= 8)["propensity"]) <= {0.25, 0.5, 0.75}


def test_interleaving_and_ab_are_logged_exactly(
    clients: Clients, live: LiveRun, trained: Any, tmp_path: Path
) -> None:
    second = LiveRun(trained.run)
    second.name = "second"
    runs = LiveRuns(live, [second])
    second_folder = trained.run
    mixed = clients(
        runs, tmp_path / "mixed", others=[second_folder], experiment="interleave", explore_depth=4
    )
    answer = found(mixed, size=6)
    rows = read_ubi(tmp_path / "mixed", key=KEY).shown.sort("position")
    assert rows["product_id"].to_list() == ids(answer)
    assert set(rows["arm"]) == {"interleave"}
    assert rows["run"].head(4).sort().to_list() == sorted([live.label] * 2 + [second.label] * 2)
    assert set(rows["propensity"]) == {1.0}  # two runs of one mind
    assert lines(tmp_path / "mixed", "queries")[0]["query_attributes"]["ranks"][0] == [1, 1]

    ab = clients(runs, tmp_path / "ab", others=[second_folder], experiment="ab", share=0.5, salt="s")
    for number in range(30):
        answer = found(ab, size=1, facets=False, shopper=f"shopper {number}")
        arm = arm_of(pseudonym(f"shopper {number}", KEY), 0.5, "s")
        assert answer["arm"] == arm
        assert answer["run"]["name"] == ("second" if arm == "treatment" else live.name)
    arms = read_ubi(tmp_path / "ab", key=KEY).shown
    assert dict(arms.select("arm", "run").unique().rows()) == {
        "control": live.label,
        "treatment": second.label,
    }
    assert found(ab)["arm"] is None  # of whom nothing is known is in no test


def test_the_description_names_every_path_and_body(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    for one in PATHS:
        operation = described["paths"][one.path.replace(":path", "")][one.method.lower()]
        assert ("security" in operation) == (one.access != "open")
        if one.body is not None:
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[
                2
            ]
            assert set(described["components"]["schemas"][name]["properties"]) == set(one.body.model_fields)
    text = json.dumps(described)
    assert all(
        ref.split('"')[0] in described["components"]["schemas"]
        for ref in text.split("#/components/schemas/")[1:]
    )


def test_figures_for_prometheus(client: TestClient) -> None:
    found(client)
    text = client.get("/metrics", headers=BEARER).text
    assert 'ltr_requests_total{path="/search",status="200"}' in text
    assert 'ltr_request_seconds_bucket{le="+Inf",path="/search"}' in text
    assert "ltr_run_info{" in text
