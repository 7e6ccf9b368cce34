"""Text → tokens: case, accents, possessives and plurals folded away, for English.

Works on whole columns in polars; nothing here loops over texts in Python.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

# Lucene's English list. Taken out of queries only: a document keeps them, so that a phrase such as
# "lord of the rings" stays contiguous.
_LUCENE = """
    a an and are as at be but by for if in into is it no not of on or such that the their then there
    these they this to was will with
"""
STOP_WORDS = frozenset(_LUCENE.split())

# A decimal number is one token.
_WORD = r"\d+(?:\.\d+)+|[\p{L}\p{M}\p{N}]+"


def fold(text: pl.Expr) -> pl.Expr:
    """Lower-case text in Unicode's NFKC, accents of Latin letters dropped: "Café 7½″" → "cafe 7 1/2′′"."""
    return (
        text.str.replace_all(r"(\d)([¼-¾⅐-⅞])", "$1 $2")
        .str.to_lowercase()
        .str.normalize("NFKD")
        .str.replace_all(r"[\u0300-\u036f]", "")
        .str.normalize("NFKC")
        .str.replace_all("⁄", "/", literal=True)
    )


def tokenise(texts: pl.Series) -> pl.Series:
    """Tokens of each text, in order: a list of strings, null for null.

    Each distinct text is read once.
    """
    distinct = texts.unique()
    words = _singular(_closed_up(fold(pl.col("text"))))
    tokens = pl.select(text=distinct).with_columns(tokens=words.str.extract_all(_WORD))
    return pl.select(text=texts).join(tokens, on="text", how="left", maintain_order="left")["tokens"]


class TokenisedColumns:
    """The tokens of a table's columns, each read when first asked for, once for all who ask."""

    def __init__(self, table: pl.DataFrame) -> None:
        self._table = table
        self._read: dict[str, pl.Series] = {}

    def __getitem__(self, column: str) -> pl.Series:
        if column not in self._read:
            self._read[column] = tokenise(self._table[column].cast(pl.String))
        return self._read[column]


def query_terms(tokens: Sequence[str]) -> list[str]:
    """The tokens that are searched for: all but stop words, or all where there is nothing else."""
    return [token for token in tokens if token not in STOP_WORDS] or list(tokens)


def _closed_up(text: pl.Expr) -> pl.Expr:
    """Possessives dropped, other apostrophes and a lone letter's hyphen closed up.

    "men's o'neill t-shirt" → "men oneill tshirt".
    """
    return (
        text.str.replace_all(r"['’]s\b", "")
        .str.replace_all(r"(\p{L})['’](\p{L})", "$1$2")
        .str.replace_all(r"\b([a-z])-([a-z])", "$1$2")
    )


def _singular(text: pl.Expr) -> pl.Expr:
    """Harman's S-stemmer ("How effective is suffixing?", 1991) for words of four letters or more.

    The last step, ours, lets "dresses", "dresse" and "dress" meet. What is left need not be a word;
    it is enough that query and product are treated alike.
    """
    return (
        text.str.replace_all(r"([a-z][b-df-z])ies\b", "${1}y")
        .str.replace_all(r"([a-z]{2}[a-rtv-z])s\b", "$1")
        .str.replace_all(r"([a-z](?:ss|sh|ch|x|z))e\b", "$1")
    )
