"""What a table names → files in a folder: several names in one field, names in two Unicode forms, never outside it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

OUTSIDE = "outside its folder"
WEB = "a web address, not a file"

_BETWEEN = re.compile(r"[,;|\n\t]+")
_NAME = re.compile(r"\S.*?\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif)(?=\s|$)", re.IGNORECASE)
_AROUND = " \r[]\"'"


class Folder:
    """Files by their names in a folder; what lies outside it is named and never opened, unless that is allowed.

    Outside are absolute paths, paths that lead up and links that lead out.
    """

    def __init__(self, path: Path, *, outside: bool = False) -> None:
        self._path, self._root, self._outside = path, path.resolve(), outside
        self._real: dict[Path, Path] = {}
        self._listed: dict[Path, dict[str, str]] = {}

    def find(self, field: str) -> list[tuple[str, str | None]]:
        """The paths of the files that a field names, each with what forbids it; one where it names one."""
        if self._path_of(field).exists():
            return [self._found(field)]  # a comma may stand in a name
        return [self._found(name) for name in names_in(field)]

    def _found(self, name: str) -> tuple[str, str | None]:
        if re.match(r"(?:https?|ftp|s3|gs|data)://?|data:", name, re.IGNORECASE):
            return name, WEB
        path = self._path_of(name)
        return str(path), None if self._outside or self._is_inside(path) else OUTSIDE

    def _path_of(self, name: str) -> Path:
        path = self._path / name
        return path if _is_there(path) else self._in_other_form(Path(name)) or path

    def _in_other_form(self, name: Path) -> Path | None:
        """macOS writes "é" as two signs, most others as one: the same name to whoever reads it."""
        if name.is_absolute() or ".." in name.parts or not name.parts or str(name).isascii():
            return None
        at = self._path
        for part in name.parts:
            at /= part if _is_there(at / part) else self._names(at).get(_composed(part), part)
        return at

    def _names(self, folder: Path) -> dict[str, str]:
        if folder not in self._listed:
            names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            self._listed[folder] = {_composed(name): name for name in names}
        return self._listed[folder]

    def _is_inside(self, path: Path) -> bool:
        try:
            if path.is_symlink() or path.name in ("", ".."):
                real = path.resolve()
            else:
                folder = path.parent
                if folder not in self._real:
                    self._real[folder] = folder.resolve()
                real = self._real[folder] / path.name
        except (OSError, ValueError, RuntimeError):  # links in a ring; a null character
            return False
        return real.is_relative_to(self._root)


def names_in(field: str) -> list[str]:
    """The names in a field, parted as feeds and shop exports do, also as a list in brackets and quotes.

    By commas, semicolons, bars, tabs or line ends, or by blanks behind a photo's suffix.
    """
    parts = list(_parts(field))
    return parts or [field]


def _parts(field: str) -> Iterator[str]:
    for part in _BETWEEN.split(field):
        plain = part.strip(_AROUND)
        if plain:
            names = _NAME.findall(plain)
            yield from names if len(names) > 1 and " ".join(names) == " ".join(plain.split()) else [plain]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # longer than a name may be; a null character
        return False


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
