"""What a table's columns most likely mean, by their names as shops, feeds and judging tools write them.

A guess is for a first config, which a person reads: the loader itself takes only what a config says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.sources.parsing import values

# Names without case, blanks and signs, the likeliest first.
PRODUCT: Mapping[str, tuple[str, ...]] = {
    "product_id": (
        *(
            "productid",
            "productuid",
            "itemid",
            "variantsku",
            "sku",
            "articleid",
            "articlenumber",
            "asin",
            "id",
        ),
        *("artikelnummer", "artikelnr", "docid", "uid", "code", "gtin", "ean", "handle"),
    ),
    "title": (
        "producttitle",
        "title",
        "productname",
        "name",
        "titel",
        "bezeichnung",
        "produktname",
        "itemname",
    ),
    "description": (
        "productdescription",
        "description",
        "bodyhtml",
        "body",
        "longdescription",
        "beschreibung",
    ),
    "brand": ("productbrand", "brand", "vendor", "manufacturer", "marke", "hersteller"),
    "category": (
        *(
            "productcategory",
            "category",
            "producttype",
            "googleproductcategory",
            "categories",
            "categorypath",
        ),
        *("kategorie", "type", "department"),
    ),
    "price": (
        "variantprice",
        "saleprice",
        "price",
        "currentprice",
        "unitprice",
        "preis",
        "pricecents",
        "priceincents",
    ),
    "list_price": ("variantcompareatprice", "listprice", "originalprice", "rrp", "msrp", "uvp", "price"),
    "currency": ("currency", "pricecurrency", "waehrung"),
    "group": ("itemgroupid", "handle", "parentid", "parentsku"),
    "rating": ("averagerating", "rating", "stars", "reviewscore"),
    "rating_count": ("ratingcount", "reviewcount", "numreviews", "reviews"),
    "listed_at": ("listedat", "createdat", "publishedat", "availabledate", "dateadded"),
    "image": ("image", "imagepath", "imagefile", "photo", "picture", "filename", "bild"),
}
QUERY: Mapping[str, tuple[str, ...]] = {
    "query_id": ("queryid", "qid", "id"),
    "text": (
        "querytext",
        "query",
        "searchterm",
        "searchquery",
        "text",
        "keywords",
        "term",
        "q",
        "suchbegriff",
    ),
    "image": ("image", "imagepath", "photo"),
    "split": ("split",),
    "segment": ("segment", "querytype", "kind"),
    "at": ("at", "askedat", "timestamp", "querytime", "searchedat"),
    "session": ("session", "sessionid", "visitid", "visit"),
    "shopper": ("shopper", "shopperid", "userid", "customerid", "visitorid", "clientid", "user", "customer"),
    "history": ("history",),
}
JUDGEMENT: Mapping[str, tuple[str, ...]] = {
    "query_id": ("queryid", "qid"),
    "query": ("querytext", "query", "searchterm", "searchquery", "keywords", "term", "q", "suchbegriff"),
    "product_id": (
        *(
            "productid",
            "productuid",
            "docid",
            "documentid",
            "itemid",
            "sku",
            "asin",
            "articleid",
            "artikelnummer",
            "handle",
            "doc",
            "id",
        ),
    ),
    "grade": (
        *(
            "grade",
            "rating",
            "bewertung",
            "relevance",
            "escilabel",
            "relevancelabel",
            "label",
            "judgement",
            "judgment",
            "rel",
        ),
        "score",
    ),
    "title": ("producttitle", "title", "productname"),
}
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
    """The source's column of each canonical name that one was found for, and what the file looks like."""

    columns: dict[str, str]
    format: str | None
    unused: tuple[str, ...]


def guess_columns(columns: Sequence[str], names: Mapping[str, tuple[str, ...]]) -> Guess:
    """Each canonical name's likeliest column; no column stands for two, save where only it could."""
    known = {fold(column): column for column in reversed(columns)}
    found: dict[str, str] = {}
    for canonical, likely in names.items():
        taken = set(found.values())
        for word in likely:
            if word in known and known[word] not in taken:
                found[canonical] = known[word]
                break
    looks = next((name for name, signs in FORMATS.items() if signs <= known.keys()), None)
    return Guess(found, looks, tuple(column for column in columns if column not in found.values()))


def fold(name: str) -> str:
    return re.sub(r"[^0-9a-z]", "", name.casefold())


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
