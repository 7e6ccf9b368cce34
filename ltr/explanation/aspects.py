"""What a feature speaks of, in words that a search team uses: text, image, price, brand, category, …"""

from __future__ import annotations

import fnmatch

from features.feature_schema import FeatureSchema

# The first row that matches a feature names its modality. What reads a photo is image, whatever it says;
# else a feature goes with the column that it speaks of, also where the query's words are compared with it.
MODALITIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("image", ("image.*", "adapted.photo_*", "adapted.text_photo*")),
    ("missing data", ("structured.missing_*",)),
    ("price", ("structured.price*", "structured.log_price*", "structured.discount", "lexical.price_limit_*")),
    (
        "brand",
        (
            "structured.brand_*",
            "lexical.brand_named",
            "lexical.*_brand",
            "text.brand*",
            "adapted.brand*",
            "extra.brand",
        ),
    ),
    (
        "category",
        (
            "structured.category_*",
            "lexical.*_category",
            "text.category*",
            "adapted.category*",
            "extra.category*",
        ),
    ),
    ("popularity", ("structured.rating*",)),
    ("freshness", ("structured.age_days",)),
    ("embeddings", ("embedding.*",)),
    ("text", ("text.*", "adapted.*")),
    ("lexical", ("lexical.*",)),
)

# The column of the catalogue that a person is shown for a modality; the others are told by their features.
SHOWN_BY = {
    "price": ("price", "list_price"),
    "brand": ("brand",),
    "category": ("category",),
    "popularity": ("rating", "rating_count"),
    "freshness": ("listed_at",),
}


def modality_of(feature: str) -> str:
    """The feature's modality; of an extra column its own name, of an unknown group that group's."""
    for modality, patterns in MODALITIES:
        if any(fnmatch.fnmatchcase(feature, pattern) for pattern in patterns):
            return modality
    group, _, name = feature.partition(".")
    return name if group == "extra" and name else group


def members(schema: FeatureSchema) -> dict[str, list[int]]:
    """By modality, in order of first appearance: the places of its features in the schema."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(schema.names):
        found.setdefault(modality_of(name), []).append(place)
    return found


def in_words(feature: str) -> str:
    """A feature's name as a person would say it: `structured.price_rank` → "price rank"."""
    group, _, name = feature.partition(".")
    words = name.replace("_", " ")
    return words if group in ("structured", "extra", "lexical") and name else f"{group} {words}".strip()
