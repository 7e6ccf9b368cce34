"""CSV as people's programs write it: other separators, Excel's `sep=;`, lines above the header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from features.errors import InputError
from features.sources.formats.other_rows import AROUND, other_rows
from features.sources.remarks import Said

_SEPARATORS = (",", ";", "\t", "|", "^", "~", "\x01", "\x1f", "§", "¦")
_SEP_LINE = re.compile(r'^"?sep= ?(\\t|\t|[^\s"])[";,|\t ]*\r?\n', re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_ESCAPED_QUOTE = r'\\"(?=[^"\r\n{}])'  # not the end of a field that ends in a backslash
_LONGEST_HEADER = 1_000_000
_MOST_ABOVE = 20  # lines


@dataclass(frozen=True)
class FileRows:
    """A file's rows, what stood among them and is none (with a `reason`), and what was decided to read it."""

    frame: pl.DataFrame
    others: pl.DataFrame = field(default_factory=pl.DataFrame)
    said: tuple[Said, ...] = ()


def read_csv(text: str, path: Path, separator: str | None = None) -> FileRows:
    """All columns as text, null where empty; the separator, where not given, by Excel's first line or the header.

    Raises InputError naming the line for rows longer than the header and for quotes without an end; see `other_rows`.
    """
    said: list[Said] = []
    if "\n" not in text:
        text = text.replace("\r", "\n")
    line = _SEP_LINE.match(text)
    if line:
        text, hint = text[line.end() :], line[1].replace("\\t", "\t")
        separator = separator or (hint if hint in text.partition("\n")[0] else None)
        said.append(Said("PASS", f"read {line[0].strip()!r} as Excel's word for its separator"))
    text = _from_header(text, separator, said)
    if separator is None:
        separator = sniff_separator(text)
        if separator != ",":
            said.append(Said("PASS", f"fields are parted by {separator!r}, as the header shows"))
    if '\\"' in text and re.search(_ESCAPED_QUOTE.format(re.escape(separator)), text):
        text = text.replace('\\"', '""')
        said.append(Said("PASS", r"read \" as a quote within a text, as MySQL writes it"))
    frame = _with_own_names(_unquoted(text, separator, path, said), text, separator, said)
    return rows_of(_without_formulas(frame, text, said), path, said)


def rows_of(frame: pl.DataFrame, path: Path, said: Sequence[Said] = ()) -> FileRows:
    """A text file's frame without what is no row of its; see `other_rows`."""
    why = other_rows(frame, path)
    if not why.count():
        return FileRows(frame, said=tuple(said))
    others = frame.with_columns(reason=why).filter(why.is_not_null())
    return FileRows(frame.filter(why.is_null()), others, tuple(said))


def _from_header(text: str, separator: str | None, said: list[Said]) -> str:
    """The text without what stands above the header: blank lines, a title, a date, a comment; of one field at most."""
    text = text.lstrip("\r\n")
    above: list[str] = []
    for line in text.split("\n", _MOST_ABOVE)[:_MOST_ABOVE]:
        if line.count('"') % 2:
            return text  # a field of several lines
        parts = [separator] if separator else _SEPARATORS
        if any(sum(map(bool, map(str.strip, _QUOTED.sub("x", line).split(part)))) > 1 for part in parts):
            break
        above.append(line)
    else:
        return text
    if not above:
        return text
    shown = next((line.strip() for line in above if line.strip()), "")
    evidence = f"{len(above)} lines above the header are left out ({shown[:40]!r})"
    said.append(Said("WARN", evidence, "let the file begin with the names of its columns"))
    return text[sum(len(line) + 1 for line in above) :]


def sniff_separator(text: str) -> str:
    """What parts the header into most fields: comma, semicolon, tab, bar or a rarer mark; the comma if nothing."""
    header = _QUOTED.sub("", text.partition("\n")[0])
    return max(_SEPARATORS, key=header.count)


def _unquoted(text: str, separator: str, path: Path, said: list[Said]) -> pl.DataFrame:
    """The parsed text; where each line as a whole was quoted once more, of the lines within."""
    frame = _parsed(text, separator, path)
    lines, *others = frame.get_columns()
    if not lines.count() or any(column.count() for column in others):
        return frame
    header = text.partition("\n")[0].strip().strip('"')
    inner = next((mark for mark in (separator, *_SEPARATORS) if mark in header), None)
    if inner is None or not lines.str.contains(inner, literal=True).all():
        return frame
    said.append(Said("PASS", f"read {lines[0][:60]!r} as a line: each was in quotes once more"))
    return _parsed("\n".join([header, *lines.drop_nulls()]), inner, path)


def _parsed(text: str, separator: str, path: Path) -> pl.DataFrame:
    # With a blank before it, polars takes a quote for one of the field's letters.
    blanks = separator != " " and f'{separator} "' in text
    try:
        if not blanks and separator.isascii():  # polars parts by one byte
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
            while rows and len(row) > len(rows[0]) and not row[-1].strip():
                row.pop()  # a separator behind the last field
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
        names = [name.strip(AROUND) for name in header]
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
