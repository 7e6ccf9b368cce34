"""python -m ltr.evaluate [--run RUN] [--judgements FILE] [--baseline RUN --fail-if-worse]

Measure a saved run without training. Alone: its held-out scores again, under the conventions asked for with
--evaluation.KEY VALUE. With new judgements (and --queries, and another catalogue, --products): its saved model
on them. New files use the column names that the run's config maps. With --without photos, also the model as if
the shop had none; what photos are worth to training is seen beside a run of ltr.train --without photos.

With --baseline, another run beside it: paired tests for all queries and by segment, and of what is shown.
--fail-if-worse ends with status 1 when the baseline is better beyond noise, in judged lists or in what is shown, or
a segment falls; with --tolerance .005 only a fall by more than that. --markdown FILE is fit for a pull request.

Another ranker's results are measured and judged alike, by trec_eval's conventions unless others are asked for:
--run-file theirs.trec --qrels qrels.txt [--baseline-file bm25.trec].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ltr.config import command_line, output
from ltr.runs.arguments import check_evaluate, next_of_evaluate, of_evaluate

if TYPE_CHECKING:
    from ltr.evaluation.systems import Measurement


def main(argv: Sequence[str] | None = None) -> Measurement:
    given, conventions = command_line.read_words(of_evaluate(__doc__), argv)
    check_evaluate(given)

    from features.disk import write_whole
    from ltr.evaluation.gate import to_markdown
    from ltr.reporting.console import print_gate
    from ltr.reporting.measured_run import measure_files, measure_saved_run
    from ltr.runs.measuring import NewFiles

    if given.run_file:
        found = measure_files(given.run_file, given.qrels, given.baseline_file, conventions)
    else:
        files = NewFiles(given.judgements, given.queries, given.products, given.without)
        found = measure_saved_run(given.run, given.baseline, files, conventions)
    verdict = found.verdict
    failures = print_gate(verdict, given.tolerance) if verdict and given.fail_if_worse else []
    if verdict and given.markdown:
        write_whole(given.markdown, to_markdown(verdict))
    if given.per_query:
        write_whole(given.per_query, found.measured.per_query.write_csv())
    if given.json:
        output.write_json({"run": str(given.run_file or given.run), **found.to_dict()})
    if failures:
        raise SystemExit(command_line.VERDICT_NO)
    output.note(f"next: {next_of_evaluate(given)}")
    return found.measured


if __name__ == "__main__":
    command_line.run(main)
