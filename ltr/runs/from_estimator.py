"""A ranker fitted as a scikit-learn estimator, kept as a run of ready-made features."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import InputError
from ltr.config.tree import Config, dump_config, parse_config
from ltr.pipeline.prepare import NOWHERE
from ltr.rankers.sklearn import RankerEstimator
from ltr.runs.record import check_target, new_run, versions
from ltr.runs.sums import write_about

_FIT = "call fit before; of a search or a pipeline give the estimator in it (best_estimator_)"


def save_estimator(estimator: RankerEstimator, folder: Path | str) -> Path:
    """Write a fitted estimator as a run folder, which `SavedRun.open` and `ltr.evaluate --judgements FILE.svm` read.

    An array's first column is the file's feature 1 (as scikit-learn's dump_svmlight_file writes with
    zero_based=False). What it was trained on is not kept, so it has no held-out scores. Raises InputError for an
    estimator that is not fitted, and a folder that is there and no run.
    """
    folder = Path(folder)
    if not hasattr(estimator, "ranker_"):
        name = type(estimator).__name__
        raise InputError(where=name, expected="a fitted estimator", got="none", cure=_FIT)
    tree = {
        "name": "estimator",
        "data": {"kind": "svmlight", "files": {"given": NOWHERE.as_posix()}},
        "ranker": estimator.settings.model_dump(mode="json"),
    }
    config = parse_config(tree, Path.cwd(), str(folder))
    check_target(folder)
    with new_run(folder) as draft:
        (draft / "config.yaml").write_text(dump_config(config), encoding="utf-8")
        (draft / "features.json").write_text(estimator.schema_.to_json(), encoding="utf-8")
        write_about(draft, _about(config))
        estimator.ranker_.save(draft / "model")
        # Queries of arrays have neither words nor photos to be known by.
        looks = pl.DataFrame({"query_id": ["unknown"], "words": [None], "photo": [None]})
        looks.cast(pl.String).write_parquet(draft / "trained_on.parquet")
    return folder


def _about(config: Config) -> dict[str, Any]:
    return {
        "format": 2,
        "made_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": "save_estimator",
        "base": str(config.base),
        "model": config.ranker.kind,
        "versions": versions(),
        "fingerprints": {},
    }
