"""python -m ltr.loop [--loop.sessions 20000] [--html FILE] [--json [FILE]] [--section.key VALUE …]

The whole loop on the demo shop: a ranker trained on few judgements, simulated shoppers at it, labels from their
clicks, a ranker retrained on both, interleaving and an A/B test, and the decision; each step's figures beside the
truth. Writes a page and a decision record. Status 0: promoted; 1: not; 2: the clicks could not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line


def main(argv: Sequence[str] | None = None) -> None:
    made = command_line.parser(__doc__)
    made.add_argument("--html", type=Path, help="the page to write; default: RUNS/NAME-loop/loop.html")
    made.add_argument("--json", help="the decision record to write; default: beside the page")
    given, config, own = command_line.read_settings_and(made, argv, "loop")

    from ltr.config.output import Stopwatch, say
    from ltr.experiments import decision_record
    from ltr.pipeline.loop import LoopSettings, play
    from ltr.reporting.experiments import publish

    watch = Stopwatch()
    page = given.html or Path(config.runs) / f"{config.name}-loop" / "loop.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    outcome = play(LoopSettings.read(own), config)
    command = command_line.as_typed("ltr.loop", argv)
    tried = "a ranker retrained on labels from clicks, against the one of few human judgements"
    record = decision_record(outcome, command, tried, None, None, None)
    publish(outcome, record, given.json or str(page.with_name("decision.json")), page, None)
    say(f"page: {page} ({watch})")
    raise SystemExit(outcome.status)


if __name__ == "__main__":
    command_line.run(main)
