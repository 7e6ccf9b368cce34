"""The page of a run and its Markdown twin, and what commands tell on the console.

calibration            Do higher scores mean better products? Grades by decile of the score
clips                  Files other than photos on a page: played there if they are small and of a kind
                       that browsers play, else named
console                What commands tell: of the data they read, of figures and verdicts
drawing                matplotlib's drawings as SVG to be set into a page: text stays text, colours are
                       the page's, light or dark
examples               Queries to look at in a report: most improved over the baseline, most harmed,
                       and a random sample
explanations           Explanations on the console: of a run, of a query's first products, of one
                       product, of two
experiments            An experiment on a page and on the console: the verdict first
first_screen           The first screen of a report: a sentence of verdict per kind of query, what each
                       source adds, what got worse
fusion_report          fusion.json, fusion.md and fusion.html: the strategies of fusion on one self-
                       contained page
gain_bars              The gains of queries as bars that lead to their query: an SVG of our own, since
                       matplotlib's bars lead nowhere
measured_run           A run, or another ranker's files, measured and told: what ltr.evaluate does
pages                  How pages are filled in: jinja2, everything escaped for HTML or Markdown, a
                       missing value is an error
plots                  The kinds of plots that a report has: intervals, bars, deciles, shares, a search,
                       curves
product_page           Products side by side: the lines that tell them apart, and a page with their
                       photos, sounds and videos
query_gains            What each query gains from the model over the best plain baseline for queries of
                       its kind
report                 report.html and report.md: one self-contained page, and its figures fit for a
                       pull request's comment
report_plots           Which plots a report has, and what each shows in words
run_report             What of a run goes on its report's page
runs_page              Pages about several runs: the list of all with their trend, and two side by side
                       as the gate sees them
thumbnails             Photos small enough to lie in a page
tuned_run              A search's winner: chosen, measured once, told, and kept as a run
words                  What systems, sources and features are called on a page: words of a search team,
                       the short name beside them
"""
