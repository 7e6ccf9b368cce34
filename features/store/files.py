"""The data files of a feature table: written whole with their sums, and read only where the sums hold."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import polars as pl
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction
from pyarrow.fs import FileSelector

from features.disk import whole_file
from features.store.commits import digest

_ROWS = 2_000_000  # of a file


class TableFiles:
    """Files beside a table's log: in a folder, or under an object store's address."""

    def __init__(self, address: str, options: Mapping[str, str] | None) -> None:
        self._address, self._options = address, dict(options) if options else None
        self.folder = folder_of(address)

    def write(self, frame: pl.DataFrame) -> tuple[list[AddAction], dict[str, str]]:
        """Write the rows in files of their own; what a commit adds, and each file's sum by its name."""
        added, sums = [], {}
        for part in [*frame.iter_slices(_ROWS)] or [frame]:
            name = f"part-{uuid.uuid4().hex}.parquet"
            data = self._put(name, part)
            sums[name] = digest(data)
            stats = json.dumps({"numRecords": part.height})
            added.append(AddAction(name, len(data), {}, int(time.time() * 1000), True, stats))
        return added, sums

    def names(self) -> list[str]:
        """All data files beside the log, unfinished ones too, whether a version names them or not."""
        if self.folder:
            return [path.name for path in self.folder.iterdir() if path.suffix in (".parquet", ".tmp")]
        found = self._remote().get_file_info_selector(FileSelector("", recursive=False))
        return [one.path for one in found if "/" not in one.path and one.path.endswith(".parquet")]

    def remove(self, names: Iterable[str]) -> None:
        """Files that no version names."""
        for name in names:
            if self.folder:
                (self.folder / name).unlink(missing_ok=True)
            else:
                self._remote().delete_file(name)

    def damaged(self, sums: Mapping[str, str]) -> str | None:
        """The first file that is not there, or not as it was written; None where all are whole."""
        return next((name for name, written in sums.items() if self._digest(name) != written), None)

    def _digest(self, name: str) -> str | None:
        try:
            return digest(self._read(name))
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> bytes:
        if self.folder:
            return (self.folder / name).read_bytes()
        with self._remote().open_input_file(name) as file:
            return bytes(file.read())

    def _put(self, name: str, rows: pl.DataFrame) -> bytes:
        """Write a file; its bytes."""
        if self.folder is None:
            rows.write_parquet(f"{self._address}/{name}", storage_options=self._options)
            return self._read(name)
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        with whole_file(self.folder / name) as path:
            path.write_bytes(buffer.getvalue())
        return buffer.getvalue()

    def _remote(self) -> DeltaStorageHandler:
        return DeltaStorageHandler(self._address, self._options)


def folder_of(address: str) -> Path | None:
    """The folder that an address means; None for an object store's."""
    if "://" not in address:
        return Path(address)
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
