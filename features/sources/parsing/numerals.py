"""Digits with points and commas → numbers: what parts thousands and what decimals is decided per column.

"1.299" alone may be 1299 or 1.299. The other values of its column decide: "899,90" shows a decimal comma. Where
they do not, the currency may (the euro has two decimals, the dinar three); where nothing does, it is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import polars as pl

from features.sources.remarks import Level, Said
from features.words.currencies import NO_DECIMALS, THREE_DECIMALS

Mark = Literal[".", ","]

NUMBER = r"[0-9](?:[0-9.,' ]*[0-9])?|[.,][0-9]+"
"""A regular expression for digits and what may part them, after `plain_digits`."""

LONE_POINT = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
LONE = r"^[1-9][0-9]{0,2}[.,][0-9]{3}$"
_SPACED = r"^[0-9]{1,3}(?:[ '][0-9]{3})+(?:[.,][0-9]+)?$"
_POINT_IS_DECIMAL = (
    r"^(?:[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}\.[0-9]+|"
    r"[1-9][0-9]{0,2}(?:,[0-9]{2,3})+,[0-9]{3}|[0-9]*\.[0-9]+)$"
)
_COMMA_IS_DECIMAL = r"^(?:[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,}|[0-9]*,[0-9]+)$"
_CLEARLY = 9  # times as many values as show the other mark
_SUPERSCRIPT = r"[0-9.,] ?[⁰¹²³⁴-⁹₀-₉]"  # "12⁹⁹" would read as 1299


@dataclass(frozen=True)
class Reading:
    """A column's values (null where none can be read) and what was decided about it."""

    values: pl.Series
    said: tuple[Said, ...] = field(default=())


@dataclass(frozen=True)
class _Kind:
    counts: bool
    money: bool


@dataclass(frozen=True)
class _Decision:
    """Which mark is decimal (None: cannot be told), why, and how sure that is."""

    mark: str | None
    why: str
    level: Level = "PASS"


def plain_digits(texts: pl.Series) -> pl.Series:
    """Lower-case text in Unicode's NFKC with ASCII digits; white space is one blank; null for superscripts."""
    plain = texts.set(texts.str.contains(_SUPERSCRIPT).fill_null(value=False), None)
    plain = plain.str.normalize("NFKC").str.to_lowercase()
    plain = plain.str.replace_all(r"[’‘`´]", "'").str.replace_all("[−‒]", "-")
    plain = plain.str.replace_all(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\u200b]", "")
    plain = plain.str.replace_all("٫", ".", literal=True).str.replace_all("٬", ",", literal=True)
    plain = plain.str.replace_all(r"\s+", " ").str.strip_chars()
    foreign = plain.str.contains(r"[\p{Nd}--[0-9]]").fill_null(value=False)
    if foreign.any():
        odd = plain.filter(foreign).unique()
        in_ascii = [
            "".join(str(int(letter)) if letter.isdecimal() else letter for letter in text) for text in odd
        ]
        plain = plain.replace(odd, pl.Series(in_ascii, dtype=pl.String))
    return plain


def read_digits(
    digits: pl.Series,
    currency: pl.Series,
    *,
    printed: Printed,
    decimal: Mark | None = None,
    whole: bool = False,
    money: bool = False,
) -> Reading:
    """Float64 of the column's digits (as `NUMBER` finds them); null where they are badly parted.

    currency: of each, null for none. printed: the column's other values.
    decimal: the mark, where it is known. whole: the column counts something. money: of bare values too, a third
    decimal is unlikely.
    """
    badly_spaced = digits.str.contains("[ ']") & ~digits.str.contains(_SPACED)
    bare = digits.str.replace_all("[ ']", "").set(badly_spaced, None)
    frame = pl.DataFrame({"digits": bare, "currency": currency.fill_null("")}).with_columns(
        lone=pl.col("digits").str.contains(LONE),
        point=pl.col("digits").str.contains(_POINT_IS_DECIMAL),
        comma=pl.col("digits").str.contains(_COMMA_IS_DECIMAL),
    )
    marks: dict[str, str | None] = {}
    said: list[Said] = []
    if frame["lone"].any():
        marks, said = _marks(frame, printed, decimal, _Kind(whole, money))
    chosen = frame["currency"].replace_strict(marks, default=None, return_dtype=pl.String)
    value = _by_mark(pl.col("digits"), pl.col("mark"))
    return Reading(
        frame.select("digits", "lone", "point", "comma", mark=chosen).select(value).to_series(), tuple(said)
    )


def _by_mark(digits: pl.Expr, mark: pl.Expr) -> pl.Expr:
    """Lone marks by the column's decision, the others by their own form."""
    as_point = digits.str.replace_all(",", "", literal=True)
    as_comma = digits.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    lone, point, comma = pl.col("lone"), pl.col("point"), pl.col("comma")
    text = (
        pl.when(lone & (mark == "."))
        .then(as_point)
        .when(lone & (mark == ","))
        .then(as_comma)
        .when(lone)
        .then(None)
        .when(point)
        .then(as_point)
        .when(comma)
        .then(as_comma)
        .when(digits.str.contains("^[0-9]+$"))
        .then(digits)
    )
    return text.cast(pl.Float64, strict=False).alias("value")


