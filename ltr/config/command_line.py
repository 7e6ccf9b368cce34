"""What every command shares: `--config FILE --section.key VALUE …`, one clear line on bad input, exit codes.

Words are parsed before anything large is imported, so that `--help` and a typo are answered at once.
"""

from __future__ import annotations

import argparse
import difflib
import io
import os
import re
import shlex
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from features.errors import InputError, visible
from features.secrets import MASK, masked_address, scrub
from ltr.config import output
from ltr.config.settings import check_names, choices, sections, settings

if TYPE_CHECKING:
    from ltr.config.tree import Config

FINE, VERDICT_NO, CANNOT_JUDGE, STOPPED = 0, 1, 2, 130  # exit codes

_TAKEN = "an argument of this command, or --section.key VALUE"
DEMO_CONFIG = Path(__file__).resolve().parents[1] / "demo" / "demo.yaml"

# Short names of the settings that people change most.
SHORTCUTS = {
    "ranker": "ranker.kind",
    "objective": "ranker.objective",
    "device": "ranker.device",
    "threads": "ranker.threads",
    "seed": "ranker.seed",
    "folds": "split.folds",
    "without": "features.without",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as for any other input."""

    def error(self, message: str) -> NoReturn:
        self.exit(CANNOT_JUDGE, f"error: command line: {visible(scrub(message))}; see --help\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does it, but for words that it does not know: they are told with the nearest it does."""
        given, odd = self.parse_known_args(args, namespace)
        if odd:
            raise _unknown(odd[0], self.options())
        return given

    def options(self) -> list[str]:
        """All that begins with a dash, of sub-commands, too."""
        below = [one for action in self._actions for one in _parsers_of(action)]
        return [*self._option_string_actions, *(word for one in below for word in one.options())]


def _parsers_of(action: argparse.Action) -> list[_Parser]:
    choices = action.choices if isinstance(action.choices, dict) else {}
    return [one for one in choices.values() if isinstance(one, _Parser)]


def _unknown(word: str, known: Sequence[str], taken: str = "an argument of this command") -> InputError:
    """The error for a word that nothing takes, with the nearest that something takes."""
    name = word.partition("=")[0]
    bare = {one.lstrip("-"): one for one in known}  # or the dashes alone would make all alike
    near = difflib.get_close_matches(name.lstrip("-").replace("_", "-"), bare, n=1)
    meant = bare[near[0]] if near and name.startswith("-") else None
    return misuse(taken, repr(scrub(word)), f"did you mean {meant}?" if meant else "see --help")


def parser(doc: str | None, *, config: bool = True, json: bool = False) -> argparse.ArgumentParser:
    """An argument parser with what all commands have; config: for those that start from one; json: that print it."""
    made = _Parser(
        prog=_program(doc),
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if config:
        made.add_argument(
            "--config", type=Path, default=DEMO_CONFIG, help="a YAML file; default: the demo shop"
        )
    if json:
        made.add_argument("--json", action="store_true", help="print JSON for programs, all else on stderr")
    made.add_argument("--quiet", action="store_true", help="print results and warnings alone")
    made.add_argument("--verbose", action="store_true", help="print details on the way")
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return made


def _program(doc: str | None) -> str | None:
    """The command as typed: `shop-ltr train`, or what its description begins with."""
    if sys.argv[0].startswith("shop-ltr "):
        return sys.argv[0]
    found = re.match(r"python -m [\w.]+", doc or "")
    return found[0] if found else None


def add_shortcuts(made: argparse.ArgumentParser, names: Sequence[str]) -> None:
    for name in names:
        words = choices(SHORTCUTS[name])
        among = f": {', '.join(words)}" if words else ""
        made.add_argument(f"--{name}", help=f"short for --{SHORTCUTS[name]}{among}")


def add_run(made: argparse.ArgumentParser) -> None:
    help_text = "a folder that ltr.train wrote; default: the demo shop's"
    made.add_argument("--run", type=Path, default=Path("runs/demo-lightgbm"), help=help_text)


def config_words(given: argparse.Namespace) -> str:
    """` --config FILE` as it was given, for the line that names the next command; nothing for the demo shop."""
    return "" if given.config == DEMO_CONFIG else f" --config {given.config}"


def misuse(expected: str, got: str, cure: str) -> InputError:
    """The error for words that a command cannot do anything with."""
    return InputError(where="command line", expected=expected, got=got, cure=cure)


def one_or_more(text: str) -> int:
    """An argument's type: a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise misuse("a whole number of 1 or more", repr(text), "ask for one or more")
    return int(text)


def require(given: argparse.Namespace, needed: str, *others: str) -> None:
    """Raise InputError where one of the others is given without what it needs."""
    for other in others:
        if getattr(given, other) not in (None, False) and getattr(given, needed) is None:
            said = f"--{needed} beside --{other}".replace("_", "-")
            raise misuse(said, "none", f"add --{needed}".replace("_", "-"))


def refuse_both(given: argparse.Namespace, one: str, *others: str) -> None:
    """Raise InputError where one argument stands beside another that would go unheard."""
    for other in others:
        if getattr(given, one) is not None and getattr(given, other):
            raise misuse(f"--{one} or --{other}".replace("_", "-"), "both", "drop one")


def read_words(
    made: argparse.ArgumentParser, argv: Sequence[str] | None
) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Parse a command line, have what follows shown as it asks, and read its `--section.key VALUE` pairs."""
    if "_ARGCOMPLETE" in os.environ:
        _complete(made)
    own, pairs = _split(made, list(sys.argv[1:] if argv is None else argv))
    given, odd = made.parse_known_args(own)
    if odd:
        settles = any(action.dest == "config" for action in made._actions)
        if settles and any(one.name == odd[0] for one in settings()):
            raise misuse(_TAKEN, repr(odd[0]), f"did you mean --{odd[0]}?")
        raise _unknown(odd[0], list(made._option_string_actions))
    alone = getattr(given, "json", False) in (True, "-")  # a file's name leaves stdout to people
    output.install(quiet=given.quiet, verbose=given.verbose, json_on_stdout=alone)
    return given, parse_overrides(pairs)


def _complete(made: argparse.ArgumentParser) -> None:
    """Answer the shell, which asks what could come next: arguments, and settings by their dotted names."""
    import argcomplete

    if any(action.dest == "config" for action in made._actions):
        for one in {one.name: one for one in settings()}.values():
            made.add_argument(
                f"--{one.name}", help=one.about.replace("%", "%%"), choices=choices(one.name) or None
            )
    argcomplete.autocomplete(made)


def _split(made: argparse.ArgumentParser, words: list[str]) -> tuple[list[str], list[str]]:
    """The words that the parser knows, and `--section.key VALUE` pairs, whose values might pass for its own."""
    known = made._option_string_actions
    own: list[str] = []
    pairs: list[str] = []
    while words:
        word = words.pop(0)
        if not word.startswith("--") or word.partition("=")[0] in known:
            own.append(word)
            continue
        pairs += [word] if "=" in word or not words else [word, words.pop(0)]
    return own, pairs


def read_given(made: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line of a command that takes no settings: a run's were settled in training."""
    given, overrides = read_words(made, argv)
    if overrides:
        raise _unknown(f"--{next(iter(overrides))}", list(made._option_string_actions))
    return given


def read_settings(
    made: argparse.ArgumentParser, argv: Sequence[str] | None
) -> tuple[argparse.Namespace, Config]:
    """Parse the command line of a command that starts from a config."""
    given, config, _ = read_settings_and(made, argv)
    return given, config


def read_settings_and(
    made: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    *sections: str,
    check: Callable[[argparse.Namespace, Mapping[str, Any]], None] = lambda *_: None,
) -> tuple[argparse.Namespace, Config, dict[str, Any]]:
    """As `read_settings`; third, `--section.key VALUE` of sections that are the command's own, by key.

    check: raises InputError for arguments that cannot be used, alone or beside the pairs that were given, before the
    settings are read.
    """
    given, overrides = read_words(made, argv)
    check(given, overrides)

    from ltr.config.yaml_files import parse_yaml, read_yaml

    _refuse_no_settings(overrides, made)
    own = [name for name in overrides if name.partition(".")[0] in sections]
    kept = {name.partition(".")[2]: overrides.pop(name) for name in own}
    for name, dotted in SHORTCUTS.items():
        if getattr(given, name, None) is not None:
            overrides[dotted] = parse_yaml(getattr(given, name), f"command line, --{name}")
    if "split.folds" in overrides:
        overrides.setdefault("split.kind", "folds")

    if "ltr.config.tree" not in sys.modules:  # a typo is answered before that is imported
        check_names(overrides, "command line")
        read_yaml(given.config)

    from ltr.config.tree import read_config  # all rankers and encoders: seconds

    return given, read_config(given.config, overrides), kept


def _refuse_no_settings(overrides: Mapping[str, Any], made: argparse.ArgumentParser) -> None:
    """Raise InputError for a word without a dot that is no section of the settings: it was to be an argument."""
    known = [*made._option_string_actions, *(f"--{name}" for name in sections())]
    for name in overrides:
        if "." in name or name in sections():
            continue
        if name == "run":
            cure = "this command starts from a shop's files: name their config by --config"
            raise misuse(_TAKEN, repr(f"--{name}"), cure)
        ends = [one.name for one in settings() if one.name.rpartition(".")[2] == name.replace("-", "_")]
        if ends:
            raise misuse(_TAKEN, repr(f"--{name}"), f"did you mean --{ends[0]}?")
        raise _unknown(f"--{name}", known, _TAKEN)


def as_typed(module: str, argv: Sequence[str] | None) -> str:
    """The command for people to read and repeat: without the secrets among its words."""
    words: list[str] = []
    masked = False
    for word in argv or []:
        name, equals, value = word.partition("=")
        given = name + equals if word.startswith("--") else ""
        rest = value if given else word
        shown = masked_address(rest) if "://" in rest else scrub(rest)
        words.append(MASK if masked else given + (MASK if equals and _is_secret(name) else shown))
        masked = not masked and _is_secret(name) and not equals
    return f"python -m {module} {shlex.join(words)}"


def _is_secret(name: str) -> bool:
    """Whether what is given by this name may hold a secret in any form."""
    return name == "--store" or name.startswith("--store.storage_options")


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """`--section.key VALUE` pairs; values are read as YAML (`5`, `true`, `[1, 10]`)."""
    from ltr.config.yaml_files import parse_yaml

    overrides: dict[str, Any] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not (equals or queue):
            raise misuse("--section.key VALUE", repr(scrub(word)), "see --help")
        value = value if equals else queue.pop(0)
        literal = name.startswith("store.storage_options.")  # no password is YAML
        overrides[name] = value if literal else parse_yaml(value, f"command line, --{name}")
    return overrides


def run(main: Callable[[Sequence[str] | None], object], argv: Sequence[str] | None = None) -> None:
    """Run a command: InputError becomes one line and status 2; --debug shows where it came from."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an ASCII terminal, too, shows what it can
    try:
        main(words)
    except KeyboardInterrupt:
        _heed_no_second()
        sys.stderr.write("stopped; what was finished is kept, run the same command to go on\n")
        sys.exit(STOPPED)
    except Exception as error:
        if isinstance(error, InputError | OSError) and "--debug" not in words:
            sys.stderr.write(f"error: {visible(scrub(_in_a_line(error)))}\n")
            sys.exit(CANNOT_JUDGE)
        trace = traceback.format_exc()
        if scrub(trace) == trace:
            raise
        sys.stderr.write(scrub(trace))
        sys.exit(CANNOT_JUDGE)


def _heed_no_second() -> None:
    """Have one Ctrl-C told once: libraries raise it beside Python. Another, a second later, ends all at once."""
    began = time.monotonic()

    def again(*_: object) -> None:
        if time.monotonic() > began + 1:
            os._exit(STOPPED)

    while threading.current_thread() is threading.main_thread():
        try:
            signal.signal(signal.SIGINT, again)
        except KeyboardInterrupt:
            continue
        return


def _in_a_line(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    problem = " ".join(re.sub(r"\x1b\[\d+m|↳", "", error.strerror or str(error)).split())
    return f"{where}{problem}; check the path, your rights to it and the space left"
