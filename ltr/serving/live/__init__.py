"""Runs that serve.

decisions              By what decision a run goes live, and the record of one that was forced
live_run               A run opened for serving, with all that a request needs in memory
live_runs              The run that serves now, and how another run, or a changed
                       catalogue, takes its place
trial                  A run or a changed catalogue tried in a process of its own first
run_checks             Whether a run may serve: files, features, queries whose answers are known
"""

from ltr.serving.live.live_run import LiveRun
from ltr.serving.live.live_runs import LiveRuns

__all__ = ["LiveRun", "LiveRuns"]
