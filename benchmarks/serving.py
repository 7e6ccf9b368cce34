"""python -m benchmarks.serving [demo fashion] [--requests N] [--soak MINUTES]

`ltr.serve` as a process on one core, asked over loopback from another: milliseconds at p50, p95 and p99 with 1, 2, 4
and 8 requests in flight, and at fixed rates of arrival, counted from when a request was due and not from when it was
sent, so that none is left out for coming late (no coordinated omission). Beside it, on the same core, minute by minute,
turn and turn about: an empty endpoint (/health), and the bare booster's `predict` on the very rows of the same queries.
Processor time a request stands beside the clock: other work on the machine does not lengthen it.

--soak: so many minutes at 70 % of the capacity just found, with runs put in place and back, clients killed half-way and
bodies that are malformed; errors that are not the client's, and memory at its beginning and end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import record
from features.batch import PairBatch
from ltr.pipeline.prepare import load_collection
from ltr.serving.live.live_run import LiveRun
from ltr.serving.ranking import candidates_of

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
SHARES = (50, 95, 99)
IN_FLIGHT = (1, 2, 4, 8)
LOADS = (0.3, 0.5, 0.7)  # of the capacity found, for the fixed rates
CANDIDATES = 100
TOKEN = "benchmark"
TICKS = os.sysconf("SC_CLK_TCK")
PREDICT = """
import json, sys, time
import numpy as np
import lightgbm
model, rows, rounds = sys.argv[1:]
booster = lightgbm.Booster(model_file=model)
lists = list(np.load(rows).values())
for _ in range(20):
    booster.predict(lists[0], num_threads=1)
for line in sys.stdin:
    clock, used = [], time.process_time()
    for turn in range(int(rounds)):
        began = time.perf_counter()
        booster.predict(lists[turn % len(lists)], num_threads=1)
        clock.append(time.perf_counter() - began)
    print(json.dumps({"clock": clock, "processor": (time.process_time() - used) / int(rounds)}), flush=True)
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("shops", nargs="*", help="demo, fashion; default: those at hand")
    arguments.add_argument("--requests", type=int, default=600, help="of each measurement")
    arguments.add_argument("--soak", type=float, default=0.0, help="minutes, on the first shop")
    given = arguments.parse_args()
    found: dict[str, Any] = {}
    soaked: dict[str, Any] | None = None
    for shop in given.shops or ("demo", "fashion"):
        if shop == "demo" or record.have("fashion"):
            with tempfile.TemporaryDirectory() as scratch:
                run = trained(shop, Path(scratch))
                found[shop] = measure(run, Path(scratch), given.requests)
                if given.soak and soaked is None:
                    rate = 0.7 * found[shop]["capacity_per_second"]
                    soaked = {"shop": shop} | soak(run, Path(scratch), rate, 60 * given.soak)
    words = f"{' '.join(found)} --requests {given.requests}" + (
        f" --soak {given.soak:g}" if given.soak else ""
    )
    figures: dict[str, Any] = {
        "milliseconds_at": SHARES,
        "load": round(os.getloadavg()[1], 1),
        "shops": found,
    }
    record.write("serving", f"python -m benchmarks.serving {words}", figures | {"soak": soaked})


def trained(shop: str, scratch: Path) -> Path:
    """A run over the shop's texts and columns, without an encoder: what is left is ours and the booster's."""
    run = scratch / "runs" / "first"
    words = ["--config", str(record.config_path(shop)), "--encoders", "{}", "--ladder", "[]"]
    words += ["--ranker.kind", "lightgbm", "--ranker.trees", "300", "--ranker.early_stopping_rounds", "0"]
    words += ["--ranker.threads", "1", "--ranker.bags", "1", "--lists.kind", "judged", "--run", str(run)]
    words += ["--cache.folder", str(scratch / "cache"), "--store.root", str(scratch / "store")]
    subprocess.run([sys.executable, "-m", "ltr.train", *words, "--quiet"], check=True, cwd=scratch)
    subprocess.run(["cp", "-r", str(run), str(run.with_name("second"))], check=True)
    return run


