"""A run tried in a process of its own: what hurts, hangs or floods that one ends there, with a reason."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from features.errors import InputError
from ltr.serving.live.trial import Asked, Report, examined, half_of_memory, try_apart
from ltr.serving.settings import TOKEN_VARIABLE
from tests.ltr.conftest import Trained


def asked(folder: Path, seconds: float = 120.0) -> Asked:
    return Asked(folder, "run", None, half_of_memory(), seconds, force=True)


def test_it_finds_what_is_found_here(trained: Trained) -> None:
    assert try_apart(asked(trained.run)) == examined(trained.run, "run", None, force=True)


def test_what_it_refuses_is_refused_here_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a run folder, got no such folder") as raised:
        try_apart(asked(tmp_path / "none"))
    assert raised.value.where == str(tmp_path / "none")


def test_what_hangs_is_ended(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "decisions").mkdir()
    os.mkfifo(tmp_path / "decisions" / "2026.json")  # reading it never ends
    began = time.monotonic()
    with pytest.raises(InputError, match="more than 4 s to try"):
        try_apart(Asked(tmp_path, "run", None, half_of_memory(), 4.0))
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("kill -9 $$", "signal 9"),
        ("kill -11 $$", "signal 11"),
        ("exit 3", "status 3, without a report"),
        ("echo no report", "status 0, without a report"),
        ("echo [1]", "status 0, without a report"),
        ("yes", "more than 0.5 s"),
        ("sleep 100 & sleep 100", "more than 0.5 s"),
        (f'test -z "${TOKEN_VARIABLE}" && exit 4', "status 4"),
    ],
)
def test_however_it_ends(does: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setenv(TOKEN_VARIABLE, "a secret of the server")
    with pytest.raises(InputError, match=message):
        try_apart(asked(tmp_path, 0.5 if "0.5" in message else 20.0))


def test_a_report_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\necho \'{"version": "v", "index": "i", "checks": ["one"]}\'\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    assert try_apart(asked(tmp_path)) == Report("v", "i", ["one"], None)
