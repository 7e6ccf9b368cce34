"""python -m benchmarks.transfer [--repeats 5]

What learning from other sets and leaning on a cosine are worth where few queries are judged: esci and icecat, five
folds by query, dealt anew a few times; a query's value is its mean over the deals, before any test. Which variant
is used is chosen in each fold by its training queries alone: that row is the one to quote.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from benchmarks import record
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.splits import FoldsConfig, make_folds
from ltr.evaluation.per_query import convention, evaluate
from ltr.evaluation.significance import compare, holm, paired_differences, queries_needed
from ltr.pipeline.prepare import prepare
from ltr.rankers import make_ranker
from ltr.training.anchoring import AnchoredRanker, Transfer
from ltr.training.transfer import SourceSet

SETS = {"esci": "icecat", "icecat": "esci"}  # each with the other as a source
BIG = "homedepot"
BASE, METRIC = "text.title", "nDCG@10"
DRAWN, WEIGHT, BAGS = 800, 0.5, 3
COSINE, ALONE, CHOSEN = "text cosine", "LightGBM alone", "chosen in training"
MEAN = "mean of the four"
LEVEL = 0.01


@dataclass(frozen=True, eq=False)
class Judged:
    """A set ready to train on."""

    config: Config
    queries: pl.DataFrame
    data: Dataset


def main(argv: list[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=5, help="how often the folds are dealt anew")
    repeats = arguments.parse_args(argv).repeats
    if not record.have(BIG, *SETS):
        return
    with ProcessPoolExecutor(len(SETS)) as pool:
        values = dict(zip(SETS, pool.map(measure, SETS, [repeats] * len(SETS)), strict=True))
    values["both"] = pl.concat(part.with_columns(pl.format(f"{name}/{{}}", "query_id").alias("query_id"))
                               for name, part in values.items())  # fmt: skip
    sets = {name: {"tests": tests(part)} for name, part in values.items()}
    figures = {
        "convention": convention(read(next(iter(SETS))).config.evaluation),
        "repeats": repeats,
        "bags": BAGS,
        "base": BASE,
        "source": {"queries": DRAWN, "weight": WEIGHT},
        "level": LEVEL,
        "sets": sets,
    }
    for name, part in sets.items():
        for row in part["tests"]:
            print(
                f"{name}: {row['system']} {row['mean_a']:.4f}, {row['difference']:+.4f} over {row['against']}, "
                f"p {row['p_value']:.4f}"
            )
    record.write("transfer", "python -m benchmarks.transfer", figures)


def read(name: str) -> Judged:
    config = read_config(record.config_path(name))
    prepared = prepare(config)
    data = Dataset.from_frame(prepared.table.frame, prepared.schema)
    return Judged(config, prepared.collection.queries, data)


def measure(name: str, repeats: int) -> pl.DataFrame:
    """system, query_id, nDCG@10: each query's mean over the deals of the folds, held out in each."""
    ours = read(name)
    variants = make_variants(name)
    cosine = ours.data.frame[BASE].fill_null(-1).to_numpy()
    frames = [scored(ours, COSINE, cosine)]
    for seed in range(repeats):
        frames += [scored(ours, system, scores) for system, scores in one_deal(ours, variants, seed).items()]
        print(f"{name}: {seed + 1} of {repeats} deals done", flush=True)
    return pl.concat(frames).group_by("system", "query_id", maintain_order=True).agg(pl.col(METRIC).mean())


def make_variants(name: str) -> dict[str, Transfer]:
    big, other = read(BIG), read(SETS[name])
    drawn = np.random.default_rng(0).choice(big.data.query_ids.to_list(), DRAWN, replace=False)
    sources = {
        BIG: SourceSet.of(BIG, big.data.take(drawn), big.config.evaluation.gain, WEIGHT),
        "the other set": SourceSet.of(SETS[name], other.data, other.config.evaluation.gain, WEIGHT),
    }
    trained = make_ranker(other.config.ranker.model_copy(update={"bags": 1, "threads": 1}))
    trained.fit(big.data)
    return {
        "leaning on the cosine": Transfer(base=BASE),
        **{
            f"… and trained on {source} too": Transfer((data,), None, BASE)
            for source, data in sources.items()
        },
        f"… and on {BIG}'s model": Transfer((), trained, BASE),
    }


def one_deal(ours: Judged, variants: Mapping[str, Transfer], seed: int) -> dict[str, np.ndarray]:
    """Held-out scores (n,) by system, of five folds dealt with this seed."""
    data, settings = ours.data, ours.config.ranker.model_copy(update={"bags": BAGS, "threads": 1})
    scores = {system: np.full(len(data.X), np.nan) for system in (ALONE, *variants, MEAN, CHOSEN)}
    deal = FoldsConfig(folds=5, seed=seed, validation_share=0)
    for fold in make_folds(deal, ours.queries, data.frame["query_id"]):
        train, test = data.take(fold.train), data.take(fold.test)
        rows = data.frame["query_id"].is_in(fold.test).to_numpy()
        fitted: dict[str, AnchoredRanker] = {}
        for system, transfer in variants.items():
            fitted[system] = transfer.ranker(settings)
            fitted[system].fit(train)
            scores[system][rows] = fitted[system].score(test)
        scores[ALONE][rows] = next(iter(fitted.values())).ranker.score(test)
        # Mixes of z-scores, so on one scale.
        scores[MEAN][rows] = np.mean([scores[system][rows] for system in variants], axis=0)
        surest = max(fitted, key=lambda system: fitted[system].sure_gain)
        scores[CHOSEN][rows] = scores[surest][rows]
    return scores


def scored(ours: Judged, system: str, scores: np.ndarray) -> pl.DataFrame:
    pairs = ours.data.frame.select("query_id", "product_id", "grade").with_columns(
        score=pl.Series(scores, dtype=pl.Float64)
    )
    return evaluate(pairs, ours.config.evaluation).select(pl.lit(system).alias("system"), "query_id", METRIC)


def tests(values: pl.DataFrame) -> list[dict[str, Any]]:
    """Every system against the cosine, and the chosen one against training alone; power at the level asked for."""
    of = {
        str(system): part.drop("system") for (system,), part in values.group_by("system", maintain_order=True)
    }
    pairs = [(system, COSINE) for system in of if system != COSINE] + [(CHOSEN, ALONE)]
    rows = []
    for system, against in pairs:
        found = compare(of[system], of[against], METRIC)
        differences = paired_differences(of[system], of[against], METRIC)
        effect = max(abs(found.difference), 1e-6)
        rows.append(
            {
                "system": system,
                "against": against,
                **asdict(found),
                "queries_needed": queries_needed(differences, effect, LEVEL),
            }
        )
    for row, corrected in zip(rows, holm([row["p_value"] for row in rows]), strict=True):
        row["p_holm"] = corrected
    return rows


if __name__ == "__main__":
    main()
