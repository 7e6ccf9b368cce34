"""Ready-made features: svmlight files with `qid:`, or LightGBM's form with a `.query` file of group sizes.

A line is `grade qid:7 1:0.5 3:2 # docid = X`; a feature that a line leaves out is 0, as the format says.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl

from features.errors import InputError
from features.sources.formats.readers import decode, read_bytes
from features.sources.remarks import Said

# Characters parsed at once: line by line, their tokens take some ten times as much.
_CHUNK = 4_000_000
# A larger index is a hashed vocabulary, which would not fit a dense table.
_MAX_INDEX = 10_000
# What stays of a plain text when only blanks and colons are left of it: see `_plain`.
_NO_SEPARATORS = bytes(set(range(256)) - set(b" \t\n\v\f\r:#"))

# As in docid = p1, doc_id:p1 and {"docid": "p1"}.
_NAMED_ID = r"""(?i)\b(?:doc|product|item)_?id["']?\s*[=:]\s*["']?([^\s"',}]+)"""
_FIRST_WORD, _IN_QUOTES = (
    r"""^\s*([^\s"'{]\S*)""",
    r"""^\s*["']([^\s"']+)["'](?:\s|$)""",
)  # no title in quotes


def read_svmlight(path: Path, prefix: str = "", said: list[Said] | None = None) -> pl.DataFrame:
    """Rows in file order: query_id, product_id, grade, then `given.f1`, `given.f2`, … (Float64).

    Features keep the file's own indices (from 0 or from 1). `query_id` is the qid, or with a `.query` file
    `q` and a running number; `product_id` is the `docid` of the comment, or its first word, where all lines have
    one and it is unique within the query, else `r` and the running number of the row. `prefix` goes before running
    numbers, which are zero-padded: sorting by both keys then gives back the file's order. What became of the
    comments is added to `said`.
    Raises InputError naming file and line for a bad token, a query whose lines are not together, or group
    sizes that do not add up.
    """
    whole = decode(read_bytes(path), path)
    if "\n" not in whole:  # as old Macs end their lines
        whole = whole.replace("\r", "\n")
    chunks = [_parse(text, first, path) for first, text in _texts(whole)]
    keys = pl.concat([chunk for chunk, _ in chunks])
    if not keys.height:
        raise InputError(where=path, expected="rows", got="comments only", cure="check the file or its path")
    query_ids = _query_ids(keys, path, prefix)
    _check_contiguous(query_ids, keys["line"], path)
    product_ids = _product_ids(query_ids, keys["docid"], prefix, [] if said is None else said)
    features = _stacked([matrix for _, matrix in chunks])
    return pl.DataFrame([query_ids, product_ids, keys["grade"], *features])


def group_file(path: Path) -> Path | None:
    """LightGBM's file of group sizes beside the data file (rank.train.query for rank.train.gz), if any."""
    stem = path.with_suffix("") if path.suffix == ".gz" else path
    candidates = [stem.with_name(f"{stem.name}.query"), path.with_name(f"{path.name}.query")]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _texts(text: str) -> Iterator[tuple[int, str]]:
    """About _CHUNK characters of whole lines at a time, and the number of the first of them, from 1."""
    first, start = 1, 0
    while start < len(text):
        end = text.find("\n", start + _CHUNK - 1) + 1 or len(text)
        piece = text[start:end].removesuffix("\n")
        yield first, piece
        first, start = first + piece.count("\n") + 1, end


def _parse(text: str, first: int, path: Path) -> tuple[pl.DataFrame, np.ndarray]:
    """The keys (line, docid, qid, grade) of some lines, and their features as a dense matrix; first: their number.

    Plain lines are read as a table at once, in a quarter of the time that their tokens take one by one; comments and
    blanks that keep them from it are taken off first. What is still not plain is read token by token, and named
    where it is bad.
    """
    found = _plain(text)
    if found is not None:
        keys, matrix = found
        line = pl.Series("line", np.arange(first, first + keys.height))
        docid = pl.Series("docid", [None], pl.String).new_from_index(0, keys.height)
        return pl.DataFrame([line, docid, *keys]), matrix
    lines = _lines(text, first)
    found = _plain("\n".join(lines["body"])) if lines.height else None
    if found is None:
        return _tokens(lines, path)
    keys, matrix = found
    return lines.select("line", "docid").hstack(keys), matrix


def _lines(text: str, first: int) -> pl.DataFrame:
    """Lines that hold data: their number, what comes before `#`, and the docid after it."""
    parts = pl.Series("text", text.split("\n")).str.splitn("#", 2).struct.unnest()
    # LETOR writes "docid = X", RankLib and Quepid the id alone, and what they like behind it.
    ways = (parts["field_1"].str.extract(way) for way in (_NAMED_ID, _FIRST_WORD, _IN_QUOTES))
    docid = pl.select(pl.coalesce(*ways)).to_series().str.normalize("NFC")
    body = parts["field_0"].str.strip_chars()
    line = pl.Series("line", np.arange(first, first + len(body)))
    return pl.DataFrame([line, docid.alias("docid"), body.alias("body")]).filter(pl.col("body") != "")


def _plain(text: str) -> tuple[pl.DataFrame, np.ndarray] | None:
    """The keys (qid, grade) and features of lines that all read `grade qid:7 1:0.5 3:2`; None for any others.

    All with a qid or all without, single blanks, no comments, features in rising order: then a colon follows every
    blank, and with blanks in place of the colons the lines are a table of numbers.
    """
    raw = text.encode() if text.isascii() else b""
    separators = raw.translate(None, _NO_SEPARATORS)
    if not raw or len(separators) != 2 * separators.count(b" :") + separators.count(b"\n"):
        return None
    pairs = max(map(len, separators.split(b"\n"))) // 2
    if pairs > _MAX_INDEX + 1:
        return None
    has_qid = raw.partition(b"\n")[0].partition(b" ")[2].startswith(b"qid:")
    key: dict[str, type[pl.DataType]] = {"grade": pl.Float64}
    key |= {"word": pl.String, "qid": pl.String} if has_qid else {}
    columns = [(f"i{place}", f"v{place}") for place in range(pairs - has_qid)]
    schema = key | {
        name: kind for two in columns for name, kind in zip(two, (pl.UInt16, pl.Float64), strict=True)
    }
    header = " ".join(schema) + "\n"
    try:
        table = pl.read_csv(
            io.BytesIO(header.encode() + raw.replace(b":", b" ")),
            separator=" ",
            schema=schema,
            quote_char=None,
        )
    except pl.exceptions.PolarsError:
        return None
    keys = table.select(*key)
    whole = table.height == separators.count(b"\n") + 1 and not any(keys.null_count().row(0))
    if not whole or (has_qid and not (keys["word"] == "qid").all()):
        return None
    matrix = _filled([(table[index], table[value]) for index, value in columns], table.height)
    if matrix is None:
        return None
    qid = keys["qid"] if has_qid else pl.Series("qid", [None], pl.String).new_from_index(0, table.height)
    return pl.DataFrame([qid, keys["grade"]]), matrix


def _filled(columns: list[tuple[pl.Series, pl.Series]], rows: int) -> np.ndarray | None:
    """The dense matrix of each row's first, second, … feature: index and value; None unless they rise within bounds."""
    width = 1 + max((cast("int", index.max() or 0) for index, _ in columns), default=0)
    if width > _MAX_INDEX + 1:
        return None
    matrix = np.zeros((width, rows))  # by feature: a table's columns are made of it
    before: int | np.ndarray = -1
    for index, value in columns:
        if index.min() == index.max() and not index.null_count() + value.null_count():
            place = cast("int", index[0])  # the same feature in every row, as in most files
            if np.any(before >= place):
                return None
            matrix[place], before = value.to_numpy(), place
        else:
            here = index.fill_null(_MAX_INDEX + 1).to_numpy()
            known = here <= _MAX_INDEX
            if (known != value.is_not_null().to_numpy()).any() or (known & (here <= before)).any():
                return None
            at = np.flatnonzero(known)
            matrix[here[at], at], before = value.to_numpy()[at], here
    return matrix.T


def _tokens(lines: pl.DataFrame, path: Path) -> tuple[pl.DataFrame, np.ndarray]:
    """As `_parse`, of any lines."""
    tokens = lines["body"].str.extract_all(r"\S+")
    label, second = tokens.list.first(), tokens.list.get(1, null_on_oob=True)
    keys = lines.select("line", "docid").with_columns(
        qid=second.str.extract(r"^qid:(.+)$"), grade=label.cast(pl.Float64, strict=False)
    )
    _refuse(
        label.filter(keys["grade"].is_null()), keys["line"].filter(keys["grade"].is_null()), path, "a grade"
    )
    row = pl.DataFrame({"line": keys["line"], "qid": keys["qid"], "token": tokens}).with_row_index("row")
    pairs = row.with_columns(pl.col("token").list.slice(1 + pl.col("qid").is_not_null().cast(pl.Int64)))
    return keys, _dense(pairs.explode("token").drop_nulls("token"), lines.height, path)


def _dense(tokens: pl.DataFrame, rows: int, path: Path) -> np.ndarray:
    pair = tokens["token"].str.splitn(":", 2).struct.unnest()
    index = pair["field_0"].cast(pl.Int64, strict=False)
    value = pair["field_1"].cast(pl.Float64, strict=False)
    bad = index.is_null() | value.is_null() | ~index.is_between(0, _MAX_INDEX).fill_null(value=False)
    misplaced = bad & tokens["token"].str.contains("(?i)^qid")
    named = "qid:N right behind the grade, in small letters and without a blank in it"
    _refuse(tokens["token"].filter(misplaced), tokens["line"].filter(misplaced), path, named)
    expected = f"feature:value with an index from 0 to {_MAX_INDEX} and a number (nan where it is missing)"
    _refuse(tokens["token"].filter(bad), tokens["line"].filter(bad), path, expected)
    width = int(index.max() or 0) + 1  # type: ignore[arg-type]  # polars types max() as any literal
    cell = tokens["row"].to_numpy() * width + index.to_numpy()
    twice = np.bincount(cell, minlength=rows * width)[cell] > 1
    if twice.any():
        mask = pl.Series(twice)
        _refuse(
            tokens["token"].filter(mask), tokens["line"].filter(mask), path, "each feature once in a line"
        )
    matrix = np.zeros(rows * width)
    matrix[cell] = value.to_numpy()
    return matrix.reshape(rows, width)


def _stacked(chunks: list[np.ndarray]) -> Iterator[pl.Series]:
    """The features as columns; index 0 is one only if some line uses it (else the file counts from 1)."""
    width = max(chunk.shape[1] for chunk in chunks)
    for index in range(width):
        parts = [c[:, index] if index < c.shape[1] else np.zeros(len(c)) for c in chunks]
        column = np.concatenate(parts)
        if index or column.any():
            yield pl.Series(f"given.f{index}", column)


def _query_ids(keys: pl.DataFrame, path: Path, prefix: str) -> pl.Series:
    without = keys.filter(pl.col("qid").is_null())
    if not without.height:
        return keys["qid"].alias("query_id")
    groups = group_file(path)
    if groups is None or without.height < keys.height:
        raise InputError(
            where=f"{path}, line {without['line'][0]}",
            expected="qid:N after the grade",
            got="none",
            cure="add it, or put LightGBM's group sizes into a .query file of the same name beside the data",
        )
    sizes = _group_sizes(groups)
    if sum(sizes) != keys.height:
        raise InputError(
            where=groups,
            expected=f"group sizes that add up to the {keys.height} rows of {path.name}",
            got=f"{sum(sizes)}",
            cure="take the .query file that belongs to this data file",
        )
    return _padded(f"{prefix}q", np.repeat(np.arange(1, len(sizes) + 1), sizes)).alias("query_id")


def _group_sizes(path: Path) -> list[int]:
    lines = [line.strip() for line in decode(read_bytes(path), path).rstrip().split("\n")]
    for number, line in enumerate(lines, start=1):
        if not (line.isdecimal() and int(line)):
            raise InputError(
                where=f"{path}, line {number}",
                expected="a group size above 0",
                got=repr(line),
                cure="write one whole number a line",
            )
    return [int(line) for line in lines]


def _check_contiguous(query_ids: pl.Series, lines: pl.Series, path: Path) -> None:
    starts = (query_ids != query_ids.shift()).fill_null(value=True)
    back = ~query_ids.filter(starts).is_first_distinct()
    if back.any():
        raise InputError(
            where=f"{path}, line {lines.filter(starts).filter(back)[0]}",
            expected="all rows of a query together",
            got=f"query {query_ids.filter(starts).filter(back)[0]!r} again",
            cure="sort the file by qid",
        )


def _product_ids(query_ids: pl.Series, docids: pl.Series, prefix: str, said: list[Said]) -> pl.Series:
    pairs = pl.DataFrame({"query_id": query_ids, "docid": docids})
    twice = pairs.is_duplicated().any()
    if not docids.has_nulls() and not twice:
        said.append(Said("PASS", f"products are called as the comments call them: {docids[0]!r} …"))
        return docids.alias("product_id")
    if docids.count():
        why = "some are there twice for a query" if twice else f"{docids.null_count():,} rows have none"
        evidence = f"ids in the comments, such as {docids.drop_nulls()[0]!r}, are not used: {why}"
        cure = "give each row of a query its own id; until then a product of two queries is two products"
        said.append(Said("WARN", evidence, cure))
    return _padded(f"{prefix}r", np.arange(1, len(docids) + 1)).alias("product_id")


def _padded(letter: str, numbers: np.ndarray) -> pl.Series:
    digits = len(str(numbers[-1]))
    return letter + pl.Series(numbers).cast(pl.String).str.zfill(digits)


def _refuse(tokens: pl.Series, lines: pl.Series, path: Path, expected: str) -> None:
    """Raise InputError for the first of these bad tokens, if there are any."""
    if len(tokens):
        raise InputError(
            where=f"{path}, line {lines[0]}", expected=expected, got=repr(tokens[0]), cure="mend that line"
        )
