"""python -m ltr.evaluate [--run RUN] [--judgements FILE] [--baseline RUN --fail-if-worse]

Measure a saved run without training. Alone: its held-out scores again, under the conventions asked for with
--evaluation.KEY VALUE. With new judgements (and --queries, and another catalogue, --products): its saved model
on them. New files use the column names that the run's config maps.

With --baseline, another run beside it: paired tests for all queries and by segment. --fail-if-worse ends with
status 1 when the baseline is better beyond noise or a segment falls; --markdown FILE is fit for a pull request.

Another ranker's results are measured and judged alike, by trec_eval's conventions unless others are asked for:
--run-file theirs.trec --qrels qrels.txt [--baseline-file bm25.trec].
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.disk import write_whole
from ltr.config import command_line, output

if TYPE_CHECKING:
    from ltr.evaluation.gate import Verdict
    from ltr.evaluation.systems import Measurement


def main(argv: Sequence[str] | None = None) -> Measurement:
    given, overrides = command_line.read_words(_arguments(), argv)
    if not given.baseline_file:
        command_line.require(given, "baseline", "fail_if_worse", "markdown")
    command_line.require(given, "judgements", "queries", "products")
    command_line.require(given, "qrels", "run_file")
    command_line.require(given, "run_file", "qrels", "baseline_file")
    command_line.refuse_both(given, "run_file", "judgements", "baseline")
    measured, verdict = (_measure_files if given.run_file else _measure_run)(given, overrides)
    if given.per_query:
        write_whole(given.per_query, measured.per_query.write_csv())
    if given.json:
        summary = {"summary": measured.summary.to_dicts(), "tests": measured.tests.to_dicts()}
        run = str(given.run_file or given.run)
        output.write_json({"run": run, **summary, "verdict": verdict and verdict.to_dict()})
    if verdict and given.fail_if_worse and verdict.failures:
        raise SystemExit(command_line.VERDICT_NO)
    return measured


def _measure_run(
    given: argparse.Namespace, overrides: Mapping[str, Any]
) -> tuple[Measurement, Verdict | None]:
    from ltr.reporting import console
    from ltr.runs import measuring
    from ltr.runs.saved_run import SavedRun, check_held_out

    run = SavedRun.open(given.run)
    files = measuring.NewFiles(given.judgements, given.queries, given.products)
    if given.baseline and not given.judgements:
        check_held_out(given.baseline)
    config = measuring.with_conventions(run, overrides)
    scored = measuring.score_run(run, config, files)
    if given.judgements:
        console.print_cleaning(scored.collection)
    measured, verdict = scored.measure(config.evaluation), None
    console.print_measurement(measured, config.evaluation)
    if given.baseline:
        theirs = measuring.score_baseline(given.baseline, scored, files)
        names = (given.run.name, given.baseline.name)
        verdict = measuring.judge_runs(names, scored, theirs, config.evaluation)
        _print_verdict(given, verdict)
    return measured, verdict


def _measure_files(
    given: argparse.Namespace, overrides: Mapping[str, Any]
) -> tuple[Measurement, Verdict | None]:
    from ltr.pipeline.run_files import measure_run_files
    from ltr.reporting.console import print_measurement

    found = measure_run_files(given.run_file, given.qrels, given.baseline_file, overrides)
    for note in found.notes:
        output.say(note)
    print_measurement(found.measured, found.evaluation)
    if found.verdict:
        _print_verdict(given, found.verdict)
    return found.measured, found.verdict


def _arguments() -> argparse.ArgumentParser:
    made = command_line.parser(__doc__, config=False, json=True)
    command_line.add_run(made)
    made.add_argument("--queries", type=Path, help="new queries")
    made.add_argument("--judgements", "--judgments", type=Path, help="grades of products for queries")
    made.add_argument("--products", type=Path, help="another catalogue")
    made.add_argument("--baseline", type=Path, help="a run to compare with")
    made.add_argument("--run-file", type=Path, help="another ranker's results, as TREC's run; with --qrels")
    made.add_argument("--qrels", type=Path, help="judgements, as TREC's qrels")
    made.add_argument("--baseline-file", type=Path, help="a run in TREC's form to compare with")
    made.add_argument("--per-query", type=Path, help="where to write each query's measures, as CSV")
    made.add_argument("--fail-if-worse", action="store_true", help="status 1 when the baseline is better")
    made.add_argument("--markdown", type=Path, help="where to write the comparison")
    return made


def _print_verdict(given: argparse.Namespace, verdict: Verdict) -> None:
    from ltr.evaluation.gate import to_markdown
    from ltr.reporting.console import print_verdict

    print_verdict(verdict)
    if given.markdown:
        write_whole(given.markdown, to_markdown(verdict))
    if given.fail_if_worse and verdict.failures:
        output.say(f"FAIL: worse than {verdict.baseline} beyond noise: {', '.join(verdict.failures)}")


if __name__ == "__main__":
    command_line.run(main)
