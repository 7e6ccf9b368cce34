"""From a config to its feature table: load the collection, build the features or reuse the stored ones."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import polars as pl

from features.batch import QueryBatch
from features.behaviour.views import versions
from features.build import DEFINITIONS, FeatureBuilder, FeatureTable, index_key
from features.disk import whole_file
from features.encoders.cache import CacheConfig, EmbeddingCache
from features.encoders.registry import Encoder, Fittable, fit_on_products, make_encoder
from features.errors import InputError, NotFittedError
from features.feature_schema import KEYS, NOT_FEATURES, RETRIEVED, WEIGHT, FeatureSchema
from features.groups.adapted import WORDS
from features.media.photos import PhotoChecks
from features.sources.frames import fingerprint
from features.sources.load import Collection, SvmlightConfig, load
from features.sources.remarks import Remark
from features.store.delta import FeatureStore, FeatureView, WriteMode
from ltr.config.command_line import DEMO_CONFIG
from ltr.config.group_names import media_of
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, choose_vectors
from ltr.data.lists import ListsConfig
from ltr.demo import shop
from ltr.pipeline.known_catalogues import known_products, photos_unchanged, remember_products
from ltr.pipeline.known_encoders import known_encoder, remember_encoder
from ltr.pipeline.pooled_judging import DEPTH, FIRST, POOLED, pooled_judgements

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A collection with the features of its lists (query_id, product_id, grade, features…).

    Lists as they are served have the column `retrieved` too, and null grades where a product is not judged.

    encoders: by role, made once for all that the command does; none for ready-made features.
    version: of the table in the store; None where it was not written there.
    """

    config: Config
    collection: Collection
    encoders: Mapping[str, Encoder]
    table: FeatureTable
    schema: FeatureSchema
    from_store: bool
    version: int | None

    @property
    def lists(self) -> Literal["served", "judged"]:
        """What the lists are, whatever was wished for: see `ListsConfig`."""
        return "served" if RETRIEVED in self.table.frame.columns else "judged"

    @property
    def dataset(self) -> Dataset:
        """The whole lists, as rankers take them."""
        frame, judged = self.table.frame, self.collection.judgements
        if "weight" in judged.columns:
            weights = judged.select(*KEYS, pl.col("weight").alias(WEIGHT))
            frame = frame.join(weights, on=KEYS, how="left", maintain_order="left")
        made = Dataset.from_frame(frame, self.schema)
        return dataclasses.replace(made, unjudged=self.config.lists.unjudged)

    @property
    def judged(self) -> pl.DataFrame:
        """The judged pairs of the table."""
        return self.table.frame.filter(pl.col("grade").is_not_null()).drop(RETRIEVED, strict=False)

    @cached_property
    def builder(self) -> FeatureBuilder:
        """Over the collection's catalogue, by the same encoders."""
        return make_builder(self.config, self.collection.products, encoders=self.encoders)


# What stands for files where a ranker was fitted on arrays, which are not kept.
NOWHERE = Path("arrays-that-were-not-kept.svm")


def load_collection(config: Config) -> Collection:
    """Raises InputError as `load` does, and for a run of a ranker that was fitted on arrays."""
    folder = Path(config.cache.folder)
    if isinstance(config.data, SvmlightConfig) and NOWHERE.name in {
        path.name for path in config.data.files.values()
    }:
        raise InputError(
            where="the run",
            expected="one with data of its own",
            got="a kept estimator, whose arrays are not kept",
            cure="give data: ltr.evaluate --run RUN --judgements FILE.svm",
        )
    if not isinstance(config.data, shop.DemoShopConfig):
        return load(config.data, config.base, checks=PhotoChecks(folder))
    drawn = shop.collection(config.data, folder)
    return drawn if config.data.judged == "drawn" else _pooled(config.data, drawn, config.cache)


def _pooled(data: shop.DemoShopConfig, drawn: Collection, cache: CacheConfig) -> Collection:
    """The shop with pooled judgements, kept beside it once they are made.

    Who finds the pool reads by the demo's own settings, not by those of the run at hand: runs with other features or
    encoders are compared on the same judgements.
    """
    settings = read_config(DEMO_CONFIG).model_copy(update={"data": data, "cache": cache})
    about = {
        "shop": shop.shop_key(data),
        "encoders": settings.model_dump(mode="json", include={"encoders", "features"}),
        "pool": [POOLED, DEPTH, FIRST.model_dump(mode="json"), settings.lists.candidates, DEFINITIONS],
    }
    key = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16).hexdigest()
    kept = Path(cache.folder) / f"demo-pooled-{key}.arrow"
    if not kept.is_file():
        log.info("judging what several systems find for %s queries …", f"{drawn.queries.height:,}")
        made = shop.kept_shop(data, Path(cache.folder))
        grades = shop.judged_grades(data, made.wishes, made.stock)
        builder = make_builder(settings, drawn.products)
        judged = pooled_judgements(builder, drawn.queries, grades, settings.lists.candidates)
        with whole_file(kept) as path:
            judged.write_ipc(path)
    judgements = pl.read_ipc(kept)
    evidence = f"{judgements.height:,} pairs: the first {DEPTH} of {', '.join(POOLED)} and of a first ranker"
    return dataclasses.replace(
        drawn,
        judgements=judgements,
        fingerprints=drawn.fingerprints | {"judgements": fingerprint(judgements)},
        remarks=[Remark("PASS", "pooled judgements", evidence)],
    )


