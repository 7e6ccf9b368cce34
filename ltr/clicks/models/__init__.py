"""Click models: from what was clicked to what was seen and what attracts; by closed form or EM, vectorised.

by_place      Click rate by place, which knows of no product; the position-based model; UBM
cascades      Cascade, simplified DBN and DBN: a list is read from above
compared      Models fitted on earlier days and judged on later ones: log-likelihood and perplexity
model         What a click model answers, and the empirical-Bayes prior of attraction
"""

from ltr.clicks.models.by_place import PositionBased, RateByPlace, UserBrowsing
from ltr.clicks.models.cascades import Cascade, DynamicBayesian, SimplifiedDBN
from ltr.clicks.models.compared import MODELS, Judged, choose, judge, log_likelihood, perplexity
from ltr.clicks.models.model import ClickModel, Prior, estimate_prior

__all__ = [
    "MODELS",
    "Cascade",
    "ClickModel",
    "DynamicBayesian",
    "Judged",
    "PositionBased",
    "Prior",
    "RateByPlace",
    "SimplifiedDBN",
    "UserBrowsing",
    "choose",
    "estimate_prior",
    "judge",
    "log_likelihood",
    "perplexity",
]
