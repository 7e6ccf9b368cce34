"""The page of a run and its Markdown twin: figures, plots, queries to look at."""
