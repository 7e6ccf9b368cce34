"""Figures for Prometheus: requests by path and status, their times, what waits, what was degraded, lost or explored."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """One registry an application."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        self.requests = Counter("ltr_requests", "answers", ["path", "status"], registry=own)
        self.seconds = Histogram(
            "ltr_request_seconds", "time to answer", ["path"], buckets=_BUCKETS, registry=own
        )
        self.degraded = Counter("ltr_degraded", "searches answered in retrieval's order", registry=own)
        self.refused = Counter("ltr_refused", "requests refused since the queue was full", registry=own)
        self.explored = Counter("ltr_explored", "lists shown with exploration", ["kind"], registry=own)
        self.empty = Counter("ltr_empty_lists", "searches that found nothing", registry=own)
        self.events = Counter("ltr_events", "actions logged", ["action"], registry=own)
        self.lost = Counter("ltr_log_lost_lines", "log lines that could not be written", registry=own)
        self.swaps = Counter("ltr_run_changes", "runs put in place", ["kind"], registry=own)
        self.counts_read = Counter("ltr_counts_read", "times newer counts of events were read", registry=own)
        self.under_way = Gauge("ltr_requests_under_way", "worked on or waiting", registry=own)
        self.run = Gauge("ltr_run_info", "the run that serves", ["name", "version"], registry=own)

    def text(self) -> bytes:
        return generate_latest(self.registry)
