"""shop-ltr COMMAND …: all commands under one name; `shop-ltr COMMAND --help` says what each takes.

Exit codes of every command: 0 fine, 1 the verdict says no, 2 cannot judge or bad usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence

from ltr import __version__
from ltr.config import command_line

COMMANDS = {
    "init": "from the shop's own files to a first config",
    "check": "the data doctor: what would spoil training, or flatter its measurement",
    "build_features": "features into the store",
    "train": "a ranker, measured on queries it has not seen, and its run folder",
    "tune": "search for better settings",
    "evaluate": "a run on its held-out or on new queries; the gate against another run",
    "judge_next": "which products that a run shows to judge next",
    "rank": "one query's results",
    "serve": "an HTTP API and a search page over a run",
    "explain": "what each result's score is made of",
    "compare": "products side by side",
    "compare_fusion": "features, decisions or one network: which fusion wins where",
    "export": "a run's model for another engine, with the proof that it scores alike there",
    "runs": "all runs on a page, or two side by side",
    "recommend": "what comes next for a session or shopper, or after a product",
    "label_clicks": "judgements from what shoppers clicked, carted and bought",
    "loop": "the whole loop on the demo shop: judgements, shoppers, labels, retraining, experiment",
    "experiment": "is a new ranker better for shoppers?",
    "fit_encoder": "an image or quick text encoder fitted on the shop's own catalogue",
    "ingest_events": "what shoppers did, from the log into the store, counted for features",
    "erase_person": "one person out of log, store, counts and all versions",
    "settings": "every setting, its default and what it is",
}
_MODULES = {"runs": "ltr.runs.__main__"}  # the room of runs is its own door
_COMPLETION = (
    'shell completion: eval "$(register-python-argcomplete shop-ltr)" in your shell\'s start-up file'
)


def main(argv: Sequence[str] | None = None) -> None:
    """Hand the words to a command's own `main`."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "_ARGCOMPLETE" in os.environ:
        words = _words_to_complete()
    match words:
        case [] | ["-h" | "--help", *_]:
            width = max(map(len, COMMANDS))
            commands = "\n".join(f"  {name:<{width}}  {about}" for name, about in COMMANDS.items())
            sys.stdout.write(f"{(__doc__ or '').strip()}\n\n{commands}\n\n  --version\n\n{_COMPLETION}\n")
        case ["--version", *_]:
            sys.stdout.write(f"shop-ltr {__version__}\n")
        case [command, *rest] if command.replace("-", "_") in COMMANDS:
            name = command.replace("-", "_")
            sys.argv = [f"shop-ltr {name}", *rest]
            command_line.run(importlib.import_module(_MODULES.get(name, f"ltr.{name}")).main, rest)
        case [command, *_]:
            near = difflib.get_close_matches(command.replace("-", "_"), COMMANDS, n=1)
            cure = f"did you mean {near[0]}?" if near else "see shop-ltr --help"
            sys.stderr.write(f"error: command line: expected a command, got {command!r}; {cure}\n")
            sys.exit(command_line.CANNOT_JUDGE)


def _words_to_complete() -> list[str]:
    """The command line that the shell asks about; the commands themselves are answered here."""
    words = os.environ["COMP_LINE"].split()
    if len(words) > 1 and words[1] in COMMANDS:
        os.environ["_ARGCOMPLETE"] = "2"  # so many words stand before the command's own
        return words[1:]
    import argparse

    import argcomplete

    made = argparse.ArgumentParser()
    made.add_argument("command", choices=list(COMMANDS))
    argcomplete.autocomplete(made)
    return []


if __name__ == "__main__":
    main()
