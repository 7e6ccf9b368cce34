"""An estimator kept as a run: opened, and measured on svmlight files that scikit-learn wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import dump_svmlight_file

from features.errors import InputError
from ltr import evaluate
from ltr.rankers.sklearn import LightGBMEstimator, LogisticEstimator, RankerEstimator, mean_ndcg_by_query
from ltr.runs.from_estimator import save_estimator
from ltr.runs.saved_run import SavedRun
from tests.ltr.rankers.test_sklearn import numbers, parts, shuffled

ESTIMATORS = [LightGBMEstimator(trees=20, threads=1, bags=1, learning_rate=0.2), LogisticEstimator()]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_it_is_measured_on_files_as_it_measures_itself(
    estimator: RankerEstimator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    estimator.fit(*numbers())
    run = save_estimator(estimator, tmp_path / "run")
    X, y, qid = (values[np.argsort(numbers(seed=1)[2], kind="stable")] for values in numbers(seed=1))
    X = np.nan_to_num(X)  # what svmlight leaves out is 0
    codes = np.unique(qid, return_inverse=True)[1]
    dump_svmlight_file(X, y, str(tmp_path / "new.svm"), zero_based=False, query_id=codes)
    measured = evaluate.main(["--run", str(run), "--judgements", "new.svm"])
    ours = measured.summary.filter(system=estimator.settings.kind, segment="all queries", metric="nDCG@10")[
        "mean"
    ]
    assert ours.item() == pytest.approx(mean_ndcg_by_query(y, estimator.predict(X), qid), abs=1e-6)


def test_an_opened_run_scores_as_the_estimator_does(tmp_path: Path) -> None:
    X, y, qid = parts(shuffled())
    estimator = LightGBMEstimator(trees=10, threads=1).fit(X, y, qid=qid)
    opened = SavedRun.open(save_estimator(estimator, tmp_path / "run"))
    assert opened.schema == estimator.schema_
    table = shuffled().sort("query_id", "product_id")
    scores = opened.score_dataset(opened.dataset(table))
    np.testing.assert_array_equal(scores, estimator.predict(table.select(X.columns)))
    again = save_estimator(estimator, tmp_path / "run")
    assert [
        path.name for path in tmp_path.iterdir() if path.name.startswith("run@")
    ]  # the earlier one is set aside
    assert again == tmp_path / "run"


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a fitted estimator"):
        save_estimator(LightGBMEstimator(), tmp_path / "run")
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="a folder that is no run"):
        save_estimator(LogisticEstimator().fit(*numbers()), tmp_path / "mine")
    assert pl.DataFrame(list((tmp_path / "mine").iterdir())).is_empty()


def test_what_a_kept_estimator_has_no_data_for_is_told_with_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = save_estimator(LogisticEstimator().fit(*numbers()), "run")
    (tmp_path / "given.svm").write_text("1 qid:1 1:5\n", encoding="utf-8")  # nothing of the run's
    with pytest.raises(
        InputError, match=r"a kept estimator, whose arrays are not kept; give data: ltr\.evaluate"
    ):
        evaluate.main(["--run", str(run)])
    with pytest.raises(
        InputError,
        match=r"dict: expected a fitted estimator, got none; call fit before; of a search",
    ):
        save_estimator({}, tmp_path / "other")  # type: ignore[arg-type]
