"""python -m ltr.runs [--runs FOLDER]

All runs of a folder, newest first: their figures, what was changed from one to the next, and FOLDER/index.html
with their trend.

python -m ltr.runs RUN BASELINE [--html FILE]

Two of them side by side, as the gate sees them (`ltr.evaluate --baseline`): a page with the verdict, who won
which query, and both lists with photos.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.config import command_line, output

if TYPE_CHECKING:
    from ltr.runs.history import History


def main(argv: Sequence[str] | None = None) -> Path:
    given = command_line.read_given(_arguments(), argv)
    if len(given.two) not in (0, 2):
        cure = "name a run and the one to set beside it, or none"
        raise command_line.misuse("two runs, or none", " ".join(given.two), cure)
    if given.two:
        # Each by its folder, or by its name in the folder of runs.
        two = [Path(name) if Path(name).is_dir() else given.runs / name for name in given.two]
        return _beside(two, given.html)

    from ltr.reporting.runs_page import runs_page
    from ltr.runs.history import read_history
    from ltr.runs.record import write_whole

    history = read_history(given.runs)
    _print_history(history)
    page: Path = given.html or given.runs / "index.html"
    write_whole(page, runs_page(history, page.parent))
    output.say(f"page: {page}")
    return page


def _arguments() -> argparse.ArgumentParser:
    arguments = command_line.parser(__doc__, config=False)
    arguments.add_argument("two", nargs="*", metavar="RUN", help="a run and the one to set beside it")
    arguments.add_argument(
        "--runs", type=Path, default=Path("runs"), help="the folder of runs (default: runs)"
    )
    arguments.add_argument("--html", type=Path, help="the page to write")
    return arguments


def _beside(two: Sequence[Path], html: Path | None) -> Path:
    from ltr.reporting import console
    from ltr.reporting.runs_page import beside_page
    from ltr.runs.history import differences, read_past_run
    from ltr.runs.measuring import NewFiles, judge_runs, score_baseline, score_run
    from ltr.runs.record import write_whole
    from ltr.runs.saved_run import SavedRun

    run, names = SavedRun.open(two[0]), (two[0].name, two[1].name)
    ours = score_run(run, run.config, NewFiles())
    theirs = score_baseline(two[1], ours, run.config, NewFiles())
    verdict = judge_runs(names, ours, theirs, run.config.evaluation)
    console.print_verdict(verdict)
    if (two[1] / "metrics.json").is_file():  # a baseline may be but its held-out scores
        changed = differences(read_past_run(two[0]), read_past_run(two[1]))
        output.show("settings that differ", ["setting", names[1], names[0]], changed or [("none", "", "")])
    page = html or two[0].parent / f"{names[0]}-beside-{names[1]}.html"
    write_whole(page, beside_page(names, ours, theirs, verdict, run.config.evaluation))
    output.say(f"page: {page}")
    return page


def _print_history(history: History) -> None:
    from ltr.evaluation.notation import signed, with_interval
    from ltr.runs.history import STEP, differences

    for group in history.groups:
        rows, before = [], None
        for run in group:
            mean = run.overall
            step = "" if before is None else signed(mean["mean"] - before.overall["mean"])
            changed = "" if before is None else _in_short([name for name, *_ in differences(run, before)])
            cells = (run.name, f"{run.made_at:%Y-%m-%d %H:%M}", run.commit, run.model)
            rows.append((*cells, with_interval(mean["mean"], mean["low"], mean["high"]), step, changed))
            before = run
        columns = ["run", "made", "commit", "model", group[-1].headline, "step", "changed"]
        output.show(f"{group[-1].data[0]}: {group[-1].overall['queries']:,} queries", columns, rows[::-1])
    if any(len(group) > 1 for group in history.groups):
        output.say(f"step: {STEP}")
    for name, problem in history.unread:
        output.say(f"left out: {name}, {problem}")


def _in_short(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


if __name__ == "__main__":
    command_line.run(main)
