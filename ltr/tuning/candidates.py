"""What one trial of a search may be: a kind of ranker with its settings, and the feature groups it sees."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from features.errors import InputError
from ltr.rankers import RANKERS, RankerSettings
from ltr.rankers.search_space import Choice, Range, describe, parse_range

Pick = Callable[[str, Range], Any]

GAINS = Choice(("exp", "linear"))
ON_OFF = Choice((True, False))
GROUP, PARAMS = "group.", "params."
ADAPTED = "adapted"  # the group of features that `embeddings.adapted` makes while a trial trains


class TuningConfig(BaseModel):
    """What `ltr.tune` searches, and how each trial is judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folds: int = Field(5, ge=2, description="of the training queries; fixed before the search")
    seed: int = Field(0, ge=0, lt=2**30, description="of folds and search")
    kinds: tuple[str, ...] = Field((), description="kinds of ranker to choose among; none: ranker.kind")
    space: dict[str, tuple[int | float | str, ...]] = Field(
        {}, description="[low, high], [low, high, log] or names, by setting (`params.x`: the library's own)"
    )
    groups: bool = Field(
        default=False,
        description="whether feature groups may be left out, and what `embeddings.adapted` learns",
    )
    gain: bool = Field(default=False, description="whether training's gain may be exp or linear")
    second: Literal["latency", "features"] | None = Field(
        None, description="a second thing to make small: µs per document scored, or number of features"
    )

    @field_validator("kinds")
    @classmethod
    def _with_a_space(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        tunable = _tunable()
        if wrong := [kind for kind in kinds if kind not in tunable]:
            raise ValueError(f"kinds among {', '.join(tunable)} (not {wrong[0]!r})")
        return kinds


@dataclass(frozen=True)
class Candidate:
    """What one trial fits."""

    ranker: RankerSettings
    groups: tuple[str, ...]

    @property
    def key(self) -> str:
        """Equal for candidates that fit alike."""
        parts = [self.ranker.model_dump(mode="json"), self.groups]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


class CandidateSpace:
    """Everything that a study may try, from the config's ranker, `tuning` and the table's feature groups.

    Settings that mean the same to all kinds share a name and a range, so that kinds learn from each other.
    """

    def __init__(self, ranker: RankerSettings, tuning: TuningConfig, groups: list[str]) -> None:
        if not ranker.search_space():
            *others, last = _tunable()
            got, cure = repr(ranker.kind), f"choose --ranker {', '.join(others)} or {last}"
            raise InputError(where="ranker.kind", expected="a ranker with a space", got=got, cure=cure)
        self._ranker, self._groups = ranker, groups
        self._bases = {kind: _as_kind(ranker, kind) for kind in tuning.kinds or (ranker.kind,)}
        _check_known(tuning.space, self._bases)
        self._spaces = {kind: _space_of(base, tuning.space) for kind, base in self._bases.items()}
        self._outer: dict[str, Range] = {}
        if len(self._bases) > 1:
            self._outer["kind"] = Choice(tuple(self._bases))
        if tuning.gain:
            self._outer["gain"] = GAINS
        if tuning.groups and len(groups) > 1:
            self._outer |= {GROUP + group: ON_OFF for group in groups}

    def candidate(self, pick: Pick) -> Candidate:
        """The candidate that `pick(name, range)` chooses; without groups where it leaves out every one."""
        chosen = {name: pick(name, span) for name, span in self._outer.items()}
        kind = chosen.get("kind", next(iter(self._bases)))
        values = {name: pick(name, span) for name, span in self._spaces[kind].items()}
        if "gain" in chosen:
            values["gain"] = chosen["gain"]
        groups = tuple(group for group in self._groups if chosen.get(GROUP + group, True))
        # Adapted cosines stand beside features; alone they are no table to train on.
        return Candidate(_with(self._bases[kind], values), () if groups == (ADAPTED,) else groups)

    def default(self) -> Candidate:
        """The config as it stands."""
        return Candidate(self._ranker, tuple(self._groups))

    def default_spans(self) -> dict[str, Range]:
        """The ranges that hold the default's value."""
        inner = self._spaces.get(self._ranker.kind, {})
        values = self._default_values(inner)
        return {name: span for name, span in (self._outer | inner).items() if values[name] in span}

    def default_params(self) -> dict[str, Any]:
        """The default's place in the space: those of its values that the space holds."""
        values = self._default_values(self._spaces.get(self._ranker.kind, {}))
        return {name: values[name] for name in self.default_spans()}

    def _default_values(self, inner: Mapping[str, Range]) -> dict[str, Any]:
        values: dict[str, Any] = {"kind": self._ranker.kind, "gain": self._ranker.gain}
        values |= {GROUP + group: True for group in self._groups}
        return values | {name: _value(self._ranker, name) for name in inner}

    def describe(self) -> dict[str, Any]:
        return {"all": describe(self._outer)} | {kind: describe(s) for kind, s in self._spaces.items()}


def _tunable() -> list[str]:
    """The kinds that say what a search may try."""
    return [kind for kind in RANKERS.names if RANKERS.settings_of(kind).model_validate({}).search_space()]


def _as_kind(ranker: RankerSettings, kind: str) -> RankerSettings:
    """Another kind of ranker with the settings that all know; objectives and params are each library's own."""
    if kind == ranker.kind:
        return ranker
    settings = RANKERS.settings_of(kind)
    shared = set(settings.model_fields) - {"kind", "objective", "params"}
    values = {name: value for name, value in ranker.model_dump().items() if name in shared}
    try:
        return settings.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(
            where=f"tuning.kinds, {kind}: {problem['loc'][0]}",
            expected=problem["msg"].removeprefix("Input should be "),
            got=repr(problem["input"]),
            cure=f"change ranker.{problem['loc'][0]}, or leave {kind} out",
        ) from error


def _check_known(space: Mapping[str, object], bases: Mapping[str, RankerSettings]) -> None:
    known = sorted({name for base in bases.values() for name in type(base).model_fields} - {"kind", "params"})
    for name in space:
        if name not in known and not name.startswith(PARAMS):
            near = difflib.get_close_matches(name, known, n=1)
            raise InputError(
                where="tuning.space",
                expected=f"settings of {' or '.join(bases)}",
                got=repr(name),
                cure=f"did you mean {near[0]!r}?" if near else f"choose among {', '.join(known)}",
            )


def _space_of(base: RankerSettings, given: Mapping[str, tuple[int | float | str, ...]]) -> dict[str, Range]:
    """The kind's own ranges with the config's over them; both ends are tried on the config class."""
    fields = type(base).model_fields
    spans = dict(base.search_space())
    for name, values in given.items():
        if name.startswith(PARAMS):
            spans[name] = parse_range(name, values, whole=all(isinstance(v, int) for v in values[:2]))
        elif name in fields:
            spans[name] = parse_range(name, values, whole=fields[name].annotation is int)
    for name, span in spans.items():
        _check_ends(base, name, span)
    return spans


def _check_ends(base: RankerSettings, name: str, span: Range) -> None:
    for end in span.options if isinstance(span, Choice) else (span.low, span.high):
        try:
            _with(base, {name: end})
        except ValidationError as error:
            expected = error.errors()[0]["msg"].removeprefix("Input should be ")
            raise InputError(
                where=f"tuning.space.{name}", expected=expected, got=repr(end), cure="narrow the range"
            ) from error


def _with(base: RankerSettings, values: Mapping[str, Any]) -> RankerSettings:
    own = {name: value for name, value in values.items() if not name.startswith(PARAMS)}
    params = {n.removeprefix(PARAMS): value for n, value in values.items() if n.startswith(PARAMS)}
    tree = base.model_dump() | own
    if params:
        tree["params"] = tree.get("params", {}) | params
    return type(base).model_validate(tree)


def _value(ranker: RankerSettings, name: str) -> Any:
    settings = ranker.model_dump()
    if name.startswith(PARAMS):
        return settings.get("params", {}).get(name.removeprefix(PARAMS))
    return settings[name]
