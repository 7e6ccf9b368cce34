"""The nearest items of a catalogue by cosine, without reading every vector whole.

cells                  Nearest vectors of very many: only the cells around the query are looked into, by
                       faiss
heads                  Exact nearest vectors at a third of the reading: bounds by their first principal
                       coordinates
search                 The nearest items of one column of a catalogue, of all or of those that pass a
                       filter
"""

from features.encoders.nearest.search import VectorSearch

__all__ = ["VectorSearch"]
