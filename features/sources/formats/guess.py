"""What a table's columns most likely mean, by their names as shops, feeds and judging tools write them.

A guess is for a first config, which a person reads: the loader itself takes only what a config says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from features.sources.formats.column_names import AROUND, LANGUAGES, OF_A_PRODUCT, RATERS, Names, fold
from features.sources.parsing import values
from features.words.currencies import CURRENCY_OF

# What a file is known by: the columns that together only it has.
FORMATS: Mapping[str, frozenset[str]] = {
    "a Shopify export": frozenset({"handle", "variantsku", "variantprice"}),
    "a Google Merchant feed": frozenset({"id", "title", "link", "imagelink", "price"}),
    "an ESCI-like table": frozenset({"query", "productid", "escilabel"}),
    "a catalogue as ESCI's": frozenset({"productid", "producttitle", "productbulletpoint"}),
    "a Home-Depot-like table": frozenset({"searchterm", "productuid", "relevance"}),
    "descriptions as Home Depot's": frozenset({"productuid", "productdescription"}),
    "Quepid's detailed export": frozenset({"querytext", "docid", "rating", "caseid"}),
    "judgements of Quepid or the Search Relevance Workbench": frozenset({"query", "docid", "rating"}),
}
# Grades in words, from the best; numbers that keep their order and distance.
GRADES: tuple[Mapping[str, float], ...] = (
    {"e": 3, "s": 2, "c": 1, "i": 0},
    {"exact": 3, "substitute": 2, "complement": 1, "irrelevant": 0},
    {"exact": 2, "partial": 1, "irrelevant": 0},
    {"perfect": 4, "excellent": 3, "good": 2, "fair": 1, "bad": 0},
    {"highly relevant": 3, "relevant": 2, "somewhat relevant": 1, "irrelevant": 0, "not relevant": 0},
    {"good": 2, "okay": 1, "ok": 1, "fair": 1, "bad": 0, "poor": 0},
    {"yes": 1, "no": 0},
    {"true": 1, "false": 0},
)


@dataclass(frozen=True)
class Guess:
    """The source's column of each canonical name that one was found for, and what the file looks like.

    raters: columns of grades, one a rater, where no column is the grade. rivals: columns that could be meant as
    well, by the one that was taken: only a person knows.
    """

    columns: dict[str, str]
    format: str | None
    unused: tuple[str, ...]
    raters: tuple[str, ...] = ()
    rivals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def guess_columns(columns: Sequence[str], names: Names) -> Guess:
    """Each canonical name's likeliest column; no column stands for two, save where only it could.

    First by whole headings, then by what is left of them without units, taxes and languages ("Preis in €", "title_en").
    A namespace's prefix that most headings have ("g:title" in Google's feeds) is none of their words.
    """
    space = _namespace(columns)
    known = {fold(column.removeprefix(space)): column for column in reversed(columns)}
    found: dict[str, str] = {}
    for canonical, likely in names.items():
        taken = set(found.values())
        for word in likely:
            if word in known and known[word] not in taken:
                found[canonical] = known[word]
                break
    raters = () if "grade" in found or "grade" not in names else _raters(columns, names["grade"], found)
    rest = {column: column.removeprefix(space) for column in columns if column not in raters}
    rivals = _by_stems(rest, names, found)
    looks = next((name for name, signs in FORMATS.items() if signs <= known.keys()), None)
    used = {*found.values(), *raters}
    return Guess(found, looks, tuple(column for column in columns if column not in used), raters, rivals)


def _namespace(columns: Sequence[str]) -> str:
    """What stands before a colon in most of several headings, with the colon; "" for none."""
    prefixes = Counter(
        found[0] for column in columns if (found := re.match(r"[A-Za-z_][\w-]*:(?=\S)", column))
    )
    prefix, count = next(iter(prefixes.most_common(1)), ("", 0))
    return prefix if count > 1 and 2 * count > len(columns) else ""


def _by_stems(columns: Mapping[str, str], names: Names, found: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Add to `found` what the stems of headings tell; the columns that would do as well, by the one taken.

    columns: what to read of each heading, without its namespace.
    """
    stems: dict[str, list[str]] = {}
    for column, heading in columns.items():
        if column not in found.values():
            stems.setdefault(stem(heading), []).append(column)
    rivals: dict[str, tuple[str, ...]] = {}
    spoken: set[str] = set()  # a name that two canonical ones share is the first one's
    for canonical, likely in names.items():
        own = [word for word in likely if word not in spoken]
        spoken.update(likely)
        word = next((word for word in own if stems.get(word)), None)
        if canonical not in found and word is not None:
            first, *others = stems.pop(word)
            found[canonical] = first
            if others:
                rivals[first] = tuple(others)
    return rivals


