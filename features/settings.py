"""Which groups of features there are, in the order of their columns, and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, field_validator
from pydantic_core import PydanticKnownError

from features.behaviour.settings import BehaviourConfig
from features.groups.behaviour import BehaviourGroup
from features.groups.graph import GraphConfig, GraphGroup
from features.groups.history import HistoryConfig, HistoryGroup
from features.groups.lexical import LexicalConfig, LexicalGroup
from features.groups.protocol import known_groups, register
from features.groups.similarity import SimilarityConfig, SimilarityGroup
from features.groups.structured import StructuredConfig, StructuredGroup
from features.groups.word_by_word.asked_words import AskedWordsConfig, AskedWordsGroup
from features.groups.word_by_word.shown_words import ShownWordsConfig, ShownWordsGroup

for _group in (
    *(LexicalGroup, SimilarityGroup, ShownWordsGroup, AskedWordsGroup, StructuredGroup),
    *(BehaviourGroup, HistoryGroup, GraphGroup),
):
    register(_group)

_OWN_GROUPS = (
    *("lexical", "similarity", "shown_words", "asked_words", "structured"),
    *("behaviour", "history", "graph"),
)
_NAMED = {"photos": "image", "photo": "image"}  # what people call a group


def _parse_others(value: object) -> dict[str, BaseModel]:
    """Settings of registered groups by kind; looked up now, so that kinds registered later are known too."""
    if not isinstance(value, Mapping):
        raise PydanticKnownError("dict_type")
    known = known_groups()
    for kind in value:
        if kind not in known or kind in FeaturesConfig.model_fields:
            others = ", ".join(repr(k) for k in known if k not in FeaturesConfig.model_fields) or "none"
            found = {"discriminator": "'others'", "tag": str(kind), "expected_tags": others}
            raise PydanticKnownError("union_tag_invalid", found)
    return {
        kind: given if isinstance(given, BaseModel) else known[kind].settings.model_validate(given or {})
        for kind, given in value.items()
    }


def _dump_others(others: Mapping[str, BaseModel]) -> dict[str, Any]:
    return {kind: settings.model_dump(mode="json") for kind, settings in others.items()}


class FeaturesConfig(BaseModel):
    """Groups of features: a section of settings, or `false` to leave the group out."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    lexical: LexicalConfig | None = LexicalConfig()
    similarity: SimilarityConfig | None = SimilarityConfig()
    shown_words: ShownWordsConfig | None = ShownWordsConfig()
    asked_words: AskedWordsConfig | None = AskedWordsConfig()
    structured: StructuredConfig | None = StructuredConfig()
    behaviour: BehaviourConfig | None = None
    history: HistoryConfig | None = None
    graph: GraphConfig | None = None
    others: Annotated[
        dict[str, BaseModel], PlainValidator(_parse_others), PlainSerializer(_dump_others)
    ] = {}  # of groups that a user registered, by kind
    typos: bool = Field(
        True,
        description="whether a query's word of five letters and more that no product has is read as the catalogue's "
        "word one letter away (shwoer as shower) by every group that reads words; wherever a query is answered it is "
        "said",
    )
    without: tuple[str, ...] = Field(
        (),
        description="groups of features to do without, as if the shop had nothing for them (lexical, structured, "
        "text, image or photos, audio, …): to see what they are worth",
    )

    @field_validator("without", mode="before")
    @classmethod
    def _as_groups(cls, value: Any) -> Any:
        """One name, or several between commas; photos are the group `image`."""
        names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
        return [_NAMED.get(name, name) for name in names] if isinstance(names, list | tuple) else value

    @field_validator(*_OWN_GROUPS, mode="before")
    @classmethod
    def _on_or_off(cls, value: Any) -> Any:
        return None if value is False else {} if value is True else value

    @property
    def worded_fields(self) -> list[tuple[str, ...]]:
        """Of each group that reads words, the columns of products that it reads; brands are known by their names."""
        wanted = self.wanted.values()
        worded = LexicalConfig | AskedWordsConfig | ShownWordsConfig
        brands = [("brand",)] if LexicalGroup.kind in self.wanted else []
        return [*(tuple(one.fields) for one in wanted if isinstance(one, worded)), *brands]

    @property
    def wanted(self) -> dict[str, BaseModel]:
        """The settings of each group that is switched on, by kind, in the order of registration."""
        own = {kind: getattr(self, kind) for kind in _OWN_GROUPS}
        gone = {*self.without} - {"structured"}  # which also makes features of text and photos: votes
        chosen = {kind: given for kind, given in {**own, **self.others}.items() if kind not in gone}
        return {kind: chosen[kind] for kind in known_groups() if chosen.get(kind) is not None}
