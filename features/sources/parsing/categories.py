"""A source's categories → paths "A > B > C": one path a product, the first where a field names several.

A field may hold a path, a list, a list written as text (`["A", "B"]`), or several of these ("A > B, C", "A > B | C").
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import tokenize
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise, product

import polars as pl

from features.sources.parsing import values
from features.sources.parsing.numerals import Reading
from features.sources.remarks import Said

_LONGEST_LIST = 10_000  # characters of a list written as text
_BETWEEN_PATHS = ("|", ";", ",", "\n", "^", "::")
_OTHER_SEPARATORS = r"\S ?(?:/|\||\\|:|;|\^|~|•|·|<|、|，|،) ?\S|\S - \S"
_BLOCK, _INLINE = (  # tags
    rf"(?i)</?(?:{names})(?:\s[^<>]*)?/?>"
    for names in ("br|div|li|ol|p|ul", "a|b|em|font|i|nav|span|strong|u")
)
_CALL = (
    r"(?s)^[A-Za-z]+\((\[.*\]|\{.*\}|\(.*\)|['\"].*['\"])(?:, ?dtype=\w+)?\)$"  # as Python and R print lists
)
_NAMED_BY = ("name", "title", "label", "value")
_A_LEVEL = re.compile(r"(?:lvl|level|cat|category|hierarchy)[ _.-]?\d+", re.IGNORECASE)
_NO_NAME_HOLDS = ("\n", "\t", "//", "|||", "||", ";;", "::", "^")
_NAMES_MAY_HOLD = (" / ", "/", "|", "\\", ";", "~", "•", " - ")
_KEPT_COMMA = "\ue000"
_MOST = 0.5
_NEARLY_ALL = 0.8


def category_paths(columns: Sequence[pl.Series], separator: str) -> Reading:
    """Paths from a list, from text parted by `separator`, or from one column a level."""
    said: list[Said] = []
    levels = pl.DataFrame(
        [_levels(column, separator, said).alias(str(i)) for i, column in enumerate(columns)]
    )
    path = levels.select(pl.concat_list(pl.all())).to_series()
    named = path.list.eval(pl.element().str.strip_chars().filter(pl.element().str.strip_chars() != ""))
    return Reading(named.list.join(" > ").replace("", None), tuple(said))


def _levels(column: pl.Series, separator: str, said: list[Said]) -> pl.Series:
    if isinstance(column.dtype, pl.List | pl.Array):
        inner = column.dtype.inner
        if isinstance(inner, pl.List | pl.Array) and not inner.inner.is_nested():
            said.append(Said("PASS", "read the first of several paths of a product"))
            column = column.cast(pl.List(pl.List(pl.String))).list.first()
        elif isinstance(inner, pl.Struct):
            column = _of_objects(column, inner)
        elif not inner.is_nested():
            column = column.cast(pl.List(pl.String))
    if column.dtype != pl.List(pl.String):
        text = _with_separator(values.text(column), separator, said)
        column = _split(_unlisted(text, separator, said), separator, said)
    none = pl.lit([], dtype=pl.List(pl.String))
    return pl.select(pl.lit(column).fill_null(none)).to_series()


def _of_objects(column: pl.Series, kind: pl.Struct) -> pl.Series:
    """Lists of objects, as JSON holds them, as lists of what these are called; as JSON text where they have no name."""
    fields = [field.name for field in kind.fields]
    named = next((name for name in _NAMED_BY if name in fields), None)
    if named is None:
        written = (None if value is None else json.dumps(value.to_list(), default=str) for value in column)
        return pl.Series(column.name, written, dtype=pl.String)
    return column.list.eval(pl.element().struct.field(named).cast(pl.String))


def _with_separator(text: pl.Series, separator: str, said: list[Said]) -> pl.Series:
    """ ">" in its other forms as itself, and what else parts a tree's levels; where that is in doubt, it is said."""
    text = text.str.replace_all(_INLINE, "").str.replace_all(_BLOCK, "\n").str.strip_chars()
    text = text.str.replace_all(rf"\s*\n\s*({re.escape(separator)})\s*\n?", " $1 ")
    if separator == ">":
        text = text.str.replace_all(r"(?i)&(?:gt|raquo|rsaquo);|[»›＞→▸▶►❯➔⟩⟶▹‣≫⇒➤➜➝⮞ᐳ]|[-=]+>", ">")
        text = text.str.replace_many(["｜", "／"], ["|", "/"])
        mark = None if text.str.contains(">", literal=True).any() else _mark_of_levels(text)
        if mark:
            example = text.filter(text.str.contains(mark, literal=True))[0][:60]
            why = f"{mark!r} parts the levels of most categories, and what stands before it is shared by several"
            cure = "set {section}.category_separator, if it is a part of names"
            first = _first_paths(text, mark)
            many = (first != text).fill_null(value=False)
            if many.any():
                shown = f"{text.filter(many)[0][:60]!r} ({int(many.sum()):,} products) as {first.filter(many)[0]!r}"
                said.append(
                    Said("PASS", f"read {shown}: ',' parts several paths, of which the first is taken")
                )
            text = first.str.strip_chars(mark + " ").str.replace_all(mark, " > ", literal=True)
            said.append(Said("PASS", f"read {example!r} as a path: {why}", cure))
            return text
    many = (text.str.contains(_OTHER_SEPARATORS) & ~text.str.contains("^[\\[({]")).fill_null(value=False)
    if not text.str.contains(separator, literal=True).any() and many.sum() > _MOST * text.count():
        evidence = f"no category holds {separator!r}: {text.filter(many)[0][:60]!r} is read as one level"
        cure = "set {section}.category_separator to what parts the levels, if anything does"
        said.append(Said("WARN", evidence, cure))
    return text


