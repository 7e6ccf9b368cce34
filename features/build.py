"""Groups of features in order → one table of features per query–product pair.

The same `FeatureBuilder.block` makes ten million training rows and serves a single query, so the two cannot
drift apart.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain

import numpy as np
import polars as pl

from features.batch import Block, PairBatch, QueryBatch, list_starts, rows_of
from features.encoders.cache import EmbeddingCache
from features.encoders.catalogue_vectors import EncodingStats
from features.encoders.protocol import Encoder, fingerprint_of
from features.encoders.registry import default_encoders
from features.encoders.vectors import RowVectors
from features.feature_schema import KEYS, RETRIEVED, FeatureSchema
from features.groups.lexical import LexicalGroup
from features.groups.protocol import Group, known_groups, register
from features.index import CatalogueIndex, Change, latest_of, open_index, products_key, save_index
from features.retrieval import Retrieval
from features.settings import FeaturesConfig
from features.words.typos import Typos

__all__ = [
    "CANDIDATES",
    "FeatureBuilder",
    "FeatureTable",
    "FeaturesConfig",
    "index_key",
    "products_key",
    "register",
]

PAIRS_AT_ONCE = 200_000
QUERIES_AT_ONCE = 1000
CANDIDATES = 400  # of a query, by all ways of searching together: what is ordered for a searcher
log = logging.getLogger(__name__)

# To be raised with every change of what a feature of an unchanged name says: kept indexes and tables are then made
# anew, and a run of another number is refused where features are made for it.
DEFINITIONS = 9
_INDEXES = "index"


@dataclass(frozen=True)
class FeatureTable:
    """`frame`: query_id, product_id, (grade,) features, in the order of the pairs asked for."""

    frame: pl.DataFrame
    seconds: dict[str, float]
    reused_vectors: int = 0
    encoded_vectors: int = 0
    unreadable: Mapping[str, int] = field(default_factory=dict)
    """By column (`product image`): items that an encoder could not read, whose features are null."""

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


class FeatureBuilder:
    """The groups of features of one catalogue, each indexed once.

    encoders: by role; similarity pairs a query with a product field whenever both can be encoded. Without,
    TF-IDF of the products' own texts. cache: without, vectors are kept in memory.
    schema: of a run being scored; then exactly its features are made, in its order and with its category
    codes, null where this catalogue has nothing for them.
    before: the same groups over an earlier state of the catalogue; only what changed since is read.
    """

    def __init__(
        self,
        products: pl.DataFrame,
        config: FeaturesConfig | None = None,
        encoders: Mapping[str, Encoder] | None = None,
        cache: EmbeddingCache | None = None,
        schema: FeatureSchema | None = None,
        before: FeatureBuilder | None = None,
    ) -> None:
        config = config or FeaturesConfig()
        encoders = default_encoders(products) if encoders is None else encoders
        cache = EmbeddingCache() if cache is None else cache
        self.seconds: dict[str, float] = {}
        similar = config.similarity
        with self._timed("similarity"):
            self.catalogue = CatalogueIndex.of(
                products,
                encoders if similar else {},
                cache,
                similar.text_fields if similar else (),
                config.without,
            )
        change = None if before is None else Change.of(before.catalogue, self.catalogue)
        groups: dict[str, Group] = {}
        for kind, settings in config.wanted.items():
            with self._timed(kind):
                if before is None or change is None:
                    groups[kind] = known_groups()[kind].index(self.catalogue, settings)
                else:
                    groups[kind] = before.groups[kind].reindexed(self.catalogue, settings, change)
        if before is not None and change is not None:
            with self._timed("similarity"):
                self.catalogue.vectors.take_searches(before.catalogue.vectors, change.same_vectors)
        self._take(groups, config, schema)

    @classmethod
    def kept(
        cls,
        products: pl.DataFrame,
        config: FeaturesConfig,
        encoders: Mapping[str, Encoder],
        cache: EmbeddingCache,
        schema: FeatureSchema | None = None,
    ) -> FeatureBuilder:
        """As made anew, from the index that the cache's folder keeps of this catalogue; one not there is kept."""
        if cache.folder is None:
            return cls(products, config, encoders, cache, schema)
        key = index_key(products_key(products), config, encoders)
        found = cls.opened(key, config, encoders, cache, schema)
        if found is None:
            kin = index_key("", config, encoders)
            earlier = latest_of(cache.folder / _INDEXES, kin)
            before = cls.opened(earlier, config, encoders, cache) if earlier else None
            found = cls(products, config, encoders, cache, before=before)
            arrays = {kind: group.arrays() for kind, group in found.groups.items()}
            try:
                save_index(cache.folder / _INDEXES / key, key, kin, found.catalogue, arrays)
            except OSError as error:  # a full disk, or another user's cache, which serving may only read
                log.warning("catalogue index: not kept for the next time (%s)", error)
            found._take(found.groups, config, schema)
        return found

    @classmethod
    def opened(
        cls,
        key: str,
        config: FeaturesConfig,
        encoders: Mapping[str, Encoder],
        cache: EmbeddingCache,
        schema: FeatureSchema | None = None,
    ) -> FeatureBuilder | None:
        """From the index of this key, without the products; None where it is not kept, or damaged.

        key: see `index_key`.
        """
        index = open_index(cache.folder / _INDEXES / key, key, encoders, cache) if cache.folder else None
        if index is None:
            return None
        made = cls.__new__(cls)
        made.seconds, (made.catalogue, arrays) = {}, index
        try:
            groups = {
                kind: known_groups()[kind].opened(made.catalogue, settings, arrays[kind])
                for kind, settings in config.wanted.items()
            }
        except (KeyError, ValueError):  # arrays that the group does not know
            return None
        made._take(groups, config, schema)
        return made

    def _take(
        self, groups: Mapping[str, Group], config: FeaturesConfig, schema: FeatureSchema | None
    ) -> None:
        known = [words for group in groups.values() for words in group.known_words]
        self.catalogue.typos = Typos(known) if config.typos else None
        if schema is None and config.without:
            every = (feature for group in groups.values() for feature in group.features)
            gone = with_own_columns(config.without)
            schema = FeatureSchema(tuple(feature for feature in every if feature.group not in gone))
        self._schema = schema
        self._hold({kind: g if schema is None else g.for_schema(schema) for kind, g in groups.items()})

    def _hold(self, groups: dict[str, Group]) -> None:
        self.groups = groups
        self._features = {kind: group.features for kind, group in groups.items()}
        self._retrieval = Retrieval(self.catalogue, groups)

    @property
    def stats(self) -> EncodingStats:
        """What the cache gave, what had to be encoded and what could not be, summed over all calls."""
        return self.catalogue.vectors.stats

    @property
    def schema(self) -> FeatureSchema:
        """The features that are made, in order."""
        return self._schema or FeatureSchema(tuple(chain(*self._features.values())))

    def with_numbers(self, products: pl.DataFrame) -> FeatureBuilder:
        """The same groups over the same products, some of whose numbers (price, rating, …) are others.

        As a builder made anew, at a small part of its time: texts and photos are not read again.
        """
        other = copy.copy(self)
        other.seconds = {}
        in_order = products[self.catalogue.catalogue_rows]
        other._hold({kind: group.with_numbers(in_order) for kind, group in self.groups.items()})
        return other

    def refreshed(self) -> FeatureBuilder:
        """The same groups with what they read beside the catalogue (counts of events) as that is now.

        Itself where nothing is newer. This one stays as it is, for whoever is at work with it.
        """
        groups = {kind: group.refreshed() for kind, group in self.groups.items()}
        if all(groups[kind] is group for kind, group in self.groups.items()):
            return self
        other = copy.copy(self)
        other.seconds, other.groups = {}, groups
        other._retrieval = Retrieval(other.catalogue, groups)
        return other

    def build(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> FeatureTable:
        """Features of `pairs` (query_id, product_id, further columns kept), row-aligned with them.

        Where they have a column `retrieved`, as from `lists`, a value's standing in its list is among those rows.
        """
        return self.table(self._frame(queries, pairs, *self.rows_of(queries, pairs)))

    def stream(
        self, queries: pl.DataFrame, pairs: pl.DataFrame, after: int = 0, at_once: int = PAIRS_AT_ONCE
    ) -> Iterator[pl.DataFrame]:
        """`build`, part by part, of whole lists of about so many pairs together: memory is that of a part.

        pairs: sorted by query. after: pairs that were built before; where no part ends there, all are built.
        """
        rows = self.rows_of(queries, pairs)
        for start, end in parts(rows[0], after, at_once):
            yield self._frame(queries, pairs[start:end], *(of[start:end] for of in rows))

    def table(self, frame: pl.DataFrame) -> FeatureTable:
        """A built frame with what the building took and met."""
        seconds = {name: seconds for name, seconds in self.seconds.items() if seconds}
        stats = self.stats
        return FeatureTable(frame, seconds, stats.reused, stats.encoded, dict(stats.unreadable))

    def rows_of(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Of each pair the row in `queries` and in the index; InputError for an unknown query or product."""
        query_rows = rows_of(pairs["query_id"], queries["query_id"])
        return query_rows, self.catalogue.rows_of(pairs["product_id"])

    def _frame(
        self, queries: pl.DataFrame, pairs: pl.DataFrame, query_rows: np.ndarray, product_rows: np.ndarray
    ) -> pl.DataFrame:
        among = pairs[RETRIEVED].to_numpy() if RETRIEVED in pairs.columns else None
        batch, order = PairBatch.of(queries, query_rows, product_rows, among)
        block = self.block(batch)
        if order is not None:
            back = np.empty_like(order)
            back[order] = np.arange(len(order))
            block = Block(block.features, block.matrix.T[:, back].T)
        return pairs.hstack(block.frame()) if block.features else pairs

    def block(self, batch: PairBatch) -> Block:
        """The features of a batch; those of the schema, where there is one."""
        made = Block.empty(tuple(chain(*self._features.values())), len(batch))
        start = 0
        for kind, group in self.groups.items():
            end = start + len(self._features[kind])
            if len(batch):
                with self._timed(kind):
                    group.block(batch, made.matrix[:, start:end])
            start = end
        return made if self._schema is None else made.select(self._schema)

    def embeddings(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, RowVectors]:
        """The encoders' vectors by field, row-aligned with `pairs`; none where similarity is off.

        By column: title, description, category, brand, image (or another modality) of the product;
        query_text and query_image. A column that two encoders read comes from the first.
        """
        catalogue = self.catalogue.vectors
        query_rows, product_rows = self.rows_of(queries, pairs)
        used, place = np.unique(query_rows, return_inverse=True)
        asked = QueryBatch(queries[used])
        named: dict[str, RowVectors] = {}
        for one in catalogue.compared:
            found = catalogue.of_queries(asked, one.query).take(place)
            named.setdefault(f"query_{one.query.modality}", found)
        for one in catalogue.compared:
            side = one.product
            name = side.column if side.modality == "text" else side.modality
            named.setdefault(name, catalogue.of_products(side).take(product_rows))
        return dict(reversed(named.items()))

    def words(self, queries: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, RowVectors]:
        """`query_words` and `product_words`, row-aligned with `pairs`: hashes in place of vectors, see `word_hashes`.

        None where the lexical group is off.
        """
        lexical = self.groups.get(LexicalGroup.kind)
        if not isinstance(lexical, LexicalGroup):
            return {}
        query_rows, product_rows = self.rows_of(queries, pairs)
        asked, of_query = np.unique(query_rows, return_inverse=True)
        offered, of_product = np.unique(product_rows, return_inverse=True)
        return {
            "query_words": RowVectors(lexical.words_of_queries(QueryBatch(queries[asked])), of_query),
            "product_words": RowVectors(lexical.words_of_products(offered), of_product),
        }

    def words_of_pair(self, query: pl.DataFrame, product_id: str) -> tuple[list[str], list[str]]:
        """What `words` hashes, of one query and one product, as words; none where the lexical group is off."""
        lexical = self.groups.get(LexicalGroup.kind)
        if not isinstance(lexical, LexicalGroup):
            return [], []
        (row,) = self.catalogue.rows_of(pl.Series([product_id]))
        return lexical.words_of_query(QueryBatch(query)), lexical.words_of_product(int(row))

    @property
    def ways(self) -> list[str]:
        """By what candidates are retrieved, by name."""
        return self._retrieval.names

    def candidates(self, queries: pl.DataFrame, count: int) -> pl.DataFrame:
        """Pairs of each query with the `count` products that all ways of searching find first together."""
        asked, rows = self.retrieve(QueryBatch(queries), count)
        return pl.DataFrame(
            {
                "query_id": queries["query_id"].gather(asked),
                "product_id": self.catalogue.product_ids.gather(rows),
            }
        ).sort("query_id", "product_id")

    def lists(self, queries: pl.DataFrame, judgements: pl.DataFrame, count: int) -> pl.DataFrame:
        """Lists as they are served, with what is judged of them: the candidates of each query, judged ones added.

        judgements: query_id, product_id, grade. Returns query_id, product_id, grade (null: not judged) and retrieved
        (false: a judged product that retrieval does not give), sorted by key; `build` takes it.
        """
        parts = []
        for part in queries.iter_slices(QUERIES_AT_ONCE):
            found = self.candidates(part, count).with_columns(pl.lit(value=True).alias(RETRIEVED))
            judged = judgements.join(part, on="query_id", how="semi").select(*KEYS, "grade")
            joined = found.join(judged, on=KEYS, how="full", coalesce=True, validate="1:1")
            parts.append(joined.select(*KEYS, "grade", pl.col(RETRIEVED).fill_null(value=False)).sort(KEYS))
        return pl.concat(parts).sort(KEYS)

    def retrieve(
        self, queries: QueryBatch, count: int, within: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of queries and of products, as `candidates`; each pair once, both rising.

        within: (products,) bool in the index's order: only these may come back; None for all.
        """
        return self._retrieval.candidates(queries, count, within)

    @contextmanager
    def _timed(self, group: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[group] = self.seconds.get(group, 0.0) + time.perf_counter() - started


def with_own_columns(groups: Collection[str]) -> set[str]:
    """The groups and, with `structured`, the shop's own extra columns, which come and go with it."""
    return {*groups, "extra"} if "structured" in groups else {*groups}


def parts(query_rows: np.ndarray, after: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Where parts of whole lists begin and end: those from pair `after` on, or all where none begins there."""
    starts = list_starts(query_rows)
    ends = [0]
    while ends[-1] < len(query_rows):
        most = np.searchsorted(starts, ends[-1] + at_once, side="right") - 1
        ends.append(int(max(starts[most], starts[np.searchsorted(starts, ends[-1], side="right")])))
    first = ends.index(after) if after in ends else 0
    yield from zip(ends[first:-1], ends[first + 1 :], strict=True)


def index_key(products: str, config: FeaturesConfig, encoders: Mapping[str, Encoder]) -> str:
    """Names the index of a catalogue (`products`: its `products_key`) under these settings and encoders."""
    parts = {
        "products": products,
        "features": config.model_dump(mode="json"),
        "encoders": {name: [encoder.fingerprint, encoder.space] for name, encoder in encoders.items()},
        "package": version("shop-ltr"),
        "definitions": DEFINITIONS,
    }
    return fingerprint_of(parts)
