"""Which feature groups and embeddings a config can name: the fixed ones, and those of a shop's own modalities."""

from __future__ import annotations

import difflib

from features.sources.load import CatalogueConfig
from ltr.data.embedded import EMBEDDED, EmbeddingFusionConfig

GROUPS = ("lexical", "behaviour", "structured", "text", "image")


def media_of(data: object) -> tuple[str, ...]:
    """The modalities beside text and photos that a shop's products have: each may make a feature group."""
    return tuple(data.products.media) if isinstance(data, CatalogueConfig) and data.products else ()


def check_names(chosen: tuple[str, ...] | EmbeddingFusionConfig | None, data: object) -> None:
    """Raise ValueError for a rung, or a field of embeddings, that no encoder of this data could make."""
    media = media_of(data)
    if isinstance(chosen, EmbeddingFusionConfig):
        names, what = chosen.fields, "fields with embeddings"
        known = (*EMBEDDED, *media, *(f"query_{name}" for name in media))
    else:
        names, what, known = chosen or (), "feature groups", (*GROUPS, *media)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            nearest = f" (the nearest to {name!r} is {near[0]!r})" if near else f" (there is no {name!r})"
            raise ValueError(f"{what} among {', '.join(known)}{nearest}")
