"""That a search trains by the `train` section as training does: dropout, other sets, a base."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import InputError
from ltr import train, tune
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.runs.saved_run import SavedRun
from ltr.training.anchoring import AnchoredRanker, Transfer
from ltr.training.cross_fit import cross_fit
from ltr.training.transfer import SourceSet
from ltr.tuning.candidates import Candidate
from tests.ltr.conftest import Trained
from tests.ltr.tuning.tuning_world import RANKER, judge, table

DEFAULT = Candidate(RANKER, ("lexical", "extra"))


def blinded() -> EmbeddedDataset:
    """The world's pairs as training sees them where two lists in three lack the one feature that tells."""
    odd = pl.col("query_id").str.tail(1).cast(pl.Int32) % 3 > 0
    good = pl.when(~odd).then("lexical.good").alias("lexical.good")
    return EmbeddedDataset(Dataset.from_frame(table().with_columns(good)))


def other_set() -> SourceSet:
    return SourceSet.of("other", Dataset.from_frame(table(queries=60, noise=0)), "exp", 3.0)


LEARNING: dict[str, tuple[Transfer | None, EmbeddedDataset | None]] = {
    "dropout": (None, blinded()),
    "base": (Transfer(base="lexical.good"), None),
    "also": (Transfer((other_set(),)), None),
    "all": (Transfer((other_set(),), None, "lexical.good"), blinded()),
}


@pytest.mark.parametrize("name", LEARNING)
def test_a_trial_trains_as_training_does(name: str) -> None:
    transfer, learned = LEARNING[name]
    judged, fold = judge(transfer=transfer, thinned=learned), judge().folds[0]
    seen: list[int] = []

    def on_tree(tree: int, _: float) -> bool:
        seen.append(tree)
        return False

    value = judged.fit(DEFAULT, fold, on_tree).value
    alike = cross_fit(judged.rows, [fold], RANKER, transfer=transfer, thinned=learned)
    held_out = np.isfinite(alike.scores)
    pairs = judged.rows.data.frame.filter(pl.Series(held_out))
    assert value == judged._value(pairs, alike.scores[held_out])
    assert value != judge().fit(DEFAULT, fold).value
    assert seen == sorted(set(seen)) != [], "the candidate's own trees alone are watched"


def test_a_trial_without_the_group_of_the_base_does_without_it() -> None:
    """And so without a look at how the lists came by it: nothing but noise is left to learn from."""
    fold = judge().folds[0]
    blind = Candidate(RANKER, ("extra",))
    for base in ("lexical.good", "auto"):
        leaning = judge(transfer=Transfer(base=base))
        assert leaning.fit(blind, fold).value == judge().fit(blind, fold).value


def test_the_default_is_what_training_makes_of_the_same_settings(trained: Trained, tmp_path: Path) -> None:
    """With dropout and a base, down to the last bit on the last split; and the winner is saved with its base."""
    settings = ["--train.modality_dropout", "{photos: 0.5}", "--train.base", "text.title", "--ladder", "[]"]
    settings += ["--ranker.trees", "5", "--tuning.folds", "2", "--split.folds", "2"]
    run = train.main(trained.words("--run", str(tmp_path / "run"), *settings))
    few = "{learning_rate: [0.1, 0.2]}"
    words = ["--study", "leaning", "--trials", "2", "--tuning.space", few, "--run", str(tmp_path / "tuned")]
    made = tune.main(trained.words(*settings, *words))
    assert made is not None
    fitted, tuned = (SavedRun.open(folder).held_out()[1] for folder in (run, made))
    tested = np.isfinite(tuned["default"])
    assert 0 < tested.sum() < len(tested)
    np.testing.assert_array_equal(tuned["default"][tested], fitted["lightgbm"][tested])
    assert not np.array_equal(tuned["default"][tested], fitted["lightgbm alone"][tested])
    winner = SavedRun.open(made)
    assert isinstance(winner.model.ranker, AnchoredRanker)
    assert winner.model.ranker.base == "text.title"
    with pytest.raises(InputError, match="made with other train settings"):
        tune.main(trained.words(*settings, *words, "--train.modality_dropout", "{}"))
