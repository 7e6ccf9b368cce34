"""A run, or a changed catalogue, tried in a process of its own before the server opens it: what hurts ends there.

The other process opens the run over the catalogue as its files are now, which leaves the catalogue's index in the
cache, and makes the checks. It yields to the server for the processor, and has limits of memory and time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from features.errors import InputError
from features.sources.privacy import FILE_VARIABLE, KEY_VARIABLE
from ltr.serving.settings import TOKEN_VARIABLE

What = Literal["run", "catalogue"]

_OWN = (TOKEN_VARIABLE, KEY_VARIABLE, FILE_VARIABLE)  # of the server's environment: no run needs them
_MOST_SAID = 1 << 16  # bytes of a report
_PATIENCE = 10  # how much the server's own work goes before


@dataclass(frozen=True)
class Asked:
    """What to try. golden: see `run_checks.check_golden`; memory: bytes; seconds: by the clock."""

    folder: Path
    what: What
    golden: Path | None
    memory: int
    seconds: float
    force: bool = False


@dataclass(frozen=True)
class Report:
    """version and index: of what was tried; decision: the record by which the run may go live, None where forced."""

    version: str
    index: str
    checks: list[str] = field(default_factory=list)
    decision: str | None = None


def half_of_memory() -> int:
    """Bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def try_apart(asked: Asked) -> Report:
    """What the other process found; InputError for what fails a check, and for what ended or outlasted it."""
    given = {name: str(value) for name, value in asdict(asked).items() if value is not None}
    places = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109 - as imports read it
    environment = {name: value for name, value in os.environ.items() if name not in _OWN}
    with subprocess.Popen(  # noqa: S603 - this very Python
        [sys.executable, "-m", __name__, json.dumps(given)],
        env=environment | {"PYTHONPATH": places},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        said = _Said(process.stdout)
        try:
            process.wait(asked.seconds)
        except subprocess.TimeoutExpired as error:
            raise _refused(asked, f"one that took more than {asked.seconds:g} s to try") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whatever it began, too
        found = said.report()
    if found is None:
        status = process.returncode
        how = f"signal {-status}" if status < 0 else f"status {status}, without a report"
        raise _refused(asked, f"one that ended the process that tried it ({how})")
    if "refused" in found:
        raise InputError(**found["refused"])
    if "fault" in found:
        raise _refused(asked, f"one that cannot be tried ({found['fault']})")
    return Report(**found)


class _Said:
    """What the other process writes, as far as anybody reads it."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe, self._bytes = pipe, b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self._pipe is not None:
            self._bytes = self._pipe.read(_MOST_SAID + 1)

    def report(self) -> dict[str, Any] | None:
        self._reader.join(1)
        with suppress(ValueError):
            found = json.loads(self._bytes)
            return found if isinstance(found, dict) else None
        return None


def _refused(asked: Asked, got: str) -> InputError:
    memory = f"{asked.memory / 2**30:.1f} GiB"
    return InputError(
        where=asked.folder,
        expected=f"a {asked.what} that can be tried within {memory} and {asked.seconds:g} s",
        got=got,
        cure="what serves stays; look at it with ltr.evaluate, or raise --check-gib or --check-seconds",
    )


def main(words: str) -> None:
    """What the other process does: one report on its standard output, nothing else."""
    given = json.loads(words)
    report = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no report
    _limit(int(given["memory"]))
    try:
        golden = Path(given["golden"]) if "golden" in given else None
        what: What = "catalogue" if given["what"] == "catalogue" else "run"
        found = asdict(examined(Path(given["folder"]), what, golden, force=given["force"] == "True"))
    except InputError as error:
        parts = ("where", "expected", "got", "cure")
        found = {"refused": {part: getattr(error, part)[:4000] for part in parts}}
    except BaseException as error:  # noqa: BLE001 - whatever a stranger's files bring about is reported
        found = {"fault": f"{type(error).__name__}: {error}"[:400]}
    with open(report, "wb") as out:  # noqa: PTH123 - a handle
        out.write(json.dumps(found).encode("utf-8", "backslashreplace"))


def _limit(memory: int) -> None:
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - there is none on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        os.nice(_PATIENCE)


def examined(folder: Path, what: What, golden: Path | None, *, force: bool = False) -> Report:
    """What is found by opening and checking it, in this process. Raises InputError for what fails a check."""
    from ltr.serving.live.decisions import decision_to_go  # noqa: PLC0415 - what is slow, after the limits are set
    from ltr.serving.live.live_run import LiveRun  # noqa: PLC0415
    from ltr.serving.live.run_checks import check_catalogue, check_run  # noqa: PLC0415

    if what == "catalogue":
        live = LiveRun(folder)
        return Report(live.version, live.index, check_catalogue(live, golden))
    decided = decision_to_go(folder, force=force)
    live = LiveRun(folder)
    checks = check_run(live, golden)
    live.warm_up()
    return Report(live.version, live.index, checks, decided)


if __name__ == "__main__":
    main(sys.argv[1])
