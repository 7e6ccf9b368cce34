"""Which feature groups and embeddings a config can name: the fixed ones, and those of a shop's own modalities."""

from __future__ import annotations

import difflib

from features.encoders.comparisons import TEXT_FIELDS
from features.groups.adapted import WORDS
from features.sources.load import CatalogueConfig
from ltr.data.embedded import EMBEDDED, EmbeddingFusionConfig

GROUPS = ("lexical", "behaviour", "history", "graph", "structured", "text", "image")


def media_of(data: object) -> tuple[str, ...]:
    """The modalities beside text and photos that a shop's products have: each may make a feature group."""
    return tuple(data.products.media) if isinstance(data, CatalogueConfig) and data.products else ()


def check_names(chosen: tuple[str, ...] | EmbeddingFusionConfig | None, data: object) -> None:
    """Raise ValueError for a rung, a field of embeddings or a cosine, that no encoder of this data could make."""
    media = media_of(data)
    if isinstance(chosen, EmbeddingFusionConfig):
        fields = (*EMBEDDED, *media, *(f"query_{name}" for name in media))
        _check("fields with embeddings", chosen.fields, fields)
        words = {"image": "photo", **{name: name for name in media}}  # as features call them
        own = [
            f"{group}.{pair}"
            for group, word in words.items()
            for pair in (f"{word}_{word}", f"text_{word}", f"{word}_title")
        ]
        _check("cosines", chosen.adapted, (*(f"text.{field}" for field in TEXT_FIELDS), *own, WORDS))
    else:
        _check("feature groups", chosen or (), (*GROUPS, *media))


def _check(what: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            nearest = f" (the nearest to {name!r} is {near[0]!r})" if near else f" (there is no {name!r})"
            raise ValueError(f"{what} among {', '.join(known)}{nearest}")
