"""Open families of settings: each `kind` that a config can name, with what makes it; for encoders and rankers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticKnownError

from features.installed import require


class KindSettings(BaseModel):
    """The parent of a family's parent; a kind's own class narrows `kind` to one literal word, its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    packages: ClassVar[tuple[str, ...]] = ()
    """As imported: what this kind cannot do without; `extra` of the installation brings them."""
    extra: ClassVar[str] = "all"

    kind: str


Settings = TypeVar("Settings", bound=KindSettings)
Made = TypeVar("Made")


class Kinds(Generic[Settings, Made]):
    """The kinds of one family, by the word in their settings' `kind`; new ones may come at any time.

    parent: the class that every kind's settings derive from.
    """

    def __init__(self, parent: type[Settings]) -> None:
        self._parent = parent
        self._known: dict[str, tuple[type[Settings], Callable[..., Made]]] = {}

    def register(self, settings: type[Settings], make: Callable[..., Made]) -> None:
        """Make a kind known. settings: its `kind` is a Literal of one word, its default; make: called with them.

        Raises TypeError for a class of another family, ValueError for a kind taken by another class.
        """
        if not issubclass(settings, self._parent):
            raise TypeError(f"{settings.__name__} does not derive from {self._parent.__name__}")
        words = get_args(settings.model_fields["kind"].annotation)
        if len(words) != 1 or settings.model_fields["kind"].default != words[0]:
            raise ValueError(
                f"{settings.__name__}.kind is no Literal of one word with that word as its default"
            )
        taken = self._known.get(words[0])
        if taken is not None and taken[0] is not settings:
            raise ValueError(f"the kind {words[0]!r} is taken by {taken[0].__name__}")
        self._known[words[0]] = (settings, make)

    @property
    def names(self) -> list[str]:
        return sorted(self._known)

    @property
    def classes(self) -> list[type[Settings]]:
        """The settings' classes, by name of their kind."""
        return [self._known[name][0] for name in self.names]

    def settings_of(self, kind: str) -> type[Settings]:
        """The class of a kind's settings; KeyError for one that is not among `names`."""
        return self._known[kind][0]

    def make(self, settings: Settings, *more: Any) -> Made:
        """What the settings describe, made by what was registered with their class.

        Raises InputError where a package that the kind needs is not installed.
        """
        if not isinstance(settings, self._known.get(settings.kind, ((),))[0]):
            raise TypeError(f"{type(settings).__name__} is not registered")
        require(f"kind {settings.kind!r}", settings.packages, settings.extra)
        return self._known[settings.kind][1](settings, *more)

    def parse(self, value: object) -> Settings:
        """A mapping as its kind's class, for pydantic; looked up now, so that kinds registered later are known."""
        if isinstance(value, self._parent):
            return value
        if not isinstance(value, Mapping):
            raise PydanticKnownError("dict_type")
        kind = value.get("kind")
        if kind is None:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "'kind'"})
        if kind not in self._known:
            expected = ", ".join(map(repr, self.names))
            known = {"discriminator": "'kind'", "tag": str(kind), "expected_tags": expected}
            raise PydanticKnownError("union_tag_invalid", known)
        return self._known[kind][0].model_validate(value)
