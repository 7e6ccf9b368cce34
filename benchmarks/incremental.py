"""python -m benchmarks.incremental [--products N] [--config configs/fashion.yaml]

`ltr.build_features` after 1 % of the products got new titles and photos, against the first build: the time it takes,
where that goes, and how many titles and photos are encoded, which must be those changed and no others. On a real
catalogue or so many of its products, the judged first (where it is not at hand, the demo shop), with a fresh cache
and store in a scratch folder; every build is a process of its own, from its start to its end.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from PIL import ImageOps

from benchmarks import record
from features.encoders import cache
from features.encoders.cache import EmbeddingCache
from features.encoders.image.pretrained import TorchvisionEncoder
from features.encoders.text import transformer
from features.encoders.text.transformer import TransformerTextEncoder
from features.feature_schema import KEYS
from features.groups.lexical import LexicalGroup
from features.groups.structured import StructuredGroup
from features.media import photos
from features.media.columns import file_columns
from features.media.files import read_bytes
from features.media.photos import decode
from features.sources.load import Collection
from features.sources.schema import Products
from features.store.delta import FeatureStore
from ltr.config.tree import Config, read_config
from ltr.pipeline import prepare
from ltr.pipeline.prepare import load_collection

CHANGED, AIM = 0.01, 0.05
REST = "the rest"
# What a build spends its time on: a stage, and the calls that belong to it.
STAGES: tuple[tuple[str, Any, str], ...] = (
    (REST, prepare, "prepare"),
    ("reading and cleaning tables", prepare, "load_collection"),
    ("reading, hashing and checking photos", photos.PhotoChecks, "look"),
    ("hashing photos again", cache, "content_hashes"),
    ("making encoders", prepare, "make_encoders"),
    ("loading the text network", transformer, "TorchText"),
    ("encoding texts", TransformerTextEncoder, "encode"),
    ("encoding photos", TorchvisionEncoder, "encode"),
    ("looking vectors up, loading the image network", EmbeddingCache, "embed"),
    ("lexical", LexicalGroup, "index"),
    ("lexical", LexicalGroup, "block"),
    ("structured", StructuredGroup, "index"),
    ("structured", StructuredGroup, "block"),
    ("writing the table", FeatureStore, "write"),
)


def main() -> None:
    given = arguments()
    if given.build:
        print(json.dumps(build(given.build)))
        return
    config = chosen_config(given.config)
    with tempfile.TemporaryDirectory() as scratch:
        shop = Shop(Path(scratch), config, given.products)
        first = shop.built()
        changed = shop.change()
        second = shop.built()
        again = shop.built()
    check(first, second, changed)
    ratio = second["seconds"] / first["seconds"]
    print(f"{ratio:.1%} of the first build's {first['seconds']:.0f} s")
    figures = {
        "aim": AIM,
        "config": given.config,
        "products": shop.products.height,
        "pairs": shop.pairs,
        "changed": changed,
        "ratio": round(ratio, 4),
        "first_build": first,
        "changed_build": second,
        "unchanged_build": again,
    }
    record.write("incremental", "python -m benchmarks.incremental", figures)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1_000_000, help="default: all")
    parser.add_argument("--config", default="configs/fashion.yaml")
    parser.add_argument("--build", type=Path, help="build once, of this config, and tell the figures")
    return parser.parse_args()


def chosen_config(path: str) -> Config:
    """The config asked for, or the demo shop's."""
    config = read_config(record.ROOT / path)
    if getattr(config.data, "kind", "") == "catalogue" and not record.have(config.name.split("_")[0]):
        print("on the demo shop instead")
        return read_config(record.config_path("demo"))
    return config


