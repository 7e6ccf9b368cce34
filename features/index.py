"""A catalogue read once: the order of its products, and their vectors; groups of features add their own arrays.

Rows of an index are the products in the order of product_id, so that a tie in a search does not hang on the
order of the catalogue's file. It is kept as arrays in a folder beside the vectors' cache, whole or not at all, and
opened by mapping them: no text or photo is read again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import polars as pl
import polars.selectors as cs

from features.batch import QueryBatch, rows_of
from features.disk import draft_beside, quick_sum
from features.encoders.cache import EmbeddingCache
from features.encoders.catalogue_vectors import CatalogueVectors
from features.encoders.comparisons import comparisons
from features.encoders.nearest import VectorSearch
from features.encoders.protocol import Encoder
from features.encoders.vectors import RowVectors
from features.media.columns import media_columns
from features.media.files import hashes_of
from features.words.query_words import QueryWords
from features.words.tokens import TokenisedColumns
from features.words.typos import Typos

ABOUT, PRODUCTS = "index.json", "products.arrow"
_FORMAT = 7
_ROWS_AT_ONCE = 16_384
_KEPT = 8  # indexes in one folder; those made first go
_ANY = "[0-9a-f]*"

Arrays = Mapping[str, np.ndarray]
Read = TypeVar("Read")


class CatalogueIndex:
    """product_ids: sorted; catalogue_rows: (n,) where each stood in the catalogue's own order.

    typos: how a query's word is read that no product has, by all groups alike; it is made of what they read, so it is
    theirs who bring them together to set. None: as it was typed.
    """

    def __init__(
        self,
        product_ids: pl.Series,
        catalogue_rows: np.ndarray,
        vectors: CatalogueVectors,
        products: pl.DataFrame,
    ) -> None:
        """products: their columns, in the order of the index; of an opened one, without photos' and files' bytes."""
        self.product_ids, self.catalogue_rows, self.vectors = product_ids, catalogue_rows, vectors
        self.products = products
        self.typos: Typos | None = None
        self._read: dict[Hashable, Any] = {}

    @classmethod
    def of(
        cls,
        products: pl.DataFrame,
        encoders: Mapping[str, Encoder],
        cache: EmbeddingCache,
        text_fields: Collection[str],
        without: Collection[str] = (),
    ) -> CatalogueIndex:
        """Every product's texts and photos by the encoders, by role, in order of preference.

        without: groups (text, image, …) whose cosines nothing is to use.
        """
        rows = products["product_id"].arg_sort().to_numpy()
        vectors = CatalogueVectors.of(products, rows, list(encoders.values()), cache, text_fields, without)
        in_order = products[rows]
        return cls(in_order["product_id"], rows, vectors, in_order)

    @cached_property
    def tokens(self) -> TokenisedColumns:
        """The products' texts as tokens, each column read once for all groups."""
        return TokenisedColumns(self.products)

    def words_of(self, queries: QueryBatch) -> QueryWords:
        """The queries' words, read once a batch for all groups."""
        return queries.once((self, "words"), lambda: QueryWords.read(queries.texts, self.typos))

    def once(self, what: Hashable, read: Callable[[], Read]) -> Read:
        """What `read` gives, read for the first group that asks; `what` names it."""
        if what not in self._read:
            self._read[what] = read()
        return cast("Read", self._read[what])

    def rows_of(self, product_ids: pl.Series) -> np.ndarray:
        """Rows of these products, (n,) int64; InputError for one that is not in the catalogue."""
        return rows_of(product_ids.alias("product_id"), self.product_ids)

    def __len__(self) -> int:
        return len(self.product_ids)


