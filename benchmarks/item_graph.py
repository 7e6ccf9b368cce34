"""python -m benchmarks.item_graph

The sparse walk on the graph of what was looked at together, beside a light graph network on the same graph: next
products of a shop's sessions (yoochoose), on the last training day from all days before. A network of no layers is the
same without the graph.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch

from benchmarks import record
from benchmarks.graph_network import GraphNetwork
from benchmarks.recommendation import DAY, by_rule
from ltr.recommendation import (
    Found,
    GraphWalk,
    Histories,
    Recommender,
    SessionNeighbours,
    Transitions,
    measure,
    steps_of,
)
from ltr.recommendation.trial import gain

EPOCHS, STEPS = 4, 2000


def main() -> None:
    torch.set_num_threads(1)
    if record.have("yoochoose"):
        record.write("item_graph", "python -m benchmarks.item_graph", yoochoose())


def yoochoose() -> dict[str, Any]:
    rows = pl.read_parquet(record.DATA / "yoochoose" / "train.parquet").rename({"session_id": "session"})
    histories = Histories.of(rows)
    cut = float(histories.at.max()) - DAY
    before = histories.before(cut)
    later = steps_of(histories.ending_from(cut), since=cut, most=STEPS)
    networks = [GraphNetwork(layers, EPOCHS) for layers in (0, 1, 2)]
    ways: list[Recommender] = [GraphWalk(), *networks, Transitions(), SessionNeighbours()]
    found, seconds = {}, {}
    for way in ways:
        start = time.process_time()
        way.fit(before)
        seconds[way.name] = time.process_time() - start
        found[way.name] = measure(later, partial(by_rule, way))
    return figures(found, seconds)


def figures(found: dict[str, Found], seconds: dict[str, float]) -> dict[str, Any]:
    """Hit rates, and by how much each is better than the walk and than the network without a graph."""
    lines = []
    for name, one in found.items():
        line: dict[str, Any] = {"way": name, "seconds": round(seconds[name], 1)}
        line |= {"HR@20": round(float(one.hits.mean()), 4), "MRR@20": round(float(one.reciprocal.mean()), 4)}
        for other in ("graph_walk", "network_0"):
            apart = gain(one, found[other])
            interval = [round(edge, 4) for edge in apart.interval()] if apart.known else None
            line[f"than {other}"] = {"better_by": round(apart.value, 4), "interval": interval}
        lines.append(line)
    first = next(iter(found.values()))
    sessions = len(np.unique(first.sessions))
    return {"steps": len(first.places), "sessions": sessions, "epochs": EPOCHS, "lines": lines}


if __name__ == "__main__":
    main()
