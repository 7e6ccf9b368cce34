"""python -m benchmarks.unjudged [demo esci icecat fashion_aligned]

What training may make of the products of a list that nobody judged: left out, a share of them drawn with grade 0, or
all of them with a small weight. Chosen on training queries out of fold, by measures that unjudged products cannot spoil
(condensed nDCG@10 and bpref of what is shown), and on the demo shop by the truth beside them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import record
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.lists import UNJUDGED, UnjudgedConfig
from ltr.demo import shop
from ltr.evaluation.shown import ShownLists, condensed_metric, shown_convention, true_metric
from ltr.evaluation.significance import compare
from ltr.pipeline.prepare import prepare
from ltr.rankers import RankerSettings, make_ranker, parse_settings
from ltr.rankers.out_of_fold import out_of_fold

SETS = {"demo": None, "esci": "esci", "icecat": "icecat", "fashion_aligned": "fashion"}
POLICIES = {
    "left out": UNJUDGED,
    "a tenth drawn": UnjudgedConfig(share=0.1),
    "three tenths drawn": UnjudgedConfig(share=0.3),
    "all": UnjudgedConfig(share=1),
    "all, weight .2": UnjudgedConfig(share=1, weight=0.2),
    "all, weight .05": UnjudgedConfig(share=1, weight=0.05),
}
AGAINST = "a tenth drawn"  # what every policy is compared with
RANKERS = {
    kind: parse_settings({"kind": kind, "trees": 150, "bags": 1, "early_stopping_rounds": 0, "threads": 1})
    for kind in ("lightgbm", "xgboost")
}
FOLDS = 3


def main(names: list[str]) -> None:
    found: dict[str, Any] = {}
    about = {"trees": 150, "bags": 1, "folds": FOLDS, "against": AGAINST}
    for name in names or SETS:
        needed = SETS[name]
        aligned = name != "fashion_aligned" or record.have_aligned_encoder(name)
        if (needed is None or record.have(needed)) and aligned:
            config = read_config(record.config_path(name))
            about["convention"] = shown_convention(config.evaluation)
            found[name] = measured(config, *training_lists(config))
    record.write("unjudged", "python -m benchmarks.unjudged", {**about, "sets": found})


def training_lists(config: Config) -> tuple[Dataset, pl.DataFrame | None]:
    """The set's lists as they are served, of training queries where the set says which, and the demo shop's truth."""
    prepared = prepare(config)
    data, queries = Dataset.from_frame(prepared.table.frame, prepared.schema), prepared.collection.queries
    if "split" in queries.columns:
        data = data.take(queries.filter(pl.col("split") == "train")["query_id"].to_list())
    known = isinstance(config.data, shop.DemoShopConfig)
    return data, shop.true_grades(config.data, Path(config.cache.folder)) if known else None


def measured(config: Config, data: Dataset, truth: pl.DataFrame | None) -> dict[str, Any]:
    """By ranker and policy: means, and each measure against that of one policy, by query."""
    lists = ShownLists.of(data.frame, config.evaluation, truth)
    judged = float(data.is_judged.mean())
    return {
        "queries": len(data.query_ids),
        "rows": len(data.X),
        "judged": judged,
        "rows_of": list(figures(config, data, lists)),
    }


def figures(config: Config, data: Dataset, lists: ShownLists) -> Iterator[dict[str, Any]]:
    metrics = [condensed_metric(config.evaluation), "bpref"]
    metrics += [true_metric(config.evaluation)] * (lists.true_gain is not None)
    for kind, settings in RANKERS.items():
        tables = {
            policy: lists.per_query(scored(data, settings, unjudged)) for policy, unjudged in POLICIES.items()
        }
        for policy, table in tables.items():
            found = {metric: asdict(compare(table, tables[AGAINST], metric)) for metric in metrics}
            print(f"{kind}, {policy}:", *(f"{m} {found[m]['mean_a']:.4f}" for m in metrics), flush=True)
            yield {"ranker": kind, "policy": policy, "measures": found}


def scored(data: Dataset, settings: RankerSettings, unjudged: UnjudgedConfig) -> np.ndarray:
    """(n,) each by a ranker that has not seen the query."""

    def fit_and_score(kept: Dataset, left_out: Dataset) -> np.ndarray:
        ranker = make_ranker(settings)
        ranker.fit(replace(kept, unjudged=unjudged).for_training(weighing=settings.weighs_rows))
        return ranker.score(left_out)

    return out_of_fold(data, FOLDS, 0, fit_and_score)


if __name__ == "__main__":
    main(sys.argv[1:])