def _marks(
    frame: pl.DataFrame, printed: Printed, decimal: Mark | None, kind: _Kind
) -> tuple[dict[str, str | None], list[Said]]:
    """The decimal mark of each currency's values (null: cannot be told), and a sentence for each decision."""
    marks: dict[str, str | None] = {}
    said: list[Said] = []
    shown = frame.filter(~pl.col("lone"))
    whole = printed.whole > 0 or shown["digits"].str.contains("^[0-9]{1,3}$").any()
    for (currency,), rows in frame.filter("lone").group_by("currency", maintain_order=True):
        mine = shown.filter(pl.col("currency").is_in([currency, ""])) if currency else shown
        point, comma = int(mine["point"].sum()) + printed.pointed, int(mine["comma"].sum())
        example = rows["digits"][0]
        if decimal:
            decided = _Decision(decimal, f"the setting says that {decimal!r} is decimal")
        elif currency in NO_DECIMALS:
            decided = _Decision("." if "," in example else ",", f"{currency} has no decimals")
        else:
            decided = _by_others(point, comma) or _by_itself(str(currency), rows["digits"], kind, whole=whole)
        marks[str(currency)] = decided.mark
        said.append(_sentence(example, str(currency), decided, rows.height))
    return marks, said


def _by_others(point: int, comma: int) -> _Decision | None:
    """What the other values show; None if they show nothing."""
    for mark, name, more, fewer in ((".", "point", point, comma), (",", "comma", comma, point)):
        if more and more >= _CLEARLY * fewer:
            return _Decision(mark, f"{more:,} other values of the column show a decimal {name}")
    if point and comma:
        why = f"{point:,} values of the column show a decimal point and {comma:,} a decimal comma"
        return _Decision(None, why, "WARN")
    return None


def _by_itself(currency: str, lone: pl.Series, kind: _Kind, *, whole: bool) -> _Decision:
    own = "," if "," in lone[0] else "."
    other = "." if own == "," else ","
    if currency in THREE_DECIMALS:
        both = lone.str.contains(",").any() and lone.str.contains(".", literal=True).any()
        beside = "a comma beside points parts thousands" if both else "no other value tells"
        return _Decision("." if both else own, f"{currency} has three decimals, and {beside}", "WARN")
    if currency:
        return _Decision(other, f"{currency} has no third decimal")
    empty_decimals = not whole and len(lone) > 1 and lone.str.ends_with("000").all()
    if kind.counts and not empty_decimals:
        return _Decision(other, "the column counts, and a count is whole")
    if whole and (kind.money or own == "," or lone.str.ends_with("0").any()):
        sure = own == "," or lone.str.ends_with("0").any()
        return _Decision(other, "the others are whole numbers", "PASS" if sure else "WARN")
    if own == ",":
        return _Decision(
            other, "no other value tells; three digits behind a comma are mostly thousands", "WARN"
        )
    return _Decision(own, "no other value tells; a program prints it so", "WARN")


def _sentence(example: str, currency: str, decided: _Decision, values: int) -> Said:
    written = repr(f"{example} {currency}".strip()) + f" (and {values - 1:,} like it)" * (values > 1)
    cure = "set {section}.decimal to '.' or ','"
    if decided.mark is None:
        return Said("WARN", f"{written} set to null: {decided.why}", cure)
    digits = example.replace("," if decided.mark == "." else ".", "").replace(",", ".")
    return Said(decided.level, f"read {written} as {float(digits):g}: {decided.why}", cure)


def numbers_in(
    column: pl.Series, printed: pl.Series, *, decimal: Mark | None = None, whole: bool = False
) -> Reading:
    """Float64 of text that holds a number and nothing else; `printed`: those that a program's form gives already."""
    unread = column.is_not_null() & (printed.is_null() | column.str.contains(LONE_POINT))
    if not unread.any():
        return Reading(printed)
    odd = column.filter(unread).unique(maintain_order=True)
    parts = plain_digits(odd).str.extract_groups(rf"^(?<sign>[+-])?(?<digits>{NUMBER})$").struct.unnest()
    none = pl.repeat(None, len(odd), dtype=pl.String, eager=True)
    read = read_digits(
        parts["digits"], none, printed=Printed.among(column, unread), decimal=decimal, whole=whole
    )
    signed = pl.select(pl.when(parts["sign"] == "-").then(-read.values).otherwise(read.values)).to_series()
    found = column.filter(unread).replace_strict(odd, signed, return_dtype=pl.Float64)
    return Reading(printed.clone().scatter(unread.arg_true(), found), read.said)


class Printed(NamedTuple):
    """How many values of a column are as programs print them: with a decimal point, and whole."""

    pointed: int = 0
    whole: int = 0

    @classmethod
    def among(cls, column: pl.Series, unread: pl.Series) -> Printed:
        others = column.filter(~unread)
        pointed = others.str.contains(r"^[+-]?[0-9]*\.[0-9]+$").sum()
        return cls(int(pointed), int(others.str.contains("^[0-9]{1,3}$").sum()))
