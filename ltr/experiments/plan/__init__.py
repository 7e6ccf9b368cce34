"""Plans: how many units and days an A/B test needs, and what it will be able to see.

planning      The plan: units, days, guardrails, the price of looking
resampling    Power on the shop's own past: units drawn anew, the effect laid on one arm
sample_size   Units for an effect and effects for units, by the normal formula
settings      What is asked of a plan
"""

from ltr.experiments.plan.planning import plan_test
from ltr.experiments.plan.settings import PlanSettings

__all__ = ["PlanSettings", "plan_test"]
