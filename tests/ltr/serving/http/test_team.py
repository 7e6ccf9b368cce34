"""Two orders side by side, and judgements: kept, counted, exported, and read back as a config's own."""

from __future__ import annotations

import copy
import io
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

pytest.importorskip("starlette")

from features.errors import InputError
from features.sources.load import CatalogueConfig, load
from ltr.serving.lists.beside import side_by_side
from ltr.serving.lists.searching import Asked
from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.judgements import LOG, Judgements
from tests.ltr.conftest import Trained
from tests.ltr.serving.http.conftest import BEARER, Clients


def photo(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def as_text(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def test_two_orders_side_by_side(clients: Clients, live: LiveRun) -> None:
    client = clients()
    asked = {"text": "red dress", "size": 10}
    found = client.post("/beside", json=asked, headers=BEARER).json()
    searched = client.post("/search", json=asked).json()
    ours = [one["product_id"] for one in found["ours"]]
    assert ours == [one["product_id"] for one in searched["products"]]
    assert found["against"]["name"] == "bm25"
    assert sum(found["moved"].values()) == len(ours)
    theirs = {one["product_id"]: one["position"] for one in found["theirs"]}
    for one in found["ours"]:
        if one["elsewhere"] is not None and one["elsewhere"] <= 10:
            assert theirs[one["product_id"]] == one["elsewhere"]
    same = client.post("/beside", json={**asked, "against": live.name}, headers=BEARER).json()
    assert same["moved"] == {"same": len(ours), "higher": 0, "lower": 0, "new": 0}
    assert found["read_as"] == {"ours": {}, "theirs": {}}
    by_photo = client.post("/beside", json={"photo": as_text(photo())}, headers=BEARER).json()
    assert by_photo["ours"]
    assert by_photo["theirs"] == []  # BM25 reads words alone


def test_each_order_tells_what_it_read_otherwise(clients: Clients, live: LiveRun) -> None:
    """BM25 over the same index reads alike; a run that leaves typos as typed does not."""
    client, asked = clients(), Asked("", None, "blue trousres")
    found = client.post("/beside", json={"text": asked.text}, headers=BEARER).json()
    read = {"trousres": "trouser"}
    assert found["read_as"] == {"ours": read, "theirs": read}
    other = copy.copy(live)
    other.builder = copy.copy(live.builder)
    other.builder.catalogue = copy.copy(live.builder.catalogue)
    other.builder.catalogue.typos = None
    side_by_side_answer = side_by_side(live, other, asked, 5)
    assert side_by_side_answer["read_as"] == {"ours": read, "theirs": {}}


def test_another_run_beside_the_one_that_serves(clients: Clients, trained: Trained, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(trained.run, tmp_path / "runs" / name)
    client = clients(LiveRuns(LiveRun(tmp_path / "runs" / "one")), timeout=20)
    found = client.post("/beside", json={"text": "dress", "against": "two"}, headers=BEARER).json()
    assert (found["run"]["name"], found["against"]["name"]) == ("one", "two")
    assert found["moved"]["same"] == len(found["ours"]) == len(found["theirs"])
    refused = client.post("/beside", json={"text": "dress", "against": "three"}, headers=BEARER)
    assert "name one of bm25, one, two" in refused.json()["cure"]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/beside", {}, 422, "words or a photo"),
        ("/beside", {"text": "tee", "against": "../run"}, 422, "bm25, or a run in"),
        ("/judgements", {"text": "tee", "judge": "anna", "grades": {}}, 422, "grades"),
        ("/judgements", {"text": "tee", "judge": "anna", "grades": {"p000001": 4}}, 422, "grades"),
        ("/judgements", {"text": "tee", "judge": "a\nb", "grades": {"p000001": 3}}, 422, "judge"),
        ("/judgements", {"text": "tee", "judge": "  ", "grades": {"p000001": 3}}, 422, "judge"),
        ("/judgements", {"text": "tee", "judge": "anna", "grades": {"nothing": 3}}, 422, "the id of a product"),
        ("/judgements", {"text": " ", "judge": "anna", "grades": {"p000001": 3}}, 422, "words or a photo"),
    ],
)  # fmt: skip
def test_bad_requests_are_told(
    clients: Clients, path: str, body: dict[str, Any], status: int, message: str, tmp_path: Path
) -> None:
    client = clients(judgements=tmp_path / "judgements")
    answer = client.post(path, json=body, headers=BEARER)
    assert (answer.status_code, message in answer.text) == (status, True), answer.text
    assert client.post(path, json=body).status_code == 401
    assert not (tmp_path / "judgements").exists()


def test_grades_are_kept_counted_and_readable_as_a_config_s_judgements(
    clients: Clients, trained: Trained, live: LiveRun, tmp_path: Path
) -> None:
    folder = tmp_path / "judgements"
    client = clients(judgements=folder)
    ids = live.catalogue.products["product_id"].head(4).to_list()
    assert client.get("/judgements/judgements.csv", headers=BEARER).status_code == 404

    def give(judge: str, grades: dict[str, int | None], **query: Any) -> None:
        answer = client.post("/judgements", json={"judge": judge, "grades": grades, **query}, headers=BEARER)
        assert answer.status_code == 201, answer.text

    words = {"text": '=cmd, "quoted" <b>dress</b>'}
    give("anna", {ids[0]: 3, ids[1]: 0, ids[2]: 2}, **words)
    give("ben, junior", {ids[0]: 2, ids[1]: 0}, **words)
    give("anna", {ids[3]: 1}, text="dress", photo=as_text(photo()))
    give("anna", {ids[2]: None}, **words)  # taken back
    own = client.post("/judgements/given", json={"judge": "anna", **words}, headers=BEARER).json()
    assert own["grades"] == {ids[0]: 3, ids[1]: 0}
    summary = client.get("/judgements", headers=BEARER).json()
    assert [one["judge"] for one in summary["judges"]] == ["anna", "ben, junior"]
    assert (summary["grades"], summary["pairs"]) == (5, 3)
    assert summary["agreement"]["pairs"] == 2
    assert summary["agreement"]["alike"] == 0.5
    table = pl.read_csv(io.BytesIO(client.get("/judgements/judgements.csv", headers=BEARER).content))
    assert table["query"][0] == words["text"]
    (folder / "products.csv").write_text("id,title\n" + "".join(f"{one},a dress\n" for one in ids), "utf-8")
    config = CatalogueConfig.model_validate(
        {
            "kind": "catalogue",
            "products": {"path": "judgements/products.csv", "columns": {"product_id": "id"}},
        }
        | summary["config"]
    )
    read = load(config, tmp_path)
    assert read.judgements.height == 3
    assert read.judgements.join(read.queries, on="query_id").height == 3
    grades = dict(zip(read.judgements["product_id"], read.judgements["grade"], strict=True))
    assert grades == {ids[0]: 2, ids[1]: 0, ids[3]: 1}  # of two raters the lower median
    assert read.queries.filter(pl.col("image").is_not_null())["text"].to_list() == ["dress"]
    assert Judgements(folder).summary() == Judgements(folder).summary()
    assert Judgements(folder).given("anna", words["text"], None) == {ids[0]: 3, ids[1]: 0}


def test_a_line_cut_off_by_a_kill_is_dropped_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    kept = Judgements(tmp_path)
    kept.add("anna", "tee", None, {"p1": 3, "p2": 0})
    whole = (tmp_path / LOG).read_text("utf-8")
    for cut in (1, 9, len(whole.split("\n")[1])):
        (tmp_path / LOG).write_text(whole[:-cut], "utf-8")
        again = Judgements(tmp_path)
        again.add("anna", "tee", None, {"p3": 1})
        assert Judgements(tmp_path).given("anna", "tee", None) == {"p1": 3, "p3": 1}
    lines = [json.loads(line) for line in whole.strip().split("\n")]
    (tmp_path / LOG).write_text("{}\n" + json.dumps(lines[0]) + "\n", "utf-8")
    with pytest.raises(InputError, match="line 1: expected a grade"):
        Judgements(tmp_path)
