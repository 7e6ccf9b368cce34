"""python -m ltr.runs [--runs FOLDER]

All runs of a folder, newest first: their figures, what was changed from one to the next, and FOLDER/index.html
with their trend.

python -m ltr.runs RUN BASELINE [--html FILE]

Two of them side by side, as the gate sees them (`ltr.evaluate --baseline`): a page with the verdict, who won
which query, and both lists with photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from features.errors import InputError
from ltr.config import command_line
from ltr.config.command_line import say, show
from ltr.evaluation.notation import signed, with_interval
from ltr.reporting.console import print_verdict
from ltr.reporting.runs_page import beside_page, runs_page
from ltr.runs.history import History, differences, read_history, read_past_run
from ltr.runs.measuring import NewFiles, judge_runs, score_baseline, score_run
from ltr.runs.record import write_whole
from ltr.runs.saved_run import SavedRun


def main(argv: Sequence[str] | None = None) -> Path:
    arguments = command_line.parser(__doc__, config=False)
    arguments.add_argument("two", nargs="*", metavar="RUN", help="a run and the one to set beside it")
    arguments.add_argument(
        "--runs", type=Path, default=Path("runs"), help="the folder of runs (default: runs)"
    )
    arguments.add_argument("--html", type=Path, help="the page to write")
    given = arguments.parse_args(argv)
    if given.two:
        return _beside([_found(name, given.runs) for name in given.two], given.html)
    history = read_history(given.runs)
    _print_history(history)
    page = given.html or given.runs / "index.html"
    write_whole(page, runs_page(history, given.runs))
    say(f"page: {page}")
    return page


def _found(name: str, runs: Path) -> Path:
    """A run by its folder, or by its name in the folder of runs."""
    return Path(name) if Path(name).is_dir() else runs / name


def _beside(two: Sequence[Path], html: Path | None) -> Path:
    if len(two) != 2:
        cure = "name a run and the one to set beside it"
        raise InputError(where="command line", expected="two runs, or none", got=f"{len(two)}", cure=cure)
    run, names = SavedRun.open(two[0]), (two[0].name, two[1].name)
    ours = score_run(run, run.config, NewFiles())
    theirs = score_baseline(two[1], ours, NewFiles())
    verdict = judge_runs(names, ours, theirs, run.config.evaluation)
    print_verdict(verdict)
    changed = (
        differences(read_past_run(two[0]), read_past_run(two[1]))
        if (two[1] / "metrics.json").is_file()
        else []
    )
    if changed:
        show("settings that differ", ["setting", names[1], names[0]], changed)
    page = html or two[0].parent / f"{names[0]}-beside-{names[1]}.html"
    write_whole(page, beside_page(names, ours, theirs, verdict, run.config.evaluation))
    say(f"page: {page}")
    return page


def _print_history(history: History) -> None:
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
        show(f"{group[-1].data[0]}: {group[-1].overall['queries']:,} queries", columns, rows[::-1])
    for name, problem in history.unread:
        say(f"left out: {name}, {problem}")


def _in_short(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


if __name__ == "__main__":
    command_line.run(main)
