"""Text → tokens: case, accents, possessives and plurals folded away, for English; pairs of signs where no blank
parts words.

Works on whole columns in polars; only texts in scripts without blanks are looped over, each distinct one once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from features.words.rewriting import Rewriting, in_ascii

# Lucene's English list. Taken out of queries only: a document keeps them, so that a phrase such as
# "lord of the rings" stays contiguous.
_LUCENE = """
    a an and are as at be but by for if in into is it no not of on or such that the their then there
    these they this to was will with
"""
STOP_WORDS = frozenset(_LUCENE.split())

# A decimal number is one token.
_WORD = r"\d+(?:\.\d+)+|[\p{L}\p{M}\p{N}]+"
_ASCII_WORD = in_ascii(_WORD)


# Letters that Unicode does not take apart, as people without that key write them.
_ONE_LETTER = {
    "ß": "ss", "ø": "o", "ł": "l", "œ": "oe", "æ": "ae", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i", "ŧ": "t",
    "ŋ": "n", "ĳ": "ij", "ς": "σ",
}  # fmt: skip

# Spellings of one word that its writers mix, as Lucene's normalisers for Arabic, Persian and Hindi take them together:
# alef with a hamza or without, final yeh without dots, Persian letters; a nasal as a letter or as a dot; no nukta.
_ARABIC = {
    **dict.fromkeys("أإآٱ", "ا"), **dict.fromkeys("ىی", "ي"), "ک": "ك", **dict.fromkeys("ةہۀە", "ه"),
}  # fmt: skip
_DEVANAGARI = Rewriting((("\u093c", ""), ("[ङञणनम]\u094d([क-ह])", "\u0902${1}"), ("\u0901", "\u0902")))
# Thai's am, which NFKC takes apart, behind its tone or before it.
_THAI = Rewriting((("([\u0e48-\u0e4b])\u0e4d\u0e32", "\u0e4d${1}\u0e32"),))

# Where the digits of other scripts begin: Arabic, Persian, and from Devanagari to Khmer.
_ZEROS = "\u0660\u06f0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0e50\u0ed0\u0f20\u1040\u17e0"
# What programs set in place of the keyboard's hyphens and apostrophes; other scripts' digits and marks in numbers.
_KEYBOARD = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2043\u2212", "-"),
    **dict.fromkeys("\u00b4\u02bb\u02bc\u2018\u2019\u201b", "'"),
    **{chr(ord(zero) + digit): str(digit) for zero in _ZEROS for digit in range(10)},
    "\u066b": ".",
    "\u066c": ",",
    "×": "x",
}
# What nobody types: soft hyphens, zero-width spaces and joiners, marks of direction and an emoji's style, trade marks,
# the vowel points of Hebrew and Arabic, and what stretches Arabic letters.
_UNSEEN = (
    "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff\u2120\u2122"
)
_UNSEEN += "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u0652\u0670"
_PARTED = r"(\p{Arabic})\u200c"  # pieces of a word in Arabic's script, which many write with a blank between
_NOT_TYPED = f"[{_UNSEEN}{''.join(_KEYBOARD)}]"

# Chinese, Japanese, Thai, Lao, Khmer and Burmese put no blank between words.
_BLANKLESS = (
    "\u2e80-\u2fdf\u3005-\u3007\u3041-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0ecd\u0edc-\u0edf\u1780-\u17d3\u1000-\u109f\uaa60-\uaa7f"
)
BLANKLESS = f"[{_BLANKLESS}]"
"""A regular expression (Python's and Rust's) for a letter of a script without blanks between words."""
_RUN = re.compile(f"{BLANKLESS}+")
# A letter with the vowel and tone signs on it, which are no letters of their own.
_SIGN = re.compile(
    "[^\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u17b6-\u17d3\u102b-\u103e\u3099\u309a]"
    "[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u17b6-\u17d3\u102b-\u103e\u3099\u309a]*"
)
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")


def as_typed(texts: pl.Series) -> pl.Series:
    """Hyphens, apostrophes and digits as a keyboard has them, and without unseen signs: "wi\u00adfi" → "wifi"."""
    if not texts.str.contains(_NOT_TYPED).any():  # most columns, and nearly all queries
        return texts
    seen = texts.str.replace_all(_PARTED, "$1 ").str.replace_all(f"[{_UNSEEN}]", "")
    return seen.str.replace_many(list(_KEYBOARD), list(_KEYBOARD.values()))


def _one_spelling(texts: pl.Series) -> pl.Series:
    """Words of Arabic's, Devanagari's and Thai's script in one spelling; most columns have none."""
    if texts.str.contains(r"\p{Arabic}").any():
        texts = texts.str.replace_many(list(_ARABIC), list(_ARABIC.values()))
    for script, rules in ((r"\p{Devanagari}", _DEVANAGARI), (r"\p{Thai}", _THAI)):
        if texts.str.contains(script).any():
            texts = pl.select(rules.of_column(pl.lit(texts))).to_series().alias(texts.name)
    return texts


