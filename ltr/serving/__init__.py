"""A trained run put to use: searched, explained, served with a page (its files lie in `page/`), exported.

arguments              What ltr.rank, explain, compare and export take on their command lines
process                The server as a process: listens, says where, ends without losing a request
ranking                One query → the catalogue's candidates in the run's order: what `ltr.rank`
                       prints and a shop shows
settings               What ltr.serve takes
telling                A running server told to put another run in place, the one before back, or
                       the catalogue as its files are now
catalogue/             The catalogue as shoppers see it: cards, filters, facets, photos, what is alike
live/                  Runs that serve: opened, checked, put in place of each other
lists/                 From what a shopper asks to the list to show, and what is changed in it on purpose
why/                   What a product's place is made of, in figures and in words
log/                   What is kept of what happened: lists shown, actions, grades; a log checked again
http/                  The API over it: routes, bodies, limits, problems
exports/               A run for another engine, with the proof that it scores alike there
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ltr.serving.exports import export_run
    from ltr.serving.http import make_app
    from ltr.serving.live import LiveRun, LiveRuns
    from ltr.serving.log import EventLog
    from ltr.serving.log.log_check import check_log
    from ltr.serving.ranking import rank
    from ltr.serving.settings import ServeSettings

__all__ = [
    "EventLog",
    "LiveRun",
    "LiveRuns",
    "ServeSettings",
    "check_log",
    "export_run",
    "make_app",
    "rank",
]

# Imported when asked for: the HTTP server and the exports need extras, and a command's --help none of it.
_HOME = {
    "EventLog": "ltr.serving.log",
    "LiveRun": "ltr.serving.live",
    "LiveRuns": "ltr.serving.live",
    "ServeSettings": "ltr.serving.settings",
    "check_log": "ltr.serving.log.log_check",
    "export_run": "ltr.serving.exports",
    "make_app": "ltr.serving.http",
    "rank": "ltr.serving.ranking",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ltr.serving' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
