"""Interleaving: shoppers see one list mixed from two rankers or more, and their clicks choose.

analysis      Balance first, then credit by click, cart or purchase, segments, a verdict
chances       How likely each way of mixing puts each item at each place, exactly
credit        What each place would credit each ranker with
drafts        Lists to show: team draft and probabilistic, for two rankers or more
optimised     Lists to show: the unbiased mixture that is most sensitive
preference    One ranker against another: credit per list, lists won
settings      What a log of lists holds, and how it is credited
shown_lists   The log as credits and acts
"""

from ltr.experiments.interleaving.analysis import analyse_interleaving
from ltr.experiments.interleaving.drafts import Drafted, probabilistic, ranks_of, team_draft
from ltr.experiments.interleaving.optimised import Mixture, optimised
from ltr.experiments.interleaving.settings import InterleaveSettings

__all__ = [
    "Drafted",
    "InterleaveSettings",
    "Mixture",
    "analyse_interleaving",
    "optimised",
    "probabilistic",
    "ranks_of",
    "team_draft",
]
