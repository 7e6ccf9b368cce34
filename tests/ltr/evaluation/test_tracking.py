"""What MLflow is told of a run can be read back equal, and a server that is gone costs a warning."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.evaluation.tracking import TrackingConfig, metric_key, metrics_of, track

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [
        {"system": system, "segment": segment, "metric": metric, "mean": mean, "low": mean / 3, "high": high}
        for system, mean, high in (("BM25", 0.1 + 0.2, None), ("lightgbm", 1 / 3, 0.9))
        for segment in ("all", "price > 50", "Größe/42", "a:b")
        for metric in ("nDCG@10", "P@5")
    ]
    folder = tmp_path / "shop-lightgbm"
    folder.mkdir()
    about = {"command": "python -m ltr.train", "made_at": "2026-01-01T00:00:00+00:00"}
    (folder / "run.json").write_text(json.dumps(about))
    figures = {"convention": "gain exp", "split": "kind=folds", "model": "lightgbm", "summary": rows}
    (folder / "metrics.json").write_text(json.dumps(figures))
    return folder


def test_every_figure_is_read_back_equal(run: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    logged = track(run, TrackingConfig(uri=uri), "shop")
    assert logged is not None
    found = MlflowClient(tracking_uri=uri).get_run(logged)
    figures = json.loads((run / "metrics.json").read_text())
    assert found.data.metrics == metrics_of(figures)
    assert len(found.data.metrics) == sum(
        row[end] is not None for row in figures["summary"] for end in ("mean", "low", "high")
    )
    assert found.data.tags["command"] == "python -m ltr.train"
    assert found.info.status == "FINISHED"


def test_a_second_run_joins_the_experiment(run: Path, tmp_path: Path) -> None:
    settings = TrackingConfig(uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="ranking")
    first, second = track(run, settings, "shop"), track(run, settings, "shop")
    assert None not in (first, second)
    assert first != second


def test_a_dead_server_costs_a_warning(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    settings = TrackingConfig(uri=f"http://user:hidden@127.0.0.1:{port}")
    with caplog.at_level(logging.WARNING):
        assert track(run, settings, "shop") is None
    assert "was not logged to MLflow" in caplog.text
    assert "hidden" not in caplog.text
    assert "hidden" not in repr(settings)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=2, max_size=2, unique=True))
def test_no_two_figures_share_a_key(names: list[tuple[str, str]]) -> None:
    first, second = (metric_key(*name) for name in names)
    assert first != second