def _mark_of_levels(text: pl.Series) -> str | None:
    """What parts most distinct categories into paths of one tree, if anything does."""
    plain = text.drop_nulls().unique()
    plain = plain.filter(~plain.str.contains(r"^[\[({]|://"))
    for mark in (*_NO_NAME_HOLDS, *_NAMES_MAY_HOLD):
        held = plain.filter(plain.str.contains(mark, literal=True))
        if len(held) > _MOST * len(plain) and _is_tree(_first_paths(held, mark).unique(), mark):
            return mark
    return None


def _first_paths(text: pl.Series, mark: str) -> pl.Series:
    """The first of several paths parted by commas, as Magento writes them: behind the comma begins a path again."""
    pieces = text.str.split(",")
    first, second = (pieces.list.get(at, null_on_oob=True).str.strip_chars() for at in (0, 1))
    again = _root(second, mark).is_in(_root(first, mark).unique().implode())
    return text.zip_with(~(again & first.str.contains(mark, literal=True)).fill_null(value=False), first)


def _is_tree(texts: pl.Series, mark: str) -> bool:
    """Whether paths share their first parts, and names stand at one level, as in no "Salt / Pepper" or tags."""
    part = pl.element().str.strip_chars()
    paths = pl.DataFrame({"path": texts.str.split(mark).list.eval(part.filter(part != ""))})
    paths = paths.filter(pl.col("path").list.len() > 0)
    if not paths.height:
        return False
    paths = paths.with_columns(level=pl.int_ranges(0, pl.col("path").list.len()))
    levels = paths.explode("path", "level").group_by("path").agg(one=pl.col("level").n_unique() == 1)
    at_one, shared, deep = (
        frame.select(share.mean()).item()
        for frame, share in (
            (levels, pl.col("one")),
            (paths, pl.len().over(pl.col("path").list.first()) > 1),
            (paths, pl.col("path").list.len() > 2),
        )
    )
    if at_one < _NEARLY_ALL:
        return False
    return bool(shared > 0 if mark in _NO_NAME_HOLDS else shared > _MOST and (mark == " / " or deep > _MOST))


def _split(text: pl.Series, separator: str, said: list[Said]) -> pl.Series:
    text = text.str.replace_all("\\,", _KEPT_COMMA, literal=True)  # WooCommerce's comma within a name
    quoted = text.str.replace_all(r'^"(.*)"$', "$1").str.replace_all(r'"\s*[,;|]\s*"', "\n")
    text = quoted.zip_with(~text.str.contains(r"^[\[({]").fill_null(value=False), text)
    for between in _BETWEEN_PATHS:
        many = text.str.contains(between, literal=True).fill_null(value=False)
        if between in separator or not many.any():
            continue
        example = text.filter(many)[0].replace(_KEPT_COMMA, ",")
        first = text.str.split(between).list.first().str.strip_chars()
        shown = f"{example[:60]!r} ({int(many.sum()):,} products)"
        several, doubt = _parts_paths(text, many, separator, between)
        if several:
            why = f"{between!r} parts several paths, of which the first is taken"
            one = first.filter(many)[0].replace(_KEPT_COMMA, ",")
            said.append(Said("PASS", f"read {shown} as {one!r}: {why}"))
            text = first
        elif doubt:
            cure = "put one path in a field, or a list"
            said.append(
                Said("WARN", f"read {shown} as one path: {between!r} may be part of a level's name", cure)
            )
    return text.str.replace_all(_KEPT_COMMA, ",", literal=True).str.split(separator)


