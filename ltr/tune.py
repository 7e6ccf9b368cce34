"""python -m ltr.tune [--config FILE] --trials 50 [--timeout SECONDS] [--storage URL] [--study NAME]

Search for better settings of the ranker by cross-validation inside the training part of the config's split,
then fit the winner on the whole of it, measure it once on the test part beside the default settings, and
write a run folder. Of several splits the last one is taken: its test queries are seen by no trial. Each trial
trains as ltr.train would: with the modality dropout, other sets, base and earlier run of the `train` section.

A search that was stopped or killed goes on when the same command runs again: N trials in all, not N more.
Several processes may work on one study, on many machines with --storage postgresql://…; those started with
--search-only leave fitting and measuring the winner to the one without.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.config import command_line, output

if TYPE_CHECKING:
    from ltr.config.tree import Config
    from ltr.runs.tuned import Task

SHORTCUTS = ("objective", "ranker", "threads", "seed")


def main(argv: Sequence[str] | None = None) -> Path | None:
    watch = output.Stopwatch()
    given, config = command_line.read_settings(_arguments(), argv)

    from ltr.reporting.run_page import tuned_run
    from ltr.runs.record import check_target
    from ltr.runs.tuned import open_search
    from ltr.tuning.study_storage import storage_errors

    target = given.run or Path(config.runs) / f"{config.name}-tuned"
    check_target(target)
    task = _read_task(config)
    name = given.study or config.name
    with storage_errors(given.storage, Path(config.runs) / "studies" / name):
        search = open_search(task, name, given.storage, given.trials, given.timeout)
        search.run()
        if given.search_only:
            output.say(f"searched ({watch})")
            return None
        command = command_line.as_typed("ltr.tune", argv)
        found = tuned_run.finish(task, search.study, given.winner, target, command)
    if given.json:
        output.write_json({"run": str(target), **found})
    output.say(f"run: {target} ({watch})")
    output.say(
        f"next: python -m ltr.evaluate --run {target} --baseline RUN, for a verdict against another run"
    )
    return target


def _arguments() -> argparse.ArgumentParser:
    made = command_line.parser(__doc__, json=True)
    command_line.add_shortcuts(made, SHORTCUTS)
    made.add_argument(
        "--trials", type=command_line.one_or_more, default=50, help="in all, over all processes"
    )
    made.add_argument("--timeout", type=float, help="seconds after which no new trial is begun")
    made.add_argument("--storage", help="a database's URL or a journal file; default: RUNS/studies/NAME")
    made.add_argument("--study", help="name of the study; default: the config's name")
    made.add_argument("--winner", type=int, help="the trial to fit; default: the one of the best nDCG")
    made.add_argument("--search-only", action="store_true", help="help another process search")
    made.add_argument("--run", type=Path, help="the run folder to write; default: RUNS/NAME-tuned")
    return made


def _read_task(config: Config) -> Task:
    from ltr.data.doctor import stop_on_failure
    from ltr.pipeline.examination import read_data
    from ltr.reporting import console
    from ltr.runs.tuned import make_task

    examined = read_data(config, last_fold=True)
    console.print_findings(examined.findings)
    stop_on_failure(examined.findings)
    return make_task(config, examined)


if __name__ == "__main__":
    command_line.run(main)
