"""From a config to its feature table: load the collection, build the features or reuse the stored ones."""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path

import polars as pl

from features.build import FeatureBuilder, FeatureTable, index_key
from features.encoders.cache import EmbeddingCache
from features.encoders.registry import Encoder, Fittable, make_encoder
from features.errors import InputError, NotFittedError
from features.feature_schema import KEYS, FeatureSchema
from features.media.photos import PhotoChecks
from features.sources.load import Collection, load
from features.store.delta import FeatureStore, FeatureView
from ltr.config.group_names import media_of
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, choose_vectors
from ltr.demo import shop
from ltr.pipeline.known_catalogues import known_products, photos_unchanged, remember_products
from ltr.pipeline.known_encoders import known_encoder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A collection with the features of its judged pairs (query_id, product_id, grade, features…).

    encoders: by role, made once for all that the command does; none for ready-made features.
    """

    config: Config
    collection: Collection
    encoders: Mapping[str, Encoder]
    table: FeatureTable
    schema: FeatureSchema
    from_store: bool
    version: int

    @cached_property
    def builder(self) -> FeatureBuilder:
        """Over the collection's catalogue, by the same encoders."""
        return make_builder(self.config, self.collection.products, encoders=self.encoders)


def load_collection(config: Config) -> Collection:
    if isinstance(config.data, shop.DemoShopConfig):
        return shop.collection(config.data, Path(config.cache.folder))
    return load(config.data, config.base, checks=PhotoChecks(Path(config.cache.folder)))


def sizes_in_words(collection: Collection) -> str:
    tables = ("products", "queries", "judgements")
    return ", ".join(f"{getattr(collection, name).height:,} {name}" for name in tables)


def make_builder(
    config: Config,
    products: pl.DataFrame,
    schema: FeatureSchema | None = None,
    encoders: Mapping[str, Encoder] | None = None,
) -> FeatureBuilder:
    """The config's feature groups over a catalogue, by its kept index; `schema`: of the run that is to score."""
    encoders = make_encoders(config, products) if encoders is None else encoders
    return FeatureBuilder.kept(products, config.features, encoders, cache_of(config), schema)


def cache_of(config: Config) -> EmbeddingCache:
    return EmbeddingCache(Path(config.cache.folder), config.cache.precision)


def open_builder(config: Config, schema: FeatureSchema) -> FeatureBuilder:
    """A run's features over its own catalogue: the kept index, without reading the catalogue if no file changed."""
    cache = cache_of(config)
    products = known_products(config.data, config.base, cache.folder)
    if products is not None:
        encoders = {
            name: known_encoder(settings, config.base, cache.folder, partial(_make_encoder, config, name))
            for name, settings in config.encoders.items()
        }
        key = index_key(products, config.features, encoders)
        found = FeatureBuilder.opened(key, config.features, encoders, cache, schema)
        if found is not None and photos_unchanged(
            found.catalogue.products, config.data, config.base, cache.folder
        ):
            return found
    collection = load_collection(config)
    remember_products(collection, config.data, config.base, cache.folder)
    return make_builder(config, collection.products, schema)


def make_encoders(config: Config, products: pl.DataFrame) -> dict[str, Encoder]:
    """The config's encoders by role; one that learns from texts (TF-IDF) is fitted on the catalogue's."""
    encoders = {name: _make_encoder(config, name) for name in config.encoders}
    for encoder in encoders.values():
        if isinstance(encoder, Fittable) and not encoder.fitted:
            fields = [pl.col(name) for name in ("title", "description", "brand", "category")]
            encoder.fit(
                products.select(pl.concat_str(fields, separator=" ", ignore_nulls=True)).to_series().to_list()
            )
    return encoders


def _make_encoder(config: Config, name: str) -> Encoder:
    try:
        return make_encoder(config.encoders[name], config.base)
    except NotFittedError as error:
        cure = f"{error.cure}: python -m ltr.fit_encoder --config FILE --role {name}"
        raise InputError(where=error.where, expected=error.expected, got=error.got, cure=cure) from error


