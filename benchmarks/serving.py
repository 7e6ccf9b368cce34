"""python -m benchmarks.serving [demo fashion made] [--products 1000000] [--encoder] [--work FOLDER] [--prepare] …

`ltr.serve` as a process on one core, asked over loopback from another: milliseconds at p50, p95 and p99 with 1, 2, 4
and 8 requests in flight, and at fixed rates of arrival, counted from when a request was due and not from when it was
sent, so that none is left out for coming late (no coordinated omission). Beside it, on the same core, minute by minute,
turn and turn about: an empty endpoint (/health), `/rerank` of the same candidates, and the bare booster's `predict` on
the very rows of the same queries. Processor time a request stands beside the clock: other work does not lengthen it.

made: a made-up catalogue of --products. --encoder: with the text encoder in 8 bits (ONNX Runtime), words not asked
before. --work: a folder that keeps the runs; --prepare trains there and measures nothing, so that no call takes long.
--soak MINUTES: on the first shop, at 70 % of the capacity that the results have for it, and nothing else.

Each call lays its shops, or its soak, over what benchmarks/results/serving.json has.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import record
from benchmarks.serving_load import (
    CANDIDATES,
    ONE_THREAD,
    SHARES,
    Arrivals,
    Server,
    closed_loop,
    message,
    pin,
    shares_of,
)
from benchmarks.serving_shops import MADE, trained
from benchmarks.serving_soak import soak
from features.batch import PairBatch
from ltr.pipeline.prepare import load_collection
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import candidates_of

IN_FLIGHT = (1, 2, 4, 8)
LOADS = (0.3, 0.5, 0.7)  # of the capacity found, for the fixed rates
NAME = "serving"
METARANK = {
    "says": "Re-ranking latency: 10-30 ms",
    "source": "https://github.com/metarank/metarank/blob/stabledoc/doc/performance.md",
}
PREDICT = """
import json, sys, time
import numpy as np
import lightgbm
model, rows, rounds = sys.argv[1:]
booster = lightgbm.Booster(model_file=model)
lists = list(np.load(rows).values())
for _ in range(20):
    booster.predict(lists[0], num_threads=1)
print("ready", flush=True)
for line in sys.stdin:
    clock, used = [], time.process_time()
    for turn in range(int(rounds)):
        began = time.perf_counter()
        booster.predict(lists[turn % len(lists)], num_threads=1)
        clock.append(time.perf_counter() - began)
    print(json.dumps({"clock": clock, "processor": (time.process_time() - used) / int(rounds)}), flush=True)
