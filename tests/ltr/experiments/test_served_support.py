"""Support of a server's log, told from what its lists were drawn from: exact, so a small gap in a small log is seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.sources.events.ubi import APPLICATION
from ltr.experiments.interleaving.settings import Method
from ltr.experiments.off_policy.support import places_support_check, possible, with_support
from ltr.experiments.served_log import explored_of_log
from ltr.serving.lists.exploration import Arranged, mixed, swapped

METHODS: tuple[Method, ...] = ("team-draft", "probabilistic", "optimised")


def written(folder: Path, lists: list[Arranged], method: str | None, runs: int, page: int) -> Path:
    """A log as the server writes it: the first page of each list."""
    lines = []
    for number, one in enumerate(lists):
        more = {
            "positions": list(range(1, len(one.rows[:page]) + 1)),
            "propensity": one.propensity[:page].tolist(),
            "explored": one.explored,
            "list_id": f"l{number}",
            "path": "/search",
            "method": method,
        }
        if one.ranks is not None and one.team is not None:
            names = [f"run{run}@x" for run in range(runs)]
            more |= {"ranks": one.ranks[:page].tolist(), "team": one.team[:page].tolist(), "rankers": names}
        lines.append(
            {
                "application": APPLICATION,
                "query_id": f"r{number}",
                "session_id": None,
                "client_id": None,
                "user_query": "shoes",
                "timestamp": "2026-01-01T00:00:00Z",
                "query_response_hit_ids": [f"p{row}" for row in one.rows[:page].tolist()],
                "query_attributes": more,
            }
        )
    folder.mkdir(exist_ok=True)
    (folder / "ubi_queries.ndjson").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    (folder / "ubi_events.ndjson").write_text("", encoding="utf-8")
    return folder


def drawn(method: str, lists: list[np.ndarray], depth: int, rng: np.random.Generator) -> Arranged:
    if method == "swaps":
        return swapped(lists[0], 0.3, depth, rng)
    return mixed(lists, depth, next(one for one in METHODS if one == method), rng)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", [*METHODS, "swaps"])
def test_what_may_stand_at_a_place_is_what_ever_does(tmp_path: Path, method: str, seed: int) -> None:
    """Of one list in the log: every place of 600 further draws of it, and nothing else."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 5))
    lists = [rng.permutation(7) for _ in range(2 if method == "swaps" else int(rng.integers(2, 4)))]
    draws = [drawn(method, lists, depth, rng) for _ in range(600)]
    log = written(tmp_path, draws[:3], None if method == "swaps" else method, len(lists), page=20)
    known = explored_of_log(log)["drawn_from"].drop_nulls().unique().to_list()
    seen = {(place + 1, f"p{row}") for one in draws for place, row in enumerate(one.rows[:depth].tolist())}
    if method == "swaps" and not known:
        assert depth == 2 or not any(one.explored for one in draws[:3])
        return
    (one,) = known
    may = set(possible(one))
    assert seen <= may
    chance = 3e-3  # what is rarer than this may be missing among 600
    assert all(place <= depth for place, _ in may)
    assert len(may - seen) <= len(may) * (0.3 if method == "probabilistic" else chance)


@pytest.mark.parametrize("method", [*METHODS, "swaps"])
@pytest.mark.parametrize("lists", [1, 200])
def test_a_gap_is_told_from_one_list_of_it(tmp_path: Path, method: str, lists: int) -> None:
    rng = np.random.default_rng(3)
    tops = [rng.permutation(10), rng.permutation(10)]
    draws = [drawn(method, tops, 4, rng) for _ in range(lists)]
    log = written(tmp_path, draws, None if method == "swaps" else method, 2, page=20)
    rows = explored_of_log(log).with_columns(target=pl.lit(0.0))
    assert rows["drawn_from"].null_count() == 0
    (one,) = rows["drawn_from"].unique()
    best = dict(reversed(possible(one)))
    for name, lost in ((best[4], 0.0), ("elsewhere", 0.25)):
        wanted = pl.DataFrame(
            {"text": ["shoes"] * 4, "position": [1, 2, 3, 4], "product_id": [best[1], best[2], best[3], name]}
        ).with_columns(target=pl.lit(1.0))
        check = places_support_check(with_support(rows, wanted, ["text"]), np.ones(2))
        assert check.state == ("FAIL" if lost else "PASS")
        assert f"{lost:.2%}" in check.evidence


def test_lists_whose_pages_do_not_show_all_are_unknown_not_lost(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    tops = [np.arange(10), np.arange(10)[::-1]]
    log = written(
        tmp_path, [drawn("probabilistic", tops, 4, rng) for _ in range(30)], "probabilistic", 2, page=4
    )
    rows = explored_of_log(log).with_columns(target=pl.lit(0.0))
    assert rows["drawn_from"].null_count() == rows.height
    wanted = pl.DataFrame({"text": "shoes", "position": [1, 2, 3, 4], "product_id": "p9", "target": 1.0})
    found = with_support(rows, wanted, ["text"])
    assert found["supported"].null_count() == rows.height
    assert (
        places_support_check(found, np.ones(10)).state == "PASS"
    )  # a mean weight of exactly 1 leaves no room
    unsure = places_support_check(found, np.linspace(0.5, 1.2, 10))
    assert unsure.state == "WARN"
    assert "do not say" in unsure.evidence
