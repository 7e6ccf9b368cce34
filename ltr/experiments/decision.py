"""The decision record: what was tried, planned, seen and decided; JSON kept with the run it is about."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.disk import sha256, write_whole
from features.errors import InputError
from features.sources.events.ubi import ubi_files
from ltr.experiments.outcome import Check, Outcome, finite

FOLDER = "decisions"


class Planned(BaseModel):
    """What `ltr.experiment plan --json FILE` wrote; enough of it to hold a test to its plan."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    metric: str
    units: int = Field(ge=2)
    level: float
    power: float
    effect: float
    looks: int = 1
    made_at: str | None = None

    @classmethod
    def read(cls, path: Path) -> Planned:
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            return cls.model_validate({**held["seen"]["figures"]["plan"], "made_at": held["made_at"]})
        except FileNotFoundError as error:
            raise _no_plan(path, "no such file") from error
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise _no_plan(path, f"another file ({type(error).__name__})") from error


def _no_plan(path: Path, got: str) -> InputError:
    return InputError(
        where=path, expected="a plan", got=got, cure="write one with ltr.experiment plan --json FILE"
    )


def kept_to_plan(plan: Planned | None, outcome: Outcome) -> Outcome:
    """The outcome with checks of whether the test was run as planned: its deciding metric and its size."""
    if plan is None:
        return outcome
    figures = outcome.figures
    units = sum(figures.get("units", {}).values())
    deciding = (figures.get("metrics") or [{}])[0].get("metric")
    checks = []
    if deciding is not None:
        same = deciding == plan.metric
        evidence = f"planned {plan.metric}, decided by {deciding}"
        checks.append(Check("plan: metric", "PASS" if same else "WARN", evidence))
    short = units < plan.units
    evidence = f"{units:,} units of {plan.units:,} planned"
    if short:
        evidence += ": too few to rule the planned effect out"
    checks.append(Check("plan: units", "WARN" if short else "PASS", evidence))
    return replace(outcome, checks=[*outcome.checks, *checks])


def decision_record(
    outcome: Outcome, command: str, tried: str, decided: str | None, plan: Planned | None, data: Path | None
) -> dict[str, Any]:
    """What goes into the record; decided: in the team's words, else what the verdict says; a plan alone
    decides nothing."""
    by_verdict = {"yes": "go", "no": "stay", "cannot": "nothing"}[outcome.says]
    return {
        "format": 1,
        "made_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": command,
        "tried": tried,
        "planned": plan.model_dump() if plan else None,
        "seen": outcome.to_dict(),
        "data": _named(data) if data else None,
        "says": outcome.says,
        "decided": decided or ("nothing" if outcome.kind == "plan" else by_verdict),
        "against_verdict": bool(decided) and decided == "go" and outcome.says != "yes",
    }


def _named(data: Path) -> dict[str, Any]:
    """What was read: a file and its sum; of a log's folder each file's."""
    if not data.is_dir():
        return {"file": data.name, "sha256": sha256(data)}
    files = {path.relative_to(data).as_posix(): sha256(path) for path in ubi_files(data)}
    return {"folder": data.name, "sha256": files}


def keep_record(run: Path, record: Mapping[str, Any], page: str) -> Path:
    """Write the record and its page into the run's `decisions` folder; returns the JSON's path."""
    if not (run / "run.json").is_file():
        raise InputError(
            where=run,
            expected="a run folder",
            got="one without run.json",
            cure="name a folder that ltr.train wrote",
        )
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    stem = f"{record['made_at'].replace(':', '').replace('+0000', 'Z')}-{record['seen']['kind']}"
    path = folder / f"{stem}.json"
    for target, text in ((path, to_json(record)), (folder / f"{stem}.html", page)):
        write_whole(target, text)
    return path


def newest_decision(run: Path) -> tuple[Path, dict[str, Any]] | None:
    """The run's newest decision record and its file; None where it has none. Raises InputError for one cut off."""
    found = sorted((run / FOLDER).glob("*.json"))
    if not found:
        return None
    try:
        record = json.loads(found[-1].read_text(encoding="utf-8"))
        return found[-1], dict(record)
    except (ValueError, TypeError) as error:
        raise InputError(
            where=found[-1],
            expected="a decision record",
            got=f"another file ({type(error).__name__})",
            cure="restore it, or remove it",
        ) from error


def to_json(value: Any) -> str:
    return json.dumps(finite(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