def read_collection(config: Config) -> Collection:
    """As `load_collection`, saying what was read; InputError for one without a judgement."""
    log.info("reading %s …", config.name)
    collection = load_collection(config)
    log.info("read: %s", sizes_in_words(collection))
    if not collection.judgements.height:
        raise InputError(
            where="data.judgements",
            expected="a table of graded pairs",
            got="none",
            cure="set data.judgements.path: rankers learn from its pairs",
        )
    return collection


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
    folder = Path(config.cache.folder)
    products = known_products(config.data, config.base, folder)
    if products is not None:
        encoders = {
            name: known_encoder(settings, config.base, folder, partial(make_config_encoder, config, name))
            for name, settings in config.encoders.items()
        }
        key = index_key(products, config.features, encoders)
        found = FeatureBuilder.opened(key, config.features, encoders, cache, schema)
        if found is not None and photos_unchanged(found.catalogue.products, config.data, config.base, folder):
            return found
    log.info("no index of this catalogue in %s: reading it, and encoding what is new …", folder.absolute())
    collection = load_collection(config)
    remember_products(collection, config.data, config.base, folder)
    return make_builder(config, collection.products, schema)


def remember(config: Config, collection: Collection, encoders: Mapping[str, Encoder]) -> None:
    """What the first ltr.rank over this catalogue then need not make or read to know it."""
    folder = Path(config.cache.folder)
    remember_products(collection, config.data, config.base, folder)
    for name, encoder in encoders.items():
        if not isinstance(encoder, Fittable):
            remember_encoder(encoder, config.encoders[name], config.base, folder)


def make_encoders(config: Config, products: pl.DataFrame) -> dict[str, Encoder]:
    """The config's encoders by role; one that learns from texts (TF-IDF) is fitted on the catalogue's."""
    encoders = {name: make_config_encoder(config, name) for name in config.encoders}
    for encoder in encoders.values():
        if isinstance(encoder, Fittable) and not encoder.fitted:
            fit_on_products(encoder, products)
    return encoders


def make_config_encoder(config: Config, name: str) -> Encoder:
    try:
        return make_encoder(config.encoders[name], config.base)
    except NotFittedError as error:
        cure = f"{error.cure}: python -m ltr.fit_encoder --config FILE --role {name}"
        raise InputError(where=error.where, expected=error.expected, got=error.got, cure=cure) from error


def prepare(config: Config, *, rebuild: bool = False, given_too: bool = False) -> Prepared:
    """Features of every list, read from the store where the same ones were built before.

    The same: equal fingerprints of the data, the encoders (weights included), the settings, and this package.
    given_too: whether ready-made features are written, too; who goes on with them here has just read their own file.
    """
    collection = read_collection(config)
    store = FeatureStore(config.store.address, config.store.options)
    view = FeatureView(f"{config.name}_pairs", keys=KEYS, available_at=None)
    encoders = {} if collection.given is not None else make_encoders(config, collection.products)
    _check_media(config, encoders)
    if collection.given is None:
        remember(config, collection, encoders)
    fingerprint = _fingerprint(config, collection, encoders)
    pairs = collection.judgements.select(*KEYS, "grade").sort(KEYS)
    if collection.given is not None and not given_too:
        frame = pairs.join(collection.given, on=KEYS, how="left", maintain_order="left")
        return Prepared(
            config, collection, encoders, FeatureTable(frame, {}), FeatureSchema.of(frame), False, None
        )
    there = None if rebuild else _restore(store, view, fingerprint)
    if there is not None and there.is_whole:
        written = store.version(view)
        return Prepared(
            config, collection, encoders, FeatureTable(there.frame, {}), there.schema, True, written
        )
    if collection.given is not None:
        frame = pairs.join(collection.given, on=KEYS, how="left", maintain_order="left")
        schema = FeatureSchema.of(frame)
        metadata = _metadata(fingerprint, schema, frame.height)
        written = store.write(view, frame, mode="overwrite", metadata=metadata)
        return Prepared(config, collection, encoders, FeatureTable(frame, {}), schema, False, written)
    builder = make_builder(config, collection.products, encoders=encoders)
    _say_typos(builder, collection.queries)
    pairs = _lists(config.lists, builder, collection, pairs)
    parts = _Parts(store, view, _metadata(fingerprint, builder.schema, pairs.height))
    done = 0 if there is None else _beginning(there.frame, pairs)
    table, written = parts.build(builder, collection.queries, pairs, done)
    return Prepared(config, collection, encoders, table, builder.schema, False, written)


