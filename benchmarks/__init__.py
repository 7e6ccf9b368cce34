"""Measurements of quality and speed; results are committed under `results/`."""
