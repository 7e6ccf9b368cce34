"""The data doctor's checks of what a shop brings, before any feature is made, and of what tells its answers.

answers                Columns that tell the grades: what was made from the answer, or from what only
                       follows it
collection             The shop's own tables: catalogue, queries and judgements
events                 Events: what in a log would mislead whoever learns from it
parts                  The names of a split's parts: those that nothing takes, and those that nothing heeds
query_words            The words of queries: how many no product has, and what they are read as
reading                How the files were read: every guess, and what was left out, unreadable or odd
repeats                Judgements that repeat or contradict each other, under one query id or under several
"""