def prepare(config: Config, *, rebuild: bool = False) -> Prepared:
    """Features of every judged pair, read from the store where the same ones were built before.

    The same: equal fingerprints of the data, the encoders (weights included), the settings, and this package.
    """
    log.info("reading %s …", config.name)
    collection = load_collection(config)
    log.info("read: %s", sizes_in_words(collection))
    if not collection.judgements.height:
        raise InputError(
            where="data.judgements",
            expected="a table of graded pairs",
            got="none",
            cure="set data.judgements.path: the features are built for its pairs",
        )
    store = FeatureStore(config.store.root, config.store.storage_options)
    view = FeatureView(f"{config.name}_pairs", keys=KEYS, available_at=None)
    encoders = {} if collection.given is not None else make_encoders(config, collection.products)
    _check_media(config, encoders)
    if collection.given is None:
        remember_products(collection, config.data, config.base, Path(config.cache.folder))
    fingerprint = _fingerprint(config, collection, encoders)
    if not rebuild and store.exists(view) and store.metadata(view).get("fingerprint") == fingerprint:
        schema = FeatureSchema.from_json(store.metadata(view)["features"])
        frame = _restore(store.read(view), schema)
        return Prepared(
            config, collection, encoders, FeatureTable(frame, {}), schema, True, store.version(view)
        )
    table = _build(config, collection, encoders)
    schema = FeatureSchema.of(table.frame)
    written = store.write(
        view,
        table.frame,
        mode="overwrite",
        metadata={"fingerprint": fingerprint, "features": schema.to_json()},
    )
    return Prepared(config, collection, encoders, table, schema, False, written)


def _check_media(config: Config, encoders: Mapping[str, Encoder]) -> None:
    """Raise InputError for a rung of a modality that the products have and no encoder reads."""
    read = {modality for encoder in encoders.values() for modality in encoder.modalities}
    for group in set(media_of(config.data)).intersection(config.ladder) - read:
        near = difflib.get_close_matches(group, read, n=1)
        raise InputError(
            where="config key 'ladder'",
            expected=f"groups that an encoder makes ({', '.join(sorted(read)) or 'there is none'})",
            got=f"{group!r}{f', near to {near[0]!r}' if near else ''}",
            cure=f"name an encoder that reads {group} under encoders",
        )


def _build(config: Config, collection: Collection, encoders: Mapping[str, Encoder]) -> FeatureTable:
    pairs = collection.judgements.select(*KEYS, "grade").sort(KEYS)
    if collection.given is not None:
        return FeatureTable(pairs.join(collection.given, on=KEYS, how="left", maintain_order="left"), {})
    builder = make_builder(config, collection.products, encoders=encoders)
    return builder.build(collection.queries, pairs)


def _restore(frame: pl.DataFrame, schema: FeatureSchema) -> pl.DataFrame:
    """Delta has no Enum: the vocabularies come back from the view's metadata, the rows into key order."""
    casts = {f.name: pl.Enum(list(f.categories)) for f in schema.features if f.kind == "categorical"}
    return frame.select(*KEYS, "grade", *schema.names).cast(casts).sort(KEYS)  # type: ignore[arg-type]


def embedded_dataset(
    config: Config, data: Dataset, queries: pl.DataFrame, builder: FeatureBuilder
) -> EmbeddedDataset:
    """The dataset with the vectors of its rows, where the config makes embeddings features."""
    if config.embeddings is None:
        return EmbeddedDataset(data)
    return EmbeddedDataset(data, choose_vectors(builder.embeddings(queries, data.frame), config.embeddings))


def _fingerprint(config: Config, collection: Collection, encoders: Mapping[str, Encoder]) -> str:
    parts = {
        "features": config.features.model_dump(mode="json"),
        "encoders": {name: encoder.fingerprint for name, encoder in encoders.items()},
        "data": config.data.model_dump(mode="json"),
        "files": collection.fingerprints,
        "package": version("shop-ltr"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
