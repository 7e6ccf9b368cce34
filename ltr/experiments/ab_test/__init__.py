"""A/B tests: the sample ratio first, then metrics, guardrails, segments and looks, and one verdict.

analysis       The whole of a test, from a table of rows to an outcome
arms           Rows by unit and arm: who was in which, what is left out, covariates from before
calibration    A/A: random splits of the test's own units, and how often they cry wolf
comparison     One metric of one arm against the control: raw, capped, adjusted
cuped          Less noise by what was known of each unit before exposure
sample_ratio   Are the arms as large as was planned?
settings       Columns, metrics, looks
tables         What the page shows
"""

from ltr.experiments.ab_test.analysis import analyse_ab
from ltr.experiments.ab_test.settings import AbSettings

__all__ = ["AbSettings", "analyse_ab"]
