"""Numbers and measures in a text: "13.3 inch", "256gb", "2 pack", "#8", "10 ft.", "7 1/2 volt".

A measure is a number with its unit, brought to one unit of its kind and system (feet to inches,
terabytes to gigabytes), never between systems: 13.3 in and 33.8 cm are rounded from each other and
would not be equal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from features.words.rewriting import Rewriting, in_ascii
from features.words.tokens import fold

# (unit a measure is given in, how many of it one of these is, spellings)
_UNITS = (
    ("in", "1", 'in|inch|inches|"'),
    ("in", "12", "ft|foot|feet|'"),
    ("in", "36", "yd|yds|yard|yards"),
    ("mm", "1", "mm|millimeter|millimeters|millimetre|millimetres"),
    ("mm", "10", "cm|centimeter|centimeters|centimetre|centimetres"),
    ("mm", "1000", "m|meter|meters|metre|metres"),
    ("sqft", "1", "sq ft|sqft|square ft|square foot|square feet"),
    ("cuft", "1", "cu ft|cuft|cubic ft|cubic foot|cubic feet"),
    ("g", "1", "g|gm|gms|gram|grams"),
    ("g", "1000", "kg|kgs|kilo|kilos|kilogram|kilograms"),
    ("lb", "1", "lb|lbs|pound|pounds"),
    ("oz", "1", "oz|ounce|ounces"),
    ("floz", "1", "fl oz|floz|fluid ounce|fluid ounces"),
    ("pt", "1", "pt|pint|pints"),
    ("pt", "2", "qt|qts|quart|quarts"),
    ("pt", "8", "gal|gals|gallon|gallons"),
    ("ml", "1", "ml|milliliter|milliliters|millilitre|millilitres"),
    ("ml", "1000", "l|liter|liters|litre|litres"),
    ("gb", "1/1024", "mb|megabyte|megabytes"),
    ("gb", "1", "gb|gigabyte|gigabytes"),
    ("gb", "1024", "tb|terabyte|terabytes"),
    ("hz", "1", "hz|hertz"),
    ("mhz", "1", "mhz"),
    ("mhz", "1000", "ghz"),
    ("v", "1", "v|volt|volts"),
    ("w", "1", "w|watt|watts"),
    ("w", "1000", "kw|kilowatt|kilowatts"),
    ("amp", "1", "amp|amps|ampere|amperes"),
    ("mah", "1", "mah"),
    ("hp", "1", "hp|horsepower"),
    ("btu", "1", "btu|btus"),
    ("psi", "1", "psi"),
    ("rpm", "1", "rpm"),
    ("cfm", "1", "cfm"),
    ("lumen", "1", "lumen|lumens"),
    ("mp", "1", "mp|megapixel|megapixels"),
    ("dpi", "1", "dpi"),
    ("gauge", "1", "ga|gauge"),
    ("degree", "1", "degree|degrees|deg"),
    ("%", "1", "%|percent"),
    ("pack", "1", "pack|packs|pk|piece|pieces|pc|pcs|count|ct"),
    ("month", "1", "month|months"),
    ("month", "12", "year|years|yr|yrs"),
    ("day", "1", "day|days"),
    ("min", "1", "min|mins|minute|minutes"),
    ("min", "60", "hr|hrs|hour|hours"),
)
_FACTORS = {
    spelling: (unit, Fraction(factor))
    for unit, factor, spellings in _UNITS
    for spelling in spellings.split("|")
}


def _unit_pattern() -> str:
    """Any spelling, longest first; an abbreviation of two words may carry full stops ("sq. ft.")."""
    words = sorted(
        (spelling for spelling in _FACTORS if spelling.isascii() and spelling[0].isalpha()), reverse=True
    )
    return rf"(?:{'|'.join(word.replace(' ', r'[. ]{1,2}') for word in words)})\b|[\"'%]"


UNIT = _unit_pattern()
"""A regular expression (Python's and Rust's) for a unit, in folded text."""

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+[ -]\d+/\d+|\d+/\d+|\d*\.?\d+"
# Rust's expressions cannot look behind, so the character before a number is matched with it.
_MATCH = rf"(?:^|[^\p{{L}}\d./])(?:{_NUMBER})(?:[ -]?(?:{UNIT})|\b)|\b(?:pack|set|box|case) of \d+"
_ASCII_MATCH = in_ascii(_MATCH)
_PLAIN = Rewriting(  # inch and foot marks as " and ', and "8x10" as "8 x 10"
    (
        ("[”“″]|''|’’|′′", '"'),
        ("[’‘′]", "'"),
        (r"(\d[\"']?)\s?[x×]\s?", "${1} x "),
    )
)
_PARTS = re.compile(rf"(#?)\s?({_NUMBER})[ -]?({UNIT})?$")


@dataclass(frozen=True)
class Measures:
    """One list of strings a text, null for null: `numbers` as "13.3", `measures` as "13.3 in"."""

    numbers: pl.Series
    measures: pl.Series


def read_measures(texts: pl.Series) -> Measures:
    """The numbers and the measures of each text; a number that letters touch ("ps4", "2110b") is none."""
    frame = pl.select(text=texts)
    found = frame.select(matches_of(pl.col("text")))["text"]
    distinct = found.explode().drop_nulls().unique()
    read = [_read(match) for match in distinct]
    numbers = dict(zip(distinct, (number for number, _ in read), strict=True))
    measures = dict(zip(distinct, (measure for _, measure in read), strict=True))
    return Measures(_replaced(found, numbers), _replaced(found, measures))


def matches_of(text: pl.Expr) -> pl.Expr:
    """What may be numbers and measures in a text, as they are written: lists of strings."""
    return _PLAIN.of_column(fold(text)).str.extract_all(_MATCH)


def matches_of_ascii(text: str) -> list[str]:
    """The same of one ASCII text."""
    return _ASCII_MATCH.findall(_PLAIN.of_ascii(text.lower()))


def read_matches(matches: Sequence[str]) -> tuple[list[str], list[str]]:
    """The numbers and the measures of one text's matches, as in `Measures`."""
    read = [_read(match) for match in matches]
    numbers = [number for number, _ in read if number is not None]
    return numbers, [measure for _, measure in read if measure is not None]


