"""What the commands that look, measure and search take: ltr.check, ltr.evaluate, ltr.tune, ltr.experiment."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ltr.config import command_line

TUNE_SHORTCUTS = ("objective", "ranker", "threads", "seed")


def of_check(doc: str | None) -> argparse.ArgumentParser:
    made = command_line.parser(doc, json=True)
    command_line.add_shortcuts(made, ("folds",))
    made.add_argument("--features", action="store_true", help="make the features too, and check them")
    made.add_argument("--against-log", type=Path, metavar="FOLDER", help="a log that ltr.serve wrote")
    made.add_argument("--run", type=Path, help="the run that served it")
    return made


def check_check(given: argparse.Namespace, settings: Mapping[str, Any]) -> None:
    """Raise InputError for arguments of ltr.check that need another, or do not go together."""
    command_line.require(given, "against_log", "run")
    command_line.require(given, "run", "against_log")
    command_line.refuse_both(given, "against_log", "features", "folds")
    if given.against_log is not None and (settings or given.config != command_line.DEMO_CONFIG):
        other = f"--{next(iter(settings))}" if settings else "--config"
        got, cure = f"both ({other})", "the run has its own: drop them"
        raise command_line.misuse("--against-log or settings", got, cure)


def of_experiment(doc: str | None) -> argparse.ArgumentParser:
    """A command for each kind of experiment, with its own settings and what all of them take."""
    # The other commands need none of it, and their help is quick.
    from ltr.config.options import add_options  # noqa: PLC0415
    from ltr.experiments import KINDS  # noqa: PLC0415

    made = command_line.parser(doc, config=False)
    kinds = made.add_subparsers(dest="kind", required=True, metavar="KIND")
    for name, kind in KINDS.items():
        one = kinds.add_parser(name, help=kind.help, description=kind.help, allow_abbrev=False)
        add_options(one, kind.settings)
        one.add_argument("--html", type=Path, help="the page to write")
        one.add_argument(
            "--json", nargs="?", const="-", help="the record to write; with no FILE: to stdout alone"
        )
        one.add_argument(
            "--run",
            type=Path,
            help="the run this is about: keeps the decision record in it; off-policy of a server's log: the new one",
        )
        one.add_argument("--planned", type=Path, help="what `plan --json FILE` wrote")
        one.add_argument("--tried", default="", help="what was tried, in a sentence, for the record")
        one.add_argument(
            "--decide", choices=("go", "stay", "nothing"), help="where the team decides otherwise"
        )
        one.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return made


def of_evaluate(doc: str | None) -> argparse.ArgumentParser:
    made = command_line.parser(doc, config=False, json=True)
    command_line.add_run(made)
    made.add_argument("--queries", type=Path, help="new queries")
    made.add_argument("--judgements", "--judgments", type=Path, help="grades of products for queries")
    made.add_argument("--products", type=Path, help="another catalogue")
    made.add_argument(
        "--without", help="measure the model on them as if the shop had no photos (text, …), too"
    )
    made.add_argument("--baseline", type=Path, help="a run to compare with")
    made.add_argument("--run-file", type=Path, help="another ranker's results, as TREC's run; with --qrels")
    made.add_argument("--qrels", type=Path, help="judgements, as TREC's qrels")
    made.add_argument("--baseline-file", type=Path, help="a run in TREC's form to compare with")
    made.add_argument("--per-query", type=Path, help="where to write each query's measures, as CSV")
    made.add_argument("--fail-if-worse", action="store_true", help="status 1 when the baseline is better")
    tolerance_help = "with --fail-if-worse: a fall of the mean by no more than this passes, however sure"
    made.add_argument("--tolerance", type=float, default=0.0, help=tolerance_help)
    made.add_argument("--markdown", type=Path, help="where to write the comparison")
    return made


def check_evaluate(given: argparse.Namespace) -> None:
    """Raise InputError for arguments of ltr.evaluate that need another, or do not go together."""
    if not given.baseline_file:
        command_line.require(given, "baseline", "fail_if_worse", "markdown")
    if given.tolerance and not given.fail_if_worse:
        raise command_line.misuse("--fail-if-worse beside --tolerance", "none", "add --fail-if-worse")
    if not 0 <= given.tolerance < 1:
        cure = "say by how much a mean may fall: .005"
        raise command_line.misuse("--tolerance from 0 to 1", repr(given.tolerance), cure)
    command_line.require(given, "judgements", "queries", "products", "without")
    command_line.require(given, "qrels", "run_file")
    command_line.require(given, "run_file", "qrels", "baseline_file")
    command_line.refuse_both(given, "run_file", "judgements", "baseline")


def next_of_evaluate(given: argparse.Namespace) -> str:
    """The command that goes on from what ltr.evaluate told."""
    if given.run_file:
        own = f"python -m ltr.evaluate --run-file {given.run_file} --qrels {given.qrels}"
        return (
            "python -m ltr.train, for a ranker of your own"
            if given.baseline_file
            else f"{own} --baseline-file FILE"
        )
    if given.baseline:
        return f"python -m ltr.runs {given.run} {given.baseline}, for the lists side by side"
    return f"python -m ltr.evaluate --run {given.run} --baseline RUN, for a verdict against another run"


def of_tune(doc: str | None) -> argparse.ArgumentParser:
    made = command_line.parser(doc, json=True)
    command_line.add_shortcuts(made, TUNE_SHORTCUTS)
    trials_help = "in all, over all processes"
    made.add_argument("--trials", type=command_line.one_or_more, default=50, help=trials_help)
    made.add_argument("--timeout", type=float, help="seconds after which no new trial is begun")
    made.add_argument("--storage", help="a database's URL or a journal file; default: RUNS/studies/NAME")
    made.add_argument("--study", help="name of the study; default: the config's name")
    made.add_argument("--winner", type=int, help="the trial to fit; default: the one of the best nDCG")
    made.add_argument("--search-only", action="store_true", help="help another process search")
    made.add_argument("--run", type=Path, help="the run folder to write; default: RUNS/NAME-tuned")
    return made
