"""What every command shares: `--config FILE --section.key VALUE …`, one clear line on bad input."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from features.errors import InputError
from features.secrets import MASK, masked_address, scrub
from ltr.config.tree import DEMO_CONFIG, Config, read_config
from ltr.config.yaml_files import parse_yaml

# A pipe or a log has no width of its own: wide enough there for the tables.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)

# Short names of the settings that people change most.
SHORTCUTS = {
    "ranker": "ranker.kind",
    "objective": "ranker.objective",
    "device": "ranker.device",
    "threads": "ranker.threads",
    "seed": "ranker.seed",
    "folds": "split.folds",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as for any other input."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: command line: {scrub(message)}; see --help\n")


def parser(doc: str | None, *, config: bool = True) -> argparse.ArgumentParser:
    """An argument parser with --debug and, for commands that start from a config, --config."""
    made = _Parser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    if config:
        made.add_argument(
            "--config", type=Path, default=DEMO_CONFIG, help="a YAML file; default: the demo shop"
        )
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return made


def add_shortcuts(made: argparse.ArgumentParser, names: Sequence[str]) -> None:
    for name in names:
        made.add_argument(f"--{name}", help=f"short for --{SHORTCUTS[name]}")


def add_run(made: argparse.ArgumentParser) -> None:
    help_text = "a folder that ltr.train wrote; default: the demo shop's"
    made.add_argument("--run", type=Path, default=Path("runs/demo-lightgbm"), help=help_text)


def read_settings(
    made: argparse.ArgumentParser, argv: Sequence[str] | None
) -> tuple[argparse.Namespace, Config]:
    """Parse the command line of a command that starts from a config."""
    given, rest = made.parse_known_args(argv)
    overrides = parse_overrides(rest)
    for name, dotted in SHORTCUTS.items():
        if getattr(given, name, None) is not None:
            overrides[dotted] = parse_yaml(getattr(given, name), f"command line, --{name}")
    if "split.folds" in overrides:
        overrides.setdefault("split.kind", "folds")
    return given, read_config(given.config, overrides)


def as_typed(module: str, argv: Sequence[str] | None) -> str:
    """The command for people to read and repeat: without the secrets among its words."""
    words: list[str] = []
    masked = False
    for word in argv or []:
        name, equals, value = word.partition("=")
        given = name + equals if word.startswith("--") else ""
        told = masked_address(value if given else word) if "://" in word else scrub(value if given else word)
        words.append(MASK if masked else given + (MASK if equals and _is_secret(name) else told))
        masked = not masked and _is_secret(name) and not equals
    return f"python -m {module} {shlex.join(words)}"


def _is_secret(name: str) -> bool:
    """Whether what is given by this name may hold a secret in any form."""
    return name == "--store" or name.startswith("--store.storage_options")


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """`--section.key VALUE` pairs; values are read as YAML (`5`, `true`, `[1, 10]`)."""
    overrides: dict[str, Any] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not (equals or queue):
            got = repr(scrub(word))
            raise InputError(where="command line", expected="--section.key VALUE", got=got, cure="see --help")
        value = value if equals else queue.pop(0)
        literal = name.startswith("store.storage_options.")  # no password is YAML
        overrides[name] = value if literal else parse_yaml(value, f"command line, --{name}")
    return overrides


def run(
    main: Callable[[Sequence[str] | None], object], argv: Sequence[str] | None = None, *, bad_input: int = 1
) -> None:
    """Run a command: InputError becomes one line and status `bad_input`; --debug shows where it came from."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        main(words)
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what was finished is kept, run the same command to go on\n")
        sys.exit(130)
    except Exception as error:
        if isinstance(error, InputError | OSError) and "--debug" not in words:
            sys.stderr.write(scrub(f"error: {_in_a_line(error)}\n"))
            sys.exit(bad_input)
        trace = traceback.format_exc()
        if scrub(trace) == trace:
            raise
        sys.stderr.write(scrub(trace))
        sys.exit(1)


def _in_a_line(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    told = " ".join(re.sub(r"\x1b\[\d+m|↳", "", error.strerror or str(error)).split())
    return f"{where}{told}; check the path, your rights to it and the space left"


def say(text: str = "") -> None:
    console.print(scrub(text), markup=False)


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; numbers are right-aligned."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        numeric = all(isinstance(row[position], int | float) or row[position] is None for row in rows)
        table.add_column(column, justify="right" if numeric and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else _cell(cell) for cell in row))
    console.print(table)


def _cell(cell: object) -> str:
    return f"{cell:,.4g}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar with the time left on a terminal's stderr, gone when done; call what it yields after each step."""
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    terminal = Console(stderr=True)
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


class Stopwatch:
    """Seconds since it was made, for the line that closes a command."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def __str__(self) -> str:
        return f"{time.perf_counter() - self._start:.1f} s"
