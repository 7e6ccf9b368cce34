"""Which rankers there are: each `kind` of the config with the class that it makes.

A new kind, also from outside this package, is a class of settings, a class of ranker and one call of `register`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator, SerializeAsAny, TypeAdapter

from features.errors import InputError
from features.kinds import Kinds
from ltr.rankers.protocol import Ranker, RankerSettings

Settings = TypeVar("Settings", bound=RankerSettings)

RANKERS: Kinds[RankerSettings, Ranker] = Kinds(RankerSettings)

# A field of this type reads a dict by its `kind` and writes every setting of that kind.
RankerConfig = Annotated[SerializeAsAny[RankerSettings], PlainValidator(RANKERS.parse)]


def register(settings: type[Settings], ranker_class: Callable[[Settings], Ranker]) -> None:
    """Make a kind of ranker known to every config read from now on.

    settings: its `kind` is a Literal of one word, its default. ranker_class: called with the settings; a function
    that imports the class first will do. Raises ValueError for a kind taken by another class.
    """
    RANKERS.register(settings, ranker_class)


def make_ranker(config: RankerSettings) -> Ranker:
    """The unfitted ranker of a config."""
    return RANKERS.make(config)


def parse_settings(value: Any) -> RankerSettings:
    """A mapping with a `kind` as that kind's settings; pydantic's ValidationError for what it refuses."""
    return TypeAdapter[RankerSettings](RankerConfig).validate_python(value)


def load_ranker(folder: Path) -> Ranker:
    """The fitted ranker that `save` wrote to the folder; InputError when there is none, or it is damaged."""
    try:
        about = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        return make_ranker(parse_settings(about["config"])).load(folder)
    except InputError:
        raise
    except Exception as error:  # whatever readers raise on files that a stranger wrote
        raise InputError(
            where=folder,
            expected="a saved ranker, as ltr.train wrote it",
            got=f"another ({type(error).__name__}: {str(error).partition(chr(10))[0]})",
            cure="copy the whole run folder again, or train it again",
        ) from error
