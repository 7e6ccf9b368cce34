"""python -m ltr.loop [--loop.sessions 20000] [--loop.shop_at server] [--html FILE] [--json FILE] [--section.key VALUE]

The whole loop on the demo shop: a ranker trained on few judgements, simulated shoppers at it, labels from their
clicks, a ranker retrained on both, interleaving and an A/B test, and the decision; each step's figures beside the
truth. Leaves both rankers as runs, a page, and a decision record in the new run, by which ltr.serve promotes it. With
--loop.shop_at server the shoppers shop at a server over HTTP. Status 0: promoted; 1: not; 2: clicks could not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ltr.config import command_line


def main(argv: Sequence[str] | None = None) -> None:
    made = command_line.parser(__doc__)
    made.add_argument("--html", type=Path, help="the page to write; default: RUNS/NAME-loop/loop.html")
    made.add_argument("--json", help="the decision record to write; default: beside the page")
    given, config, own = command_line.read_settings_and(made, argv, "loop")

    from ltr.config.output import Stopwatch, say
    from ltr.experiments import decision_record
    from ltr.pipeline.loop import LoopSettings, play, put_in_place
    from ltr.reporting.experiments import publish
    from ltr.runs.training import train_run

    watch, settings = Stopwatch(), LoopSettings.read(own)
    page = given.html or Path(config.runs) / f"{config.name}-loop" / "loop.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    command = command_line.as_typed("ltr.loop", argv)
    played = play(settings, config, partial(train_run, command=command), page.parent)
    tried = "a ranker retrained on labels from clicks, against the one of few human judgements"
    record = decision_record(played.outcome, command, tried, None, None, None)
    publish(played.outcome, record, given.json or str(page.with_name("decision.json")), page, played.new)
    if played.new and played.outcome.says == "yes":
        if settings.shop_at == "server":
            say(
                f"a server of {played.old} was told to promote it: {put_in_place(played.old, played.new)} answers now"
            )
        say(
            f"next: python -m ltr.serve --run {played.old}, and beside it: ltr.serve --promote {played.new.name}"
        )
    say(f"page: {page} ({watch})")
    raise SystemExit(played.outcome.status)


if __name__ == "__main__":
    command_line.run(main)
