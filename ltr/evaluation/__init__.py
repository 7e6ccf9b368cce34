"""Measures, intervals, paired tests, plain baselines, segments and the gate.

baselines              What a model is measured against: plain scorers that learn nothing, and the same
                       model with fewer features
classification         How well a pointwise ranker tells grades apart: accuracy, confusion matrix and
                       log-loss
gate                   Is a run worse than another? Per query, paired, for all queries and for each
                       segment; fit for a CI gate
metrics                The measures themselves: flat arrays in, one value per query out
per_query              From a scored table to one row of measures per query, and from there to means
                       with intervals
segments               Kinds of queries, so that a mean cannot hide who pays for it: how long, how
                       often judged, at what price, …
significance           Could it be chance? Bootstrap intervals of a mean, and paired tests between two
                       runs
systems                Many systems over the same judged pairs: per-query values, means with intervals,
                       paired tests
"""
