"""One file in, one frame out: Parquet, CSV, TSV and JSON lines, each also gzipped; text must be UTF-8."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import InputError

_SUFFIXES = ".parquet, .csv, .tsv or .jsonl (each also with .gz)"
_PARQUET = b"PAR1"  # a Parquet file begins and ends with it


def read_table(path: Path) -> pl.DataFrame:
    """Read a table by its extension.

    Columns of CSV and TSV stay text (so an id "007" keeps its zeros); the mapping to canonical columns
    casts them. Raises InputError for a file that is missing, empty, damaged, or of an unknown kind.
    """
    content = read_bytes(path)
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    frame = _parse(content, suffix.lower(), path)
    if not frame.height:
        raise InputError(where=path, expected="rows", got="a header only", cure="check the file or its path")
    return frame


def read_bytes(path: Path) -> bytes:
    """A file's content, unzipped where its name ends in .gz. Raises InputError if there is none."""
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise InputError(
            where=path,
            expected="a file",
            got=got,
            cure="check the path (a config's paths start from its own folder)",
        )
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            where=path,
            expected="a whole gzip file",
            got=str(error)[:1].lower() + str(error)[1:],
            cure="fetch or pack it again; if it is not packed, take .gz off its name",
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


def _parse(content: bytes, suffix: str, path: Path) -> pl.DataFrame:
    if suffix == ".parquet":
        return _parse_parquet(content, path)
    if suffix in {".csv", ".tsv"}:
        return _parse_csv(decode(content, path), suffix, path)
    if suffix in {".jsonl", ".ndjson"}:
        return _parse_json_lines(decode(content, path), path)
    raise InputError(
        where=path, expected=_SUFFIXES, got=repr(suffix), cure="save the table in one of these formats"
    )


def _parse_parquet(content: bytes, path: Path) -> pl.DataFrame:
    if not content.startswith(_PARQUET):
        got, cure = f"one that starts with {content[:10]!r}", "name the file by the format it is in"
        raise InputError(where=path, expected="a Parquet file", got=got, cure=cure)
    if not content.endswith(_PARQUET):
        got = "one that is cut off at its end"
        raise InputError(where=path, expected="a Parquet file", got=got, cure="fetch or write it again")
    try:
        return pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        got = str(error).partition("\n")[0]
        raise InputError(
            where=path, expected="a Parquet file", got=got, cure="fetch or write it again"
        ) from error


def _parse_csv(text: str, suffix: str, path: Path) -> pl.DataFrame:
    separator = _separator(text, suffix)
    try:
        return pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError:
        # Stricter than people are: a lone quote within a field (5" nail) is one of its letters.
        header, *rows = _csv_rows(text, separator, path)
    if len(set(header)) < len(header):
        got = repr(next(name for name in header if header.count(name) > 1)) + " more than once"
        raise InputError(where=path, expected="each column once", got=got, cure="rename or remove one")
    padded = [[*row, *[""] * (len(header) - len(row))] for row in rows]
    return pl.DataFrame(padded, dict.fromkeys(header, pl.String), orient="row").select(
        pl.all().replace("", None)
    )


def _csv_rows(text: str, separator: str, path: Path) -> list[list[str]]:
    """The header and the rows by Python's own reader; InputError naming the line of the first broken row."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    line = 1
    try:
        for row in reader:
            if rows and len(row) > len(rows[0]):
                raise InputError(
                    where=f"{path}, line {line}",
                    expected=f"{len(rows[0])} fields, as in the header",
                    got=f"{len(row)}",
                    cure=f"put fields that hold {separator!r} in double quotes",
                )
            rows += [row] if row else []
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            where=f"{path}, line {line}",
            expected="a closing quote for each opening one",
            got=str(error),
            cure="close it, or double a quote that is part of the text",
        ) from error
    return rows


def _separator(text: str, suffix: str) -> str:
    """Tab for .tsv; else the comma, or the semicolon that spreadsheets write where the comma is decimal."""
    header = text.partition("\n")[0]
    if suffix == ".tsv":
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _parse_json_lines(text: str, path: Path) -> pl.DataFrame:
    """Columns that hold more than one kind of value become text, as the derivations can read."""
    try:
        # The whole file decides a column's type: one that turns to text in row 101 must not become null.
        return pl.read_ndjson(text.encode(), infer_schema_length=None)
    except pl.exceptions.PolarsError:
        lines = enumerate(text.split("\n"), start=1)
        rows = [_json_object(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame([_one_kind(name, [row.get(name) for row in rows]) for name in names])


def _json_object(line: str, where: str) -> dict[str, Any]:
    cure = "write one {…} a line"
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        got = f"{line[:30]!r} ({error.msg.removesuffix(' at')} at character {error.colno})"
        raise InputError(where=where, expected="a JSON object", got=got, cure=cure) from error
    if not isinstance(value, dict):
        raise InputError(where=where, expected="a JSON object", got=repr(line[:30]), cure=cure)
    return value


def _one_kind(name: str, values: Sequence[Any]) -> pl.Series:
    try:
        return pl.Series(name, values)
    except (TypeError, OverflowError):
        texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
        return pl.Series(name, texts, dtype=pl.String)
