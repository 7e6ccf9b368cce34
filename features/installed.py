"""Packages that only some settings need: asked for before they are imported, with the extra that brings them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from features.errors import InputError


def require(where: str, packages: Sequence[str], extra: str, otherwise: str = "") -> None:
    """Raise InputError, which names the extra, unless all these packages (as imported) are installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise InputError(
            where=where,
            expected=f"the package{'s' if len(packages) > 1 else ''} {' and '.join(packages)}",
            got=f"no {' and no '.join(missing)}",
            cure=f"pip install 'shop-ltr[{extra}]'" + (f", or {otherwise}" if otherwise else ""),
        )