"""


def main() -> None:
    given = arguments()
    found: dict[str, Any] = {}
    soaked: dict[str, Any] | None = None
    with tempfile.TemporaryDirectory() as scratch:
        for shop in given.shops:
            if shop == "fashion" and not record.have("fashion"):
                continue
            called = shop + (", text encoder in 8 bits" if given.encoder else "")
            work = (given.work or Path(scratch)).resolve() / called.replace(", ", "-").replace(" ", "-")
            run = trained(shop, work, given.products, encoder=given.encoder)
            if given.prepare:
                continue
            if given.soak:
                rate = 0.7 * earlier()["shops"][called]["capacity_per_second"]
                words = Asked.of(run, work).words
                soaked = {"shop": called} | soak(run, work, words, rate, 60 * given.soak)
                break
            found[called] = measure(run, work, given.requests, fresh=given.encoder)
    if found or soaked:
        keep(found, soaked)


def arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("shops", nargs="*", default=["demo", "fashion"], help="demo, fashion, made")
    made.add_argument("--requests", type=int, default=600, help="of each measurement")
    made.add_argument("--products", type=int, default=1_000_000, help=f"of {MADE}")
    made.add_argument("--encoder", action="store_true")
    made.add_argument("--work", type=Path, help="a folder that keeps the runs; default: a scratch folder")
    made.add_argument("--prepare", action="store_true")
    made.add_argument("--soak", type=float, default=0.0, metavar="MINUTES")
    return made.parse_args()


def earlier() -> dict[str, Any]:
    """What earlier calls found."""
    path = record.RESULTS / f"{NAME}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def keep(found: dict[str, Any], soaked: dict[str, Any] | None) -> None:
    """Lay it over what earlier calls found."""
    known = earlier()
    given = sys.argv[1:]
    words = (
        "FOLDER" if before == "--work" else word for before, word in zip(["", *given], given, strict=False)
    )
    command = f"python -m benchmarks.serving {' '.join(words)}".strip()
    about = {"command": command, "load": round(os.getloadavg()[1], 1)}
    shops = known.get("shops", {}) | {name: one | about for name, one in found.items()}
    figures = {
        "milliseconds_at": SHARES,
        "published_by_metarank": METARANK,
        "shops": shops,
        "soak": known.get("soak") if soaked is None else soaked | about,
    }
    record.write(NAME, "python -m benchmarks.serving, each shop and the soak by a call of its own", figures)


def measure(run: Path, work: Path, requests: int, *, fresh: bool) -> dict[str, Any]:
    """Everything of one shop, on one server; fresh: by words that were not asked before."""
    asked = Asked.of(run, work)
    texts = [asked.words[n % len(asked.words)] for n in range(requests)]
    every = {
        "search": [
            message("/search", {"text": _new(text, n) if fresh else text}) for n, text in enumerate(texts)
        ],
        "search without facets": [
            message("/search", {"text": _new(text, n + requests) if fresh else text, "facets": False})
            for n, text in enumerate(texts)
        ],
        "rerank": [message("/rerank", asked.rerank(n)) for n in range(requests)],
        "empty": [message("/health", method="GET")] * requests,
    }
    server = Server.start(run, work)
    pin(1)
    booster = next((run / "model").glob("model_0.txt"))
    control = subprocess.Popen(
        [sys.executable, "-c", PREDICT, str(booster), str(asked.rows), "100"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ONE_THREAD,
    )
    pin(0, control.pid)
    assert control.stdout is not None
    control.stdout.readline()  # while it starts it would take the server's core
    asyncio.run(
        closed_loop(server.port, [message("/search", {"text": text}) for text in texts[:50]], 1)
    )  # warm
    found = _turn_about(server, control, every)
    control.terminate()
    capacity = _in_flight(server, texts, found, fresh=fresh)
    server.stop()
    for name, figures in found.items():
        print(f"  {name:<34}{figures}", flush=True)
    return asked.sizes | {"capacity_per_second": round(capacity, 1), "measured": found}


def _in_flight(server: Server, texts: list[str], found: dict[str, Any], *, fresh: bool) -> float:
    """Several at once, then at fixed rates; searches a second at most."""
    capacity, turn = 0.0, 0

    def searches() -> list[bytes]:
        nonlocal turn
        turn += 1
        return [
            message("/search", {"text": _new(text, 100_000 * turn + n) if fresh else text})
            for n, text in enumerate(texts)
        ]

    for in_flight in IN_FLIGHT[1:]:
        taken, seconds = asyncio.run(closed_loop(server.port, searches(), in_flight))
        capacity = max(capacity, len(texts) / seconds)
        found[f"search, {in_flight} in flight"] = {"clock": shares_of(taken)}
    for share in LOADS:
        arrivals = Arrivals(server.port, share * capacity)
        asyncio.run(arrivals.run(searches()))
        name = f"search, {arrivals.rate:.0f} a second arriving"
        found[name] = {"clock": shares_of(arrivals.taken), "statuses": dict(arrivals.statuses)}
    return capacity


def _new(text: str, number: int) -> str:
    """Words that the encoder has not seen: else the cache of query vectors would be measured."""
    return f"{text} {number}"


@dataclass(frozen=True)
class Asked:
    """The shop's own words with the candidates of the first ones, and a file of the rows that the booster scores."""

    words: list[str]
    candidates: list[tuple[str, list[str]]]
    rows: Path
    sizes: dict[str, Any]

    @classmethod
    def of(cls, run: Path, work: Path) -> Asked:
        live = LiveRun(run)
        texts = load_collection(live.run.config).queries["text"].drop_nulls().unique().sort()
        words = [text for text in texts if text.strip()][:200]
        matrices, candidates = {}, []
        for number, text in enumerate(words[:50]):
            query = live.query(text, None, "q")
            rows = candidates_of(live.builder, query, CANDIDATES)
            if len(rows):
                block = live.builder.block(PairBatch.of_one(query, rows))
                matrices[str(number)] = np.ascontiguousarray(block.matrix)
                candidates.append((text, live.builder.catalogue.product_ids[rows].to_list()))
        file = work / "rows.npz"
        np.savez(file, **matrices)
        sizes = {
            "products": len(live.builder.catalogue),
            "features": len(live.run.schema.names),
            "candidates": round(float(np.mean([len(one) for one in matrices.values()])), 1),
        }
        return cls(words, candidates, file, sizes)

    def rerank(self, number: int) -> dict[str, Any]:
        text, products = self.candidates[number % len(self.candidates)]
        return {"text": text, "candidates": products}


def _turn_about(
    server: Server, control: subprocess.Popen[str], asked: dict[str, list[bytes]]
) -> dict[str, dict[str, Any]]:
    """One in flight: a hundred of each in turn, and a hundred bare predictions on the same core."""
    clock: dict[str, list[float]] = {name: [] for name in (*asked, "bare predict")}
    used: dict[str, list[float]] = {name: [] for name in clock}
    assert control.stdin is not None
    assert control.stdout is not None
    for start in range(0, len(next(iter(asked.values()))), 100):
        for name, messages in asked.items():
            before = server.processor()
            taken, _ = asyncio.run(closed_loop(server.port, messages[start : start + 100], 1))
            used[name].append((server.processor() - before) / len(taken))
            clock[name] += taken
        control.stdin.write("go\n")
        control.stdin.flush()
        answer = json.loads(control.stdout.readline())
        clock["bare predict"] += answer["clock"]
        used["bare predict"].append(answer["processor"])
    return {
        name: {"clock": shares_of(clock[name]), "processor": round(1000 * float(np.median(used[name])), 3)}
        for name in clock
    }


if __name__ == "__main__":
    main()
