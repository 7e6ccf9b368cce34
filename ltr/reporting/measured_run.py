"""A run, or another ranker's files, measured and told: what `ltr.evaluate` does, with a verdict against a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ltr.config import output
from ltr.evaluation.gate import Verdict
from ltr.evaluation.per_query import EvaluationConfig
from ltr.evaluation.systems import Measurement
from ltr.pipeline.run_files import measure_run_files
from ltr.reporting import console
from ltr.runs import measuring
from ltr.runs.record import SHOWN, shown_figures
from ltr.runs.saved_run import SavedRun, check_held_out


class Measured(NamedTuple):
    """What a run is worth on judged lists, by these conventions; the verdict where there is a baseline run.

    shown: what is shown, where lists are as they are served and it is known.
    """

    measured: Measurement
    evaluation: EvaluationConfig
    verdict: Verdict | None = None
    shown: Measurement | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for programs."""
        return {
            "summary": self.measured.summary.to_dicts(),
            "tests": self.measured.tests.to_dicts(),
            "shown": self.shown and shown_figures(self.shown, self.evaluation),
            "verdict": self.verdict and self.verdict.to_dict(),
        }


_BY_OTHERS = (
    "what is shown is not told: the run has kept its measures by other conventions, or none; train it anew, or measure "
    "it on new judgements (--judgements FILE)"
)


def measure_saved_run(
    folder: Path, baseline: Path | None, files: measuring.NewFiles, conventions: Mapping[str, Any]
) -> Measured:
    """A run's held-out scores, or its model on new files."""
    run = SavedRun.open(folder)
    if baseline and not files.judgements:
        check_held_out(baseline)
    config = measuring.with_conventions(run, conventions)
    scored = measuring.score_run(run, config, files)
    if files.judgements:
        console.print_cleaning(scored.collection)
    measured = scored.measure(config.evaluation)
    if scored.shown is None and (folder / SHOWN).is_file():
        output.say(_BY_OTHERS)
    else:
        console.print_shown(scored.shown, config.evaluation)
    console.print_measurement(measured, config.evaluation)
    if not baseline:
        return Measured(measured, config.evaluation, shown=scored.shown)
    theirs = measuring.score_baseline(baseline, scored, config, files)
    verdict = measuring.judge_runs((folder.name, baseline.name), scored, theirs, config.evaluation)
    console.print_verdict(verdict)
    if scored.shown and not verdict.shown:
        output.say(f"what is shown is not compared: {baseline} has kept no such figures by this convention")
    return Measured(measured, config.evaluation, verdict, scored.shown)


def measure_files(run: Path, qrels: Path, baseline: Path | None, conventions: Mapping[str, Any]) -> Measured:
    """Another ranker's results in TREC's form; the verdict where there is a baseline's file."""
    found = measure_run_files(run, qrels, baseline, conventions)
    for note in found.notes:
        output.say(note)
    console.print_measurement(found.measured, found.evaluation)
    if found.verdict:
        console.print_verdict(found.verdict)
    return Measured(found.measured, found.evaluation, found.verdict)
