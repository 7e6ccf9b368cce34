"""What a command writes: results by `say` and `show`, and what libraries log, as plain lines on stdout.

Beside `--json` all but the JSON goes to stderr. `--quiet` leaves results and warnings, `--verbose` adds details.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from features.errors import visible, visible_json
from features.progress import At, clock
from features.secrets import scrub

ROOMS = ("features", "ltr")  # loggers whose records are shown
WIDTH = 150  # of a pipe or a log, which have none of their own: wide enough for the tables
_BAR = 24  # characters

_note = logging.getLogger(__name__)


class _Lines(logging.Handler):
    """Records as plain lines; on a terminal also a bar for what is under way, which the next line takes away."""

    to_stderr = False
    _bar_shown = False

    @property
    def stream(self) -> TextIO:
        return sys.stderr if self.to_stderr else sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        at = getattr(record, "progress", None)
        if isinstance(at, At) and sys.stderr.isatty():
            self._draw(at)
        elif not isinstance(at, At) or record.levelno >= logging.INFO:
            warning = "WARNING: " if record.levelno >= logging.WARNING else ""
            self.line(warning + record.getMessage())

    def line(self, text: str) -> None:
        """One line; whatever a terminal would obey is shown as an escape."""
        self.take_bar_away()
        self.stream.write(visible(scrub(text)) + "\n")
        self.stream.flush()

    def _draw(self, at: At) -> None:
        left = "" if at.seconds_left is None else f", {clock(at.seconds_left)} left"
        bar = "━" * round(_BAR * at.share)
        sys.stderr.write(f"\r\x1b[K{visible(at.label)} {bar:<{_BAR}} {at.done:,}/{at.total:,}{left}")
        self._bar_shown = True
        if at.share >= 1:
            self.take_bar_away()
        sys.stderr.flush()

    def take_bar_away(self) -> None:
        if self._bar_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._bar_shown = False


_lines = _Lines()


def install(*, quiet: bool = False, verbose: bool = False, json_on_stdout: bool = False) -> None:
    """Show what the libraries log, in the way that the command line asks for; once more changes the way."""
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    _lines.to_stderr = json_on_stdout
    for room in ROOMS:
        logger = logging.getLogger(room)
        logger.setLevel(level)
        if _lines not in logger.handlers:
            logger.addHandler(_lines)
    bar = sys.stderr.isatty() and not quiet
    logging.getLogger("features.progress").setLevel(logging.DEBUG if bar else max(level, logging.INFO))


def note(text: str) -> None:
    """What is being done: not a result, so `--quiet` leaves it out."""
    _note.info("%s", text)


def say(text: str = "") -> None:
    """A line of the result."""
    _lines.line(text)


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table of the result; numbers are right-aligned. Cells are text, whatever they hold, as in a line."""
    from rich.console import Console  # a tenth of a second, which a command without a table need not pay
    from rich.table import Table
    from rich.text import Text

    _lines.take_bar_away()
    stream = _lines.stream
    width = None if stream.isatty() else WIDTH
    head = Text(visible(title)) if title else None
    table = Table(title=head, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        numeric = all(isinstance(row[position], int | float) or row[position] is None for row in rows)
        table.add_column(
            Text(visible(column)), justify="right" if numeric and rows else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text("" if cell is None else visible(_cell(cell))) for cell in row))
    Console(file=stream, highlight=False, soft_wrap=True, markup=False, emoji=False, width=width).print(table)


def _cell(cell: object) -> str:
    return f"{cell:,.4g}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def write_json(value: Any) -> None:
    """The result for programs, on stdout whatever else is said."""
    _lines.take_bar_away()
    sys.stdout.write(visible_json(json.dumps(value, ensure_ascii=False, default=str)) + "\n")


class Stopwatch:
    """Seconds since it was made, for the line that closes a command."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def __str__(self) -> str:
        return f"{time.perf_counter() - self._start:.1f} s"
