"""The behaviour group against the store's own as-of join; and what it does where nobody knows anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.behaviour import BehaviourConfig, update_behaviour
from features.behaviour.catalogue_changes import view_of
from features.behaviour.counting import LEVELS, query_key
from features.behaviour.views import COUNTED
from features.errors import InputError
from features.groups.behaviour import BehaviourGroup
from features.store import FeatureStore
from tests.features.behaviour.world import DAYS, PRODUCTS, START, make_events
from tests.features.groups.asking import asked, catalogue_of

END = START + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> BehaviourConfig:
    folder = tmp_path_factory.mktemp("store")
    made = BehaviourConfig(store=str(folder), windows=(3, 10), least_people=3)
    for days, factor in ((5, 1.0), (20, 1.5)):
        products = PRODUCTS.with_columns(
            pl.when(product_id="p3").then(pl.col("price") * factor).otherwise("price")
        )
        update_behaviour(make_events(), products, made, moment=START + timedelta(days=days, seconds=1.5))
    update_behaviour(make_events(), products, made, moment=END)
    return made


def queries(*times: datetime | None) -> pl.DataFrame:
    texts = ["RED hat ", "bag", "never asked", None]
    rows = [{"query_id": f"q{i}", "text": texts[i % 4], "at": at} for i, at in enumerate(times)]
    return pl.DataFrame(rows, schema={"query_id": pl.String, "text": pl.String, "at": pl.Datetime("us")})


def test_values_are_those_of_the_store_as_of_each_query_s_time(config: BehaviourConfig) -> None:
    random = np.random.default_rng(0)
    times = [START + timedelta(seconds=int(random.integers(-86_400, (DAYS + 3) * 86_400))) for _ in range(12)]
    times[0] = START + timedelta(days=11)
    catalogue, store = catalogue_of(PRODUCTS), FeatureStore(Path(config.store))
    group = BehaviourGroup.index(catalogue, config)
    asking = queries(*(at.replace(tzinfo=None) for at in times))
    pairs = asking.select("query_id").join(PRODUCTS.select("product_id"), how="cross")
    found = asked(group, catalogue, asking, pairs)
    rows = pairs.join(asking, on="query_id", maintain_order="left")
    rows = rows.join(PRODUCTS, on="product_id", maintain_order="left")
    rows = rows.with_columns(pl.col("at").dt.replace_time_zone("UTC"), query_key=query_key(pl.col("text")))
    for level, keys in LEVELS.items():
        wanted = store.as_of(rows.select(*keys, "at"), [COUNTED[level]]).drop(*keys, "at")
        ours = found.select(pl.col(f"behaviour.{level}_{name}").alias(name) for name in group._measures)
        assert ours.equals(wanted), level
        assert wanted["popularity_10d"].count()
    price = store.read(view_of("price")).sort("available_at")
    for row, days in zip(rows.rows(named=True), found["behaviour.price_days"], strict=True):
        before = price.filter(pl.col("available_at") <= row["at"], product_id=row["product_id"])
        since = before["available_at"].max()
        wanted_days = None if since is None else (row["at"] - since) / timedelta(days=1)
        assert days == (None if since is None else pytest.approx(wanted_days, abs=1e-4))
    assert found["behaviour.stock_days"].null_count() == found.height


def test_a_query_without_a_time_knows_nothing_and_says_so(
    config: BehaviourConfig, caplog: pytest.LogCaptureFixture
) -> None:
    catalogue = catalogue_of(PRODUCTS)
    group = BehaviourGroup.index(catalogue, config)
    for asking in (queries(None, None), queries(None).drop("at")):
        pairs = asking.select("query_id").join(PRODUCTS.select("product_id"), how="cross")
        found = asked(group, catalogue, asking, pairs)
        assert found.null_count().row(0) == (found.height,) * found.width


def test_a_request_with_a_zone_is_read_as_one_without(config: BehaviourConfig) -> None:
    catalogue = catalogue_of(PRODUCTS)
    group = BehaviourGroup.index(catalogue, config)
    one = queries(END.replace(tzinfo=None))
    pairs = one.select("query_id").join(PRODUCTS.select("product_id"), how="cross")
    zoned = one.with_columns(at=pl.lit(END.astimezone(UTC)))
    assert asked(group, catalogue, zoned, pairs).equals(asked(group, catalogue, one, pairs))


def test_products_that_nobody_met_have_no_values(config: BehaviourConfig) -> None:
    new = pl.concat([PRODUCTS, PRODUCTS.head(1).with_columns(product_id=pl.lit("new"), brand=pl.lit("Cy"))])
    catalogue = catalogue_of(new)
    group = BehaviourGroup.index(catalogue, config)
    asking = queries(END.replace(tzinfo=None))
    found = asked(group, catalogue, asking, pl.DataFrame({"query_id": ["q0"], "product_id": ["new"]}))
    known = {name for name in found.columns if found[name].count()}
    assert known == {f"behaviour.category_{name}" for name in group._measures}


def test_without_counts_or_with_other_windows_it_is_said(config: BehaviourConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ingest_events"):
        BehaviourGroup.index(catalogue_of(PRODUCTS), BehaviourConfig(store=str(tmp_path)))
    other = config.model_copy(update={"windows": (3, 11)})
    with pytest.raises(InputError, match="click_rate_11d"):
        BehaviourGroup.index(catalogue_of(PRODUCTS), other)
