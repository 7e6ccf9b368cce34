"""From what a shopper asks to the list to show.

beside                 One query by two orders side by side, and what moved
exploration            Lists changed on purpose, with exact propensities: swaps, interleaving, A/B arms
reranking              Candidates of a shop's own engine in the run's order
searching              Candidates within the filters, the run's order, exploration, facets
"""

from ltr.serving.lists.reranking import Reranking, rerank
from ltr.serving.lists.searching import Asked, Exploring, Found, search, similar

__all__ = ["Asked", "Exploring", "Found", "Reranking", "rerank", "search", "similar"]
