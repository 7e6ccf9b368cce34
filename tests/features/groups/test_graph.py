"""The item graph as features: each by its formula as of the query's time, and the same served as joined later."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.behaviour import BehaviourConfig, update_behaviour
from features.behaviour.together import GRAPHS
from features.behaviour.views import TOGETHER
from features.build import FeatureBuilder, FeaturesConfig
from features.errors import InputError
from features.groups.graph import REACH, RESTART, ROUNDS, GraphConfig, GraphGroup
from features.sources.events import with_history
from features.store import FeatureStore
from tests.features.behaviour.world import DAYS, PRODUCTS, START, make_events
from tests.features.groups.asking import asked, catalogue_of

EVENTS = make_events()
END = START + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("store"))
    update_behaviour(EVENTS, PRODUCTS, BehaviourConfig(store=folder, windows=(3, 10)), moment=END)
    return folder


def queries(times: list[datetime | None], histories: list[list[str] | None]) -> pl.DataFrame:
    ids = [f"q{number:02}" for number in range(len(times))]
    at = pl.Series("at", times, dtype=pl.Datetime("us"))
    return pl.DataFrame({"query_id": ids, "history": histories}).hstack([at])


def by_formula(store: str, at: datetime, history: list[str], graph: str) -> np.ndarray | None:
    """(products, 3) tie, walk and lift of every product, by dense matrices; None where nothing has an edge."""
    ids = sorted(PRODUCTS["product_id"])
    rows = FeatureStore(store).read(TOGETHER).filter(pl.col("available_at").dt.replace_time_zone(None) <= at)
    edges = np.zeros((len(ids), len(ids)))
    for one, other, count in rows.sort("available_at").select("product_id", "other_id", graph).iter_rows():
        edges[ids.index(one), ids.index(other)] = edges[ids.index(other), ids.index(one)] = count
    degrees = edges.sum(axis=0)
    last = [ids.index(name) for name in history if name in ids and degrees[ids.index(name)]][::-1][:REACH]
    if not last:
        return None
    start = np.zeros(len(ids))
    for place, row in enumerate(last, 1):
        start[row] += 1 / place
    start /= start.sum()
    tie = sum(start[row] * edges[row] / np.sqrt(np.maximum(degrees[row] * degrees, 1)) for row in last)
    if len(set(last)) < len(last):
        tie = sum(
            start[row] * edges[row] / np.sqrt(np.maximum(degrees[row] * degrees, 1)) for row in set(last)
        )
    step, at_now = edges / np.maximum(degrees, 1)[:, None], start
    for _ in range(ROUNDS):
        at_now = RESTART * start + (1 - RESTART) * at_now @ step
    walk = at_now - RESTART * start
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.where(degrees > 0, walk / (degrees / degrees.sum()), np.nan)
    return np.stack([tie, walk, lift], axis=1)


def test_each_feature_is_its_formula_as_of_the_query_s_time(store: str) -> None:
    draw = np.random.default_rng(0)
    names = [*PRODUCTS["product_id"], "gone"]
    times = [
        (START + float(draw.uniform(-1, DAYS + 12)) * timedelta(days=1)).replace(tzinfo=None)
        for _ in range(30)
    ]
    histories = [[str(name) for name in draw.choice(names, draw.integers(1, 9))] for _ in times]
    asking = queries([*times], [*histories])
    catalogue = catalogue_of(PRODUCTS)
    pairs = asking.select("query_id").join(PRODUCTS.select("product_id").sort("product_id"), how="cross")
    found = asked(GraphGroup.index(catalogue, GraphConfig(store=store)), catalogue, asking, pairs)
    of_query = found.to_numpy().reshape(len(times), PRODUCTS.height, 2, 3)
    known = 0
    for at, history, ours in zip(times, histories, of_query, strict=True):
        for place, graph in enumerate(GRAPHS):
            wanted = by_formula(store, at, history, graph)
            if wanted is None:
                assert np.isnan(ours[:, place]).all()
            else:
                known += 1
                np.testing.assert_allclose(ours[:, place], wanted, rtol=1e-5, atol=1e-7)
    assert known > 30


def test_without_history_time_or_table_there_is_nothing(store: str, tmp_path: Path) -> None:
    catalogue = catalogue_of(PRODUCTS)
    group = GraphGroup.index(catalogue, GraphConfig(store=store))
    late = END.replace(tzinfo=None)
    asking = queries([late, late, None], [None, ["gone"], ["p1"]])
    pairs = asking.select("query_id").join(PRODUCTS.select("product_id"), how="cross")
    found = asked(group, catalogue, asking, pairs)
    assert found.null_count().row(0) == (found.height,) * found.width
    with pytest.raises(InputError, match="ingest_events"):
        GraphGroup.index(catalogue, GraphConfig(store=str(tmp_path)))


def test_what_was_served_is_what_training_joins_later(tmp_path: Path) -> None:
    """Replay: the job runs on the log as it was, a request is answered; afterwards the same query is a training row."""
    groups = {"behaviour": {"store": str(tmp_path), "windows": (3, 10)}, "graph": {"store": str(tmp_path)}}
    off = dict.fromkeys(("lexical", "similarity", "shown_words", "structured"), False)
    config = FeaturesConfig.model_validate({**off, **groups, "history": True})
    assert config.behaviour
    shoppers = EVENTS.shown["shopper"].drop_nulls().unique().sort()[:6]
    served, rows = [], []
    for number, days in enumerate((9.4, 16.0, 16.7, 30.2)):
        moment = START + timedelta(days=days)
        update_behaviour(EVENTS.known_at(moment), PRODUCTS, config.behaviour, moment=moment)
        one = pl.DataFrame({"query_id": [f"{number} {name[-3:]}" for name in shoppers], "shopper": shoppers})
        one = one.with_columns(text=pl.lit("red hat"), at=pl.lit(moment.replace(tzinfo=None)))
        rows.append(one)
        builder = FeatureBuilder(PRODUCTS, config, {})
        known = with_history(one, EVENTS.known_at(moment - timedelta(microseconds=1)))
        served.append(builder.build(known, pairs_of(one)).frame)
    update_behaviour(EVENTS, PRODUCTS, config.behaviour, moment=END)
    training = with_history(pl.concat(rows), EVENTS)
    joined = FeatureBuilder(PRODUCTS, config, {}).build(training, pairs_of(training)).frame
    assert_frame_equal(joined, pl.concat(served), check_exact=True)
    for group in ("behaviour", "graph", "history"):
        values = joined.select(pl.col(f"^{group}\\..*$"))
        assert sum(values.null_count().row(0)) < 0.7 * values.height * values.width


def pairs_of(asking: pl.DataFrame) -> pl.DataFrame:
    return asking.select("query_id").join(PRODUCTS.select("product_id"), how="cross")
