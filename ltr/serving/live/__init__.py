"""Runs that serve.

live_run               A run opened for serving, with all that a request needs in memory
live_runs              The run that serves now, and how another takes its place
run_checks             Whether a run may serve: files, features, queries whose answers are known
"""

from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns

__all__ = ["LiveRun", "LiveRuns"]
