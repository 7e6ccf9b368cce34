"""python -m benchmarks.request [demo fashion made] [--requests N] [--runtimes torch onnx-int8 static]

A warm request on one core, stage by stage: encode the query, retrieve, each group of features, score; and the whole of
it, from words to the ranked list, as `ltr.rank` and a server run it, over 100 candidates. Beside it, in the same run,
the floor: the query through `SentenceTransformer.encode` and the booster's own `predict` on the same matrix. Whole
requests follow one another as a server's do, and so do the floor's, in three turns of all queries; a request's figure
is the median of its turns, and beside it stands the whole request in every turn, with what else the machine did. Every
stage by the clock and by processor time. By the float32 encoder (torch) and by two quick ones: onnx-int8, and static,
token vectors made of the same encoder for each shop.

demo: the demo shop as it is. fashion: the real catalogue's texts and columns; made: 200,000 products whose titles are
drawn from fashion's words. Of these two the vectors of products and queries are drawn so that they lie as a text
encoder's do (see benchmarks.drawn_vectors).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import drawn_vectors, record
from features.batch import PairBatch, QueryBatch
from features.build import FeatureBuilder, index_key, products_key
from features.encoders.cache import EmbeddingCache
from features.encoders.fitting.distillation_settings import DistillationConfig
from features.encoders.fitting.static_distillation import make_static
from features.encoders.protocol import Encoder
from features.encoders.text.model_files import load_model
from features.encoders.text.sentence_encoders import SentenceTransformerConfig, SentenceTransformerEncoder
from features.encoders.text.static import StaticConfig, StaticEncoder, save_static
from features.feature_schema import KEYS
from ltr.config.command_line import DEMO_CONFIG
from ltr.config.tree import Config, parse_config, read_config
from ltr.data.dataset import Dataset
from ltr.pipeline.prepare import load_collection, make_encoders
from ltr.rankers import LightGBMConfig
from ltr.rankers.boosters.lightgbm_ranker import LightGBMRanker
from ltr.runs.saved_run import SavedRun
from ltr.serving.ranking import listed, one_query, rank
from ltr.training.fused_ranker import FusedRanker

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
CANDIDATES, MADE, JUDGED = 100, 200_000, 3000
SHARES, TURNS = (50, 95, 99), 3
WHOLE, EVERY = "whole request", "whole request, every turn"


class Drawn:
    """Vectors drawn as a text encoder's lie; a query's words go through the real encoder all the same."""

    modalities = frozenset({"text"})

    def __init__(self, real: Encoder, products: int) -> None:
        self._real, self.dimensions = real, drawn_vectors.DIMENSIONS
        self.space = self.fingerprint = "drawn"
        self._tree = drawn_vectors.Tree(products)

    def encode(self, items: Sequence[str | bytes], modality: str) -> np.ndarray:
        if len(items) == 1:
            self._real.encode(items, modality)
            return self._tree.queries(2)[1:]
        return np.concatenate(list(self._tree.products(len(items))))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("shops", nargs="*", help="demo, fashion, made; default: those at hand")
    arguments.add_argument("--requests", type=int, default=300)
    arguments.add_argument(
        "--runtimes", nargs="+", default=["torch", "onnx-int8", "static"], help=argparse.SUPPRESS
    )
    given = arguments.parse_args()
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):  # read when libraries load
        command = [sys.executable, "-m", "benchmarks.request", *sys.argv[1:]]
        raise SystemExit(subprocess.run(command, env=os.environ | ONE_THREAD, check=False).returncode)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found: dict[str, dict[str, Any]] = {}
    for shop in given.shops or ("demo", "fashion", "made"):
        if shop == "demo" or record.have("fashion"):
            with tempfile.TemporaryDirectory() as scratch:
                shops = tables(shop, Path(scratch))
                for runtime in given.runtimes:
                    print(f"{shop}, {runtime}:", flush=True)
                    found.setdefault(shop, {})[runtime] = measure(
                        *shops, Path(scratch), runtime, given.requests
                    )
    words = f"{' '.join(found)} --requests {given.requests} --runtimes {' '.join(given.runtimes)}"
    figures = {"milliseconds_at": SHARES, "load": os.getloadavg()[1], "shops": found}
    record.write("request", f"python -m benchmarks.request {words}", figures)


def measure(
    config: Config,
    products: pl.DataFrame,
    queries: pl.DataFrame,
    pairs: pl.DataFrame,
    scratch: Path,
    runtime: str,
    requests: int,
) -> dict[str, Any]:
    """Milliseconds by stage at each share of the requests, by the clock (`stages`) and by processor time."""
    real = _text_encoder(runtime, products, scratch)
    cache = EmbeddingCache(scratch / "cache")
    encoders = {"text": real if config.name != "fashion" else Drawn(real, products.height)}
    if config.name != "fashion":
        encoders |= {n: e for n, e in make_encoders(config, products).items() if n != "text"}
    started = time.perf_counter()
    FeatureBuilder.kept(products, config.features, encoders, cache)
    indexed = time.perf_counter() - started
    key = index_key(products_key(products), config.features, encoders)
    started = time.perf_counter()
    builder = FeatureBuilder.opened(key, config.features, encoders, cache)
    opened = time.perf_counter() - started
    if builder is None:
        raise RuntimeError("the index that was just kept is not there")
    data = Dataset.from_frame(builder.build(queries, pairs).frame)
    ranker = LightGBMRanker(LightGBMConfig(threads=1, early_stopping_rounds=0, trees=300, bags=1))
    ranker.fit(data, None)
    run = SavedRun(scratch, config, builder.schema, FusedRanker(ranker, None), "lightgbm")
    texts = [text for text in queries["text"].drop_nulls().unique().sort() if text.strip()]
    asked = [texts[place % len(texts)] for place in range(requests + 20)]
    found = [len(builder.retrieve(QueryBatch(one_query(text, None)), CANDIDATES)[1]) for text in texts[:50]]
    watches = _in_turns(run, builder, asked)
    sizes = {"products": products.height, "features": len(builder.schema.features), "requests": requests}
    sizes |= {"candidates": round(float(np.mean(found)), 1)}
    shown = {
        clock: _shares([getattr(watch, clock) for watch in watches], requests)
        for clock in ("stages", "processor")
    }
    for stage, values in shown["stages"].items():
        print(f"  {stage:<36}" + "".join(f"{v:>9.2f}" for v in (*values, *shown["processor"][stage])))
    return sizes | {"index_seconds": round(indexed, 2), "open_seconds": round(opened, 3)} | shown


def _float32(runtime: str = "torch") -> SentenceTransformerEncoder:
    settings = SentenceTransformerConfig(runtime=runtime, device="cpu", threads=1, max_tokens=64)
    return SentenceTransformerEncoder(settings, Path())


def _text_encoder(runtime: str, products: pl.DataFrame, scratch: Path) -> Encoder:
    if runtime != "static":
        return _float32(runtime)
    folder = scratch / "static"
    if not folder.exists():
        folder.mkdir()
        teacher = load_model(_float32()._folder, "cpu")
        titles = products["title"].drop_nulls().unique(maintain_order=True).to_list()
        save_static(folder, make_static(titles, teacher, DistillationConfig()), {})
    return StaticEncoder(StaticConfig(folder=str(folder)), Path())


def _shares(turns: Sequence[dict[str, float]], requests: int) -> dict[str, list[float]]:
    """Milliseconds of each stage at SHARES of the requests: of the median of each one's turns, and of every turn."""
    found = {}
    for stage in turns[0]:
        seconds = np.array([one[stage] for one in turns])
        found[stage] = np.percentile(np.median(seconds.reshape(-1, requests), axis=0), SHARES)
        if stage == WHOLE:
            found[EVERY] = np.percentile(seconds, SHARES)
    return {stage: [round(1000 * float(share), 3) for share in shares] for stage, shares in found.items()}


