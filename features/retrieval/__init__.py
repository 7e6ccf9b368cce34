"""From a query to the products worth ranking: candidates by words and by vectors, of all products or of some.

candidates             Products found in all ways that vectors and groups of features know; a filter leaves
                       some out
fusion                 Products found in several ways → one order
"""

from features.retrieval.candidates import Retrieval

__all__ = ["Retrieval"]
