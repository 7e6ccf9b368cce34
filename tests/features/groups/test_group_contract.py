"""Every registered group keeps the contract, and so does one of a user's own, from config to table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from features.batch import PairBatch
from features.behaviour import BehaviourConfig, update_behaviour
from features.build import FeatureBuilder, FeaturesConfig
from features.encoders.cache import EmbeddingCache
from features.encoders.image.plain import ColoursConfig, ColoursEncoder
from features.encoders.text.sentence_encoders import TfidfConfig, TfidfEncoder
from features.feature_schema import Feature, FeatureSchema
from features.groups import protocol
from features.groups.protocol import Arrays, Group, GroupSettings, known_groups, register
from features.index import CatalogueIndex
from features.sources.events import Events
from ltr.demo.shop import DemoShopConfig, generate
from tests.features.groups.group_contract import check_group

SHOP = generate(DemoShopConfig(products=60, queries=16, judged_per_query=8))


class TitleLengthConfig(GroupSettings):
    """Settings of the user's own group."""

    unit: int = 1


class TitleLengthGroup(Group):
    """Letters of the title, and of the query; and whether the product is the first of its list."""

    kind = "title_length"
    settings: ClassVar[type[TitleLengthConfig]] = TitleLengthConfig

    def __init__(self, lengths: np.ndarray) -> None:
        self._lengths = lengths

    @classmethod
    def index(cls, catalogue: CatalogueIndex, settings: TitleLengthConfig) -> Self:
        letters = catalogue.products["title"].str.len_chars().cast(pl.Float32) / settings.unit
        return cls(letters.to_numpy())

    @property
    def features(self) -> tuple[Feature, ...]:
        return (
            Feature("length.title"),
            Feature("length.query"),
            Feature("length.place", "categorical", ("first", "later")),
        )

    def block(self, batch: PairBatch, out: np.ndarray) -> None:
        asked = np.array([np.nan if text is None else len(text) for text in batch.queries.texts])
        out[:, 0] = self._lengths[batch.product_rows]
        out[:, 1] = asked[batch.query_rows]
        out[:, 2] = 1
        out[batch.starts[:-1], 2] = 0

    def arrays(self) -> dict[str, np.ndarray]:
        return {"lengths": self._lengths}

    @classmethod
    def opened(cls, catalogue: CatalogueIndex, settings: TitleLengthConfig, arrays: Arrays) -> Self:
        return cls(arrays["lengths"])


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    known_groups()  # those of the package are there
    monkeypatch.setattr(protocol, "_REGISTRY", dict(protocol._REGISTRY))
    register(TitleLengthGroup)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> CatalogueIndex:
    folder = tmp_path_factory.mktemp("cache")
    return CatalogueIndex.of(SHOP.products, encoders(folder), EmbeddingCache(folder), ("title", "category"))


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What some made-up shoppers did, as the behaviour group reads it."""
    folder = tmp_path_factory.mktemp("counts")
    lists = SHOP.judgements.join(SHOP.queries, on="query_id").select(
        "product_id", "text", request_id="query_id", shown_at=pl.lit(datetime(2026, 3, 1)), position=pl.lit(1)
    )
    acted = lists.select("request_id", "product_id", acted_at="shown_at", available_at="shown_at")
    events = Events(lists, acted.with_columns(action=pl.lit("click"), session="request_id").gather_every(3))
    config = BehaviourConfig(store=str(folder), least_people=1)
    update_behaviour(events, SHOP.products, config, moment=datetime(2026, 3, 3, tzinfo=UTC))
    return folder


def encoders(folder: Path) -> dict[str, Any]:
    text = TfidfEncoder(TfidfConfig(dimensions=16), folder)
    text.fit(SHOP.products["title"].to_list())
    return {"text": text, "image": ColoursEncoder(ColoursConfig(), folder)}


@pytest.mark.parametrize("kind", [*known_groups(), "title_length"])
def test_every_group_keeps_the_contract(
    kind: str, catalogue: CatalogueIndex, counts: Path, plugged: None
) -> None:
    group = known_groups()[kind]
    of_kind: dict[str, dict[str, Any]] = {"shown_words": {"min_products": 5}}
    of_kind |= {name: {"store": str(counts)} for name in ("behaviour", "graph")}
    settings = of_kind.get(kind, {})
    queries = SHOP.queries.with_columns(at=pl.lit(datetime(2026, 3, 2)))
    met = SHOP.judgements.group_by("query_id").agg(history=pl.col("product_id").head(5))
    queries = queries.join(met[2:], on="query_id", how="left", maintain_order="left")
    check_group(group, catalogue, group.settings.model_validate(settings), queries)


def test_a_group_of_a_user_s_own_stands_in_the_table(plugged: None, tmp_path: Path) -> None:
    config = FeaturesConfig.model_validate({"similarity": False, "others": {"title_length": {"unit": 2}}})
    assert FeaturesConfig.model_validate(config.model_dump(mode="json")) == config
    builder = FeatureBuilder(SHOP.products, config, {}, EmbeddingCache(tmp_path))
    pairs = SHOP.judgements.select("query_id", "product_id")
    found = builder.build(SHOP.queries, pairs).frame
    titles = pairs.join(SHOP.products, on="product_id", maintain_order="left")["title"]
    assert found["length.title"].to_list() == (titles.str.len_chars() / 2).to_list()
    assert found.columns[-3:] == ["length.title", "length.query", "length.place"]
    assert FeatureSchema.of(found) == builder.schema
    assert "lexical.bm25_title" in found.columns


def test_a_kind_is_taken_once_and_an_unknown_one_is_named(plugged: None) -> None:
    class Other(TitleLengthGroup):
        """Another of that name."""

    register(TitleLengthGroup)
    with pytest.raises(ValueError, match="taken by TitleLengthGroup"):
        register(Other)
    with pytest.raises(ValidationError, match="'title_length'"):
        FeaturesConfig.model_validate({"others": {"tilte_length": {}}})
    with pytest.raises(ValidationError):
        FeaturesConfig.model_validate({"others": {"lexical": {}}})
