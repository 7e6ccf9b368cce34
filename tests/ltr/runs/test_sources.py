"""`ltr.train` with a `train` section: other sets and an earlier run read, used, saved and refused."""

from __future__ import annotations

import json
import shutil
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import InputError
from ltr import rank, train
from ltr.config.tree import dump_config, read_config
from ltr.pipeline.examination import read_data
from ltr.runs.saved_run import SavedRun
from ltr.runs.sources import learning_inputs, read_transfer
from ltr.runs.sums import seal
from ltr.training.anchoring import AnchoredRanker
from tests.ltr.conftest import Trained


def other_shop(folder: Path, trained: Trained) -> Path:
    """The trained shop's config with another seed: the same features, other products and queries."""
    config = read_config(trained.run / "config.yaml", {"name": "other", "data.seed": 9})
    path = folder / "other.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    return path


def test_a_run_that_leans_on_all_three_is_saved_whole(
    trained: Trained, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    earlier = shutil.copytree(trained.run, tmp_path / "earlier")
    also = f"[{{config: {other_shop(tmp_path, trained)}, weight: 0.5, queries: 20}}]"
    words = [
        "--train.start",
        str(earlier),
        "--train.base",
        "text.title",
        "--train.also",
        also,
        "--ladder",
        "[]",
    ]
    run = tmp_path / "run"
    train.main(trained.words("--run", str(run), *words))
    shutil.rmtree(earlier)
    saved = SavedRun.open(run)
    assert isinstance(saved.model.ranker, AnchoredRanker)
    assert len(saved.model.ranker.shares) == 3
    systems = saved.held_out()[1]
    assert {"lightgbm", "lightgbm alone", "text cosine"} <= set(systems)
    assert not np.array_equal(systems["lightgbm"], systems["lightgbm alone"])
    assert "WARNING: train.start: " in capfd.readouterr().out
    rank.main(["--run", str(run), "--query", "striped tee"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--train.also", "[nowhere.yaml]"], "nowhere.yaml"),
        (["--train.start", "no/run"], "no/run"),
        (["--train.base", "text.tittle"], r"train\.base"),
        (["--train.also", "[{config: x.yaml, weight: 0}]"], r"train\.also\.0\.weight"),
        (["--train.also", "[x.yaml]", "--ranker.kind", "catboost"], r"train\.also"),
    ],
)
def test_what_cannot_be_used_is_refused(
    words: list[str], message: str, trained: Trained, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        train.main(trained.words("--run", str(tmp_path / "run"), "--ladder", "[]", *words))
    assert not (tmp_path / "run").exists()


def test_what_a_ranker_learns_by_is_told_from_what_it_does_not(trained: Trained, tmp_path: Path) -> None:
    other, earlier = other_shop(tmp_path, trained), shutil.copytree(trained.run, tmp_path / "earlier")
    examined = read_data(read_config(trained.run / "config.yaml"))
    data = examined.prepared.dataset

    def made(**section: Any) -> str:
        keys = {f"train.{name}": value for name, value in section.items() if name != "seed"}
        config = read_config(trained.run / "config.yaml", keys | {"robustness.seed": section.get("seed", 0)})
        return json.dumps(learning_inputs(config, read_transfer(config, examined, data)))

    assert made() == made(seed=1) == made(modality_dropout={"photos": 0.0}) == "{}"
    assert made(base="when_few") == made(base="auto"), "40 queries are few"
    also = {"config": str(other), "queries": 20}
    different = [
        *(made(modality_dropout={"photos": share}) for share in (0.3, 0.5)),
        made(modality_dropout={"photos": 0.3}, seed=1),
        *(
            made(modality_dropout=dict(order))
            for order in permutations([("photos", 0.3), ("descriptions", 0.3)])
        ),
        *(made(base=base) for base in ("auto", "text.title")),
        *(made(also=[also | more]) for more in ({}, {"weight": 0.5}, {"queries": 10})),
        made(start=str(earlier)),
    ]
    assert made(start=str(earlier)) == different[-1]
    note = next(path for path in (earlier / "model").iterdir() if path.suffix == ".json")
    note.write_text(note.read_text() + "\n")
    seal(earlier)
    different.append(made(start=str(earlier)))
    dump = read_config(other, {"features.lexical": False})
    other.write_text(dump_config(dump), encoding="utf-8")
    different.append(made(also=[also]))
    assert len(set(different)) == len(different)
