"""Is a new ranker better for shoppers? Plans, interleaving, A/B tests, off-policy estimates, surveys.

ab_test/       Arms compared after the sample-ratio check: metrics, guardrails, segments, looks
columns        A user's table, column by column; what is missing stays null and is counted
decision       The decision record: tried, planned, seen, decided
estimates      An estimate with each unit's influence on it; differences and intervals
interleaving/  Lists mixed from several rankers, and which ranker their clicks prefer
kinds          The kinds of experiments by name: settings, analysis, help
looks/         Looking before the end: bounds at planned looks, intervals valid at any time
metrics        What is measured: means, shares, ratios of sums, quantiles
off_policy/    What a new policy would have earned, from another's log, or why that cannot be known
outcome        What every analysis ends in: verdict, checks, assumptions, tables
plan/          Units and days for an effect, from known rates or the shop's own past
served_log     The log of `ltr.serve` as a table for an experiment
survey         Answers by arm: an ordinal test, non-response shown and bounded
"""

from ltr.experiments.ab_test import AbSettings, analyse_ab
from ltr.experiments.columns import Columns
from ltr.experiments.decision import Planned, decision_record, keep_record, kept_to_plan, to_json
from ltr.experiments.interleaving import InterleaveSettings, analyse_interleaving
from ltr.experiments.kinds import KINDS, Kind
from ltr.experiments.off_policy import OffPolicySettings, judge_off_policy
from ltr.experiments.outcome import Check, Outcome
from ltr.experiments.plan import PlanSettings, plan_test
from ltr.experiments.survey import SurveySettings, judge_survey

__all__ = [
    "KINDS",
    "AbSettings",
    "Check",
    "Columns",
    "InterleaveSettings",
    "Kind",
    "OffPolicySettings",
    "Outcome",
    "PlanSettings",
    "Planned",
    "SurveySettings",
    "analyse_ab",
    "analyse_interleaving",
    "decision_record",
    "judge_off_policy",
    "judge_survey",
    "keep_record",
    "kept_to_plan",
    "plan_test",
    "to_json",
]
