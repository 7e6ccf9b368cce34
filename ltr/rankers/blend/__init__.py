"""Decision-level fusion: a ranker per modality, their scores joined.

blend_ranker           Decision-level fusion: one booster per modality, their scores joined list by
                       list
network_and_trees      One network over the vectors, one booster over the numbers, joined list by list
members                The members of a blend: a booster per modality, each seeing its own features
                       only
score_fusion           Joining the scores of several rankers over the same lists: pure functions over
                       all lists at once
"""
