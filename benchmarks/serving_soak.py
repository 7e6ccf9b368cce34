"""A server asked, mistreated and changed for minutes: errors that are not the client's, and its memory."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving_load import Arrivals, Client, Server, message, pin, shares_of

NONSENSE: list[Any] = [b"{", b"\xff" * 20, [1], {"text": 5}, {"text": "a", "size": -1}, {"photo": "!!"}, {}]


def soak(run: Path, scratch: Path, words: Sequence[str], rate: float, seconds: float) -> dict[str, Any]:
    """Searches arriving at this rate, and beside them clients killed half-way, bodies malformed and runs exchanged."""
    server = Server.start(run, scratch)
    pin(1)
    one = Soak(server, seconds)
    searches = [message("/search", {"text": words[n % len(words)]}) for n in range(int(rate * seconds))]
    arrivals = Arrivals(server.port, rate)
    asyncio.run(one.run(arrivals, searches))
    status = server.stop()
    log_lines = sum(len(path.read_bytes().splitlines()) for path in (scratch / "log").rglob("ubi_queries-*"))
    return {
        "minutes": round(seconds / 60, 1),
        "rate_per_second": round(rate, 1),
        "asked": len(searches),
        "statuses": dict(arrivals.statuses),
        "sent_again": arrivals.sent_again,
        "clock": shares_of(arrivals.taken),
        "malformed": dict(one.malformed),
        "swaps": one.swaps,
        "killed_clients": one.killed,
        "memory_mib": one.in_memory(),
        "lists_logged": log_lines,
        "exit_status": status,
    }


@dataclass
class Soak:
    """What is done to a server beside its searches, until `ends`, and what came of it."""

    server: Server
    seconds: float
    swaps: int = 0
    killed: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    ends: float = 0.0

    async def run(self, arrivals: Arrivals, searches: Sequence[bytes]) -> None:
        self.ends = time.perf_counter() + self.seconds
        beside = (self._change_runs, self._kill_clients, self._send_nonsense, self._watch)
        await asyncio.gather(arrivals.run(searches), *(does() for does in beside))

    def in_memory(self) -> dict[str, float]:
        tenth = max(1, len(self.memory) // 10)
        parts = {"after_a_tenth": self.memory[tenth : 2 * tenth], "at_the_end": self.memory[-tenth:]}
        found = {name: float(np.median(part)) for name, part in parts.items()}
        return {name: round(value, 1) for name, value in (found | {"most": max(self.memory)}).items()}

    async def _change_runs(self) -> None:
        client, number = Client(self.server.port), 0
        while time.perf_counter() < self.ends - 20:
            await asyncio.sleep(15)
            name = ("second", "first")[number % 2]
            back = number % 3 == 2
            asked = ("/runs/rollback", {}) if back else ("/runs", {"run": name, "force": True})
            status, _ = await client.ask(message(*asked))
            self.swaps += status == 200
            number += 1

    async def _kill_clients(self) -> None:
        rng = random.Random(0)
        whole = message("/search", {"text": "x" * 50})
        while time.perf_counter() < self.ends:
            await asyncio.sleep(0.5)
            _, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
            writer.write(whole[: rng.randrange(1, len(whole) + 1)])
            await writer.drain()
            writer.transport.abort()
            self.killed += 1

    async def _send_nonsense(self) -> None:
        rng = random.Random(1)
        while time.perf_counter() < self.ends:
            await asyncio.sleep(0.2)
            client = Client(self.server.port)
            status, _ = await client.ask(message("/search", rng.choice(NONSENSE)))
            self.malformed[str(status)] += 1
            client.close()

    async def _watch(self) -> None:
        while time.perf_counter() < self.ends:
            self.memory.append(self.server.memory())
            await asyncio.sleep(1)