def _raters(columns: Sequence[str], grades: Sequence[str], found: Mapping[str, str]) -> tuple[str, ...]:
    """Columns of one word for raters or grades, each with another number or letter behind it; two or more."""
    series: dict[str, list[str]] = {}
    for column in columns:
        words = _tokens(column)
        if column in found.values() or len(words) < 2:
            continue
        *kind, which = words
        if {*kind} <= {*RATERS, *grades} and re.fullmatch(r"\d{1,3}|[a-z]", which):
            series.setdefault("".join(kind), []).append(column)
    return next((tuple(several) for several in series.values() if len(several) > 1), ())


def stem(name: str) -> str:
    """A heading without what stands in brackets, and without currencies, taxes, languages and "product" around it."""
    words = _tokens(re.sub(r"(?<=\w)\s*[(\[{][^()\[\]{}]*[)\]}]\s*$", "", name))
    while len(words) > 1 and words[0] in OF_A_PRODUCT:
        del words[0]
    while len(words) > 1 and words[0] in _UNITS:
        del words[0]
    while len(words) > 1 and words[-1] in _UNITS | AROUND | LANGUAGES:
        del words[-1]
    return "".join(words)


# Currencies in a heading, but for those that are words of another meaning there.
_UNITS = {fold(word) for word in CURRENCY_OF if word.isalpha() and len(word) > 1} - {
    *("top", "all", "try", "pen", "cup", "mad", "sos", "real", "rand", "ft")
}


def _tokens(name: str) -> list[str]:
    """A heading's words, folded: parted by signs, and where a capital or a number follows small letters."""
    parts = re.split(r"[\W_]+|(?<=[a-zäöüß])(?=[A-Z0-9])", name)
    return [word for part in parts if (word := fold(part))]


def id_column(frame: pl.DataFrame, wanted: pl.Series, likely: str | None) -> tuple[str | None, float]:
    """The column that holds most of the wanted ids, and the share of them that it holds; of equals the likely one."""
    asked = set(values.identifiers(wanted).drop_nulls().to_list())
    shares = {
        column: len(asked & set(values.identifiers(frame[column]).drop_nulls().to_list()))
        / max(len(asked), 1)
        for column in frame.columns
        if frame[column].dtype in (pl.String, pl.Int64, pl.Int32)
    }
    if not shares or max(shares.values()) == 0:
        return likely, 0.0
    best = max(shares, key=lambda column: (shares[column], column == likely))
    return best, shares[best]


def guess_grades(column: pl.Series) -> dict[str, float] | None:
    """The numbers that grades in words stand for; None for numbers. Raises ValueError for words not known."""
    written = values.identifiers(column).drop_nulls().unique().sort().to_list()
    if all(_is_number(word) for word in written):
        return None
    for scale in GRADES:
        if all(word.strip().casefold() in scale for word in written):
            return {word: scale[word.strip().casefold()] for word in written}
    raise ValueError(", ".join(map(repr, [word for word in written if not _is_number(word)][:6])))


def _is_number(word: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d*[.,]?\d+(e[-+]?\d+)?\s*", word, re.IGNORECASE) is not None


def photo_pattern(frame: pl.DataFrame, names: Sequence[str]) -> tuple[str | None, int]:
    """Which column names the files, or the pattern made of one ('{sku}.jpg'), and for how many products."""
    files = set(names)
    suffixes = sorted({name[name.rfind(".") :] for name in names if "." in name})
    best: tuple[str | None, int] = (None, 0)
    for column in frame.columns:
        if frame[column].dtype != pl.String:
            continue
        cells = frame[column].drop_nulls().to_list()
        for pattern, suffix in ((column, ""), *((f"{{{column}}}{suffix}", suffix) for suffix in suffixes)):
            hits = sum(cell + suffix in files for cell in cells)
            if hits > best[1]:
                best = pattern, hits
    return best
