"""What commands print: no sentence that its own table seems to deny."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from ltr.evaluation.per_query import EvaluationConfig
from ltr.evaluation.significance import BootstrapConfig
from ltr.evaluation.systems import measure
from ltr.reporting.console import print_measurement
from ltr.reporting.explanations import print_top

CONFIG = EvaluationConfig(bootstrap=BootstrapConfig(resamples=200))


@pytest.mark.parametrize(("queries", "unsure"), [(5, True), (40, False)])
def test_an_interval_without_zero_beside_an_unsure_test_is_explained(
    queries: int, unsure: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five queries that all gain: the interval leaves out zero, and one sign pattern in 16 is as extreme."""
    grades = np.tile([0.0, 1, 2, 3], queries)
    ids = [(f"q{n:02}", f"p{place}") for n in range(queries) for place in range(4)]
    pairs = pl.DataFrame(ids, schema=["query_id", "product_id"], orient="row").with_columns(grade=grades)
    asked = pl.DataFrame({"query_id": pairs["query_id"].unique().sort()}).with_columns(
        text=pl.lit("words"), image=pl.lit(None, pl.String)
    )
    measured = measure(pairs, {"BM25": -grades, "model": grades}, asked, CONFIG, "model")
    print_measurement(measured, CONFIG)
    said = capsys.readouterr().out
    assert ("within noise" in said.split("all queries")[1]) == unsure
    assert ("an interval may leave out zero and the test be unsure" in said) == unsure


def test_a_share_that_rounds_to_nothing_has_no_sign(capsys: pytest.CaptureFixture[str]) -> None:
    shares = {"text": 0.996, "price": -0.001, "lexical": 0.003}
    reasons = [{"modality": name, "share": share} for name, share in shares.items()]
    print_top("shoe", 9, [{"rank": 1, "product_id": "a", "title": "A", "score": 1.0, "reasons": reasons}])
    assert "text +100%, price 0%, lexical 0%" in capsys.readouterr().out
