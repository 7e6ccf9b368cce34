"""Which catalogue a config's files hold, told from their sizes and times: so that an index opens without reading them.

Beside the indexes stands, by data section, what was seen when the files were last read whole.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel

from features.build import products_key
from features.disk import write_note
from features.media.columns import media_columns
from features.sources.load import Collection
from ltr.demo.shop import DemoShopConfig, shop_key


def remember_products(collection: Collection, data: BaseModel, base: Path, folder: Path) -> None:
    """Keep the key of a collection's products (see `products_key`) with the state of the files they came from.

    Not where a photo could not be read: somebody may mend it, and it is not named among the products any more.
    """
    if any(name.startswith("products ") and rows.height for name, rows in collection.rejected.items()):
        return
    files = {name: _state(base / name) for name in collection.fingerprints if (base / name).is_file()}
    seen = {
        "products": products_key(collection.products),
        "files": files,
        "photos": _photos(collection.products),
    }
    path = _path(data, base, folder)
    write_note(path, json.dumps(seen))


def known_products(data: BaseModel, base: Path, folder: Path) -> str | None:
    """The key of the products in these files; None where they were not read before, or are others by now."""
    seen = _seen(data, base, folder)
    if seen is None or any(_state(base / name) != state for name, state in seen["files"].items()):
        return None
    return str(seen["products"])


def photos_unchanged(products: pl.DataFrame, data: BaseModel, base: Path, folder: Path) -> bool:
    """Whether photos and files that lie by themselves are as they were; products: with their paths."""
    seen = _seen(data, base, folder)
    return seen is not None and seen["photos"] == _photos(products)


def _seen(data: BaseModel, base: Path, folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(_path(data, base, folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if {"products", "files", "photos"} <= found.keys() else None


def _path(data: BaseModel, base: Path, folder: Path) -> Path:
    made_up = shop_key(data) if isinstance(data, DemoShopConfig) else ""
    name = hashlib.blake2b(f"{made_up}{data.model_dump_json()}{base.resolve()}".encode(), digest_size=16)
    return folder / "index" / f"{name.hexdigest()}.seen.json"


def _state(path: Path) -> list[int]:
    """A file's size and time; nothing where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _photos(products: pl.DataFrame) -> str:
    """A hash of the states of all files that columns of paths name."""
    columns = [name for name in ("image", *media_columns(products.columns)) if name in products.columns]
    digest = hashlib.blake2b(digest_size=16)
    for name in columns:
        if products[name].dtype == pl.String:
            for path in products[name].drop_nulls().sort():
                digest.update(f"{path} {_state(Path(path))}\n".encode())
    return digest.hexdigest()
