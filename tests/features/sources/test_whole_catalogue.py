"""Every product a candidate: what a brute force pairs, what is refused, what the loading tells."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from features.sources import whole_catalogue
from features.sources.ledger import Ledger
from features.sources.load import CatalogueConfig, load
from features.sources.whole_catalogue import pair_with_catalogue


def table(grades: dict[tuple[str, str], float]) -> pl.DataFrame:
    rows = [(query, product, grade) for (query, product), grade in grades.items()]
    schema = {"query_id": pl.String, "product_id": pl.String, "grade": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def shop(n: int) -> pl.DataFrame:
    return pl.DataFrame({"product_id": [f"p{i}" for i in range(n)]})


@given(
    listed=st.dictionaries(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 6)), st.integers(0, 3), min_size=1, max_size=20
    ),
    more=st.integers(0, 3),
)
def test_every_judged_query_meets_every_product_once(listed: dict[tuple[str, int], int], more: int) -> None:
    products = shop(7 + more)
    grades = {(query, f"p{product}"): float(grade) for (query, product), grade in listed.items()}
    ledger = Ledger()
    made = pair_with_catalogue(table(grades), products, ledger)
    queries = list(dict.fromkeys(query for query, _ in grades))
    expected = [(q, p, grades.get((q, p), 0.0)) for q in queries for p in products["product_id"]]
    assert made.rows() == expected
    step = ledger.steps[-1]
    assert (step.rows, step.affected) == (len(expected), len(expected) - len(grades))


def test_too_many_pairs_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_catalogue, "MOST_PAIRS", 5)
    judgements = table({("a", "p0"): 2.0, ("b", "p1"): 1.0})
    with pytest.raises(
        InputError, match=r"at most 5 pairs .*got 2 queries × 3 products; .*candidates: listed"
    ):
        pair_with_catalogue(judgements, shop(3), Ledger())


@pytest.mark.parametrize("candidates", ["listed", "catalogue"])
def test_the_config_decides_and_the_summary_tells(tmp_path: Path, candidates: str) -> None:
    shop(4).with_columns(title=pl.lit("tea")).write_csv(tmp_path / "products.csv")
    pl.DataFrame({"query_id": ["a", "b", "c"], "text": ["tea", "mug", "pot"]}).write_csv(
        tmp_path / "queries.csv"
    )
    judgements = table({("a", "p0"): 2.0, ("b", "p1"): 1.0, ("b", "p9"): 1.0})
    judgements.write_csv(tmp_path / "judgements.csv")
    config = CatalogueConfig.model_validate(
        {
            "products": {"path": "products.csv"},
            "queries": {"path": "queries.csv"},
            "judgements": {"path": "judgements.csv", "candidates": candidates},
        }
    )
    loaded = load(config, tmp_path)
    taken = loaded.summary().filter(step="unlisted product taken as grade 0")["affected"].to_list()
    if candidates == "listed":
        assert (loaded.judgements.height, taken) == (2, [])
    else:
        # p9 is not in the catalogue, c is not judged: neither makes a pair.
        assert (loaded.judgements.height, taken) == (2 * 4, [2 * 4 - 2])
        assert set(loaded.judgements["query_id"]) == {"a", "b"}
        assert loaded.judgements["grade"].sum() == 2 + 1