@dataclass(frozen=True, eq=False)
class Change:
    """A catalogue and an earlier state of it. rows: (n,) the row that each product had in `before`, -1 for new ones."""

    before: CatalogueIndex
    now: CatalogueIndex
    rows: np.ndarray

    @classmethod
    def of(cls, before: CatalogueIndex, now: CatalogueIndex) -> Change:
        known = pl.DataFrame({"id": before.product_ids}).with_row_index("row")
        asked = pl.DataFrame({"id": now.product_ids})
        found = asked.join(known, on="id", how="left", maintain_order="left")["row"]
        return cls(before, now, found.cast(pl.Int64).fill_null(-1).to_numpy())

    def same(self, columns: Sequence[str]) -> np.ndarray:
        """(n,) the earlier row of each product that says the same in all these columns, -1 for others."""
        there = np.flatnonzero(self.rows >= 0)
        equal = np.ones(len(there), dtype=bool)
        for name in columns:
            if name not in self.before.products.columns:
                return np.full(len(self.rows), -1)
            earlier = self.before.products[name].gather(self.rows[there])
            equal &= self.now.products[name].gather(there).eq_missing(earlier).to_numpy()
        found = np.full(len(self.rows), -1)
        found[there[equal]] = self.rows[there[equal]]
        return found

    def rows_of_both(self, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Products that are new or say something else in these columns, (m,) rows; and of all (n,) the earlier row,
        of these len(before) + their place among the m."""
        rows = self.same(columns)
        new = np.flatnonzero(rows < 0)
        rows[new] = len(self.before) + np.arange(len(new))
        return new, rows

    def same_vectors(self, now: RowVectors, before: RowVectors) -> np.ndarray:
        """(u,) the earlier vector that each vector equals, bit for bit, where its product had it; -1 for others."""
        found = np.full(len(now.vectors), -1)
        there = np.flatnonzero((now.rows >= 0) & (self.rows >= 0))
        found[now.rows[there]] = before.rows[self.rows[there]]
        for start in range(0, len(found), _ROWS_AT_ONCE):
            part = found[start : start + _ROWS_AT_ONCE]
            equal = (now.vectors[start : start + len(part)] == before.vectors[np.maximum(part, 0)]).all(
                axis=1
            )
            part[~equal] = -1
        return found


def products_key(products: pl.DataFrame) -> str:
    """A fingerprint of a catalogue's table; of photos and files by the hashes of their contents."""
    files = [name for name in ("image", *media_columns(products.columns)) if name in products.columns]
    digest = hashlib.blake2b(digest_size=16)
    for column in products:
        content = hashes_of(products, column.name) if column.name in files else column
        digest.update(f"{column.name} {column.dtype}\n".encode())
        digest.update(pl.DataFrame([content]).write_ipc(None, compression="uncompressed").getbuffer())
    return digest.hexdigest()


def save_index(
    target: Path, key: str, kin: str, catalogue: CatalogueIndex, groups: Mapping[str, Arrays]
) -> None:
    """Write a folder that `open_index` opens under this key: whole, or not at all; it takes an older one's place.

    kin: the same for all states of a catalogue, see `latest_of`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    vectors = catalogue.vectors
    with draft_beside(target) as draft:
        sides = []
        arrays: dict[str, np.ndarray] = {"catalogue/rows": catalogue.catalogue_rows}
        for place, side in enumerate(vectors.sides):
            found = vectors.of_products(side)
            arrays |= {f"vectors/{place}": found.vectors, f"rows/{place}": found.rows}
            if any(one.product == side for one in vectors.finding):
                search = vectors.search(side).arrays()
                arrays |= {f"search/{place}/{name}": array for name, array in search.items()}
            sides.append([side.column, side.fingerprint])
        for kind, made in groups.items():
            arrays |= {f"group/{kind}/{name}": array for name, array in made.items()}
        names = {f"{number:04d}.npy": name for number, name in enumerate(arrays)}
        for file, name in names.items():
            np.save(draft / file, np.ascontiguousarray(arrays[name]), allow_pickle=False)
        shown = catalogue.products.select(~cs.binary())
        shown.write_ipc(draft / PRODUCTS, compression="uncompressed")
        about = {
            "format": _FORMAT,
            "key": key,
            "kin": kin,
            "sides": sides,
            "compared": [one.name for one in vectors.compared],
            "groups": list(groups),
            "unreadable": vectors.stats.unreadable,
            "arrays": names,
            "files": {file: _whole(draft / file) for file in (*names, PRODUCTS)},
        }
        (draft / ABOUT).write_text(json.dumps(about | {"sum": _sum(about)}), encoding="utf-8")
        _put(draft, target)
    there = [path for path in target.parent.glob(_ANY) if path.is_dir()]
    for old in sorted(there, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)  # who has it mapped keeps it


def latest_of(folder: Path, kin: str) -> str | None:
    """The key of the index made last of those kin to one that is not there; None for none."""
    there = [path for path in folder.glob(_ANY) if path.is_dir()]
    for path in sorted(there, key=lambda path: path.stat().st_mtime, reverse=True):
        with suppress(OSError, ValueError, KeyError, TypeError):
            about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
            if about["kin"] == kin:
                return str(about["key"])
    return None


def _put(draft: Path, target: Path) -> None:
    """Give the folder its name; another process may be doing the same, and either's will do."""
    for _ in range(3):
        shutil.rmtree(target, ignore_errors=True)
        with suppress(OSError):
            draft.replace(target)
            return


def open_index(
    target: Path, key: str, encoders: Mapping[str, Encoder], cache: EmbeddingCache
) -> tuple[CatalogueIndex, dict[str, Arrays]] | None:
    """The index of this key in a folder, and the groups' arrays, mapped; None where there is none, or it is damaged.

    A damaged one, or another's, is to be made again.
    """
    try:
        about = json.loads((target / ABOUT).read_text(encoding="utf-8"))
        if about.pop("sum") != _sum(about) or about["format"] != _FORMAT or about["key"] != key:
            return None
        if any(_whole(target / file) != ends for file, ends in about["files"].items()):
            return None
        arrays = {
            name: np.load(target / file, mmap_mode="r", allow_pickle=False).view(np.ndarray)
            for file, name in about["arrays"].items()
        }
        products = pl.read_ipc(target / PRODUCTS)
        return _opened(about, arrays, products, encoders, cache)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        return None


def _opened(
    about: Mapping[str, Any],
    arrays: Arrays,
    products: pl.DataFrame,
    encoders: Mapping[str, Encoder],
    cache: EmbeddingCache,
) -> tuple[CatalogueIndex, dict[str, Arrays]]:
    places = {(column, fingerprint): place for place, (column, fingerprint) in enumerate(about["sides"])}
    found = {one.name: one for one in comparisons(list(encoders.values()))}
    compared = [found[name] for name in about["compared"]]
    sides = {}
    for one in compared:
        place = places[one.product.column, one.product.fingerprint]
        sides[one.product] = RowVectors(arrays[f"vectors/{place}"], arrays[f"rows/{place}"])
    vectors = CatalogueVectors(compared, sides, cache)
    for one in vectors.finding:
        search = dict(_below(arrays, f"search/{places[one.product.column, one.product.fingerprint]}/"))
        vectors.searches[one.product] = VectorSearch.from_arrays(sides[one.product], search)
    vectors.stats.reused = sum(len(found.vectors) for found in sides.values())
    vectors.stats.unreadable.update(about["unreadable"])
    groups: dict[str, Arrays] = {kind: dict(_below(arrays, f"group/{kind}/")) for kind in about["groups"]}
    return CatalogueIndex(products["product_id"], arrays["catalogue/rows"], vectors, products), groups


def _below(arrays: Arrays, prefix: str) -> Iterator[tuple[str, np.ndarray]]:
    for name, array in arrays.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), array


def _whole(path: Path) -> list[Any]:
    """A file's size and its hash: all of it, since a bit may turn anywhere."""
    return [path.stat().st_size, quick_sum(path)]


def _sum(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
