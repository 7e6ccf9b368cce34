"""python -m ltr.evaluate [--run RUN] [--judgements FILE] [--baseline RUN --fail-if-worse]

Measure a saved run without training. Alone: its held-out scores again, under the conventions asked for with
--evaluation.KEY VALUE. With new judgements (and --queries, and another catalogue, --products): its saved model
on them. New files use the column names that the run's config maps.

With --baseline, another run beside it: paired tests for all queries and by segment. --fail-if-worse ends with
status 1 when the baseline is better beyond noise or a segment falls; --markdown FILE is fit for a pull request.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.config import command_line, output

if TYPE_CHECKING:
    from ltr.evaluation.gate import Verdict
    from ltr.evaluation.systems import Measurement


def main(argv: Sequence[str] | None = None) -> Measurement:
    given, overrides = command_line.read_words(_arguments(), argv)
    command_line.require(given, "baseline", "fail_if_worse", "markdown")
    command_line.require(given, "judgements", "queries", "products")

    from ltr.reporting import console
    from ltr.runs import measuring
    from ltr.runs.saved_run import SavedRun, check_held_out

    run = SavedRun.open(given.run)
    files = measuring.NewFiles(given.judgements, given.queries, given.products)
    if given.baseline and not given.judgements:
        check_held_out(given.baseline)
    config = measuring.with_conventions(run, overrides)
    scored = measuring.score_run(run, config, files)
    console.print_cleaning(scored.collection)
    measured, verdict = scored.measure(config.evaluation), None
    console.print_measurement(measured, config.evaluation)
    if given.baseline:
        theirs = measuring.score_baseline(given.baseline, scored, files)
        names = (given.run.name, given.baseline.name)
        verdict = measuring.judge_runs(names, scored, theirs, config.evaluation)
        _print_verdict(given, verdict)
    if given.json:
        summary = {"summary": measured.summary.to_dicts(), "tests": measured.tests.to_dicts()}
        output.write_json({"run": str(given.run), **summary, "verdict": verdict and verdict.to_dict()})
    if verdict and given.fail_if_worse and verdict.failures:
        raise SystemExit(command_line.VERDICT_NO)
    return measured


def _arguments() -> argparse.ArgumentParser:
    made = command_line.parser(__doc__, config=False, json=True)
    command_line.add_run(made)
    made.add_argument("--queries", type=Path, help="new queries")
    made.add_argument("--judgements", "--judgments", type=Path, help="grades of products for queries")
    made.add_argument("--products", type=Path, help="another catalogue")
    made.add_argument("--baseline", type=Path, help="a run to compare with")
    made.add_argument("--fail-if-worse", action="store_true", help="status 1 when the baseline is better")
    made.add_argument("--markdown", type=Path, help="where to write the comparison")
    return made


def _print_verdict(given: argparse.Namespace, verdict: Verdict) -> None:
    from features.disk import write_whole
    from ltr.evaluation.gate import to_markdown
    from ltr.reporting.console import print_verdict

    print_verdict(verdict)
    if given.markdown:
        write_whole(given.markdown, to_markdown(verdict))
    if given.fail_if_worse and verdict.failures:
        output.say(f"FAIL: worse than {given.baseline} beyond noise: {', '.join(verdict.failures)}")


if __name__ == "__main__":
    command_line.run(main)
