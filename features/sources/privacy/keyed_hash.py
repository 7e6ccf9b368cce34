"""Pseudonyms: a person's id becomes a keyed hash at the door; what is stored points to nobody without the key.

The key lies outside the store: in the environment (`SHOP_LTR_PSEUDONYM_KEY`), or in a file that only its owner can
read. Keys are numbered; the newest makes new pseudonyms, and the older ones are kept to find a person who asks to be
erased. Whose key is dropped can be found by nobody any more.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets as random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from features import secrets
from features.errors import InputError

KEY_VARIABLE = "SHOP_LTR_PSEUDONYM_KEY"
FILE_VARIABLE = "SHOP_LTR_KEY_FILE"
_BYTES = 32
_LINE = re.compile(r"(\d{1,9}) ([0-9a-f]{64})")
_FORM = r"^k\d{1,9}-[0-9a-f]{32}$"


@dataclass(frozen=True)
class Key:
    """number: stands before each pseudonym it makes, so that one knows which key that was."""

    number: int
    secret: bytes = field(repr=False)


def pseudonym(identity: str, key: Key) -> str:
    """`kNUMBER-` and 128 bits of keyed BLAKE2b of an id: the same for the same id and key, else unrelated."""
    digest = hashlib.blake2b(identity.encode(), key=key.secret, digest_size=16, person=b"shopper")
    return f"k{key.number}-{digest.hexdigest()}"


def pseudonyms(identities: pl.Series, key: Key) -> pl.Series:
    """Of a column of ids, each distinct one hashed once; null stays null."""
    distinct = identities.drop_nulls().unique()
    hashed = pl.Series([pseudonym(identity, key) for identity in distinct], dtype=pl.String)
    return identities.replace_strict(distinct, hashed, default=None, return_dtype=pl.String)


def are_pseudonyms(identities: pl.Series) -> pl.Series:
    """Which have a pseudonym's form; null for null."""
    return identities.str.contains(_FORM)


def key_file() -> Path:
    """Where the keys lie: the file that `SHOP_LTR_KEY_FILE` names, else shop-ltr/pseudonym.keys under ~/.config."""
    if given := os.environ.get(FILE_VARIABLE):
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "shop-ltr" / "pseudonym.keys"


def load_key() -> Key:
    """The key that makes new pseudonyms; where there is none, one is made and kept in `key_file`, mode 0600."""
    return load_keys()[-1]


def load_keys() -> list[Key]:
    """All keys that are kept, the newest last: from `SHOP_LTR_PSEUDONYM_KEY` ("NUMBER HEX;…"), else from the file.

    Raises InputError for a file that others can read, and for what is no key; no message shows one.
    """
    if given := os.environ.get(KEY_VARIABLE):
        return _parsed(given.replace(";", "\n"), f"environment variable {KEY_VARIABLE}")
    path = key_file()
    if not path.exists():
        return _write([_new(1)], path, keep=True)
    if path.stat().st_mode & 0o077:
        got = f"mode {path.stat().st_mode & 0o777:o}"
        raise InputError(
            where=path, expected="a file that only its owner can read", got=got, cure=f"chmod 600 {path}"
        )
    return _parsed(path.read_text(encoding="ascii", errors="replace"), path)


def rotate_key(*, drop_older: bool = False) -> Key:
    """A new key from now on; the older ones are kept for erasure, or dropped: then nobody can link what they made."""
    if os.environ.get(KEY_VARIABLE):
        cure = "add a line NUMBER HEX to it where it is set"
        raise InputError(
            where=f"environment variable {KEY_VARIABLE}", expected="a key file", got="it", cure=cure
        )
    kept = load_keys()
    new = _new(kept[-1].number + 1)
    _write([new] if drop_older else [*kept, new], key_file())
    return new


def pseudonyms_of(identity: str, keys: Sequence[Key] | None = None) -> list[str]:
    """Every pseudonym that this id may have been given, by the keys that are kept; an id that is one is itself."""
    if re.match(_FORM, identity):
        return [identity]
    return [pseudonym(identity, key) for key in (load_keys() if keys is None else keys)]


def _new(number: int) -> Key:
    return Key(number, random.token_bytes(_BYTES))


def _parsed(text: str, where: object) -> list[Key]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [_LINE.fullmatch(line) for line in lines]
    keys = [Key(int(match[1]), bytes.fromhex(match[2])) for match in found if match]
    secrets.remember(key.secret.hex() for key in keys)
    numbers = [key.number for key in keys]
    if not keys or len(keys) < len(lines) or sorted(set(numbers)) != numbers:
        raise InputError(
            where=where,
            expected="lines of a number and 64 hexadecimal digits, the numbers rising",
            got=f"{len(lines)} lines, {len(keys)} of them keys",
            cure="restore it: pseudonyms made with a lost key can be linked to nobody",
        )
    return keys


def _write(keys: Sequence[Key], path: Path, *, keep: bool = False) -> list[Key]:
    """Readable by its owner alone from its first byte on. keep: another process's file of that name stays instead."""
    path.parent.mkdir(parents=True, exist_ok=True)
    secrets.remember(key.secret.hex() for key in keys)
    unfinished = path.with_name(f".{random.token_hex(16)}.tmp")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("".join(f"{key.number} {key.secret.hex()}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        if not keep:
            unfinished.replace(path)
            return list(keys)
        with suppress(FileExistsError):
            path.hardlink_to(unfinished)
    finally:
        unfinished.unlink(missing_ok=True)
    return load_keys()
