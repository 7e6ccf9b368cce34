"""What would a new policy have earned, judged from another's log? Refuses where the log cannot know.

bandit            One action a row: the log read, checked, every estimator, one verdict
estimators        IPS, SNIPS, clipped, doubly robust, switch, and what each assumes
list_estimators   Item-position, reward-interaction, cascade-DR, pseudo-inverse, and what each assumes
lists             Lists: a log of candidates with scores, every list estimator, one verdict
overlap           Effective size, mean weight, support: does the log hold enough?
places            A server's log: places that were left to chance, by what the server says of each
plackett_luce     Chances of rankings drawn from scores
report            Estimates beside the log's own value: table, plot, verdict
reward_model      Expected rewards, out of fold: ridge and its calibration
settings          What a log holds, and which policy is asked about
support           A server's log: whether its lists could have shown what the new policy would, exactly
"""

from ltr.experiments.columns import Columns
from ltr.experiments.off_policy.bandit import judge_bandit
from ltr.experiments.off_policy.lists import judge_lists
from ltr.experiments.off_policy.places import judge_places
from ltr.experiments.off_policy.settings import OffPolicySettings
from ltr.experiments.outcome import Outcome

__all__ = ["OffPolicySettings", "judge_off_policy"]


def judge_off_policy(settings: OffPolicySettings, table: Columns | None = None) -> Outcome:
    """A server's log; else one action a row, or lists where --list is given.

    table: of a server's log, see `places.judge_places`.
    """
    if settings.data.is_dir():
        return judge_places(settings, table)
    table = table or Columns.read(settings.data)
    return judge_lists(settings, table) if settings.list is not None else judge_bandit(settings, table)
