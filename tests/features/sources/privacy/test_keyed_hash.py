"""Pseudonyms: the same for the same key, unrelated for another; the key is its owner's alone."""

from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from features import secrets
from features.errors import InputError
from features.sources import privacy
from features.sources.privacy import (
    Key,
    are_pseudonyms,
    load_key,
    load_keys,
    pseudonym,
    pseudonyms,
    rotate_key,
)

ONE, OTHER = Key(1, b"a" * 32), Key(2, b"b" * 32)


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(privacy.FILE_VARIABLE, str(tmp_path / "there" / "keys"))
    monkeypatch.delenv(privacy.KEY_VARIABLE, raising=False)
    return tmp_path / "there" / "keys"


def test_a_pseudonym_is_keyed_and_says_by_which_key() -> None:
    assert pseudonym("ann", ONE) == pseudonym("ann", ONE) != pseudonym("bob", ONE)
    assert pseudonym("ann", ONE).removeprefix("k1-") != pseudonym("ann", OTHER).removeprefix("k2-")
    plain = {hashlib.new(name, b"ann").hexdigest()[:32] for name in ("sha256", "md5", "blake2b")}
    assert pseudonym("ann", ONE).removeprefix("k1-") not in plain


def test_columns() -> None:
    column = pl.Series(["ann", None, "bob", "ann"])
    made = pseudonyms(column, ONE)
    assert made.to_list() == [None if name is None else pseudonym(name, ONE) for name in column]
    assert are_pseudonyms(made).to_list() == [True, None, True, True]
    assert not are_pseudonyms(pl.Series(["ann", "k1-abc", f"{made[0]}x"])).any()


def test_the_first_use_makes_a_key_for_its_owner_alone(file: Path) -> None:
    key = load_key()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_key() == key
    assert key.secret.hex() not in repr(key)
    assert key.secret.hex() not in secrets.scrub(f"told {key.secret.hex()}")


def test_processes_that_come_at_once_agree_on_one_key(file: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: load_key().secret, range(64)))
    assert len(keys) == 1
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_rotation_keeps_older_keys_until_they_are_dropped(file: Path) -> None:
    first = load_key()
    second = rotate_key()
    assert second.number == 2
    assert load_keys() == [first, second]
    assert privacy.pseudonyms_of("ann") == [pseudonym("ann", first), pseudonym("ann", second)]
    third = rotate_key(drop_older=True)
    assert load_keys() == [third]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert privacy.pseudonyms_of(pseudonym("ann", first)) == [pseudonym("ann", first)]


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setenv(privacy.KEY_VARIABLE, f"1 {'0' * 64};4 {'1' * 64}")
    assert [key.number for key in load_keys()] == [1, 4]
    assert not file.exists()
    with pytest.raises(InputError, match="a key file"):
        rotate_key()


@pytest.mark.parametrize("text", ["", "1 abc", f"2 {'0' * 64}\n1 {'1' * 64}", f"1 {'0' * 64}\nx"])
def test_a_damaged_key_is_refused_and_never_shown(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(InputError, match="64 hexadecimal") as caught:
        load_keys()
    assert "000" not in str(caught.value)


def test_a_key_that_others_can_read_is_refused(file: Path) -> None:
    load_key()
    file.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        load_key()
    assert os.access(file, os.R_OK)
