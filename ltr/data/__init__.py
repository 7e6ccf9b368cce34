"""A table of features → what rankers eat, split honestly and examined by the data doctor.

dataset                From a feature table to the arrays a ranker eats: X, grades and group sizes, cut
                       from one sorted frame
doctor                 The data doctor: what in a table of judged pairs would spoil training or flatter
                       its measurement
embedded               A dataset with the vectors of its rows beside it, for where the embeddings
                       themselves are features
findings               One line of the data doctor's: a level, what was checked, the evidence, and the
                       cure
gains                  What a grade is worth, to a measure and to a ranker's objective: any range of
                       grades, whole or fractional
leakage                The data doctor on a split: enough queries in each part, and none that looks
                       like one in another
splits                 Which queries train, stop the training early, and test: always whole queries,
                       never rows
"""
