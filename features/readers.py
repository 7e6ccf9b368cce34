"""One file in, one frame out: Parquet, CSV, TSV and JSON lines, each also gzipped; text must be UTF-8."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from pathlib import Path

import polars as pl

from features.errors import InputError

_SUFFIXES = ".parquet, .csv, .tsv or .jsonl (each also with .gz)"


def read_table(path: Path) -> pl.DataFrame:
    """Read a table by its extension.

    Columns of CSV and TSV stay text (so an id "007" keeps its zeros); the mapping to canonical columns
    casts them. Raises InputError for a file that is missing, empty, damaged, or of an unknown kind.
    """
    content = read_bytes(path)
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    try:
        frame = _parse(content, suffix.lower(), path)
    except pl.exceptions.PolarsError as error:
        raise _unreadable(path, suffix.lstrip("."), content, error) from error
    if not frame.height:
        raise InputError(where=path, expected="rows", got="a header only", cure="check the file or its path")
    return frame


def read_bytes(path: Path) -> bytes:
    """A file's content, unzipped where its name ends in .gz. Raises InputError if there is none."""
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise InputError(
            where=path, expected="a file", got=got, cure="check the path in the config's data section"
        )
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            where=path, expected="a whole gzip file", got=str(error), cure="fetch or pack the file again"
        ) from error
    if not content or content.isspace():
        raise InputError(where=path, expected="rows", got="an empty file", cure="check the file or its path")
    return content


def decode(content: bytes, path: Path) -> str:
    """UTF-8 text, without a byte-order mark; InputError naming the line of the first byte that is not."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            where=f"{path}, line {line}",
            expected="UTF-8 text",
            got=f"the byte 0x{content[error.start]:02x}",
            cure="save the file as UTF-8",
        ) from error


def sha256(path: Path) -> str:
    """The file's SHA-256 in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(content: bytes, suffix: str, path: Path) -> pl.DataFrame:
    if suffix == ".parquet":
        return pl.read_parquet(io.BytesIO(content))
    if suffix in {".csv", ".tsv"}:
        text = decode(content, path)
        return pl.read_csv(text.encode(), separator=_separator(text, suffix), infer_schema=False)
    if suffix in {".jsonl", ".ndjson"}:
        # The whole file decides a column's type: one that turns to text in row 101 must not become null.
        return pl.read_ndjson(decode(content, path).encode(), infer_schema_length=None)
    raise InputError(where=path, expected=_SUFFIXES, got=repr(suffix), cure="convert the file, or rename it")


def _separator(text: str, suffix: str) -> str:
    """Tab for .tsv; else the comma, or the semicolon that spreadsheets write where the comma is decimal."""
    header = text.partition("\n")[0]
    if suffix == ".tsv":
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _unreadable(path: Path, kind: str, content: bytes, error: Exception) -> InputError:
    where = str(path)
    if kind in {"csv", "tsv"}:
        text = content.decode("utf-8-sig")
        line = _long_line(text, _separator(text, f".{kind}"))
        where = f"{path}, line {line}" if line else where
    return InputError(
        where=where,
        expected=f"a readable {kind} file",
        got=str(error).partition("\n")[0],
        cure="quote fields that hold the separator" if kind in {"csv", "tsv"} else "write the file again",
    )


def _long_line(text: str, separator: str) -> int | None:
    """The first line with more fields than the header."""
    rows = csv.reader(io.StringIO(text), delimiter=separator)
    header = next(rows)
    return next((rows.line_num for row in rows if len(row) > len(header)), None)
