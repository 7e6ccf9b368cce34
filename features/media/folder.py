"""What a table names → files in a folder: several names in one field, names in other forms, never outside."""

from __future__ import annotations

import html
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

OUTSIDE = "outside its folder"
WEB = "a web address, not a file"

_SUFFIX = r"\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif)"
_BETWEEN = re.compile(r"[,;|\n\t，；、]+|<br ?/?>", re.IGNORECASE)
_BEHIND_SUFFIX = re.compile(rf"({_SUFFIX})(?:\s*(?:::|//|[&+#^~!>]|and\b)\s*|\s+)(?=\S)", re.IGNORECASE)
_QUOTED_NAME = re.compile(rf"""(?<=["'])[^"']+{_SUFFIX}(?=["'])""", re.IGNORECASE)
_AROUND = " \r[](){}\"'\u00a0\u200b\ufeff"
_BEHIND_NAME = re.compile(rf"({_SUFFIX})[?#].*$", re.IGNORECASE | re.DOTALL)  # of a web address


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
        if re.match(r"(?:https?|ftp|s3|gs|file)://?|data:|//[^/]+\.[a-z]+/", name, re.IGNORECASE):
            return name, WEB
        path = self._path_of(name)
        return str(path), None if self._outside or self._is_inside(path) else OUTSIDE

    def _path_of(self, name: str) -> Path:
        path = self._path / name
        if _is_there(path):
            return path
        found = self._in_other_form(Path(name))
        if found is not None and _is_there(found):
            return found
        return self._as_in_addresses(name) or found or path

    def _as_in_addresses(self, name: str) -> Path | None:
        """A file named as pages do: "my%20photo.jpg?v=2", "x&amp;y.jpg", "/m/h/mh01.jpg", "shots/a.jpg"."""
        plain = unquote(html.unescape(_BEHIND_NAME.sub(r"\1", name))).lstrip("/\\")
        if "\0" in plain or "://" in plain:
            return None
        for one in (plain, plain.removeprefix(f"{self._root.name}/")):
            found = self._in_other_form(Path(one))
            if found is not None and _is_there(found):
                return found
        return None

    def _in_other_form(self, name: Path) -> Path | None:
        """The same name to whoever reads it: "é" is two signs on macOS; Windows heeds no capitals, and parts by a
        backslash."""
        parts = [part for piece in name.parts for part in piece.split("\\") if part]
        if name.is_absolute() or ".." in parts or not parts:
            return None
        at = self._path
        for part in parts:
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
    """The names in a field, parted as feeds and shop exports do, also as a list in brackets and quotes, or of objects.

    By commas, semicolons, bars, tabs or line ends; behind a photo's suffix also by blanks and other marks; in
    brackets or a tag also by quotes.
    """
    if field.lstrip().startswith(("{", "[", "(", "<")) and (quoted := _QUOTED_NAME.findall(field)):
        return quoted
    parts = (part.strip(_AROUND) for part in _BETWEEN.split(_BEHIND_SUFFIX.sub("\\1\n", field)))
    return [part for part in parts if part] or [field]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # longer than a name may be; a null character
        return False


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
