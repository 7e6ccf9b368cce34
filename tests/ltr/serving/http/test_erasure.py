"""People erased from all that a server, its jobs and its runs have written: every byte below a folder is looked at."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs
import pytest
from PIL import Image
from starlette.testclient import TestClient

from features.sources import privacy
from features.sources.events import read_ubi
from features.sources.privacy import load_key, load_keys, pseudonym, rotate_key
from features.store import FeatureStore
from ltr import erase_person, label_clicks, train
from ltr.serving.http import make_app
from ltr.serving.live.live_runs import LiveRuns
from ltr.serving.log.event_log import Carrier, EventLog
from ltr.serving.settings import ServeSettings
from tests.ltr.conftest import Trained
from tests.ltr.serving.http.behaving import TODAY, ingest, opened
from tests.ltr.serving.http.conftest import BEARER, PATIENT, TOKEN, Clients

WORDS = ("red hat", "blue bag", "grey thing")


def people(seed: int) -> list[str]:
    """Ids as shops have them: addresses, numbers, names of any script, with what JSON and patterns escape."""
    draw = random.Random(seed)
    digits, letters = "".join(draw.choices("0123456789", k=9)), "".join(draw.choices("abcdefgh", k=7))
    return [
        f"{letters}@example.org",
        digits,
        f'Jos\u00e9 "{letters}" O\\Neil',
        f"ид-{digits}",
        f"{letters}.*+{digits}",
    ]


class Shop:
    """A server over a folder that shoppers and a judge use, restarted by `open`; with a log that turns over quickly."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sessions = folder, dict[str, list[str]]()
        self.judgements = folder / "judgements"

    def use(self, names: list[str], visit: int) -> None:
        """Each name shops twice in one visit, as the key is now, and grades a product."""
        carrier = Carrier(FeatureStore(self.folder / "features"))
        log = EventLog(self.folder / "runs" / "events", 4096, 0.001, carrier if visit else None)
        settings = ServeSettings(timeout=PATIENT, judgements=self.judgements, counts_every=0)
        app = make_app(LiveRuns(opened(self.folder)), settings, TOKEN, log, load_key())
        with TestClient(app, base_url="http://localhost") as client:
            for name in names:
                session = f"visit {visit} of {name}"
                self.sessions.setdefault(name, []).append(session)
                who = {"session": session} if visit % 2 else {"session": session, "shopper": name}
                self._shop(client, who | {"shopper": name})
                self._shop(client, {"session": session})  # signed out: the visit tells who it was
                grades = {"judge": name, "text": WORDS[0], "grades": {"p1": 2}}
                assert client.post("/judgements", json=grades, headers=BEARER).status_code == 201

    def _shop(self, client: TestClient, who: dict[str, Any]) -> None:
        for words in WORDS:
            found = client.post("/search", json={"text": words, "size": 4, **who}).json()
            acts = [
                {"product_id": card["product_id"], "action": action, "request_id": found["request_id"]}
                for card, action in zip(found["products"], ("click", "cart", "purchase"), strict=False)
            ]
            assert client.post("/events", json={"events": acts, **who}, headers=BEARER).status_code == 202

    def traces(self, name: str) -> list[str]:
        """All that a person was ever called."""
        called = [name, *self.sessions[name]]
        return [*called, *(pseudonym(one, key) for one in called for key in load_keys())]


def texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below, hidden ones too, its name before its content; packed ones unpacked, tables as their values."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
        content = raw.decode(errors="replace")
        if raw.startswith(b"PAR1"):
            content += "\n".join(map(str, pl.read_parquet(path).select(cs.string()).rows()))
        if raw.startswith(b"ARROW1"):
            content += "\n".join(map(str, pl.read_ipc(path).select(cs.string()).rows()))
        yield path, f"{path}\n{content}"


def found_in(folder: Path, traces: list[str]) -> set[str]:
    forms = {
        form
        for one in traces
        for form in (one, json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1])
    }
    return {
        path.relative_to(folder).parts[0]
        for path, text in texts(folder)
        if any(form in text for form in forms)
    }


@pytest.fixture
def used(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Two servings with a key of their own each, a job, labels and a run; a log is packed away."""
    monkeypatch.setenv(privacy.FILE_VARIABLE, str(tmp_path / "keys"))
    monkeypatch.delenv(privacy.KEY_VARIABLE, raising=False)
    monkeypatch.chdir(shop)
    made, names = Shop(shop), people(7)
    made.use(names, 0)
    rotate_key()
    made.use(names, 1)
    logged = shop / "runs" / "events"
    packed = next(path for path in logged.glob("ubi_events*") if path.stat().st_size)
    packed.with_name(f"{packed.name}.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    for path in logged.rglob("ubi_*"):
        (shop / "log" / path.name).write_bytes(path.read_bytes())
    ingest(shop, TODAY)
    ingest(shop, datetime.now(UTC))
    label_clicks.main(
        ["--events", str(logged), "--seen", "naive", "--out", str(shop / "runs" / "labels.csv")]
    )
    train.main(["--config", "shop.yaml"])
    return made


def test_of_an_erased_person_no_file_has_a_trace_and_others_stay(used: Shop) -> None:
    folder, (gone, other, *more) = used.folder, people(7)
    logged = folder / "runs" / "events"
    everywhere = {"log", "store", "features", "runs", "judgements"}
    assert found_in(folder, used.traces(gone)) == everywhere
    kept = read_ubi(logged).shown.height
    for name in (gone, *more):
        erase_person.main([name, "--config", "shop.yaml", "--log", "log"])
        assert not found_in(folder, used.traces(name)), name
    assert found_in(folder, used.traces(other)) == everywhere
    assert read_ubi(logged).shown.height == kept / len(people(7))
    ingest(folder, datetime.now(UTC))  # the log is read again: nobody comes back
    assert not found_in(folder, used.traces(gone))
    assert not found_in(folder, [pseudonym(one, load_key()) for one in used.sessions[gone]])


def test_what_is_searched_for_leaves_nothing_but_its_line_in_the_log(
    clients: Clients, trained: Trained, tmp_path: Path
) -> None:
    """No cache, page, photo or vector of a query is kept."""

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in trained.work.rglob("*") if path.is_file()}

    drawn = io.BytesIO()
    Image.new("RGB", (40, 30), (250, 3, 97)).save(drawn, "PNG")
    photo = base64.b64encode(drawn.getvalue()).decode()
    client, before = clients(log=tmp_path / "log", judgements=tmp_path / "judgements"), files()
    for words in ("blue shoes that nobody has searched for", None):
        asked = {"text": words, "photo": photo, "shopper": "ann", "session": "s"}
        assert client.post("/search", json=asked).status_code == 200
    assert files() == before
    folders = {path.parent.name for path, text in texts(tmp_path) if "nobody has searched" in text}
    assert folders == {"log"}
    assert not [path for path, text in texts(tmp_path) if "PNG" in text or photo[:60] in text]
