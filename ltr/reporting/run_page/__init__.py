"""The page of a run and its Markdown twin.

calibration            Do higher scores mean better products? Grades by decile of the score
examples               Queries to look at in a report: most improved over the baseline, most harmed,
                       and a random sample
first_screen           The first screen of a report: a sentence of verdict per kind of query, what each
                       source adds, what got worse
query_gains            What each query gains from the model over the best plain baseline for queries of
                       its kind
report                 report.html and report.md: one self-contained page, and its figures fit for a
                       pull request's comment
run_report             What of a run goes on its report's page
tuned_run              A search's winner: chosen, measured once, told, and kept as a run
"""
