"""Measures, intervals, paired tests, plain baselines, segments and the gate.

baselines              What a model is measured against: plain scorers that learn nothing, and the same
                       model with fewer features
classification         How well a pointwise ranker tells grades apart: accuracy, confusion matrix and
                       log-loss
gate                   Is a run worse than another? Per query, paired, for all queries and for each
                       segment; fit for a CI gate
metrics                The measures themselves: flat arrays in, one value per query out
notation               How figures are written, in one way on every page and console
per_query              From a scored table to one row of measures per query, and from there to means
                       with intervals
segments               Kinds of queries, so that a mean cannot hide who pays for it: how long, how
                       often judged, at what price, …
shown                  What is shown, measured end to end over the catalogue: candidates retrieved,
                       ordered, and cut after the first k
significance           Could it be chance? Bootstrap intervals of a mean, and paired tests between two
                       runs
training_noise         How far the chance of training moves a mean, from the models that a ranker is the
                       mean of
tracking               A run's figures in MLflow, for teams that keep all their experiments there; the
                       run folder stays the record
trec                   TREC's files: what a system retrieved (a run) and what was judged (qrels), read,
                       written and joined
systems                Many systems over the same judged pairs: per-query values, means with intervals,
                       paired tests
"""

from ltr.evaluation.baselines import baseline_scores
from ltr.evaluation.gate import Verdict, judge, to_markdown
from ltr.evaluation.per_query import EvaluationConfig, convention, evaluate, summarise
from ltr.evaluation.segments import query_segments
from ltr.evaluation.shown import ShownLists, measure_shown
from ltr.evaluation.significance import BootstrapConfig, Comparison, compare, holm
from ltr.evaluation.systems import Measurement, measure, measure_lists
from ltr.evaluation.trec import (
    TREC_EVAL,
    JudgedRun,
    judge_run,
    read_qrels,
    read_run,
    write_qrels,
    write_run,
)

__all__ = [
    "TREC_EVAL",
    "BootstrapConfig",
    "Comparison",
    "EvaluationConfig",
    "JudgedRun",
    "Measurement",
    "ShownLists",
    "Verdict",
    "baseline_scores",
    "compare",
    "convention",
    "evaluate",
    "holm",
    "judge",
    "judge_run",
    "measure",
    "measure_lists",
    "measure_shown",
    "query_segments",
    "read_qrels",
    "read_run",
    "summarise",
    "to_markdown",
    "write_qrels",
    "write_run",
]
