"""A study's database that is lost, emptied or spoilt in mid-search: one line, and no finished trial is lost with it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from features.errors import InputError
from ltr.data.splits import Fold
from ltr.rankers import OnTree
from ltr.tuning.candidates import Candidate
from ltr.tuning.study_storage import open_storage, storage_errors
from ltr.tuning.trials import CrossValidation, FoldResult
from tests.ltr.tuning.tuning_world import judge, search


def _tables_gone(path: Path) -> None:
    with sqlite3.connect(path) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            database.execute(f'DROP TABLE "{table}"')


LOSSES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "overwritten": lambda path: path.write_bytes(b"no database" * 1000),
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "tables gone": _tables_gone,
    "a folder in its place": lambda path: (path.unlink(), path.mkdir()),
}


class Losing(CrossValidation):
    """Loses the database at a fit; before it, keeps a copy, as a backup would."""

    at = 7  # the first of the third trial
    fits = 0
    lose: Callable[[], None]

    def fit(self, candidate: Candidate, fold: Fold, on_tree: OnTree | None = None) -> FoldResult:
        self.fits += 1
        if self.fits == self.at:
            self.lose()
        return super().fit(candidate, fold, on_tree)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_database_lost_in_mid_search_ends_in_one_line(loss: str, tmp_path: Path) -> None:
    path, kept = tmp_path / "study.db", tmp_path / "kept.db"
    address = f"sqlite:///{path}"
    judged = judge(Losing)
    assert isinstance(judged, Losing)

    def lose() -> None:
        shutil.copy(path, kept)
        LOSSES[loss](path)

    judged.lose = lose
    lost = pytest.raises(InputError, match=r"--storage sqlite.*run the same command again")
    with lost as caught, storage_errors(address, tmp_path):
        search(address, tmp_path, 5, judged=judged)
    assert "\n" not in str(caught.value)
    study = optuna.load_study(storage=open_storage(f"sqlite:///{kept}", tmp_path), study_name="world")
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    assert len(done) == 2
    assert all(trial.values for trial in done)