def _parts_paths(text: pl.Series, many: pl.Series, separator: str, between: str) -> tuple[bool, bool]:
    """Whether a mark parts paths rather than standing in a level's name ("Bags, Cases"), and whether it may.

    It does if behind it begins what paths of the column begin with, or, for marks that no name holds, if there are
    whole paths on both sides.
    """
    roots = _root(text.drop_nulls().unique().str.split(between).list.first(), separator)
    distinct = text.filter(many).unique()
    pieces = pl.DataFrame({"row": range(len(distinct)), "piece": distinct.str.split(between)})
    first = pl.col("piece").list.first().str.contains(separator, literal=True)
    later = pieces.select("row", first=first, piece=pl.col("piece").list.slice(1)).explode("piece")
    both = pl.col("first") & pl.col("piece").str.contains(separator, literal=True)
    known = _root(later["piece"], separator).is_in(roots.implode())
    shares = later.select("row", known=known, both=both).group_by("row").agg(pl.col("known", "both").any())
    telling = shares.select((pl.col("known") | (pl.col("both") & (between != ","))).mean()).item()
    has_paths = text.str.contains(separator, literal=True).any()
    return bool(has_paths and telling > _MOST), bool(has_paths and shares["both"].any())


def _root(path: pl.Series, separator: str) -> pl.Series:
    return path.str.split(separator).list.first().str.strip_chars()


def _unlisted(text: pl.Series, separator: str, said: list[Said]) -> pl.Series:
    """Lists written as text → text parted by the separator."""
    text = text.str.replace(_CALL, "($1)")
    written = text.str.contains(r"(?s)^\[.*\]$|^\([\[({'\"].*\)$|^\{.*\}$").fill_null(value=False)
    if not written.any():
        return text
    odd = text.filter(written).unique(maintain_order=True)
    plain = pl.Series([_path(value, separator) for value in odd], dtype=pl.String)
    read = plain.is_not_null()
    if read.any():
        example, path = odd.filter(read)[0], plain.filter(read)[0]
        said.append(Said("PASS", f"read {example[:60]!r} as {path[:60]!r}: a list written as text"))
    if not read.all():
        evidence = f"{odd.filter(~read)[0][:60]!r} looks like a list or an object, and is read as one level"
        said.append(Said("WARN", evidence, "write categories as paths, or as lists of names"))
    return text.replace(odd.filter(read), plain.filter(read))


def _path(value: str, separator: str) -> str | None:
    found = _parsed(value)
    if found and isinstance(found[0], list):
        found = found[0]
    if found is None:
        return None
    names = [_name(item) for item in found if item is not None]
    if not all(isinstance(name, str | int | float) for name in names):
        return None
    if names and separator in str(names[0]):
        return str(names[0])
    return f" {separator} ".join(map(str, names))


def _name(item: object) -> object:
    """Of an object as shops' APIs give it, what it is called."""
    if not isinstance(item, dict):
        return item
    return next((item[key] for key in _NAMED_BY if key in item), item)


def _parsed(value: str) -> list[object] | None:
    if len(value) > _LONGEST_LIST:
        return None
    straight = re.sub("[“”]", '"', value).replace('\\"', '"')
    if value.startswith("{"):
        return _of_braces(straight)
    for parse, text in product(
        (json.loads, lambda text: ast.literal_eval(_with_commas(text))), (value, straight)
    ):
        try:
            found = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list | tuple):
            return list(found)
    bare = straight[1:-1]
    return (
        None
        if re.search(r"['\"\[\](){}]", bare) or "," not in bare
        else [part.strip() for part in bare.split(",")]
    )


def _of_braces(value: str) -> list[object] | None:
    """An object's name or levels; else PostgreSQL's list, or Python's set in the order in which it is written."""
    inner = value[1:-1]
    for parse in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            found = parse(value)
            if isinstance(found, dict):
                return _levels_of(found)
    if re.search(r"[\[{]|\w['\"]?\s*:", inner):
        return None
    quote = "'" if inner.lstrip().startswith("'") else '"'
    return list(next(csv.reader([inner], skipinitialspace=True, quotechar=quote), []))


def _levels_of(found: dict[object, object]) -> list[object] | None:
    """Of an object that names its levels (lvl0, lvl1 as Algolia's), these, or the last where it holds the others."""
    if isinstance(_name(found), str):
        return [found]
    levels = [found[key] for key in found if _A_LEVEL.fullmatch(str(key))]
    names = [name[0] if isinstance(name, list) and name else name for name in levels]
    if len(names) < max(len(found), 1) or not all(isinstance(name, str) for name in names):
        return None if found else []
    return names[-1:] if str(names[0]) in str(names[-1]) else names


def _with_commas(value: str) -> str:
    """Between strings that stand side by side, as numpy prints them: Python would make one of them."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(value).readline))
    except (tokenize.TokenError, SyntaxError):
        return value
    parted = (
        (", " if one.type == other.type == tokenize.STRING else " ", other) for one, other in pairwise(tokens)
    )
    return "".join([tokens[0].string, *(gap + token.string for gap, token in parted)])
