"""Plots as SVG in the page's own colours.

drawing                matplotlib's drawings as SVG to be set into a page: text stays text, colours are
                       the page's, light or dark
gain_bars              The gains of queries as bars that lead to their query: an SVG of our own, since
                       matplotlib's bars lead nowhere
plots                  The kinds of plots that a report has: intervals, bars, deciles, shares, a
                       search, curves
report_plots           Which plots a report has, and what each shows in words
"""
