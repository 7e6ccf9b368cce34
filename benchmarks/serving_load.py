"""What asks a server under load: `ltr.serve` as a process on one core, clients, arrivals."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
SHARES = (50, 95, 99)
CANDIDATES = 100
TOKEN = "benchmark"
TICKS = os.sysconf("SC_CLK_TCK")


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
        pin(0, process.pid)
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


def pin(core: int, process: int = 0) -> None:
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


def shares_of(seconds: Sequence[float]) -> list[float]:
    return [round(1000 * float(p), 2) for p in np.percentile(seconds, SHARES)]
