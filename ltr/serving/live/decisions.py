"""By what decision a run goes live: its newest record says so, or it is forced, which is recorded."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from features.disk import write_whole
from features.errors import InputError
from ltr.experiments.decision import FOLDER, newest_decision, to_json
from ltr.serving.live.live_run import LiveRun


def decision_to_go(folder: Path, *, force: bool) -> str | None:
    """The file of the run's newest decision, which must be to go live; None where it is forced without one."""
    found = newest_decision(folder)
    if found is not None and found[1].get("decided") == "go" and not found[1].get("forced"):
        return found[0].name
    if force:
        return None
    raise InputError(
        where=folder,
        expected="a decision to go live: its newest record in decisions/ says go",
        got="none" if found is None else f"{found[0].name}, which says {found[1].get('decided')!r}",
        cure="end an experiment with python -m ltr.experiment … --run RUN, or force it, which is recorded",
    )


def record_force(live: LiveRun, by: str) -> str:
    """Leave in the run's own folder that it went live without a decision; the name of that record."""
    made_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    record = {
        "format": 1,
        "made_at": made_at,
        "command": "ltr.serve, forced",
        "tried": "",
        "planned": None,
        "seen": None,
        "data": None,
        "says": "cannot",
        "decided": "go",
        "against_verdict": True,
        "forced": True,
        "by": by,
        "run": live.about(),
    }
    folder = live.run.folder / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{made_at.replace(':', '').replace('+0000', 'Z')}-forced.json"
    write_whole(path, to_json(record))
    return path.name
