"""python -m ltr.serve [--run RUN] [--port 8080] [--host 127.0.0.1] …

Serve a trained run: an HTTP API (/openapi.json describes it) and a search page. With no run: the newest of the demo
shop. Listens on loopback unless told otherwise; the token that other than searching needs is read from the variable
LTR_SERVE_TOKEN of the environment. Stop it by Ctrl-C: requests under way are finished first.
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
    given = command_line.read_given(made, argv)

    from ltr.serving.process import serve

    serve(given.run, from_options(ServeSettings, given))


if __name__ == "__main__":
    command_line.run(main)
