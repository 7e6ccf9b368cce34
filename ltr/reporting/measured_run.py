"""A run, or another ranker's files, measured and told: what `ltr.evaluate` does, with a verdict against a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ltr.config import output
from ltr.evaluation.gate import Verdict
from ltr.evaluation.systems import Measurement
from ltr.pipeline.run_files import measure_run_files
from ltr.reporting import console
from ltr.runs import measuring
from ltr.runs.saved_run import SavedRun, check_held_out


def measure_saved_run(
    folder: Path, baseline: Path | None, files: measuring.NewFiles, conventions: Mapping[str, Any]
) -> tuple[Measurement, Verdict | None]:
    """A run's held-out scores, or its model on new files; the verdict where there is a baseline run."""
    run = SavedRun.open(folder)
    if baseline and not files.judgements:
        check_held_out(baseline)
    config = measuring.with_conventions(run, conventions)
    scored = measuring.score_run(run, config, files)
    if files.judgements:
        console.print_cleaning(scored.collection)
    measured = scored.measure(config.evaluation)
    console.print_measurement(measured, config.evaluation)
    if not baseline:
        return measured, None
    theirs = measuring.score_baseline(baseline, scored, files)
    verdict = measuring.judge_runs((folder.name, baseline.name), scored, theirs, config.evaluation)
    console.print_verdict(verdict)
    return measured, verdict


def measure_files(
    run: Path, qrels: Path, baseline: Path | None, conventions: Mapping[str, Any]
) -> tuple[Measurement, Verdict | None]:
    """Another ranker's results in TREC's form; the verdict where there is a baseline's file."""
    found = measure_run_files(run, qrels, baseline, conventions)
    for note in found.notes:
        output.say(note)
    console.print_measurement(found.measured, found.evaluation)
    if found.verdict:
        console.print_verdict(found.verdict)
    return found.measured, found.verdict
