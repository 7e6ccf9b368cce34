"""A run on disk: all that scoring, measuring and explaining need, and nothing that runs code when read.

config.yaml       resolved settings            model/            the ranker, in its library's own format
features.json     feature schema               metrics.json      figures with intervals, conventions, tests
run.json          versions, fingerprints, sums      per_query.parquet one row per system and query
importance.json   what the model goes by       scores.parquet    held-out score of every judged pair
cleaning.json     what loading changed         robustness.json   figures as photos or descriptions go missing
doctor.json       the data doctor's findings   report.md, report.html
shown.parquet     first products shown a query, of lists as they are served
shown_per_query.parquet  measures of what is shown, one row per system and query
rejected/         rejected rows, with reasons
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.build import DEFINITIONS, index_key, products_key
from features.disk import check_writable, draft_beside, finish_whole, publish, write_whole
from features.encoders.registry import Fittable
from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr import __version__
from ltr.config.tree import Config, dump_config, read_config
from ltr.data.dataset import Dataset
from ltr.data.doctor import Finding
from ltr.data.sketch import Sketch
from ltr.data.splits import Fold, looks
from ltr.evaluation.baselines import best_single_feature
from ltr.evaluation.per_query import EvaluationConfig, convention
from ltr.evaluation.shown import CEILING, kept_values, shown_convention
from ltr.evaluation.systems import ALL, Measurement
from ltr.explanation.importance import Importance
from ltr.pipeline.prepare import Prepared
from ltr.pipeline.robustness import Robustness
from ltr.pipeline.shown_lists import Shown
from ltr.runs.sums import ABOUT, SUMS, changed, check_files, read_about, seal, write_about
from ltr.runs.trust import check_settings, is_own_cache, refuse_links, remember_cache, remember_run
from ltr.training.anchoring import describe, leans_on
from ltr.training.cross_fit import CrossFit
from ltr.training.fused_ranker import ADAPTED, PROJECTION, FusedRanker

ENCODER_STATE = "encoder-"
SKETCH = "feature_sketch.json"
SHOWN = "shown.parquet"
SHOWN_VALUES = "shown_per_query.parquet"
LIBRARIES = (
    "lightgbm", "xgboost", "polars", "numpy", "torch", "torchvision", "sentence-transformers", "deltalake",
)  # fmt: skip


def check_target(target: Path, sign: str = "run.json") -> None:
    """Make the folder that the run will lie in; InputError, before hours of training, where it cannot.

    sign: the file by which an earlier run, which may be set aside, is known.
    """
    if target.exists() and not (target / sign).is_file():
        got = "a folder that is no run" if target.is_dir() else "a file"
        cure = "name another with --run: this one would be moved away"
        raise InputError(where=target, expected="a new folder, or an earlier run", got=got, cure=cure)
    try:
        check_writable(target.parent)
    except OSError as error:
        got = f"one that cannot be {'written' if target.parent.is_dir() else 'made'} ({error.strerror})"
        cure = "check your rights to it and the space left, or name another folder with --run or --runs"
        raise InputError(
            where=target.parent, expected="a folder to write the run in", got=got, cure=cure
        ) from error


def run_name(config: Config) -> str:
    """What a config's run is called by default: another name where groups of features are left out."""
    return "-".join(
        [config.name, config.ranker.kind, *(f"without-{name}" for name in config.features.without)]
    )


