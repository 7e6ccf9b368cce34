"""What comes next for somebody, from what they and others did: simple rules, and a ranker over what they find.

histories      Who looked at (or bought) what, in the order of time, as arrays
ranked         Candidates of every rule put in order by LambdaMART
recommenders   One simple rule each: popularity, recency, pairs, sequences, neighbours, a walk on the graph, likeness
settings       What `ltr.recommend` asks for
steps          Next products as a task: hit rate and reciprocal rank, with intervals
trial          Every rule and the ranker on the last days, side by side
"""

from ltr.recommendation.histories import Histories, moment_of
from ltr.recommendation.ranked import RankedRecommender, best_of
from ltr.recommendation.recommenders import (
    CoOccurrence,
    GraphWalk,
    Likeness,
    Popularity,
    Recency,
    Recommender,
    SessionNeighbours,
    Transitions,
    all_rules,
)
from ltr.recommendation.settings import RecommendSettings
from ltr.recommendation.steps import Found, Step, measure, steps_of
from ltr.recommendation.trial import Trial, compare_recommenders

__all__ = [
    "CoOccurrence",
    "Found",
    "GraphWalk",
    "Histories",
    "Likeness",
    "Popularity",
    "RankedRecommender",
    "Recency",
    "RecommendSettings",
    "Recommender",
    "SessionNeighbours",
    "Step",
    "Transitions",
    "Trial",
    "all_rules",
    "best_of",
    "compare_recommenders",
    "measure",
    "moment_of",
    "steps_of",
]
