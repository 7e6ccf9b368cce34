"""python -m benchmarks.request [demo fashion made] [--requests N] [--runtime torch|onnx-int8]

A warm request on one core, stage by stage: encode the query, retrieve, each group of features, score; and the whole of
it, from words to the ranked list, as `ltr.rank` and a server run it. Beside it, in the same run, the floor: the query
through `SentenceTransformer.encode` and the booster's own `predict` on the same matrix of 100 candidates.

demo: the demo shop as it is. fashion: the real catalogue's texts and columns; made: 200,000 products whose titles are
drawn from fashion's words. Of these two the products' vectors are drawn at random, 384 dimensions each: what a
request costs hangs on how many there are, not on what they say.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import record
from features.batch import PairBatch, QueryBatch
from features.build import FeatureBuilder
from features.encoders.cache import EmbeddingCache
from features.encoders.protocol import Encoder
from features.encoders.text.sentence_encoders import SentenceTransformerConfig, SentenceTransformerEncoder
from features.feature_schema import KEYS
from ltr.config.command_line import DEMO_CONFIG
from ltr.config.tree import Config, parse_config, read_config
from ltr.data.dataset import Dataset
from ltr.pipeline.prepare import load_collection, make_encoders
from ltr.rankers import LightGBMConfig
from ltr.rankers.boosters.lightgbm_ranker import LightGBMRanker
from ltr.runs.saved_run import SavedRun
from ltr.serving.ranking import one_query, rank
from ltr.training.fused_ranker import FusedRanker

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
CANDIDATES, MADE, JUDGED = 100, 200_000, 3000
SHARES = (50, 95, 99)


class Drawn:
    """The query's vector by a real encoder; of many items at once, the products', vectors drawn at random."""

    modalities = frozenset({"text"})

    def __init__(self, real: Encoder) -> None:
        self._real, self.dimensions = real, 384
        self.space = self.fingerprint = f"drawn-{real.fingerprint}"

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        if len(items) == 1:
            return self._real.encode(items, modality)
        found = np.random.default_rng(len(items)).normal(size=(len(items), self.dimensions))
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("shops", nargs="*", help="demo, fashion, made; default: those at hand")
    arguments.add_argument("--requests", type=int, default=300)
    arguments.add_argument("--runtime", default="torch", choices=("torch", "onnx-int8"))
    given = arguments.parse_args()
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):  # read when libraries load
        command = [sys.executable, "-m", "benchmarks.request", *sys.argv[1:]]
        raise SystemExit(subprocess.run(command, env=os.environ | ONE_THREAD, check=False).returncode)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = {}
    for shop in given.shops or ("demo", "fashion", "made"):
        if shop == "demo" or record.have("fashion"):
            with tempfile.TemporaryDirectory() as scratch:
                found[shop] = measure(shop, Path(scratch), given.runtime, given.requests)
    words = f"{' '.join(found)} --requests {given.requests} --runtime {given.runtime}"
    name = "request" if given.runtime == "torch" else f"request_{given.runtime.replace('-', '_')}"
    record.write(name, f"python -m benchmarks.request {words}", {"milliseconds_at": SHARES, "shops": found})


def measure(shop: str, scratch: Path, runtime: str, requests: int) -> dict[str, Any]:
    """Milliseconds by stage at each share of the requests."""
    config, products, queries, pairs = tables(shop, scratch)
    real = SentenceTransformerEncoder(
        SentenceTransformerConfig(runtime=runtime, device="cpu", threads=1, max_tokens=64), Path()
    )
    cache = EmbeddingCache(scratch / "cache")
    encoders = {"text": real if shop == "demo" else Drawn(real)}
    if shop == "demo":
        encoders |= {n: e for n, e in make_encoders(config, products).items() if n != "text"}
    print(f"{shop}: indexing {products.height:,} products …", flush=True)
    started = time.perf_counter()
    FeatureBuilder.kept(products, config.features, encoders, cache)
    indexed = time.perf_counter() - started
    started = time.perf_counter()
    builder = FeatureBuilder.kept(products, config.features, encoders, cache)
    opened = time.perf_counter() - started
    data = Dataset.from_frame(builder.build(queries, pairs).frame)
    ranker = LightGBMRanker(LightGBMConfig(threads=1, early_stopping_rounds=0, trees=300))
    ranker.fit(data, None)
    run = SavedRun(scratch, config, builder.schema, FusedRanker(ranker, None), "lightgbm")
    texts = [text for text in queries["text"].drop_nulls().unique().sort() if text.strip()]
    asked = [texts[place % len(texts)] for place in range(requests + 20)]
    times: dict[str, list[float]] = defaultdict(list)
    floor = _floor(real)
    for number, text in enumerate(asked):
        stages = _stages(run, builder, text) | floor(run, builder, text)
        if number >= 20:  # warm
            for stage, seconds in stages.items():
                times[stage].append(1000 * seconds)
    shown = {
        stage: [round(float(p), 3) for p in np.percentile(values, SHARES)] for stage, values in times.items()
    }
    for stage, values in shown.items():
        print(f"  {stage:<28}" + "".join(f"{value:>10.2f}" for value in values))
    sizes = {"products": products.height, "features": len(builder.schema.features), "requests": requests}
    return sizes | {"index_seconds": round(indexed, 2), "open_seconds": round(opened, 3), "stages": shown}


def tables(shop: str, scratch: Path) -> tuple[Config, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Config, products, queries and graded pairs."""
    if shop == "demo":
        config = read_config(DEMO_CONFIG, {"cache.folder": str(scratch / "cache")})
        collection = load_collection(config)
        return config, collection.products, collection.queries, collection.judgements.sort(KEYS)
    folder = record.DATA / "fashion"
    config = parse_config({"name": shop, "data": {"kind": "demo"}}, scratch, "benchmark")
    products = pl.read_parquet(folder / "products.parquet").rename({"price": "list_price"})
    products = products.rename({"discounted_price": "price"})
    known = ("product_id", "title", "description", "brand", "category", "price", "list_price")
    products = products.select(
        pl.col(name).cast(pl.Float64 if "price" in name else pl.String)
        for name in known
        if name in products.columns
    )
    queries = pl.read_parquet(folder / "queries.parquet").select("query_id", "text").drop_nulls("text")
    judged = pl.read_parquet(folder / "judgments.parquet").join(queries, on="query_id", how="semi")
    pairs = judged.select(*KEYS, grade=pl.col("grade").cast(pl.Float64)).unique(KEYS).sort(KEYS)
    if shop == "made":
        return config, *_made(products, queries)
    return config, products, queries, pairs.head(20_000)


