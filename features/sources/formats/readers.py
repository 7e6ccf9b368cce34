"""One file in, one frame out: Parquet, CSV, TSV, JSON and JSON lines, each also gzipped.

How a file is written is read from it where it shows (first bytes, header), else it is a setting of the table's.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import InputError
from features.sources.formats.csv_files import FileRows, read_csv, rows_of
from features.sources.formats.other_rows import MOJIBAKE_MARK
from features.sources.remarks import Said

_SUFFIXES = ".parquet, .csv, .tsv, .txt, .json or .jsonl (each also with .gz)"
_PARQUET = b"PAR1"  # a Parquet file begins and ends with it
_PACKED = {  # by their first bytes; a spreadsheet, too, is a zip
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip (as Excel's .xlsx is)",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"(\xb5/\xfd": "zstandard",
}
_NEW_LINE = b"\n"
_MARKS = (  # the longer first: UTF-32's begins as UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZEROS = (  # of Latin letters in two bytes each
    (re.compile(rb"(?:[^\0]\0){4}"), "utf-16-le"),
    (re.compile(rb"(?:\0[^\0]){4}"), "utf-16-be"),
)
_PAGE = re.compile(r"\s*<(?:\?xml|!doctype|html|head|body|rss|feed|catalog|products|items)\b", re.IGNORECASE)
# What is packed tighter than this, and large, is made to fill the memory of who unpacks it.
_TIGHTEST = 200
_UNPACKED_FREELY = 2**28
_DEEPEST = 32  # lists in lists in lists …
_MOST_FIELDS = 500  # of objects: more are ids that somebody used as names
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(r"[\[\]{}]")


def read_table(path: Path) -> pl.DataFrame:
    """The rows of `read_rows` alone."""
    return read_rows(path).frame


def read_rows(path: Path, separator: str | None = None, encoding: str | None = None) -> FileRows:
    """Read a table by its extension.

    Columns of CSV and TSV stay text (so an id "007" keeps its zeros); the mapping to canonical columns
    casts them. separator, encoding: of a text file, where it does not show them itself.
    Raises InputError for a file that is missing, empty, damaged, or of an unknown kind.
    """
    content = read_bytes(path)
    suffix = (path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix).lower()
    if suffix == ".parquet":
        rows = FileRows(_parse_parquet(content, path))
    elif suffix in {".csv", ".tsv", ".txt"}:
        rows = read_csv(
            decode(content, path, encoding), path, separator or ("\t" if suffix == ".tsv" else None)
        )
    elif suffix == ".json":
        rows = _parse_json(decode(content, path, encoding), path)
    elif suffix in {".jsonl", ".ndjson"}:
        rows = rows_of(_parse_json_lines(decode(content, path, encoding), path), path)
    else:
        cure = "save the table in one of these formats"
        raise InputError(where=path, expected=_SUFFIXES, got=repr(suffix), cure=cure)
    _refuse_deep(rows.frame, path)
    if not rows.frame.height:
        raise InputError(where=path, expected="rows", got="a header only", cure="check the file or its path")
    return replace(rows, frame=with_fields(rows.frame))


def with_fields(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame, and of each column of objects their fields as columns: `price.amount` of {"price": {"amount": 5}}."""
    found = [field for column in frame if isinstance(column.dtype, pl.Struct) for field in _fields(column)]
    return frame.with_columns(field for field in found[:_MOST_FIELDS] if field.name not in frame.columns)


def _fields(column: pl.Series) -> Iterator[pl.Series]:
    for field in column.struct.unnest():
        named = field.alias(f"{column.name}.{field.name}")
        if isinstance(field.dtype, pl.Struct):
            yield from _fields(named)
        else:
            yield named


def _refuse_deep(frame: pl.DataFrame, path: Path) -> None:
    """Raise InputError for lists in lists in lists …: of such depth as no table has, they cost seconds a row."""
    for name, dtype in frame.schema.items():
        layer: list[object] = [dtype]
        depth = 0
        while layer and depth <= _DEEPEST:
            inner: list[object] = [kind.inner for kind in layer if isinstance(kind, pl.List | pl.Array)]
            inner += [part.dtype for kind in layer if isinstance(kind, pl.Struct) for part in kind.fields]
            layer, depth = inner, depth + 1
        if layer:
            got = f"column {name!r} with values nested more than {_DEEPEST} deep"
            raise InputError(where=path, expected="a table", got=got, cure="leave that column out")


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
    content = _unzipped(path) if path.suffix == ".gz" else path.read_bytes()
    packed = next((kind for sign, kind in _PACKED.items() if content.startswith(sign)), None)
    if packed:
        cure = (
            "end its name in .gz"
            if packed == "gzip" and path.suffix != ".gz"
            else "unpack it, or save it as CSV"
        )
        raise InputError(
            where=path, expected="a table's own bytes", got=f"a file packed by {packed}", cure=cure
        )
    if not content or content.isspace():
        raise InputError(where=path, expected="rows", got="an empty file", cure="check the file or its path")
    return content


def _unzipped(path: Path) -> bytes:
    most = max(_UNPACKED_FREELY, _TIGHTEST * path.stat().st_size)
    try:
        with gzip.open(path) as file:
            content = file.read(most + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            where=path,
            expected="a whole gzip file",
            got=str(error)[:1].lower() + str(error)[1:],
            cure="fetch or pack it again; if it is not packed, take .gz off its name",
        ) from error
    if len(content) > most:
        got = f"one that unpacks to over {_TIGHTEST} times its size"
        raise InputError(where=path, expected="a table", got=got, cure="if you trust it, unpack it yourself")
    return content


