"""What the commands that measure and search take on their command lines: ltr.evaluate, ltr.tune."""

from __future__ import annotations

import argparse
from pathlib import Path

from ltr.config import command_line

TUNE_SHORTCUTS = ("objective", "ranker", "threads", "seed")


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
