"""All runs of a folder: their figures, when and from what they were made, and which settings set them apart."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from features.errors import InputError
from ltr.evaluation.systems import ALL
from ltr.runs.sums import check_files, read_about

# Where a run lies and how many threads made it say nothing of what it is worth.
_PLACES = ("cache.", "store.", "runs", "name", "ranker.threads", "ranker.device")

STEP = (
    "the mean less that of the run before, with no interval, so it may be noise: python -m ltr.runs RUN BASELINE tests "
    "it query by query"
)


@dataclass(frozen=True)
class PastRun:
    """A run as its files tell it.

    means: the headline of the model by part of the queries, all of them first: mean, low, high, queries.
    shown: of what the model shows for all queries, by measure, the condensed figure first; empty of judged lists.
    settings: key → value, flat.
    data: what the figures are of; only runs of the same data, split and convention can be set side by side.
    """

    folder: Path
    made_at: dt.datetime
    commit: str
    model: str
    headline: str
    means: Mapping[str, Mapping[str, Any]]
    shown: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    data: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def overall(self) -> Mapping[str, Any]:
        return self.means[ALL]


@dataclass(frozen=True)
class History:
    """Runs in groups that can be compared, the oldest first; unread: folders that look like runs and are not whole."""

    groups: Sequence[Sequence[PastRun]]
    unread: Sequence[tuple[str, str]]


def read_history(folder: Path) -> History:
    """The runs that lie in a folder; InputError where there is none."""
    if not folder.is_dir():
        raise _none(folder, "no such folder")
    groups: dict[tuple[str, ...], list[PastRun]] = {}
    unread = []
    for path in sorted(folder.iterdir()):
        if not (path / "run.json").is_file():
            continue
        try:
            run = read_past_run(path)
        except InputError as error:
            file = error.expected if error.where == str(path) else Path(error.where).name
            unread.append((path.name, f"{file}: {error.got}"))
            continue
        groups.setdefault((run.headline, *run.data), []).append(run)
    if not groups and not unread:
        raise _none(folder, "none in it")
    ordered = [sorted(group, key=lambda run: (run.made_at, run.name)) for group in groups.values()]
    return History(sorted(ordered, key=lambda group: group[-1].made_at, reverse=True), unread)


def read_past_run(folder: Path) -> PastRun:
    """InputError where a file is missing, or is not as ltr.train wrote it."""
    try:
        about = read_about(folder)
        check_files(folder, about, "metrics.json", "config.yaml")
        figures = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        settings = flat(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
        headline, model = str(figures["headline"]), str(figures["model"])
        means = {
            str(row["segment"]): row
            for row in figures["summary"]
            if row["system"] == model and row["metric"] == headline
        }
        fingerprints = [f"{name} {value}" for name, value in sorted(about["fingerprints"].items())]
        return PastRun(
            folder,
            dt.datetime.fromisoformat(about["made_at"]),
            about.get("commit") or "",
            model,
            headline,
            {ALL: means[ALL], **means},
            _shown(figures, model),
            settings,
            (str(settings.get("name")), str(figures["split"]), str(figures["convention"]), *fingerprints),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise InputError(
            where=folder,
            expected="a whole run",
            got=f"one that cannot be read ({type(error).__name__}: {error})",
            cure="copy the run folder again, or train it again",
        ) from error


def _shown(figures: Mapping[str, Any], model: str) -> dict[str, Mapping[str, Any]]:
    rows = (figures.get("shown") or {"summary": []})["summary"]
    mine = [row for row in rows if row["system"] == model and row["segment"] == ALL]
    return {str(row["metric"]): row for row in mine}


def differences(run: PastRun, other: PastRun) -> list[tuple[str, str, str]]:
    """(setting, the other's value, the run's value) of all that is unlike; – for a setting that one has not."""
    names = sorted({*run.settings, *other.settings})
    return [
        (name, _in_words(other.settings, name), _in_words(run.settings, name))
        for name in names
        if not name.startswith(_PLACES) and run.settings.get(name) != other.settings.get(name)
    ]


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """`{ranker: {trees: 40}}` → `{"ranker.trees": 40}`."""
    if not isinstance(tree, dict) or not tree:
        return {prefix: tree}
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= flat(value, f"{prefix}.{name}" if prefix else str(name))
    return found


def _in_words(settings: Mapping[str, Any], name: str) -> str:
    return json.dumps(settings[name], ensure_ascii=False, default=str).strip('"') if name in settings else "–"


def _none(folder: Path, got: str) -> InputError:
    cure = "train one, or name their folder with --runs"
    return InputError(where=folder, expected="a folder of runs", got=got, cure=cure)
