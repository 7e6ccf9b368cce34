"""A running server told to put another run in place, the one before back, or the catalogue as its files are now."""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path
from typing import Any

from features.errors import InputError
from ltr.config import output
from ltr.serving.settings import TOKEN_VARIABLE, ServeSettings

_SECONDS = 600.0  # a run is opened and checked meanwhile


def promote(settings: ServeSettings, run: str, *, force: bool, by: str) -> None:
    """Say which run serves now. Raises InputError where none answers, and for a run that is refused."""
    found = _tell(settings, "/runs", {"run": Path(run).name, "force": force, "by": by[:200]})
    for check in found["checks"]:
        output.say(f"checked: {check}")
    decided = (
        f"forced, recorded in {found['decision']}" if found["forced"] else f"decided in {found['decision']}"
    )
    _say(found, decided)


def roll_back(settings: ServeSettings, *, by: str) -> None:
    """As `promote`, for the run that served before."""
    _say(_tell(settings, "/runs/rollback", {"by": by[:200]}), "rolled back")


def renew_catalogue(settings: ServeSettings, *, by: str) -> None:
    """As `promote`, for the catalogue's files, which were changed."""
    found = _tell(settings, "/catalogue", {"by": by[:200]})
    for check in found["checks"]:
        output.say(f"checked: {check}")
    parts = ", ".join(f"{found[what]:,} {what}" for what in ("new", "changed", "gone"))
    output.say(f"{found['products']:,} products are served now ({parts})")


def _say(found: dict[str, Any], why: str) -> None:
    now, before = (f"{found[what]['name']}@{found[what]['version']}" for what in ("now", "before"))
    output.say(f"{now} serves now, in place of {before} ({why})")


def _tell(settings: ServeSettings, path: str, body: dict[str, Any]) -> dict[str, Any]:
    where = f"{settings.host}:{settings.port}"
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {os.environ.get(TOKEN_VARIABLE, '')}",
    }
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=_SECONDS)
    try:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        cure = "start one with python -m ltr.serve, or name its --host and --port"
        raise InputError(
            where=where, expected="a server of ltr.serve", got=f"none ({error})", cure=cure
        ) from error
    finally:
        connection.close()
    if answer.status != 200:
        problem = {name: str(found.get(name, "")) for name in ("where", "expected", "got", "cure")}
        raise InputError(
            where=problem["where"], expected=problem["expected"], got=problem["got"], cure=problem["cure"]
        )
    return found
