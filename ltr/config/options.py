"""Command-line options from a settings model: one for each field, with its description as help."""

from __future__ import annotations

import argparse
import types
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from features.errors import InputError

Settings = TypeVar("Settings", bound=BaseModel)


def add_options(arguments: argparse.ArgumentParser, model: type[BaseModel]) -> None:
    """`--some-field VALUE` for each field; a tuple takes several values, at once or one by one, a boolean none."""
    for name, field in model.model_fields.items():
        arguments.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            required=field.is_required(),
            help=(field.description or "").replace("%", "%%"),
            **_shape(field),
        )


def _shape(field: FieldInfo) -> dict[str, Any]:
    if field.annotation is bool:
        return {"action": "store_true", "default": None}
    kind: Any = field.annotation
    if isinstance(kind, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is tuple:
        return {"nargs": "+", "metavar": "VALUE", "action": "extend"}
    return {"metavar": "VALUE"}


def from_options(model: type[Settings], given: argparse.Namespace) -> Settings:
    """The settings that were given; InputError in one line for what the model refuses."""
    chosen = {name: getattr(given, name) for name in model.model_fields if getattr(given, name) is not None}
    try:
        return model.model_validate(chosen)
    except ValidationError as error:
        problem = error.errors()[0]
        said = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        if not problem["loc"]:  # of the options together: the model says in a sentence what is missing
            raise InputError(
                where="command line", expected="options that go together", got="others", cure=said
            ) from error
        raise InputError(
            where=f"--{str(problem['loc'][0]).replace('_', '-')}",
            expected=said[:1].lower() + said[1:],
            got=repr(problem["input"]),
            cure="see --help",
        ) from error
