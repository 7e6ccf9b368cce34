"""The server as a process: opens the run, listens, says where, and ends without losing a request."""

from __future__ import annotations

import logging
import os
import signal
import socket
from importlib.util import find_spec
from pathlib import Path

from features.errors import InputError
from features.secrets import remember, resolve
from features.sources.privacy import load_key
from features.store.delta import FeatureStore
from ltr.config import output
from ltr.serving.log.event_log import Carrier, EventLog, left_behind
from ltr.serving.settings import LOOPBACK, TOKEN_VARIABLE, ServeSettings

log = logging.getLogger(__name__)

_BACKLOG = 1024
_KEEP_ALIVE = 75  # seconds: longer than proxies keep theirs (60), else they send on what is just being closed
_NEWEST = ("runs/demo-lightgbm", "runs/demo-xgboost")


def serve(folder: Path | None, settings: ServeSettings) -> None:
    """Serve until stopped. Raises InputError for a run, an address or an installation that will not do."""
    for package in ("starlette", "uvicorn", "httptools"):
        if find_spec(package) is None:
            cure = "pip install 'shop-ltr[serve]'"
            raise InputError(where="ltr.serve", expected=f"the package {package}", got="none", cure=cure)
    token = _token(settings)

    import uvicorn  # noqa: PLC0415 - an extra

    from ltr.serving.http import make_app  # noqa: PLC0415
    from ltr.serving.http.protocol import BoundedHttp  # noqa: PLC0415
    from ltr.serving.live.live_run import LiveRun  # noqa: PLC0415
    from ltr.serving.live.live_runs import LiveRuns  # noqa: PLC0415

    run = folder or newest_demo_run()
    with _listen(settings) as listening:
        log.info("opening %s …", run)
        live = LiveRun(run)
        others = [LiveRun(path) for path in settings.others]
        runs = LiveRuns(
            live, others, settings.golden, seconds=settings.check_seconds, memory=settings.check_bytes
        )
        for one in (live, *others):
            one.warm_up()
        event_log = None if settings.no_log else _open_log(run, settings)
        key = None if settings.no_log and settings.experiment != "ab" else load_key()
        address = f"http://{_host(settings.host)}:{listening.getsockname()[1]}"
        listening.listen(_BACKLOG)  # before it is said: whoever comes now is served in a moment
        size = f"{len(live.builder.catalogue):,} products"
        output.say(f"serving {live.name} (version {live.version}, {size}) at {address}/  (stop with Ctrl-C)")
        config = uvicorn.Config(
            make_app(runs, settings, token, event_log, key),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=round(settings.grace),
            timeout_keep_alive=_KEEP_ALIVE,
            http=BoundedHttp,
            ws="none",
        )
        for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again when it has ended well
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run([listening])
    output.note("stopped")


def _open_log(run: Path, settings: ServeSettings) -> EventLog:
    """The log's folder, and what servers before this one left there carried into the store."""
    folder = settings.log or run.resolve().parent / "events"
    carrier = None
    if settings.store is not None:
        carrier = Carrier(FeatureStore(resolve(settings.store)))
    try:
        if carrier is not None and folder.is_dir():
            for path in left_behind(folder):
                carrier(path)
        made = EventLog(folder, settings.log_rotate_bytes, settings.log_flush, carrier)
    except OSError as error:
        raise InputError(
            where=folder,
            expected="a folder to log in",
            got=f"one that cannot be written ({error.strerror})",
            cure="name another with --log, or log nothing with --no-log",
        ) from error
    output.note(f"logging to {folder}")
    return made


def newest_demo_run() -> Path:
    """Of the runs that `make demo` writes, the one trained last; InputError where there is none."""
    found = [path for path in map(Path, _NEWEST) if (path / "run.json").is_file()]
    if not found:
        raise InputError(
            where="--run",
            expected=f"a run folder ({' or '.join(_NEWEST)} where none is named)",
            got="none",
            cure="train one first (python -m ltr.train), or name another with --run",
        )
    return max(found, key=lambda path: (path / "run.json").stat().st_mtime)


def _token(settings: ServeSettings) -> str | None:
    token = os.environ.get(TOKEN_VARIABLE) or None
    if token is None and settings.host not in LOOPBACK:
        raise InputError(
            where=f"--host {settings.host}",
            expected=f"a token in the variable {TOKEN_VARIABLE}, since others can reach it",
            got="none",
            cure="set one, or listen on 127.0.0.1",
        )
    if token is not None:
        remember([token])
    return token


def _listen(settings: ServeSettings) -> socket.socket:
    """Taken before the run is opened: a port in use is said at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol named, asyncio sends each answer at once and does not wait for the client's ACK (40 ms).
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host, settings.port))
    except (OSError, OverflowError) as error:
        made.close()
        raise InputError(
            where=f"--host {settings.host} --port {settings.port}",
            expected="an address that is free",
            got=f"one that cannot be taken ({error})",
            cure="name another port, or 0 for any",
        ) from error
    return made


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