def tables(shop: str, scratch: Path) -> tuple[Config, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Config, products, queries and graded pairs."""
    if shop == "demo":
        config = read_config(DEMO_CONFIG, {"cache.folder": str(scratch / "cache")})
        collection = load_collection(config)
        return config, collection.products, collection.queries, collection.judgements.sort(KEYS)
    folder = record.DATA / "fashion"
    config = parse_config({"name": "fashion", "data": {"kind": "demo"}}, scratch, "benchmark")
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


class Watch:
    """Seconds by stage, by the clock and by the processor."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self.processor: dict[str, float] = {}

    def timed(self, stage: str, work: Callable[[], Any]) -> Any:
        started, used = time.perf_counter(), time.process_time()
        made = work()
        self.processor[stage], self.stages[stage] = (
            time.process_time() - used,
            time.perf_counter() - started,
        )
        return made


def _in_turns(run: SavedRun, builder: FeatureBuilder, asked: Sequence[str]) -> list[Watch]:
    """Every request but the first 20, which warm up, in each turn."""
    watches, whole, floor = [], [], []
    for _ in range(TURNS):
        steps = [_stages(run, builder, text) for text in asked]
        whole += [_whole(run, builder, text) for text in asked][20:]
        floor += [_floor()(run, text, matrix) for text, (_, matrix) in zip(asked, steps, strict=True)][20:]
        watches += [watch for watch, _ in steps][20:]
    for rows in zip(watches, whole, floor, strict=True):
        _sum_up(*rows)
    return watches


def _sum_up(stages: Watch, whole: Watch, floor: Watch) -> None:
    """Into the stages: the whole, the floor, and what is ours: all stages but the encoder's work and the booster's."""
    for clock in ("stages", "processor"):
        known, below = getattr(stages, clock), getattr(floor, clock)
        predict = known.pop("predict")
        ours = sum(known.values()) - known["encode"] - predict
        known |= getattr(whole, clock) | below | {"floor": sum(below.values())}
        known["ours (stages but encode and predict)"] = ours


def _stages(run: SavedRun, builder: FeatureBuilder, text: str) -> tuple[Watch, np.ndarray]:
    """The stages of one request, and the booster's own part of the last; the features of its candidates."""
    watch = Watch()
    vectors = builder.catalogue.vectors
    query = watch.timed("query", lambda: QueryBatch(one_query(text, None)))
    watch.timed("encode", lambda: [vectors.of_queries(query, one.query) for one in vectors.compared])
    _, rows = watch.timed("retrieve", lambda: builder.retrieve(query, CANDIDATES))
    batch = PairBatch.of_one(query, rows)
    for kind, group in builder.groups.items():
        out = np.empty((len(group.features), len(batch)), dtype=np.float32).T
        watch.timed(f"group {kind}", lambda group=group, out=out: group.block(batch, out))
    block = builder.block(batch)
    keys = pl.DataFrame({"query_id": "query", "product_id": builder.catalogue.product_ids[rows]})
    scores = watch.timed("score", lambda: run.score_dataset(Dataset.of_list(keys, block)))
    matrix = np.ascontiguousarray(block.matrix)
    watch.timed("predict", lambda: _booster(run).predict(matrix, num_threads=1))
    watch.timed("list", lambda: listed(builder, rows, scores))
    return watch, matrix


def _whole(run: SavedRun, builder: FeatureBuilder, text: str) -> Watch:
    """One request as it is served."""
    watch = Watch()
    watch.timed(WHOLE, lambda: rank(run, builder, QueryBatch(one_query(text, None)), CANDIDATES))
    return watch


def _booster(run: SavedRun) -> Any:
    (booster,) = run.model.ranker._boosters
    return booster


@lru_cache(maxsize=1)
def _floor() -> Callable[[SavedRun, str, np.ndarray], Watch]:
    import torch  # noqa: PLC0415
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    torch.set_num_threads(1)
    model = SentenceTransformer(str(_float32()._folder), device="cpu")
    model.max_seq_length = 64

    def floor(run: SavedRun, text: str, X: np.ndarray) -> Watch:
        watch = Watch()
        watch.timed(
            "floor: SentenceTransformer.encode", lambda: model.encode([text], show_progress_bar=False)
        )
        watch.timed("floor: predict", lambda: _booster(run).predict(X, num_threads=1))
        return watch

    return floor


if __name__ == "__main__":
    main()
