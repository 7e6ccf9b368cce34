"""A run opened for serving, with all that a request needs in memory."""

from __future__ import annotations

import copy
import io
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl
import polars.selectors as cs
from PIL import Image

from features.batch import QueryBatch
from features.build import FeatureBuilder, products_key
from features.encoders.comparisons import Side
from features.encoders.vectors import RowVectors
from features.errors import InputError
from features.groups.behaviour import BehaviourGroup
from features.groups.graph import GraphGroup
from features.groups.likeness import Likeness
from features.media.files import MediaError, content_hash
from features.media.photos import decode
from features.sources.parsing.histories import HISTORY
from ltr.pipeline.prepare import load_collection
from ltr.runs.saved_run import SavedRun
from ltr.runs.sums import read_about
from ltr.serving.catalogue.photos import Photos
from ltr.serving.catalogue.shown_catalogue import ShownCatalogue
from ltr.serving.catalogue.similar import make_likeness, pairwise
from ltr.serving.catalogue.suggestions import Suggestions
from ltr.serving.ranking import candidates_of

_VECTORS = 4096  # of queries, kept


class LiveRun:
    """A run over its catalogue, everything opened.

    version: of the run's files; index: of the catalogue's contents; both 12 digits of a hash. in_flight: requests.
    """

    def __init__(self, folder: Path) -> None:
        """Raise InputError for a folder that is no run, or a run of ready-made features."""
        self.run = SavedRun.open(folder)
        if self.run.config.data.kind == "svmlight":
            raise InputError(
                where=folder,
                expected="a run over a catalogue",
                got="one of ready-made features, which has no words to search",
                cure="train a run on a shop's own tables",
            )
        self.name = folder.resolve().name
        self.version = str(read_about(folder)["sum"])[:12]
        self._vectors: OrderedDict[tuple[str, str], RowVectors] = OrderedDict()
        self._lock = threading.Lock()
        self.in_flight = 0
        self._take(self.run.catalogue_builder())

    def _take(self, builder: FeatureBuilder) -> None:
        """Serve this catalogue."""
        self.builder = builder
        products = builder.catalogue.products
        self.index = _key(products)
        self.catalogue = ShownCatalogue(products)
        thumbnails = Path(self.run.config.cache.folder) / "thumbnails"
        self.photos = Photos(products, self._read_products, thumbnails)
        self.suggestions = Suggestions(builder)
        self._likeness: Likeness | None = None

    def renewed(self) -> LiveRun:
        """The run over its catalogue as the files are now; itself where they say the same.

        Vectors of queries are kept: they hang on the encoder, by whose fingerprint they are named, and on no product.
        """
        builder = self.run.catalogue_builder()
        if _key(builder.catalogue.products) == self.index:
            return self
        other = copy.copy(self)
        other.in_flight = 0
        other._take(builder)
        return other

    @property
    def shown_columns(self) -> list[str]:
        """The catalogue's columns, photos' and files' bytes left out."""
        return _without_bytes(self.builder.catalogue.products).columns

    def _read_products(self) -> pl.DataFrame:
        return load_collection(self.run.config).products

    @property
    def candidates(self) -> int:
        """Of a query: as many as the run was trained with, since standings are among them."""
        return self.run.config.lists.candidates

    @property
    def reads_photos(self) -> bool:
        """Whether an encoder compares queries' photos with products."""
        return any(one.query.modality == "image" for one in self.builder.catalogue.vectors.compared)

    @property
    def reads_history(self) -> bool:
        """Whether a feature knows what a shopper met before."""
        return "history" in self.builder.groups

    @property
    def label(self) -> str:
        """What the log calls it."""
        return f"{self.name}@{self.version}"

    @property
    def counted_until(self) -> datetime | None:
        """The moment up to which its features know what shoppers did; None where they know nothing of it."""
        known = (BehaviourGroup, GraphGroup)
        moments = (group.counted_until for group in self.builder.groups.values() if isinstance(group, known))
        return min(moments, default=None)

    def refreshed(self) -> LiveRun:
        """The run with the counts of shoppers' events as they are in the store now; itself where none are newer.

        Raises InputError for a store that cannot be read.
        """
        builder = self.builder.refreshed()
        if builder is self.builder:
            return self
        other = copy.copy(self)
        other.builder, other.in_flight = builder, 0
        return other

    def about(self) -> dict[str, str]:
        """What every answer says of the run that made it."""
        return {"name": self.name, "version": self.version}

    def query(
        self, text: str | None, photo: bytes | None, query_id: str, history: Sequence[str] = ()
    ) -> QueryBatch:
        """One query, with the vectors that were made before of the same words or photo."""
        now = pl.Series("at", [time.time_ns() // 1000]).cast(pl.Datetime("us", "UTC"))
        asked = [
            pl.Series("query_id", [query_id], dtype=pl.String),
            pl.Series("text", [text], dtype=pl.String),
            pl.Series("image", [photo], dtype=pl.Binary),
            pl.Series(HISTORY, [list(history) or None], dtype=pl.List(pl.String)),
        ]
        query = QueryBatch(pl.DataFrame([*asked, now]))
        vectors = self.builder.catalogue.vectors
        for side in dict.fromkeys(one.query for one in vectors.compared):
            item = text if side.modality == "text" else photo if side.modality == "image" else None
            if item is None:
                continue
            query.once(side, partial(self._vectors_of, query, side, item))
        return query

    def _vectors_of(self, query: QueryBatch, side: Side, item: str | bytes) -> RowVectors:
        key = (side.fingerprint, item if isinstance(item, str) else content_hash(item))
        with self._lock:
            known = self._vectors.get(key)
        if known is None:
            known = self.builder.catalogue.vectors.of_queries(QueryBatch(query.frame), side)
            with self._lock:
                self._vectors[key] = known
                while len(self._vectors) > _VECTORS:
                    self._vectors.popitem(last=False)
        return known

    def alike(self, product_ids: Sequence[str]) -> pl.DataFrame:
        """How alike every two of these products are by photo, title, price and category; see `similar.pairwise`."""
        with self._lock:
            if self._likeness is None:
                self._likeness = make_likeness(self.run.config, self._read_products())
        return pairwise(self._likeness, product_ids)

    def warm_up(self) -> None:
        """Have what the first request would wait for made now: encoders, searches, the booster."""
        products = self.catalogue.products.head(50)
        titles = products["title"].drop_nulls() if "title" in products.columns else ()
        title = next(iter(titles), "shoes")
        photo = self.photos.original(0) if self.reads_photos and len(self.builder.catalogue) else None
        # For the first word that no product has the catalogue's are gathered.
        words = [*title.split()[:3], "unheardof"]
        query = self.query(" ".join(words), photo, "warm-up")
        rows = candidates_of(self.builder, query, 50)
        if len(rows):
            self.run.score_list(self.builder, query, rows)


def _key(products: pl.DataFrame) -> str:
    """Of a catalogue's contents: the same whether its index was opened, which leaves bytes out, or just made."""
    return products_key(_without_bytes(products))[:12]


def _without_bytes(products: pl.DataFrame) -> pl.DataFrame:
    return products.select(~cs.binary())


def check_photo(data: bytes, most_bytes: int, most_pixels: int) -> None:
    """Raise InputError for a photo that is too large, or that cannot be decoded; its size is read first."""
    size = f"at most {most_bytes:,} bytes and {most_pixels:,} pixels"
    if len(data) > most_bytes:
        got = f"{len(data):,} bytes"
        raise InputError(where="photo", expected=size, got=got, cure="send a smaller photo")
    try:
        with Image.open(io.BytesIO(data)) as header:
            pixels = header.width * header.height
    except Exception:  # noqa: BLE001 - whatever a stranger's bytes make of Pillow, `decode` says what they are
        pixels = 0
    if pixels > most_pixels:
        got = f"{pixels:,} pixels"
        raise InputError(where="photo", expected=size, got=got, cure="send a smaller photo")
    try:
        decode(data)
    except MediaError as error:
        raise InputError(
            where="photo",
            expected="a photo",
            got=f"none that can be read ({error})",
            cure="send a whole JPEG, PNG or WebP file",
        ) from error
