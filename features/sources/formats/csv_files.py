"""CSV as people's programs write it: other separators, Excel's `sep=;`, blanks and quotes in headers, headers again."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from features.errors import InputError
from features.sources.remarks import Said

_SEPARATORS = (",", ";", "\t", "|")
_SEP_LINE = re.compile(r'^"?sep=(.)"?\r?\n', re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_LONGEST_HEADER = 1_000_000
_AROUND = " \t\u00a0\ufeff"


@dataclass(frozen=True)
class FileRows:
    """A file's rows, those among them that only repeat the header, and what was decided to read it."""

    frame: pl.DataFrame
    headers: pl.DataFrame = field(default_factory=pl.DataFrame)
    said: tuple[Said, ...] = ()


def read_csv(text: str, path: Path, separator: str | None = None) -> FileRows:
    """All columns as text, null where empty; the separator, where not given, by Excel's first line or the header.

    Raises InputError naming the line for rows longer than the header and for quotes without an end.
    """
    said: list[Said] = []
    line = _SEP_LINE.match(text)
    if line:
        text, separator = text[line.end() :], separator or line[1]
        said.append(Said("PASS", f"read {line[0].strip()!r} as Excel's word for its separator"))
    text = text.lstrip("\r\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    if separator is None:
        separator = sniff_separator(text)
        if separator != ",":
            said.append(Said("PASS", f"fields are parted by {separator!r}, as the header shows"))
    frame = _with_own_names(_parsed(text, separator, path), text, separator, said)
    return _without_headers(_without_formulas(frame, text, said), said)


def sniff_separator(text: str) -> str:
    """What parts the header into most fields: comma, semicolon, tab or bar; the comma where nothing does."""
    header = _QUOTED.sub("", text.partition("\n")[0])
    return max(_SEPARATORS, key=header.count)


def _parsed(text: str, separator: str, path: Path) -> pl.DataFrame:
    # With a blank before it, polars takes a quote for one of the field's letters.
    blanks = separator != " " and f'{separator} "' in text
    try:
        if not blanks:
            return pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError:
        pass  # stricter than people are: a lone quote within a field (5" nail) is one of its letters
    header, *rows = _rows(text, separator, path, blanks=blanks)
    if len(set(header)) < len(header):
        got = repr(next(name for name in header if header.count(name) > 1)) + " more than once"
        raise InputError(where=path, expected="each column once", got=got, cure="rename or remove one")
    padded = [[*row, *[""] * (len(header) - len(row))] for row in rows]
    return pl.DataFrame(padded, dict.fromkeys(header, pl.String), orient="row").select(
        pl.all().replace("", None)
    )


def _rows(text: str, separator: str, path: Path, *, blanks: bool) -> list[list[str]]:
    """The header and the rows by Python's own reader; InputError naming the line of the first broken row."""
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=separator, strict=True, skipinitialspace=blanks)
    rows: list[list[str]] = []
    line = 1
    try:
        for row in reader:
            if rows and len(row) > len(rows[0]):
                raise InputError(
                    where=f"{path}, line {line}",
                    expected=f"{len(rows[0])} fields, as in the header",
                    got=f"{len(row)}",
                    cure=f"put fields that hold {separator!r} in double quotes, or set the table's separator",
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


def _with_own_names(frame: pl.DataFrame, text: str, separator: str, said: list[Said]) -> pl.DataFrame:
    """The columns called as the header means it: without doubled quotes, or blanks around."""
    try:
        start = io.StringIO(text[:_LONGEST_HEADER], newline="")
        header = next(csv.reader(start, delimiter=separator, skipinitialspace=True))
        names = [name.strip(_AROUND) for name in header]
    except csv.Error:
        names = list(frame.columns)
    if len(names) != frame.width or names == frame.columns:
        return frame
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        said.append(
            Said("WARN", f"column {twice[0]!r} is there more than once: the first is read", "rename one")
        )
        names = [f"{name}_duplicated_{i}" if name in names[:i] else name for i, name in enumerate(names)]
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def _without_formulas(frame: pl.DataFrame, text: str, said: list[Said]) -> pl.DataFrame:
    """`="00123"` → `00123`: so programs make Excel keep zeros."""
    if '="' not in text:
        return frame
    plain = frame.with_columns(pl.all().str.replace(r'^="([^"]*)"$', "$1"))
    changed = [name for name in frame.columns if not plain[name].equals(frame[name])]
    if changed:
        before, after = frame[changed[0]], plain[changed[0]]
        first = (before.ne_missing(after)).arg_true()[0]
        said.append(Said("PASS", f"read {before[first]!r} as {after[first]!r}: so spreadsheets keep zeros"))
    return plain


def _without_headers(frame: pl.DataFrame, said: list[Said]) -> FileRows:
    """Rows that hold only the names of columns are a header again, of files joined into one."""
    names = pl.Series(frame.columns, dtype=pl.String).implode()
    first = frame.to_series(0).str.strip_chars(_AROUND).is_in(names)
    if frame.width < 2 or not first.any():
        return FileRows(frame, said=tuple(said))
    named = pl.all_horizontal(pl.all().is_null() | pl.all().str.strip_chars(_AROUND).is_in(names))
    header = frame.select(named & pl.nth(1).is_not_null()).to_series() & first.fill_null(value=False)
    return FileRows(frame.filter(~header), frame.filter(header), tuple(said))
