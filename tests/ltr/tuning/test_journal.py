"""A study's journal under cuts, full disks, flipped bits and several writers: nothing finished is lost."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage

from features.errors import InputError
from ltr.tuning import journal
from ltr.tuning.journal import Journal


def add_trials(path: Path, count: int) -> optuna.Study:
    study = optuna.create_study(
        storage=JournalStorage(Journal(path)), study_name="s", direction="maximize", load_if_exists=True
    )
    for _ in range(count):
        trial = study.ask()
        trial.set_user_attr("told", {"ü": [1, 2.5, None]})
        study.tell(trial, trial.suggest_float("x", 0, 1))
    return study


def records(path: Path) -> list[dict[str, object]]:
    return list(Journal(path).read_logs(0))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "journal.log"
    add_trials(path, 4)
    return path


def test_cut_at_any_byte_it_holds_what_was_whole_and_goes_on(written: Path) -> None:
    whole, before = written.read_bytes(), records(written)
    ends = [place + 1 for place, byte in enumerate(whole) if byte == 10]
    for size in range(ends[-4], len(whole)):
        written.write_bytes(whole[:size])
        known = sum(end <= size for end in ends)
        assert records(written) == before[:known]
        assert len(add_trials(written, 1).trials) >= 4
        # A record that lacked but its line end is kept.
        kept = known + (size + 1 in ends)
        assert records(written)[:kept] == before[:kept]


@pytest.mark.parametrize("written_first", [0, 1, 17, 10**6])
def test_on_a_full_disk_a_record_is_taken_back(
    written: Path, monkeypatch: pytest.MonkeyPatch, written_first: int
) -> None:
    before = written.read_bytes()

    def full(handle: int, data: bytes) -> None:
        os.write(handle, data[:written_first])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", full)
        with pytest.raises(OSError, match="No space left") as caught:
            add_trials(written, 1)
    assert caught.value.filename == str(written)
    assert written.read_bytes() == before
    assert len(add_trials(written, 1).trials) == 5


def test_a_flipped_bit_is_told_or_has_no_effect(written: Path) -> None:
    whole, before, random_ = written.read_bytes(), records(written), random.Random(0)
    for _ in range(400):
        place, bit = random_.randrange(len(whole)), random_.randrange(8)
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bit
        written.write_bytes(flipped)
        try:
            found = records(written)
        except InputError as error:
            assert "damaged line" in str(error) or "another file" in str(error)
        else:  # the last line end, or the name of a sum
            assert all(before[n].items() <= record.items() for n, record in enumerate(found))
            assert len(found) >= len(before) - 1


def _append(path: Path, name: str) -> None:
    for number in range(50):
        Journal(path).append_logs([{"op_code": 0, "writer": name, "number": number}])


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_append, args=(path, name)) for name in "ab"]
    for one in both:
        one.start()
    for one in both:
        one.join()
    found = sorted((record["writer"], record["number"]) for record in records(path))
    assert found == [(name, number) for name in "ab" for number in range(50)]


@pytest.mark.parametrize("content", ["hello", "a\nb\n", '{"id": 1}\n', "{", '{"op": 1'])
def test_another_file_is_refused_and_stays_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(content)
    if content == "{":  # which any record begins with
        return
    with pytest.raises(InputError, match="expected the journal of a study"):
        add_trials(path, 1)
    assert path.read_text() == content


def test_records_of_optunas_own_journal_are_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    study = optuna.create_study(
        storage=JournalStorage(optuna.storages.journal.JournalFileBackend(str(path))), study_name="s"
    )
    study.tell(study.ask(), 1.0)
    assert len(add_trials(path, 1).trials) == 2
    assert all("op_code" in json.loads(line) for line in path.read_text().splitlines())
