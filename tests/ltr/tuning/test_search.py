"""Studies that are shared, killed, resumed and refused; on journal files, SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from features.errors import InputError
from ltr.tuning import liveness
from ltr.tuning.candidates import CandidateSpace, TuningConfig
from ltr.tuning.journal import Journal
from ltr.tuning.liveness import WORKER, Watcher
from ltr.tuning.search import FINISHED
from ltr.tuning.study import open_study
from ltr.tuning.study_storage import open_storage, shown
from tests.ltr.tuning.tuning_world import MADE_WITH, RANKER, search, work

# Processes of their own, but with the libraries loaded once: a worker may be killed like any other.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.ltr.tuning.tuning_world"])
PATIENCE = 120  # seconds, on a busy machine


@dataclass
class Worker:
    process: BaseProcess
    connection: Connection

    def begins_fit(self) -> None:
        assert self.connection.poll(PATIENCE)
        assert self.connection.recv() == "fitting"

    def status(self) -> int | None:
        self.process.join(PATIENCE)
        return self.process.exitcode


def worker(storage: str | None, folder: Path, trials: int, pause: float) -> Worker:
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=work, args=(storage, folder, trials, pause, theirs), daemon=True)
    process.start()
    return Worker(process, ours)


def study_in(storage: str | None, folder: Path) -> optuna.Study:
    return optuna.load_study(storage=open_storage(storage, folder), study_name="world")


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=FINISHED)


def check_whole(study: optuna.Study, trials: int) -> None:
    """Just so many trials finished, none running, none twice, the default among them."""
    done = finished(study)
    assert len(done) == trials
    assert not study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
    assert len({tuple(sorted(trial.params.items())) for trial in done}) == trials
    assert sum(trial.user_attrs.get("role") == "default" for trial in done) == 1


@pytest.mark.parametrize("storage", [None, "sqlite:///{}/study.db"])
def test_two_processes_share_one_study(storage: str | None, tmp_path: Path) -> None:
    address = storage and storage.format(tmp_path)
    both = [worker(address, tmp_path, 8, 0.1) for _ in range(2)]
    assert [one.status() for one in both] == [0, 0]
    study = study_in(address, tmp_path)
    check_whole(study, 8)
    assert len({trial.user_attrs[WORKER]["process"] for trial in finished(study)}) == 2


def test_killed_in_mid_trial_it_goes_on_where_it_was(tmp_path: Path) -> None:
    killed = worker(None, tmp_path, 6, 0.15)
    for _ in range(2 * 3 + 2):  # two trials of three folds, and into the second fit of the third
        killed.begins_fit()
    killed.process.kill()
    killed.status()
    before = {trial.number: trial.values for trial in finished(study_in(None, tmp_path))}
    assert len(before) == 2
    search(None, tmp_path, 6)
    study = study_in(None, tmp_path)
    check_whole(study, 6)
    assert {number: study.trials[number].values for number in before} == before
    lost = next(trial for trial in study.trials if trial.state == TrialState.FAIL)
    again = next(trial for trial in study.trials if trial.user_attrs.get("retries"))
    assert again.params == lost.params
    assert "queued again" in (tmp_path / "said.txt").read_text(encoding="utf-8")


def test_resumed_it_tries_what_it_would_have_tried(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = search(None, tmp_path / "whole", 12)
    for trials in (3, 12):
        parts = search(None, tmp_path / "parts", trials)
    assert [trial.params for trial in parts.trials] == [trial.params for trial in whole.trials]
    assert [trial.values for trial in parts.trials] == [trial.values for trial in whole.trials]


@pytest.mark.parametrize("share", [0.02, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95])
def test_killed_after_any_record_it_goes_the_same_way(share: float, tmp_path: Path) -> None:
    """A journal cut after any of its records, its writer dead, is what a kill at that moment leaves."""
    whole = search(None, tmp_path, 5)
    records = list(Journal(tmp_path / "journal.log").read_logs(0))
    dead = json.loads(json.dumps(records).replace(f'"process": {os.getpid()}', '"process": 4194305'))
    (tmp_path / "killed").mkdir()
    Journal(tmp_path / "killed" / "journal.log").append_logs(dead[: 1 + int(share * len(dead))])
    resumed = search(None, tmp_path / "killed", 5)
    check_whole(resumed, 5)
    by_slot = [
        {t.user_attrs["slot"]: (t.params, t.values) for t in finished(study)} for study in (whole, resumed)
    ]
    assert by_slot[0] == by_slot[1]


def test_the_first_interrupt_ends_the_trial_and_the_second_queues_it_again(tmp_path: Path) -> None:
    for interrupts, counts in ((1, (1, 0)), (2, (1, 1))):
        stopped = worker(None, tmp_path, 20, 0.6)
        stopped.begins_fit()
        for _ in range(interrupts):
            os.kill(stopped.process.pid or 0, signal.SIGINT)
            time.sleep(0.2)
        assert stopped.status() != 0
        study = study_in(None, tmp_path)
        waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        assert (len(finished(study)), len(waiting)) == counts


def test_a_finished_search_does_nothing_more(tmp_path: Path) -> None:
    search(None, tmp_path, 4)
    assert len(search(None, tmp_path, 4).trials) == 4


def test_the_time_limit_begins_no_new_trial(tmp_path: Path) -> None:
    assert not finished(search(None, tmp_path, 4, seconds=0.0))


def test_a_study_of_other_data_is_refused(tmp_path: Path) -> None:
    space = CandidateSpace(RANKER, TuningConfig(), ["lexical"])
    open_study(open_storage(None, tmp_path), "world", MADE_WITH, space, 0, two=False)
    other = MADE_WITH | {"folds": "others"}
    with pytest.raises(InputError, match="made with other folds; name a new one with --study"):
        open_study(open_storage(None, tmp_path), "world", other, space, 0, two=False)


def test_a_study_of_other_training_is_refused_both_ways(tmp_path: Path) -> None:
    """What is only said where it is used: a study made with it, and one made before it was."""
    space = CandidateSpace(RANKER, TuningConfig(), ["lexical"])
    plain, leaning = MADE_WITH, MADE_WITH | {"train settings": "a base"}
    for number, (first, second) in enumerate(((plain, leaning), (leaning, plain))):
        storage = open_storage(None, tmp_path / str(number))
        open_study(storage, "world", first, space, 0, two=False)
        open_study(storage, "world", first, space, 0, two=False)
        with pytest.raises(InputError, match="made with other train settings; name a new one with --study"):
            open_study(storage, "world", second, space, 0, two=False)


def test_a_study_whose_maker_was_killed_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltr.tuning.study.PATIENCE", 0.0)
    optuna.create_study(storage=open_storage(None, tmp_path), study_name="world", direction="maximize")
    check_whole(search(None, tmp_path, 3), 3)


def test_a_silent_worker_elsewhere_is_given_up_and_one_that_beats_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "GRACE", 0.05)
    study = optuna.create_study(storage=open_storage(None, tmp_path), study_name="world")
    silent, beating = study.ask(), study.ask()
    for trial in (silent, beating):
        trial.set_user_attr(WORKER, {"machine": "another", "process": os.getpid(), "started": "1"})
    watcher = Watcher()
    assert not any(watcher.gone(trial) for trial in study.trials)
    time.sleep(0.06)
    beating.set_user_attr(liveness.BEAT, 1)
    assert [watcher.gone(trial) for trial in study.trials] == [True, False]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nosuch://here/db", "got none such"),
        ("sqlite:////no/such/folder/study.db", "unable to open database file"),
        ("oracle://someone:secret@localhost/db", "without its driver"),
        ("postgresql://someone:secret@localhost:1/db", "refused"),
    ],
)
def test_a_bad_storage_is_told_in_one_line_without_its_password(
    address: str, message: str, tmp_path: Path
) -> None:
    if address.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with pytest.raises(InputError, match=message) as caught:
        open_storage(address, tmp_path)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value) + shown("sqlite://someone:secret@here/db", tmp_path)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.log").write_text("not a journal\nat all\n", encoding="utf-8")
    with pytest.raises(InputError, match="expected the journal of a study"):
        open_storage(None, tmp_path)


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database in a cluster of its own, as Debian's package makes one; gone afterwards."""
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # A socket's path must be short, and the server's own user must reach it.
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/ltr-pg-XXXXXX"], text=True).strip())
    as_owner = _as_postgres(folder) if os.getuid() == 0 else []
    server = [*as_owner, str(found[-1].with_name("pg_ctl")), "-D", str(folder / "data"), "-s", "-w"]
    options = f"-p {port} -k {folder} -c listen_addresses= -c fsync=off"
    try:
        make = [str(found[-1]), "-D", str(folder / "data"), "-A", "trust", "-U", "tuner", "-N"]
        subprocess.run([*as_owner, *make], check=True, stdout=subprocess.DEVNULL, cwd="/")
        start = [*server, "-o", options, "-l", str(folder / "log"), "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd="/")
        yield f"postgresql://tuner@/postgres?host={folder}&port={port}"
        subprocess.run([*server, "-m", "immediate", "stop"], check=True, cwd="/")
    finally:
        shutil.rmtree(folder)


def _as_postgres(folder: Path) -> list[str]:
    """The server refuses to run as root: Debian's package brings a user for it."""
    owner = pwd.getpwnam("postgres")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]


def test_many_machines_share_a_study_in_postgresql(postgresql: str, tmp_path: Path) -> None:
    both = [worker(postgresql, tmp_path, 6, 0.05) for _ in range(2)]  # both make the tables at once
    assert [one.status() for one in both] == [0, 0]
    check_whole(study_in(postgresql, tmp_path), 6)
    search(postgresql, tmp_path, 7)
    check_whole(study_in(postgresql, tmp_path), 7)
