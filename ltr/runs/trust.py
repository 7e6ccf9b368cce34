"""A run folder from anybody: its settings name files and addresses, and this process reads and writes them.

A run that this user made here is opened as it is. Of any other, what its settings name has to lie in the run folder,
in the working folder, or in a folder that SHOP_LTR_TRUST names; and no secret of the environment is put in.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from features.errors import InputError
from ltr.config.tree import Config
from ltr.rankers.known_files import is_known, remember

VARIABLE = "SHOP_LTR_TRUST"
_FROM_WORKING_FOLDER = ("store", "cache", "runs")
_LEADS_AWAY = re.compile(r"^[/~\\]|(?:^|[/\\])\.\.(?:[/\\]|$)|://|\$\{|^[A-Za-z]:")


def remember_run(folder: Path, base: Path) -> None:
    """Note that this run's settings are our own."""
    remember([_sum(folder, base)])


def remember_cache(folder: Path, cache: Path) -> None:
    """Note where this run's vectors lie."""
    remember([_sum(folder, cache)])


def is_own_cache(folder: Path, cache: Path) -> bool:
    """Whether this user trained the run here with that cache: another's run may name any folder."""
    return is_known([_sum(folder, cache)])


def refuse_links(run: Path) -> None:
    """InputError for a link in the folder that leads out of it."""
    root = run.resolve()
    for path in sorted(run.rglob("*")):
        if path.is_symlink() and not _resolved(path).is_relative_to(root):
            raise InputError(
                where=path,
                expected="files of the run",
                got="a link that leads out of it",
                cure="copy what it points to, if you trust its maker",
            )


def check_settings(run: Path, config: Config) -> None:
    """InputError for a setting of another's run that leads out of the folders named above."""
    if is_known([_sum(run, config.base)]):
        return
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    roots = [_resolved(root) for root in (run, Path.cwd(), *(Path(name) for name in named if name))]
    for name, value in _leaves(config):
        start = Path.cwd() if name.split(".")[0] in _FROM_WORKING_FOLDER else config.base
        if not _is_within(value, start, roots, of_data=name.startswith("data.")):
            shown = "a secret" if isinstance(value, SecretStr) else str(value)
            raise InputError(
                where=run / "config.yaml",
                expected="files of the run or of the working folder, since it was not made by you here",
                got=f"{name} {shown}",
                cure=f"read it; if you trust its maker, name the folder that holds them in {VARIABLE}",
            )


def _is_within(value: object, start: Path, roots: Sequence[Path], *, of_data: bool) -> bool:
    if isinstance(value, SecretStr):
        return "${" not in value.get_secret_value()
    if isinstance(value, str):
        # Most texts are words; those of data are names of columns and separators.
        if of_data or not (_LEADS_AWAY.search(value) or _exists(start / value)):
            return True
        if "://" in value or "${" in value:
            return False
    path = _resolved(start / Path(str(value)).expanduser())
    return any(path.is_relative_to(root) for root in roots)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Path | str | SecretStr]]:
    """Every path and text in the settings, by its dotted name."""
    if isinstance(value, BaseModel):
        value = {field: getattr(value, field) for field in type(value).model_fields}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, name)
    elif isinstance(value, Path | str | SecretStr):
        yield name, value


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _resolved(path: Path) -> Path:
    """Where it leads; a ring of links leads nowhere that is allowed."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return Path("/")


def _sum(folder: Path, base: Path) -> str:
    settings = (folder / "config.yaml").read_bytes()
    return hashlib.sha256(settings + b"\0" + os.fsencode(base)).hexdigest()