@dataclass
class Shop:
    """A small copy of a shop, in files of its own."""

    folder: Path
    config: Config
    size: int
    products: pl.DataFrame = field(init=False)
    pairs: int = field(init=False)

    def __post_init__(self) -> None:
        whole = load_collection(self.config)
        judged = whole.judgements["product_id"].unique().sort()
        others = whole.products.join(whole.judgements, on="product_id", how="anti")["product_id"].sort()
        ids = pl.concat([judged.sample(fraction=1, shuffle=True, seed=0), others]).head(self.size)
        self.products = whole.products.filter(pl.col("product_id").is_in(ids.implode()))
        judgements = whole.judgements.filter(pl.col("product_id").is_in(ids.implode()))
        self.pairs = judgements.height
        queries = whole.queries.join(judgements, on="query_id", how="semi")
        queries.write_parquet(self.folder / "queries.parquet")
        judgements.select(*KEYS, "grade").write_parquet(self.folder / "judgements.parquet")
        self._write_products()
        (self.folder / "shop.yaml").write_text(yaml.safe_dump(self._settings(whole)), encoding="utf-8")

    def change(self) -> dict[str, int]:
        """New titles and photos for some products with both; returns how many of each."""
        able = self.products.filter(pl.col("image").is_not_null() & pl.col("title").is_not_null())
        chosen = able.sample(round(CHANGED * self.products.height), seed=1)
        new = chosen.select(
            "product_id",
            title=pl.format("{}, new edition {}", "title", pl.int_range(chosen.height)),
            image=pl.Series([mirrored(photo) for photo in chosen["image"]], dtype=pl.Binary),
        )
        self.products = self.products.update(new, on="product_id")
        self._write_products()
        return {"products": chosen.height, "titles": chosen.height, "photos": new["image"].n_unique()}

    def built(self) -> dict[str, Any]:
        """A build by a process of its own; seconds: of the whole process."""
        command = [sys.executable, "-m", "benchmarks.incremental", "--build", str(self.folder / "shop.yaml")]
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=record.ROOT, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - begun
        printed = json.loads(done.stdout.splitlines()[-1])
        stages = {"starting and ending": round(seconds - sum(printed["stages"].values()), 2)} | printed[
            "stages"
        ]
        print(f"{seconds:.1f} s, {printed['encoded']:,} encoded: {stages}", flush=True)
        return printed | {"seconds": round(seconds, 2), "stages": stages}

    def _write_products(self) -> None:
        self.products.write_parquet(self.folder / "products.parquet")

    def _settings(self, whole: Collection) -> dict[str, Any]:
        known = {*pl.Schema(Products), *file_columns(whole.products.columns)}
        others = {name: dtype for name, dtype in whole.products.schema.items() if name not in known}
        words = [name for name, dtype in others.items() if dtype == pl.String]
        data = {
            "kind": "catalogue",
            "products": {
                "path": "products.parquet",
                "categorical": words,
                "numeric": [name for name in others if name not in words],
            },
            "queries": {"path": "queries.parquet"},
            "judgements": {"path": "judgements.parquet"},
        }
        tree = self.config.model_dump(mode="json", include={"encoders", "features", "ladder"})
        places = {
            "cache": {"folder": str(self.folder / "cache")},
            "store": {"root": str(self.folder / "store")},
        }
        return {"name": "incremental", "data": data} | tree | places


def mirrored(photo: bytes | str) -> bytes:
    buffer = io.BytesIO()
    ImageOps.mirror(decode(read_bytes(photo))).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def build(config: Path) -> dict[str, Any]:
    """Features built as `ltr.build_features` does, with the seconds each stage took beside those within it."""
    watch = StageWatch()
    for stage, owner, name in STAGES:
        watch.follow(stage, owner, name)
    prepared = prepare.prepare(read_config(config))
    table = prepared.table
    stages = {stage: round(seconds, 2) for stage, seconds in watch.seconds.items()}
    return {
        "encoded": table.encoded_vectors,
        "reused": table.reused_vectors,
        "from_store": prepared.from_store,
        "stages": stages,
    }


class StageWatch:
    """Seconds of stages that lie within each other: each without those inside it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._running: list[str] = []
        self._since = time.perf_counter()

    def follow(self, stage: str, owner: Any, name: str) -> None:
        """Count every call of `owner.name` under the stage, from now on."""
        followed: Callable[..., Any] = getattr(owner, name)

        @wraps(followed)
        def timed(*given: Any, **named: Any) -> Any:
            self._turn()
            self._running.append(stage)
            try:
                return followed(*given, **named)
            finally:
                self._turn()
                self._running.pop()

        setattr(owner, name, timed)

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now


def check(first: dict[str, Any], second: dict[str, Any], changed: dict[str, int]) -> None:
    expected = changed["titles"] + changed["photos"]
    if second["encoded"] != expected or not first["encoded"]:
        raise SystemExit(f"{second['encoded']:,} items encoded, {expected:,} changed")


if __name__ == "__main__":
    main()
