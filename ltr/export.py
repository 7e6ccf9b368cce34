"""python -m ltr.export [--run RUN] --target TARGET [--engine-version X] [--out FOLDER] [--json]

A run's model for another engine: elasticsearch-ltr, opensearch-ltr, vespa, onnx or treelite. The folder holds the
model, features.json (what the engine must supply), the engine's own definition of the features, and proof.json:
the written file scored by the engine's rules against the model, on judged lists and on rows at every threshold.
The version of a search engine has to be named, since versions differ in what they make of missing features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.config import command_line, output
from ltr.serving.arguments import of_export

if TYPE_CHECKING:
    from ltr.serving.exports import Proof


def main(argv: Sequence[str] | None = None) -> Proof:
    given = command_line.read_given(of_export(__doc__), argv)

    from ltr.runs.saved_run import SavedRun
    from ltr.serving.exports import export_run

    run = SavedRun.open(given.run)
    folder = given.out or Path("exports") / f"{given.run.name}-{given.target}"
    proof = export_run(run, given.target, given.engine_version, folder)
    if given.json:
        output.write_json(proof.to_dict())
        return proof
    output.say(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    output.say(
        f"proof by {proof.checked_by}: {proof.reordered_lists:,} of {proof.lists:,} lists reordered, scores differ "
        f"by at most {proof.max_difference:.2g}; on {proof.adversarial_rows:,} rows at and beside "
        f"{proof.thresholds_tried:,} of {proof.thresholds:,} thresholds by {proof.max_difference_adversarial:.2g}"
    )
    if proof.always_supplied:
        names = ", ".join(proof.always_supplied[:5]) + " …" * (len(proof.always_supplied) > 5)
        output.say(f"{proof.rule}: these must be supplied for every product: {names}")
    for said in proof.not_proven:
        output.say(f"not proven: {said}")
    return proof


if __name__ == "__main__":
    command_line.run(main)
