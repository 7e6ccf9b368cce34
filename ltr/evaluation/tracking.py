"""A run's figures in MLflow, for teams that keep all their experiments there; the run folder stays the record.

Needs the extra `tracking`. A server that does not answer costs a warning, never the run.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from features.installed import require

log = logging.getLogger(__name__)

PLAIN = re.compile(r"[\w./ -]", re.ASCII)  # besides the colon, which escapes the rest
ENDS = ("mean", "low", "high")
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}  # seconds; tries


class TrackingConfig(BaseModel):
    """Where else a finished run's figures go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: SecretStr | None = Field(
        None,
        description="an MLflow tracking address: sqlite:///mlflow.db or http://…; file: is refused by MLflow",
    )
    experiment: str | None = Field(None, description="MLflow's experiment; null: the config's name")


def check_tracking(settings: TrackingConfig) -> None:
    """Raise InputError, before hours of training, where an address is named and MLflow is not installed."""
    if settings.uri is not None:
        require("tracking.uri", ["mlflow"], "tracking")


def track(run: Path, settings: TrackingConfig, name: str) -> str | None:
    """Log a finished run folder's settings and figures; the id that MLflow gave it, None where there is no uri or
    nobody answers.

    name: of the config. Metrics are called SYSTEM/SEGMENT/METRIC/mean (low, high), escaped by `metric_key`.
    """
    if settings.uri is None:
        return None
    uri = settings.uri.get_secret_value()
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    figures = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    try:
        return _logged(uri, settings.experiment or name, run.name, about, figures)
    except Exception as error:  # noqa: BLE001 - whatever the tracking library raises, the run is done and whole
        # The message may hold the address, and that a password.
        log.warning(
            "tracking: %s was not logged to MLflow (%s); the folder is whole", run, type(error).__name__
        )
        return None


def _logged(uri: str, experiment: str, run: str, about: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    for variable, limit in PATIENCE.items():
        os.environ.setdefault(variable, limit)
    from mlflow import MlflowClient  # noqa: PLC0415 - it takes seconds

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    made = found.experiment_id if found else client.create_experiment(experiment)
    tags = {"command": about["command"], "convention": figures["convention"], "made_at": about["made_at"]}
    logged = client.create_run(made, run_name=run, tags=tags).info.run_id
    client.log_param(logged, "model", figures["model"])
    client.log_param(logged, "split", figures["split"][:500])
    for key, value in metrics_of(figures).items():
        client.log_metric(logged, key, value)
    client.set_terminated(logged)
    return str(logged)


def metrics_of(figures: Mapping[str, Any]) -> dict[str, float]:
    """Every mean and end of interval in a run's metrics.json, by the key it has in MLflow; those there are."""
    rows = figures["summary"]
    return {
        metric_key(row["system"], row["segment"], row["metric"], end): row[end]
        for row in rows
        for end in ENDS
        if row[end] is not None and math.isfinite(row[end])
    }


def metric_key(*parts: str) -> str:
    """The parts with slashes between them; what MLflow refuses as :HEX:, so that no two become one."""
    return "/".join(
        "".join(c if PLAIN.fullmatch(c) and c != "/" else f":{ord(c):x}:" for c in part) for part in parts
    )