@dataclass
class Server:
    """`ltr.serve` pinned to the first core."""

    process: subprocess.Popen[str]
    port: int

    @classmethod
    def start(cls, run: Path, scratch: Path) -> Server:
        words = [
            sys.executable,
            "-m",
            "ltr.serve",
            "--run",
            str(run),
            "--port",
            "0",
            "--candidates",
            str(CANDIDATES),
        ]
        words += ["--log", str(scratch / "log"), "--workers", "1", "--queue", "64"]
        process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | ONE_THREAD | {"LTR_SERVE_TOKEN": TOKEN},
        )
        _pin(0, process.pid)
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"127\.0\.0\.1:(\d+)/", line):
                return cls(process, int(found[1]))
        raise RuntimeError("the server did not start")

    def processor(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> float:
        """MiB resident."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


def _pin(core: int, process: int = 0) -> None:
    """Threads that it starts later stay there too."""
    os.sched_setaffinity(process, {min(core, (os.cpu_count() or 1) - 1)})


class Client:
    """One connection that is kept, over which one request follows the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._fresh = True  # nothing was answered over this connection yet
        self.resent = 0

    async def ask(self, message: bytes) -> tuple[int, bytes]:
        if self._streams is not None and self._streams[0].at_eof():
            self._streams = None  # the server closed it while it was idle
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            self._fresh = True
        reader, writer = self._streams
        try:
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(size[1]) if size else 0)
        except (OSError, asyncio.IncompleteReadError) as error:
            self._streams = None
            if self._fresh or getattr(error, "partial", b""):
                raise
            self.resent += (
                1  # closed as idle while this was on its way: sent again, as every HTTP client does
            )
            return await self.ask(message)
        self._fresh = False
        return int(head[9:12]), body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


def message(path: str, body: object = None, *, method: str = "POST") -> bytes:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n"
    return (
        f"{head}content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content
    )


async def closed_loop(port: int, messages: Sequence[bytes], in_flight: int) -> tuple[list[float], float]:
    """Seconds of each request with so many in flight at any moment, and the seconds of all together."""
    queue, taken = iter(messages), []

    async def one() -> None:
        client = Client(port)
        for asked in queue:
            began = time.perf_counter()
            status, _ = await client.ask(asked)
            taken.append(time.perf_counter() - began)
            if status != 200:
                raise RuntimeError(f"status {status}")
        client.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(in_flight)))
    return taken, time.perf_counter() - began


@dataclass
class Arrivals:
    """Requests at a fixed rate, each over a connection that is free; seconds from when each was due."""

    port: int
    rate: float
    taken: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    sent_again: int = 0
    _free: list[Client] = field(default_factory=list)

    async def run(self, messages: Sequence[bytes]) -> None:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number, asked in enumerate(messages):
                due = began + number / self.rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(self._one(asked, due))
        for client in self._free:
            client.close()

    async def _one(self, asked: bytes, due: float) -> None:
        client = self._free.pop() if self._free else Client(self.port)
        try:
            status, body = await client.ask(asked)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.statuses[type(error).__name__] += 1
            return
        self._free.append(client)
        self.sent_again += client.resent
        client.resent = 0
        self.taken.append(time.perf_counter() - due)
        degraded = status == 200 and b'"degraded":true' in body
        self.statuses["degraded" if degraded else str(status)] += 1


def measure(run: Path, scratch: Path, requests: int) -> dict[str, Any]:
    """Everything of one shop, on one server."""
    sizes, words, rows = _lists(run, scratch)
    searches = [message("/search", {"text": words[n % len(words)]}) for n in range(requests)]
    lean = [message("/search", {"text": words[n % len(words)], "facets": False}) for n in range(requests)]
    empty = [message("/health", method="GET")] * requests
    server = Server.start(run, scratch)
    _pin(1)
    booster = next((run / "model").glob("model_0.txt"))
    control = subprocess.Popen(
        [sys.executable, "-c", PREDICT, str(booster), str(rows), "100"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ONE_THREAD,
    )
    _pin(0, control.pid)
    asyncio.run(closed_loop(server.port, searches[:50], 1))  # warm
    found = _turn_about(server, control, {"search": searches, "search without facets": lean, "empty": empty})
    control.terminate()
    capacity = 0.0
    for in_flight in IN_FLIGHT[1:]:
        taken, seconds = asyncio.run(closed_loop(server.port, searches, in_flight))
        capacity = max(capacity, len(searches) / seconds)
        found[f"search, {in_flight} in flight"] = {"clock": _shares(taken)}
    for share in LOADS:
        arrivals = Arrivals(server.port, share * capacity)
        asyncio.run(arrivals.run(searches))
        name = f"search, {arrivals.rate:.0f} a second arriving"
        found[name] = {"clock": _shares(arrivals.taken), "statuses": dict(arrivals.statuses)}
    server.stop()
    for name, figures in found.items():
        print(f"  {name:<34}{figures}", flush=True)
    return sizes | {"capacity_per_second": round(capacity, 1), "measured": found}


def _lists(run: Path, scratch: Path) -> tuple[dict[str, Any], list[str], Path]:
    """The shop's own words, and the matrices that the server's booster is asked to score for them."""
    live = LiveRun(run)
    texts = load_collection(live.run.config).queries["text"].drop_nulls().unique().sort()
    words = [text for text in texts if text.strip()][:200]
    matrices = {}
    for number, text in enumerate(words[:50]):
        query = live.query(text, None, "q")
        rows = candidates_of(live.builder, query, CANDIDATES)
        if len(rows):
            matrix = live.builder.block(PairBatch.of_one(query, rows)).matrix
            matrices[str(number)] = np.ascontiguousarray(matrix)
    file = scratch / "rows.npz"
    np.savez(file, **matrices)
    sizes = {
        "products": len(live.builder.catalogue),
        "features": len(live.run.schema.names),
        "candidates": round(float(np.mean([len(one) for one in matrices.values()])), 1),
    }
    return sizes, words, file


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
        name: {"clock": _shares(clock[name]), "processor": round(1000 * float(np.median(used[name])), 3)}
        for name in clock
    }


