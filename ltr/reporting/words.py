"""What systems, sources and features are called on a page: words of a search team, the short name beside them."""

from __future__ import annotations

import re

from ltr.evaluation.baselines import RANDOM, SINGLE

_SYSTEMS = {
    "BM25": "plain word search",
    "text cosine": "likeness of texts alone",
    "photo cosine": "likeness of photos alone",
    "text–photo cosine": "likeness of words and photos alone",
    "photo–title cosine": "likeness of photo and title alone",
    "popularity": "most rated first",
    "price, low first": "cheapest first",
    RANDOM: "random order",
    SINGLE: "one feature alone",
}
_SOURCES = {
    "lexical": "shared words",
    "structured": "price, brand, category and popularity",
    "text": "likeness of texts",
    "image": "photos",
    "history": "what the shopper met before",
    "graph": "what others looked at and bought with it",
    "extra": "the shop's own columns",
    "embedding": "embeddings",
    "adapted": "likeness as the judgements have it",
    "network": "a network's own score",
}
_ASPECTS = {
    "image": "photo",
    "lexical": "shared words",
    "text": "likeness of texts",
    "network": "what the network sees",
}
# The stem of a feature's name, as `group.name`: the first pattern that fits says it.
_FEATURES = (
    (r"lexical\.bm25_(\w+)", r"word search (BM25) in {}"),
    (r"lexical\.covered_idf", "share of the rarer words found"),
    (r"lexical\.covered_(\w+)", r"share of words found in {}"),
    (r"lexical\.numbers_(\w+)", r"numbers found in {}"),
    (r"lexical\.measures_(\w+)", r"sizes found in {}"),
    (r"lexical\.phrase_(\w+)", r"words side by side in {}"),
    (r"lexical\.brand_named", "the query names the brand"),
    (r"lexical\.price_limit_satisfied", "within the price limit asked for"),
    (r"lexical\.price_limit_ratio", "price against the limit asked for"),
    (r"lexical\.query_terms", "number of words in the query"),
    (r"lexical\.(\w+)_terms", r"number of words in {}"),
    (r"text\.category_agreement", "category of products with like texts"),
    (r"text\.category_top_agreement", "main category of products with like texts"),
    (r"text\.(\w+)", r"likeness of words and {}"),
    (r"adapted\.words", "words that go together as the judgements have it"),
    (r"adapted\.photo_photo", "likeness of the two photos as the judgements have it"),
    (r"adapted\.text_photo", "likeness of words and photo as the judgements have it"),
    (r"adapted\.(\w+)", r"likeness to {} as the judgements have it"),
    (r"image\.photo_photo", "likeness of the two photos"),
    (r"image\.text_photo", "likeness of words and photo"),
    (r"image\.photo_(title|words|description)", r"likeness of the query's photo and {}"),
    (r"image\.photo_asked", "likeness of the photo and the query's photo, changed as its words ask"),
    (r"image\.category_agreement", "category of products with like photos"),
    (r"image\.category_top_agreement", "main category of products with like photos"),
    (r"image\.words_least", "word that the photo shows least"),
    (r"image\.words_unsaid", "words that only the photo shows"),
    (r"image\.words", "words that the photo shows"),
    (r"graph\.looked_tie", "people who looked at it and at what was met before"),
    (r"graph\.looked_walk", "nearness to what was met before, by what people look at together"),
    (r"graph\.looked_lift", "the same nearness, against how often it is looked at"),
    (r"graph\.bought_tie", "people who bought it and what was met before"),
    (r"graph\.bought_walk", "nearness to what was met before, by what people buy together"),
    (r"graph\.bought_lift", "the same nearness, against how often it is bought"),
    (r"structured\.missing_(\w+)", r"{} missing"),
    (r"network\.score", "the network's score"),
    (r"structured\.brand_frequency", "how common the brand is"),
    (r"structured\.category_frequency", "how common the category is"),
    (r"structured\.rating_count", "number of ratings"),
    (r"structured\.age_days", "days in the catalogue"),
    (r"structured\.log_price", "price (logarithm)"),
)
_STANDINGS = {
    "_rank_in_category": ", place in its category",
    "_z_in_category": ", against its category",
    "_rank": ", place in the list",
    "_z": ", against the list",
}
_FIELDS = {"all": "any text", "title": "the title", "words": "the shown words", "image": "the photo"}


def system_in_words(name: str) -> str:
    """`plain word search (BM25)`; a name that says it itself stays."""
    words = _SYSTEMS.get(name) or (
        f"likeness of {name[: -len(' cosine')]} alone" if name.endswith(" cosine") else ""
    )
    return f"{words} ({name})" if words and name != RANDOM else words or name


def source_in_words(group: str) -> str:
    return _SOURCES.get(group, group.replace("_", " "))


def aspect_in_words(name: str) -> str:
    """What an explanation speaks of: `image` → photo."""
    return _ASPECTS.get(name, name.replace("_", " "))


def feature_in_words(name: str) -> str:
    """`lexical.bm25_title_z` → "word search (BM25) in the title, against the list"."""
    stem, standing = name, ""
    for ending, words in _STANDINGS.items():
        if name.endswith(ending):
            stem, standing = name.removesuffix(ending), words
            break
    for pattern, words in _FEATURES:
        found = re.fullmatch(pattern, stem)
        if found:
            fields = (_FIELDS.get(part, f"the {part.replace('_', ' ')}") for part in found.groups())
            return words.format(*fields) + standing
    group, _, rest = stem.partition(".")
    words = rest.replace("_", " ") or group
    return (words if group in ("structured", "extra", "lexical") else f"{group}: {words}") + standing
