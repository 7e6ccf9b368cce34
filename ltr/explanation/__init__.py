"""Why a product has its score and its place, in a search team's words.

aspects                What a feature speaks of, in words that a search team uses: text, image, price,
                       brand, category, …
contributions          Why a product has its score, and why it stands above another: exact TreeSHAP, by
                       feature and by modality
counterfactual         The smallest change of a product's own number, its price say, after which two
                       products swap places
importance             What the model goes by, over many queries: mean contribution by feature and by
                       modality, and a cross-check
"""

from ltr.explanation.contributions import Explanation, against_mean, compare_products, explain
from ltr.explanation.importance import Importance

__all__ = [
    "Explanation",
    "Importance",
    "against_mean",
    "compare_products",
    "explain",
]
