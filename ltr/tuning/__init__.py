"""The search for better settings: what may be tried, how a trial is judged, where a study is kept.

candidates             What one trial of a search may be: a kind of ranker with its settings, and the
                       feature groups it sees
journal                The journal of a study: a file to which whole, summed records are appended, under
                       a lock of the kernel's
liveness               Which running trials have lost their process: a process gone from this machine,
                       or one silent elsewhere
pruning                When a trial is not worth finishing: judged on the same folds, and on the same
                       trees, as those before it
search                 The search: trials one after another until there are enough of them, whoever
                       else works on the study
study                  A study: opened or made, refused when it is of other data, and searched by a
                       seeded TPE
study_storage          Where a study is kept: a journal file by default, or any database that
                       SQLAlchemy reaches
summary                What a search found, as plain data: tuning.json of a run, which the report's
                       page is made from
trials                 How one trial of a search is judged: cross-validation over folds of the training
                       queries, fixed beforehand
"""