def _made(products: pl.DataFrame, queries: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """MADE products: rows of the real ones, drawn with repeats, each title with a number of its own."""
    rng = np.random.default_rng(0)
    rows = products[rng.integers(0, products.height, MADE)]
    ids = pl.Series([f"m{number:07d}" for number in range(MADE)])
    titles = pl.select(pl.concat_str(rows["title"], pl.lit(" "), ids.str.slice(1))).to_series()
    made = rows.with_columns(product_id=ids, title=titles)
    asked = queries["query_id"].sort().head(JUDGED // 30)
    pairs = pl.DataFrame(
        {
            "query_id": asked.sample(JUDGED, with_replacement=True, seed=0),
            "product_id": ids.sample(JUDGED, with_replacement=True, seed=1),
            "grade": rng.integers(0, 4, JUDGED).astype(np.float64),
        }
    )
    return made, queries, pairs.unique(KEYS).sort(KEYS)


def _stages(run: SavedRun, builder: FeatureBuilder, text: str) -> dict[str, float]:
    """Seconds of each stage of one request; and of a whole request, as served, by itself."""
    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        made = work()
        seconds[stage] = time.perf_counter() - started
        return made

    query = QueryBatch(one_query(text, None))
    vectors = builder.catalogue.vectors
    timed("encode", lambda: [vectors.of_queries(query, one.query) for one in vectors.compared])
    _, rows = timed("retrieve", lambda: builder.retrieve(query, CANDIDATES))
    rows = rows[:CANDIDATES]
    batch = PairBatch.of_one(query, rows)
    for kind, group in builder.groups.items():
        out = np.empty((len(group.features), len(batch)), dtype=np.float32).T
        timed(f"group {kind}", lambda group=group, out=out: group.block(batch, out))
    block = builder.block(batch)
    keys = pl.DataFrame({"query_id": "query", "product_id": builder.catalogue.product_ids[rows]})
    timed("score", lambda: run.score_dataset(Dataset.of_list(keys, block)))
    timed("whole request", lambda: rank(run, builder, QueryBatch(one_query(text, None))))
    seconds["ours (all but encode, predict)"] = sum(
        value for stage, value in seconds.items() if stage not in ("encode", "whole request")
    )
    return seconds


def _floor(real: SentenceTransformerEncoder) -> Callable[[SavedRun, FeatureBuilder, str], dict[str, float]]:
    import torch  # noqa: PLC0415
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    torch.set_num_threads(1)
    model = SentenceTransformer(str(real._folder), device="cpu")
    model.max_seq_length = 64

    def floor(run: SavedRun, builder: FeatureBuilder, text: str) -> dict[str, float]:
        query = QueryBatch(one_query(text, None))
        _, rows = builder.retrieve(query, CANDIDATES)
        X = np.ascontiguousarray(builder.block(PairBatch.of_one(query, rows[:CANDIDATES])).matrix)
        (booster,) = run.model.ranker._boosters
        started = time.perf_counter()
        model.encode([text], show_progress_bar=False)
        encoded = time.perf_counter()
        booster.predict(X, num_threads=1)
        ended = time.perf_counter()
        return {
            "floor: SentenceTransformer.encode": encoded - started,
            "floor: predict": ended - encoded,
            "floor": ended - started,
        }

    return floor


if __name__ == "__main__":
    main()
