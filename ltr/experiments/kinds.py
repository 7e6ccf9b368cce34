"""The kinds of experiments by name: settings, analysis, and what help says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ltr.experiments.ab_test import AbSettings, analyse_ab
from ltr.experiments.columns import Columns
from ltr.experiments.interleaving import InterleaveSettings, analyse_interleaving
from ltr.experiments.off_policy import OffPolicySettings, judge_off_policy
from ltr.experiments.outcome import Outcome
from ltr.experiments.plan import PlanSettings, plan_test
from ltr.experiments.survey import SurveySettings, judge_survey


@dataclass(frozen=True)
class Kind:
    """analyse takes an instance of `settings`, and a table in place of the file that they name, or None."""

    settings: type[BaseModel]
    analyse: Callable[[Any, Columns | None], Outcome]
    help: str


KINDS = {
    "plan": Kind(PlanSettings, plan_test, "how many units and days an A/B test needs"),
    "ab": Kind(AbSettings, analyse_ab, "arms of an A/B test compared, after the sample-ratio check"),
    "interleave": Kind(
        InterleaveSettings, analyse_interleaving, "which ranker is preferred in lists that mix them"
    ),
    "off-policy": Kind(
        OffPolicySettings, judge_off_policy, "what a new policy would have earned, from the log of another"
    ),
    "survey": Kind(SurveySettings, judge_survey, "answers to a survey by arm"),
}
