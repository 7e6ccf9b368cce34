"""From a query to the products worth ranking: candidates by words and by vectors, of all products or of some.

candidates             The best by BM25 and the nearest by each cosine, united; a filter leaves some products
                       out
"""

from features.retrieval.candidates import Retrieval

__all__ = ["Retrieval"]
