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

from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line, output
from ltr.runs.arguments import of_tune


def main(argv: Sequence[str] | None = None) -> Path | None:
    watch = output.Stopwatch()
    given, config = command_line.read_settings(of_tune(__doc__), argv)

    from ltr.reporting.run_page import tuned_run
    from ltr.runs.record import check_target
    from ltr.runs.tuned import open_search
    from ltr.tuning.study_storage import storage_errors

    target = given.run or Path(config.runs) / f"{config.name}-tuned"
    check_target(target)
    task = tuned_run.read_task(config)
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


if __name__ == "__main__":
    command_line.run(main)
