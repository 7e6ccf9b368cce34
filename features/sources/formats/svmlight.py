"""Ready-made features: svmlight files with `qid:`, or LightGBM's form with a `.query` file of group sizes.

A line is `grade qid:7 1:0.5 3:2 # docid = X`; a feature that a line leaves out is 0, as the format says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from features.errors import InputError
from features.sources.formats.readers import decode, read_bytes
from features.sources.remarks import Said

# Lines parsed at once: a line's tokens take some ten times its bytes.
_CHUNK = 10_000
# A larger index is a hashed vocabulary, which would not fit a dense table.
_MAX_INDEX = 10_000


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
    lines = _lines(path)
    chunks = [_parse(chunk, path) for chunk in lines.iter_slices(_CHUNK)]
    keys = pl.concat([chunk for chunk, _ in chunks])
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


def _lines(path: Path) -> pl.DataFrame:
    """Lines that hold data: their number, what comes before `#`, and the docid after it."""
    text = pl.Series("text", decode(read_bytes(path), path).split("\n"))
    parts = text.str.splitn("#", 2).struct.unnest()
    # LETOR writes "docid = X", RankLib and Quepid the id alone, and what they like behind it.
    docid = parts["field_1"].str.extract(r"docid\s*=\s*(\S+)")
    docid = docid.fill_null(parts["field_1"].str.extract(r"^\s*(\S+)"))
    lines = pl.DataFrame({"body": parts["field_0"], "docid": docid}).with_row_index("line", offset=1)
    lines = lines.filter(pl.col("body").str.contains(r"\S"))
    if not lines.height:
        raise InputError(where=path, expected="rows", got="comments only", cure="check the file or its path")
    return lines


def _parse(lines: pl.DataFrame, path: Path) -> tuple[pl.DataFrame, np.ndarray]:
    """The keys (line, docid, qid, grade) of some lines, and their features as a dense matrix."""
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
    expected = f"feature:value with an index from 0 to {_MAX_INDEX}"
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
