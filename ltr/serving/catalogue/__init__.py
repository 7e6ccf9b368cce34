"""The catalogue as shoppers see it.

photos                 Products' photos as small JPEGs, made once
shown_catalogue        Cards, filters as masks, facets with counts, orders by a column
similar                Products like another one: a trained model asked with its words and photo, or
                       likeness itself
suggestions            What a shopper may be about to type
"""

from ltr.serving.catalogue.photos import Photos
from ltr.serving.catalogue.shown_catalogue import Filter, Range, ShownCatalogue
from ltr.serving.catalogue.suggestions import Suggestions

__all__ = ["Filter", "Photos", "Range", "ShownCatalogue", "Suggestions"]