@contextmanager
def new_run(target: Path) -> Iterator[Path]:
    """A folder to fill; it takes its name only when whole and summed, and an earlier run of that name is set aside."""
    with draft_beside(target) as draft:
        yield draft
        if (draft / ABOUT).is_file():
            seal(draft)
        publish(draft, target)


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What training leaves behind: the judged rows of its lists, and `scores` (n,) of them by system.

    importance: held out; None for a ranker that cannot be explained. robustness: None where nothing was dropped.
    shown: what is shown of lists as they are served; None for judged ones.
    """

    command: str
    config: Config
    prepared: Prepared
    folds: list[Fold]
    findings: list[Finding]
    data: Dataset
    scores: dict[str, np.ndarray]
    measured: Measurement
    fitted: CrossFit
    kept: FusedRanker
    importance: Importance | None = None
    robustness: Robustness | None = None
    shown: Shown | None = None
    made_at: dt.datetime = dataclasses.field(default_factory=lambda: dt.datetime.now(dt.UTC))


def commit_of(folder: Path) -> str | None:
    """The commit that the folder is at, marked where files differ from it; None where git does not know it."""
    try:
        words = [
            "git",
            "-C",
            str(folder),
            "describe",
            "--always",
            "--dirty=, changed since",
            "--abbrev=10",
            "--exclude=*",
        ]
        found = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def versions() -> dict[str, str]:
    """Versions of the libraries that decide a result, of those installed."""
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def write_run(folder: Path, record: RunRecord) -> None:
    """Everything in the folder but the report."""
    config, prepared, measured = record.config, record.prepared, record.measured
    (folder / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    (folder / "features.json").write_text(prepared.schema.to_json(), encoding="utf-8")
    write_about(folder, _about(record))
    remember_run(folder, config.base)
    remember_cache(folder, Path(config.cache.folder).absolute())
    record.kept.save(folder)
    for name, encoder in prepared.encoders.items():
        if isinstance(encoder, Fittable):  # it learnt from this catalogue: none is to learn anew
            encoder.save(folder / f"{ENCODER_STATE}{name}.safetensors")
    measured.per_query.write_parquet(folder / "per_query.parquet")
    scores = {f"score: {name}": pl.Series(values) for name, values in record.scores.items()}
    record.data.frame.select("query_id", "product_id", "grade").with_columns(**scores).write_parquet(
        folder / "scores.parquet"
    )
    _trained_on(record).write_parquet(folder / "trained_on.parquet")
    if record.shown:
        record.shown.first.write_parquet(folder / SHOWN)
        kept_values(record.shown.measured, config.evaluation).write_parquet(folder / SHOWN_VALUES)
    write_json(folder / SKETCH, Sketch.of(record.data).to_dict())
    write_json(folder / "metrics.json", figures(record))
    if record.importance:
        write_json(folder / "importance.json", record.importance.to_dict())
    if record.robustness:
        write_json(folder / "robustness.json", record.robustness.to_dict())
    write_json(folder / "doctor.json", [dataclasses.asdict(finding) for finding in record.findings])
    write_json(folder / "cleaning.json", prepared.collection.summary().to_dicts())
    (folder / "rejected").mkdir()
    for table, rows in prepared.collection.rejected.items():
        if rows.height:
            rows.write_parquet(folder / "rejected" / f"{table}.parquet")


def _trained_on(record: RunRecord) -> pl.DataFrame:
    """How the queries look (see `looks`) that the kept model learnt from or was stopped by.

    After cross-validation that is all of them, since the kept model is fitted anew.
    """
    return looks(record.prepared.collection.queries.filter(pl.col("query_id").is_in(_seen(record).implode())))


def _seen(record: RunRecord) -> pl.Series:
    folds = record.folds
    parts = [[*f.train, *f.validation, *([] if len(folds) == 1 else f.test)] for f in folds]
    return pl.Series([query for part in parts for query in part], dtype=pl.String).unique()


def _about(record: RunRecord) -> dict[str, Any]:
    return {
        "format": 2,
        "made_at": record.made_at.isoformat(timespec="seconds"),
        "commit": commit_of(record.config.base),
        "command": record.command,
        "base": str(record.config.base),
        "cache": str(Path(record.config.cache.folder).absolute()),
        "model": record.measured.model,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
        "fingerprints": record.prepared.collection.fingerprints,
        "index": _index(record),
        "single_feature": _single_feature(record),
        "lists": _lists(record),
        "shown": record.shown and shown_means(record.shown.measured),
        "clicks": _clicks(record),
        "leans_on": _leans_on(record),
    }


def _leans_on(record: RunRecord) -> dict[str, Any] | None:
    """Shares of what the kept model leans on, of each split's model, and why in words; None where on nothing."""
    kept = record.kept.ranker
    if not leans_on(kept):
        return None
    splits = [leans_on(model.ranker) for model in record.fitted.models]
    return {"kept": leans_on(kept), "splits": splits, "says": describe(kept)}


def _clicks(record: RunRecord) -> dict[str, Any] | None:
    """How shown lists trained, and why so: each split's model by its own training queries, and the one that is kept."""
    if record.kept.choice is None:
        return None
    splits = [model.choice.to_dict() for model in record.fitted.models if model.choice]
    asked = record.config.train.clicks.strategy
    return {"asked": asked, "kept": record.kept.choice.to_dict(), "splits": splits}


def _index(record: RunRecord) -> dict[str, Any] | None:
    """Which index the features come from: keys of it and of the catalogue, encoders; None for ready-made features."""
    prepared = record.prepared
    if prepared.collection.given is not None:
        return None
    products = products_key(prepared.collection.products)
    return {
        "definitions": DEFINITIONS,
        "key": index_key(products, record.config.features, prepared.encoders),
        "products": products,
        "encoders": {name: encoder.fingerprint for name, encoder in prepared.encoders.items()},
    }


def _lists(record: RunRecord) -> dict[str, Any]:
    """Which lists the run was trained and measured on, and by what retrieval they come: serving takes the same."""
    if record.prepared.lists == "judged":
        return {"kind": "judged"}
    ways = record.prepared.builder.ways
    return {"kind": "served", "candidates": record.config.lists.candidates, "ways": ways}


def _single_feature(record: RunRecord) -> dict[str, Any] | None:
    """Of ready-made features the best by itself on what the kept model learnt from, to measure new files against."""
    if record.prepared.collection.given is None or not record.data.schema.features:
        return None
    found = best_single_feature(record.data, _seen(record), record.config.evaluation)
    return {"feature": found.feature, "sign": found.sign}