def fold(text: pl.Expr) -> pl.Expr:
    """Lower-case text as typed, in Unicode's NFKC, without accents and other Latin marks: "Café 7½″ Straße" →
    "cafe 7 1/2′′ strasse"."""
    return (
        text.map_batches(as_typed, return_dtype=pl.String)
        .str.replace_all(r"(\d)([¼-¾⅐-⅞])", "$1 $2")
        .str.normalize("NFKD")
        .str.replace_all(r"[\u0300-\u036f]", "")
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all("⁄", "/", literal=True)
        .str.replace_many(list(_ONE_LETTER), list(_ONE_LETTER.values()))
        .map_batches(_one_spelling, return_dtype=pl.String)
    )


def tokenise(texts: pl.Series) -> pl.Series:
    """Tokens of each text, in order: a list of strings, null for null.

    Each distinct text is read once.
    """
    distinct = texts.unique()
    plain = pl.select(text=distinct).with_columns(plain=plain_of(pl.col("text")))
    blankless = plain["plain"].str.contains(BLANKLESS).fill_null(value=False)
    if blankless.any():
        parted = pl.Series([in_pairs(text) for text in plain["plain"].filter(blankless)], dtype=pl.String)
        plain = plain.with_columns(plain=plain["plain"].scatter(blankless.arg_true(), parted))
    tokens = plain.select("text", tokens=tokens_of(pl.col("plain")))
    return pl.select(text=texts).join(tokens, on="text", how="left", maintain_order="left")["tokens"]


def in_pairs(text: str) -> str:
    """Runs of a script without blanks as their overlapping pairs of signs, Chinese signs also one by one:

    "红色鞋 xl" → "红 色 鞋 红色 色鞋 xl". A word of two signs is found so in any text that holds it, and one of three
    by its two pairs; what a dictionary would add is not known here.
    """
    return _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text)


def _pairs(run: str) -> list[str]:
    signs = _SIGN.findall(run)
    if len(signs) < 2:
        return signs
    single = [sign for sign in signs if _HAN.match(sign)]
    return [*single, *(one + other for one, other in pairwise(signs))]


# Possessives dropped, other apostrophes and a lone letter's hyphen closed up: "men's o'neill t-shirt" →
# "men oneill tshirt". Then Harman's S-stemmer ("How effective is suffixing?", 1991) for words of four letters or
# more; the last step, ours, lets "dresses", "dresse" and "dress" meet. What is left need not be a word; it is enough
# that query and product are treated alike.
_PLAIN = Rewriting(
    (
        (r"['`′]s\b", ""),
        (r"([\p{L}])['`′]([\p{L}])", "${1}${2}"),
        (r"\b([a-z])-([a-z])", "${1}${2}"),
        (r"([a-z][b-df-z])ies\b", "${1}y"),
        (r"([a-z]{2}[a-rtv-z])s\b", "${1}"),
        (r"([a-z](?:ss|sh|ch|x|z))e\b", "${1}"),
    )
)


def plain_of(text: pl.Expr) -> pl.Expr:
    """A text as its tokens are read from it."""
    return _PLAIN.of_column(fold(text))


def tokens_of(plain: pl.Expr) -> pl.Expr:
    """The tokens of what `plain_of` gives, where nothing in it is written without blanks (see `tokenise`)."""
    return plain.str.extract_all(_WORD)


def tokens_of_ascii(text: str) -> list[str]:
    """The tokens of one ASCII text, as `tokenise` reads them: folding it is lower case, and polars takes longer to
    wake up than this takes."""
    return _ASCII_WORD.findall(_PLAIN.of_ascii(text.lower()))


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