def _say_typos(builder: FeatureBuilder, queries: pl.DataFrame) -> None:
    found = [read for read in builder.catalogue.words_of(QueryBatch(queries)).read_as if read]
    if found:
        said = list(dict.fromkeys(f"{word!r} as {as_!r}" for read in found for word, as_ in read.items()))
        log.info(
            "words that no product has, in %s of %s queries, are read as the nearest that one has: %s%s",
            *(f"{len(found):,}", f"{queries.height:,}", ", ".join(said[:5]), ", …" * (len(said) > 5)),
        )


def _lists(
    config: ListsConfig, builder: FeatureBuilder, collection: Collection, judged: pl.DataFrame
) -> pl.DataFrame:
    """The judged pairs, or the lists as they are served; these only where any product of them is not judged."""
    if config.kind == "judged":
        return judged
    asked = collection.queries.join(judged, on="query_id", how="semi")
    log.info("retrieving %d candidates for each of %s queries …", config.candidates, f"{asked.height:,}")
    found = builder.lists(asked, judged, config.candidates)
    if found["grade"].null_count():
        return found
    log.info("every candidate is judged: the lists are the judged ones")
    return judged


@dataclass(frozen=True)
class _Parts:
    """A feature table written part by part, so that a build that was killed goes on where it was."""

    store: FeatureStore
    view: FeatureView
    metadata: dict[str, str]

    def build(
        self, builder: FeatureBuilder, queries: pl.DataFrame, pairs: pl.DataFrame, after: int
    ) -> tuple[FeatureTable, int]:
        """after: pairs that stand in the store. Returns the whole table and its version."""
        parts = builder.stream(queries, pairs, after)
        frame, written = pairs.clear(), 0
        for number, frame in enumerate(parts):
            first = number == 0 and frame["query_id"][0] == pairs["query_id"][0]
            mode: WriteMode = "overwrite" if first else "append"
            written = self.store.write(self.view, frame, mode=mode, metadata=self.metadata)
        if frame.height < pairs.height:
            frame = _with_categories(self.store.read(self.view), builder.schema)
        if frame.height < pairs.height:  # another process began anew meanwhile
            frame = builder.build(queries, pairs).frame
            written = self.store.write(self.view, frame, mode="overwrite", metadata=self.metadata)
        return builder.table(frame), written


def _beginning(there: pl.DataFrame, pairs: pl.DataFrame) -> int:
    """How many of the pairs stand in the store, which must be the first ones; else 0."""
    return there.height if there.select(KEYS).equals(pairs.select(KEYS).head(there.height)) else 0


def _metadata(fingerprint: str, schema: FeatureSchema, rows: int) -> dict[str, str]:
    return {"fingerprint": fingerprint, "features": schema.to_json(), "rows": str(rows)}


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


@dataclass(frozen=True)
class _Stored:
    """What the store holds of a table of so many rows, in key order: perhaps the beginning only."""

    schema: FeatureSchema
    frame: pl.DataFrame
    rows: int

    @property
    def is_whole(self) -> bool:
        return self.frame.height == self.rows


def _restore(store: FeatureStore, view: FeatureView, fingerprint: str) -> _Stored | None:
    """What the store holds of this fingerprint; None for nothing."""
    if not store.exists(view):
        return None
    metadata = store.metadata(view)
    if metadata.get("fingerprint") != fingerprint:
        return None
    schema = FeatureSchema.from_json(metadata["features"])
    return _Stored(schema, _with_categories(store.read(view), schema), int(metadata["rows"]))


def _with_categories(frame: pl.DataFrame, schema: FeatureSchema) -> pl.DataFrame:
    """Delta has no Enum: the vocabularies come back from the view's metadata, the rows into key order.

    Two processes that build the same at once may both write a part: it counts once.
    """
    casts = {f.name: pl.Enum(list(f.categories)) for f in schema.features if f.kind == "categorical"}
    known = [name for name in NOT_FEATURES if name in frame.columns]
    chosen = frame.select(*known, *schema.names).cast(casts)  # type: ignore[arg-type]
    return chosen.unique(KEYS, keep="first").sort(KEYS)


def embedded_dataset(
    config: Config, data: Dataset, queries: pl.DataFrame, builder: FeatureBuilder
) -> EmbeddedDataset:
    """The dataset with the vectors of its rows, where the config makes embeddings features."""
    if config.embeddings is None:
        return EmbeddedDataset(data)
    found = builder.embeddings(queries, data.frame)
    if WORDS in config.embeddings.adapted:
        found |= builder.words(queries, data.frame)
    return EmbeddedDataset(data, choose_vectors(found, config.embeddings))


def _fingerprint(config: Config, collection: Collection, encoders: Mapping[str, Encoder]) -> str:
    parts = {
        "features": config.features.model_dump(mode="json"),
        "encoders": {name: encoder.fingerprint for name, encoder in encoders.items()},
        "data": config.data.model_dump(mode="json"),
        "lists": config.lists.model_dump(mode="json", exclude={"unjudged"}),
        "files": collection.fingerprints,
        "package": version("shop-ltr"),
        "definitions": DEFINITIONS,
    }
    for kind, group in (("behaviour", config.features.behaviour), ("graph", config.features.graph)):
        if group:
            parts[kind] = versions(FeatureStore(group.store))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