def _read(match: str) -> tuple[str | None, str | None]:
    """A match of `_MATCH` as its number and, where it has a unit, its measure."""
    parts = _PARTS.search(match)
    if parts is None:
        return None, None
    sign, digits, spelling = parts.groups()
    value = _value(digits)
    if value is None:
        return None, None
    if sign:
        unit, factor = "#", Fraction(1)
    elif " of " in match:
        unit, factor = "pack", Fraction(1)
    elif spelling:
        unit, factor = _FACTORS[re.sub(r"[. ]+", " ", spelling)]
    else:
        return _written(value), None
    return _written(value), f"{_written(value * factor)} {unit}"


_LONGEST_NUMBER = 15  # digits; what has more measures nothing, and may not fit a float


def _value(digits: str) -> Fraction | None:
    """ "7 1/2", "7-1/2", "1,000.5", ".5" as a number; None for a fraction of nothing ("1/0") and for endless digits."""
    if len(digits) > 2 * _LONGEST_NUMBER:
        return None
    try:
        return sum((Fraction(part) for part in re.split("[ -]", digits.replace(",", ""))), Fraction(0))
    except ZeroDivisionError:
        return None


def _written(value: Fraction) -> str:
    return f"{float(value):.10g}"


def _replaced(lists: pl.Series, names: dict[str, str | None]) -> pl.Series:
    """Each list's items by their names, those named None left out."""
    old, new = pl.Series(list(names), dtype=pl.String), pl.Series(list(names.values()), dtype=pl.String)
    return lists.list.eval(pl.element().replace_strict(old, new, return_dtype=pl.String).drop_nulls())