def figures(record: RunRecord) -> dict[str, Any]:
    """What metrics.json holds."""
    config, measured = record.config, record.measured
    return {
        "convention": convention(config.evaluation),
        "split": " ".join(f"{name}={value}" for name, value in config.split.model_dump(mode="json").items()),
        "model": measured.model,
        "headline": measured.headline,
        "trees": record.fitted.best_iterations,
        "fit_seconds": round(record.fitted.seconds, 3),
        "summary": measured.summary.to_dicts(),
        "tests": measured.tests.to_dicts(),
        "shown": record.shown and shown_figures(record.shown.measured, config.evaluation),
    }


def shown_means(measured: Measurement) -> dict[str, dict[str, float | None]]:
    """Of what is shown for all queries, by measure: the model's mean, and that of the best order of its candidates."""
    overall = measured.summary.filter(segment=ALL)
    return {
        name: dict(overall.filter(system=name).select("metric", "mean").rows())
        for name in (measured.model, CEILING)
    }


def shown_figures(measured: Measurement, config: EvaluationConfig) -> dict[str, Any]:
    """Of what is shown: convention, headline, means with intervals and tests, as of judged lists."""
    return {
        "convention": shown_convention(config, set(measured.summary["metric"])),
        "headline": measured.headline,
        "summary": measured.summary.to_dicts(),
        "tests": measured.tests.to_dicts(),
    }


def read_settings(run: Path) -> tuple[Config, FeatureSchema, dict[str, Any]]:
    """The run's config, feature schema and run.json; InputError when the folder is no run, or not whole."""
    if not run.exists() and run.parent.is_dir():
        finish_whole(run.parent)  # its writer was killed just before it took its name
    if not (run / ABOUT).exists():
        raise _no_run(run)
    refuse_links(run)
    about = read_about(run)
    stored = [name for name in about[SUMS] if name.startswith(ENCODER_STATE)]
    projection = [name for name in about[SUMS] if name in (PROJECTION, ADAPTED)]
    check_files(run, about, "config.yaml", "features.json", "model", *stored, *projection)
    features = run / "features.json"
    try:
        schema = FeatureSchema.from_json(features.read_text(encoding="utf-8"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise changed(features, f"another ({type(error).__name__}: {error})") from error
    states = {
        f"encoders.{Path(name).stem.removeprefix(ENCODER_STATE)}.state": str((run / name).absolute())
        for name in stored
    }
    if "lists" not in about:  # of a version that ranked judged lists alone
        states["lists.kind"] = "judged"
    try:
        config = read_config(run / "config.yaml", states, base=Path(str(about.get("base", ""))))
    except InputError as error:  # it is as it was written: another version, or a plug-in, wrote it
        cure = f"use the version or the plug-in that wrote it (this is {__version__}), or train the run again"
        raise InputError(where=error.where, expected=error.expected, got=error.got, cure=cure) from error
    _check_states(run, config)
    check_settings(run, config)
    return _with_own_cache(run, config, about), schema, about


def _no_run(run: Path) -> InputError:
    """For a folder without a run.json: part of a run that was copied, or none."""
    parts = [name for name in ("config.yaml", "features.json", "model") if (run / name).exists()]
    got = f"one without {ABOUT}" if run.is_dir() else "a file" if run.exists() else "no such folder"
    cure = f"name a folder that ltr.train wrote{_runs_beside(run)}"
    if parts:
        cure = "copy the whole run folder again, or train it again"
    return InputError(where=run, expected="a run folder", got=got, cure=cure)


def _with_own_cache(run: Path, config: Config, about: Mapping[str, Any]) -> Config:
    """A run used from another folder finds the vectors and the index that it was trained with, where they still are."""
    own = Path(str(about.get("cache", "")))
    if not (about.get("cache") and own.is_dir() and is_own_cache(run, own)):
        return config
    return config.model_copy(update={"cache": config.cache.model_copy(update={"folder": str(own)})})


def _runs_beside(run: Path) -> str:
    """The runs in the same folder; where there is none, how to make one."""
    beside = sorted(path.parent for path in run.parent.glob(f"[!.]*/{ABOUT}") if "@" not in path.parent.name)
    if beside:
        return f": {', '.join(map(str, beside[:5]))}{' …' * (len(beside) > 5)}"
    return "; there is none beside it: first python -m ltr.train"


def _check_states(run: Path, config: Config) -> None:
    """An encoder that learnt from the run's catalogue would otherwise learn anew, from another one."""
    for name, encoder in config.encoders.items():
        if getattr(encoder, "state", "") is None:
            raise InputError(
                where=run,
                expected=f"{ENCODER_STATE}{name}.safetensors",
                got="no such file",
                cure="copy the whole run folder again, or train it again",
            )


def write_json(path: Path, value: object) -> None:
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