def decode(content: bytes, path: Path, encoding: str | None = None) -> str:
    """Text without a byte-order mark; InputError naming the line of the first byte that is wrong.

    Without an encoding, the one that the first bytes name, or UTF-8.
    """
    chosen = encoding or marked_encoding(content) or "utf-8"
    try:
        text = content.decode(chosen).lstrip("\ufeff").removeprefix(MOJIBAKE_MARK)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        raise InputError(
            where=f"{path}, line {content.count(_NEW_LINE, 0, start) + 1}",
            expected=f"{chosen.upper()} text",
            got=f"the byte 0x{content[start]:02x}",
            cure="save the file as UTF-8, or set the table's encoding (such as cp1252, in which Excel writes)",
        ) from error
    if _PAGE.match(text):
        cure = "export the table as CSV, TSV, JSON lines or Parquet"
        raise InputError(where=path, expected="a table", got="XML or HTML", cure=cure)
    return text.rstrip("\x1a")  # by which DOS ended a file


def marked_encoding(content: bytes) -> str | None:
    """The encoding that a file's first bytes show: by a mark, or as letters of two bytes; None where they do not."""
    marked = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    return marked or next((encoding for zeros, encoding in _ZEROS if zeros.match(content)), None)


def _parse_parquet(content: bytes, path: Path) -> pl.DataFrame:
    if not content.startswith(_PARQUET):
        got, cure = f"one that starts with {content[:10]!r}", "name the file by the format it is in"
        raise InputError(where=path, expected="a Parquet file", got=got, cure=cure)
    if not content.endswith(_PARQUET):
        got = "one that is cut off at its end"
        raise InputError(where=path, expected="a Parquet file", got=got, cure="fetch or write it again")
    try:
        rows = pl.scan_parquet(io.BytesIO(content))
        cells = rows.select(pl.len()).collect().item() * len(rows.collect_schema())
        if 8 * cells > max(_UNPACKED_FREELY, 1000 * len(content)):
            got = f"{cells:,} values in {len(content):,} bytes"
            raise InputError(
                where=path, expected="a table", got=got, cure="if you trust it, write it again as CSV"
            )
        return pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        got = str(error).partition("\n")[0]
        raise InputError(
            where=path, expected="a Parquet file", got=got, cure="fetch or write it again"
        ) from error


def _parse_json(text: str, path: Path) -> FileRows:
    """A list of objects, an object that holds one such list, or JSON lines by another name."""
    expected, cure = "a list of objects", "write [{…}, {…}], or one {…} a line"
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        if "\n" in text.strip() and text.lstrip().startswith("{"):
            return rows_of(_parse_json_lines(text, path), path)
        got = (
            f"a mistake ({error})"
            if isinstance(error, json.JSONDecodeError)
            else "values too deep or too long"
        )
        raise InputError(where=path, expected=expected, got=got, cure=cure) from error
    lists = (
        {name: value for name, value in whole.items() if _is_table(value)} if isinstance(whole, dict) else {}
    )
    said: tuple[Said, ...] = ()
    if len(lists) == 1:
        (name,) = lists
        whole, said = lists[name], (Said("PASS", f"read the list {name!r} in the file's object"),)
    elif isinstance(whole, dict) and not lists:
        whole = [whole]  # one row of JSON lines
    if not _is_table(whole):
        got = f"several: {', '.join(map(repr, lists))}" if lists else repr(text.strip()[:30])
        raise InputError(where=path, expected=expected, got=got, cure=cure)
    return rows_of(_parse_json_lines("\n".join(map(json.dumps, whole)), path), path, said)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _parse_json_lines(text: str, path: Path) -> pl.DataFrame:
    """Columns that hold more than one kind of value become text, as the derivations can read."""
    _refuse_deep_lines(pl.Series(text.split("\n")), path)
    try:
        # The whole file decides a column's type: one that turns to text in row 101 must not become null.
        return pl.read_ndjson(text.encode(), infer_schema_length=None)
    except pl.exceptions.PolarsError:
        lines = enumerate(text.split("\n"), start=1)
        rows = [_json_object(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame([one_kind(name, [row.get(name) for row in rows]) for name in names])


def _refuse_deep_lines(lines: pl.Series, path: Path) -> None:
    """Raise InputError for the first line of such depth: reading one takes minutes."""
    many = lines.str.count_matches(r"[\[{]") > _DEEPEST
    for number in many.arg_true():
        depth = 0
        for bracket in _BRACKET.findall(_JSON_STRING.sub("", lines[number])):
            depth += 1 if bracket in "[{" else -1
            if depth > _DEEPEST:
                got = f"values nested more than {_DEEPEST} deep"
                where = f"{path}, line {number + 1}"
                raise InputError(where=where, expected="a table's row", got=got, cure="leave that column out")


def _json_object(line: str, where: str) -> dict[str, Any]:
    cure = "write one {…} a line"
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        got = f"{line[:30]!r} ({error.msg.removesuffix(' at')} at character {error.colno})"
        raise InputError(where=where, expected="a JSON object", got=got, cure=cure) from error
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of 4,300 digits
        raise InputError(
            where=where, expected="a JSON object", got=f"{line[:30]!r}, too deep or too long", cure=cure
        ) from error
    if not isinstance(value, dict):
        raise InputError(where=where, expected="a JSON object", got=repr(line[:30]), cure=cure)
    return value


def one_kind(name: str, values: Sequence[Any]) -> pl.Series:
    """A column of values of one kind, or of their texts."""
    try:
        return pl.Series(name, values)
    except (TypeError, OverflowError):
        known = (None if isinstance(v, float) and math.isnan(v) else v for v in values)  # Python's NaN
        texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in known]
        return pl.Series(name, texts, dtype=pl.String)