def _shares(seconds: Sequence[float]) -> list[float]:
    return [round(1000 * float(p), 2) for p in np.percentile(seconds, SHARES)]


def soak(run: Path, scratch: Path, rate: float, seconds: float) -> dict[str, Any]:
    """A server that is asked, mistreated and changed for so long."""
    _, words, _ = _lists(run, scratch)
    server = Server.start(run, scratch)
    _pin(1)
    searches = [message("/search", {"text": words[n % len(words)]}) for n in range(int(rate * seconds))]
    arrivals = Arrivals(server.port, rate)
    done = {"swaps": 0, "killed clients": 0, "malformed": Counter[str]()}
    memory: list[float] = []
    asyncio.run(_soaked(server, arrivals, searches, done, memory, seconds))
    log_lines = sum(len(path.read_bytes().splitlines()) for path in (scratch / "log").rglob("ubi_queries-*"))
    status = server.stop()
    tenth = max(1, len(memory) // 10)
    return {
        "minutes": round(seconds / 60, 1),
        "rate_per_second": round(rate, 1),
        "asked": len(searches),
        "statuses": dict(arrivals.statuses),
        "sent_again": arrivals.sent_again,
        "clock": _shares(arrivals.taken),
        "malformed": dict(done["malformed"]),
        "swaps": done["swaps"],
        "killed_clients": done["killed clients"],
        "memory_mib": {
            "after_a_tenth": round(float(np.median(memory[tenth : 2 * tenth])), 1),
            "at_the_end": round(float(np.median(memory[-tenth:])), 1),
            "most": round(max(memory), 1),
        },
        "lists_logged": log_lines,
        "exit_status": status,
    }


async def _soaked(
    server: Server,
    arrivals: Arrivals,
    searches: list[bytes],
    done: dict[str, Any],
    memory: list[float],
    seconds: float,
) -> None:
    ends = time.perf_counter() + seconds

    async def change_runs() -> None:
        client, number = Client(server.port), 0
        while time.perf_counter() < ends - 20:
            await asyncio.sleep(15)
            name = ("second", "first")[number % 2]
            asked = (
                message("/runs/rollback", {})
                if number % 3 == 2
                else message("/runs", {"run": name, "force": True})
            )
            status, _ = await client.ask(asked)
            done["swaps"] += status == 200
            number += 1

    async def kill_clients() -> None:
        rng = random.Random(0)
        while time.perf_counter() < ends:
            await asyncio.sleep(0.5)
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            whole = message("/search", {"text": "x" * 50})
            writer.write(whole[: rng.randrange(1, len(whole) + 1)])
            await writer.drain()
            writer.transport.abort()
            done["killed clients"] += 1

    async def send_nonsense() -> None:
        rng = random.Random(1)
        bodies: list[Any] = [
            b"{",
            b"\xff" * 20,
            [1],
            {"text": 5},
            {"text": "a", "size": -1},
            {"photo": "!!"},
            {},
        ]
        while time.perf_counter() < ends:
            await asyncio.sleep(0.2)
            client = Client(server.port)
            status, _ = await client.ask(message("/search", rng.choice(bodies)))
            done["malformed"][str(status)] += 1
            client.close()

    async def watch() -> None:
        while time.perf_counter() < ends:
            memory.append(server.memory())
            await asyncio.sleep(1)

    await asyncio.gather(arrivals.run(searches), change_runs(), kill_clients(), send_nonsense(), watch())


if __name__ == "__main__":
    main()
