"""Learning to rank from a table of query–product features: train, measure, serve."""

__version__ = "0.1.0"
