"""Is a new ranker better for shoppers? Plans, interleaving, A/B tests, off-policy estimates, surveys.

ab_test/       Arms compared after the sample-ratio check: metrics, guardrails, segments, looks
columns        A user's table, column by column; what is missing stays null and is counted
decision       The decision record: tried, planned, seen, decided
estimates      An estimate with each unit's influence on it; differences and intervals
kinds          The kinds of experiments by name: settings, analysis, help
metrics        What is measured: means, shares, ratios of sums, quantiles
outcome        What every analysis ends in: verdict, checks, assumptions, tables
"""

from ltr.experiments.ab_test import AbSettings, analyse_ab
from ltr.experiments.columns import Columns
from ltr.experiments.decision import Planned, decision_record, keep_record, kept_to_plan, to_json
from ltr.experiments.kinds import KINDS, Kind
from ltr.experiments.outcome import Check, Outcome

__all__ = [
    "KINDS",
    "AbSettings",
    "Check",
    "Columns",
    "Kind",
    "Outcome",
    "Planned",
    "analyse_ab",
    "decision_record",
    "keep_record",
    "kept_to_plan",
    "to_json",
]
