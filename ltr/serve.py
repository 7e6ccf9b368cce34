"""python -m ltr.serve [--run RUN] [--port 8080] [--host 127.0.0.1] …

python -m ltr.serve --promote RUN [--force] [--by NAME] | --roll-back | --renew-catalogue [--port 8080]

Serve a trained run: an HTTP API (/openapi.json describes it) and a search page. With no run: the newest of the demo
shop. Listens on loopback unless told otherwise; the token that other than searching needs is read from the variable
LTR_SERVE_TOKEN of the environment. Stop it by Ctrl-C: requests under way are finished first.

--promote tells a server that runs here to put another run in its place: one beside the first, whose newest decision
record (python -m ltr.experiment … --run RUN) says go, or by --force, which is recorded. --roll-back takes it back.
--renew-catalogue has it serve the catalogue as its files are now: products that are new, changed or gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line


def main(argv: Sequence[str] | None = None) -> None:
    from ltr.config.options import add_options, from_options
    from ltr.serving.settings import ServeSettings

    made = command_line.parser(__doc__, config=False)
    made.add_argument("--run", type=Path, help="a folder that ltr.train wrote; default: the newest demo run")
    add_options(made, ServeSettings)
    made.add_argument("--promote", metavar="RUN", help="tell the server at this port to serve that run")
    made.add_argument(
        "--roll-back", action="store_true", default=None, help="tell it to serve the run before again"
    )
    made.add_argument(
        "--renew-catalogue", action="store_true", help="tell it that the catalogue's files changed"
    )
    made.add_argument("--force", action="store_true", help="--promote without a decision to go live")
    made.add_argument("--by", default="", help="who decided, for the record")
    given = command_line.read_given(made, argv)
    command_line.require(given, "promote", "force")
    command_line.refuse_both(given, "promote", "roll_back", "renew_catalogue")
    command_line.refuse_both(given, "roll_back", "renew_catalogue")

    from ltr.serving.process import serve
    from ltr.serving.telling import promote, renew_catalogue, roll_back

    settings = from_options(ServeSettings, given)
    if given.promote is not None:
        promote(settings, given.promote, force=given.force, by=given.by)
    elif given.roll_back:
        roll_back(settings, by=given.by)
    elif given.renew_catalogue:
        renew_catalogue(settings, by=given.by)
    else:
        serve(given.run, settings)


if __name__ == "__main__":
    command_line.run(main)
