"""Fitting: fold by fold, from other sets, leaning on a cosine, with modalities left out.

anchoring              A ranker that leans on scores known to be good before it learnt: a feature, or
                       an earlier run
click_log              Shown lists as what a ranker learns from, beside the judgements of people
click_rows             Training rows out of shown lists: each list as it was, or each pair with what its
                       views earned
click_settings         What `train.clicks` asks for: whether shown lists train, and how
click_smoothing        What a pair's views earned, drawn to what pairs of like features earn
click_strategies       Ways to learn from clicks, and the one that held-out queries choose
cross_fit              Fit rankers fold by fold and score what each has not seen
fused_ranker           What is learnt from the vectors themselves before the ranker: components of
                       them, and adapted cosines
modality_dropout       Catalogues that lack photos or descriptions: what is taken away, from which
                       products, in which training lists
transfer               Judged queries of other sets as training rows of this one: features matched by
                       name, grades by their worth
"""

from ltr.training.cross_fit import CrossFit, fit_on_all
from ltr.training.fused_ranker import FusedRanker

__all__ = [
    "CrossFit",
    "FusedRanker",
    "fit_on_all",
]
