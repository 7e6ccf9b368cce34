"""The shops that a server under load serves: the demo's, fashion, and one made up of any size; a run over each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import record

MADE = "made"
INT8 = "{text: {kind: sentence-transformer, runtime: onnx-int8, threads: 1}}"
_WORDS, _BRANDS, _CATEGORIES = 50_000, 5_000, 200
_QUERIES, _JUDGED = 300, 20


def trained(shop: str, work: Path, products: int, *, encoder: bool) -> Path:
    """A run over the shop's texts and columns, made once in the folder, and a copy beside it to exchange it for.

    encoder: with the text encoder by ONNX Runtime in 8 bits; without, what is left is ours and the booster's.
    """
    run = work / "runs" / "first"
    if not (run / "run.json").is_file():
        config = made(work / "shop", products) if shop == MADE else record.config_path(shop)
        words = ["--config", str(config), "--encoders", INT8 if encoder else "{}", "--ladder", "[]"]
        words += ["--ranker.kind", "lightgbm", "--ranker.trees", "300", "--ranker.early_stopping_rounds", "0"]
        words += ["--ranker.threads", "1", "--ranker.bags", "1", "--lists.kind", "judged", "--run", str(run)]
        words += ["--cache.folder", str(work / "cache"), "--store.root", str(work / "store")]
        work.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "ltr.train", *words, "--quiet"], check=True, cwd=work)
    shutil.copytree(run, run.with_name("second"), dirs_exist_ok=True)
    return run


def made(folder: Path, products: int) -> Path:
    """Files of so many made-up products, whose words are as unequally frequent as words are, and their config.

    A query is two or three words of a title, whose product has the best grade; chance ones have low grades.
    """
    rng = np.random.default_rng(products)
    folder.mkdir(parents=True, exist_ok=True)
    words = pl.Series([f"w{number:x}" for number in range(_WORDS)])
    share = 1 / np.arange(1, _WORDS + 1)
    drawn = rng.choice(_WORDS, (products, 8), p=share / share.sum())
    columns = [words.gather(column).alias(str(place)) for place, column in enumerate(drawn.T)]
    titles = pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator=" ")).to_series()
    ids = pl.select(pl.format("p{}", pl.int_range(products).cast(pl.String).str.zfill(8))).to_series()
    table = pl.DataFrame(
        {
            "product_id": ids,
            "title": titles,
            "brand": [f"brand {number}" for number in rng.integers(0, _BRANDS, products)],
            "category": [f"all > {n % 20} > {n}" for n in rng.integers(0, _CATEGORIES, products)],
            "price": rng.lognormal(3, 1, products).round(2),
        }
    )
    table.write_parquet(folder / "products.parquet")
    asked = rng.integers(0, products, _QUERIES)
    texts = [" ".join(words.gather(rng.permutation(drawn[row])[: 2 + row % 2])) for row in asked]
    names = [f"q{number:03d}" for number in range(_QUERIES)]
    pl.DataFrame({"query_id": names, "text": texts}).write_parquet(folder / "queries.parquet")
    rows = np.concatenate([asked[:, None], rng.integers(0, products, (_QUERIES, _JUDGED - 1))], axis=1)
    judged = pl.DataFrame(
        {
            "query_id": np.repeat(names, _JUDGED),
            "product_id": ids.gather(rows.ravel()),
            "grade": np.where(np.arange(_QUERIES * _JUDGED) % _JUDGED == 0, 3, rng.integers(0, 2, rows.size)),
        }
    ).unique(["query_id", "product_id"], keep="first", maintain_order=True)
    judged.write_parquet(folder / "judgements.parquet")
    data = {name: {"path": f"{name}.parquet"} for name in ("products", "queries", "judgements")}
    path = folder / "made.yaml"
    path.write_text(json.dumps({"name": MADE, "data": {"kind": "catalogue", **data}}), encoding="utf-8")
    return path
