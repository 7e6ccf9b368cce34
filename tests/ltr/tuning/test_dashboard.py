"""optuna-dashboard reads a study where ltr.tune keeps it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from ltr.tuning.study_storage import open_storage


@pytest.mark.filterwarnings("ignore")  # the dashboard's own
def test_the_dashboard_shows_the_study(tmp_path: Path) -> None:
    from optuna_dashboard import wsgi

    study = optuna.create_study(storage=open_storage(None, tmp_path), study_name="shop")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    found: list[str] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/api/studies", "QUERY_STRING": "", "SERVER_NAME": "test",
        "SERVER_PORT": "80", "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(),
    }  # fmt: skip
    body = wsgi(open_storage(None, tmp_path))(environ, lambda status, *_: found.append(status))
    assert found == ["200 OK"]
    shown = json.loads(b"".join(body))["study_summaries"]
    assert [summary["study_name"] for summary in shown] == ["shop"]
