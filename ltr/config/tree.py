"""One strict tree of settings, read from YAML; an unknown key is an error that names its full path.

Paths of input files are relative to the config file; store, cache and runs to the working folder.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from features import secrets
from features.build import FeaturesConfig
from features.encoders.cache import CacheConfig
from features.encoders.fitting.distillation_settings import DistillationConfig
from features.encoders.image.aligned_settings import AlignedTrainingConfig
from features.encoders.registry import ENCODERS, EncoderConfig, EncoderSettings
from features.errors import InputError
from features.kinds import Kinds
from features.sources.load import CatalogueConfig, SvmlightConfig
from ltr.config.group_names import check_names
from ltr.config.yaml_files import read_yaml
from ltr.data.embedded import EmbeddingFusionConfig
from ltr.data.lists import ListsConfig
from ltr.data.splits import FoldsConfig, SplitConfig
from ltr.demo.shop import DemoShopConfig
from ltr.evaluation.per_query import EvaluationConfig
from ltr.evaluation.tracking import TrackingConfig
from ltr.rankers import RANKERS, LightGBMConfig, RankerConfig, RankerSettings
from ltr.training.modality_dropout import RobustnessConfig, TrainConfig
from ltr.tuning.candidates import TuningConfig

# Where pydantic's words for what was expected are not a shop engineer's.
_PLAINLY = {
    "missing": "a value",
    "string_type": "a text",
    "path_type": "a path",
    "union_tag_not_found": "a kind",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a section of settings"),
}

# Sections whose kinds are registered, and not all known beforehand.
_FAMILIES: dict[type, Kinds[Any, Any]] = {EncoderSettings: ENCODERS, RankerSettings: RANKERS}


class StoreConfig(BaseModel):
    """Where feature tables lie: a folder, or an object store's address with its options.

    `${NAME}` stands for a variable of the environment. Of what is given otherwise, secrets are not written down.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    root: str = "store"
    storage_options: dict[str, SecretStr] = {}

    @field_validator("root", "storage_options", mode="before")
    @classmethod
    def _remembered(cls, value: Any, info: ValidationInfo) -> Any:
        """Numbers and switches are what YAML made of an option's text."""
        if info.field_name == "root" and isinstance(value, str):
            secrets.remember(secrets.secrets_of(value))
        if info.field_name != "storage_options" or not isinstance(value, Mapping):
            return value
        options = {name: _as_text(option) for name, option in value.items()}
        secrets.remember(secrets.secrets_of_options({n: o for n, o in options.items() if isinstance(o, str)}))
        return options

    @field_serializer("root")
    def _masked_root(self, root: str) -> str:
        return secrets.masked_address(root)

    @field_serializer("storage_options")
    def _masked_options(self, options: dict[str, SecretStr]) -> dict[str, str]:
        return {
            name: secrets.masked_option(name, option.get_secret_value()) for name, option in options.items()
        }

    @property
    def address(self) -> str:
        return secrets.resolve(self.root)

    @property
    def options(self) -> dict[str, str]:
        """As the store takes them. Raises InputError for a secret that a saved run does not hold."""
        for name, option in self.storage_options.items():
            if secrets.MASK in option.get_secret_value():
                raise InputError(
                    where=f"config key 'store.storage_options.{name}'",
                    expected="a value",
                    got="a secret that was not written down",
                    cure="write ${NAME} there, and set that variable of the environment",
                )
        return {
            name: secrets.resolve(option.get_secret_value()) for name, option in self.storage_options.items()
        }


def _as_text(option: Any) -> Any:
    if isinstance(option, bool):
        return str(option).lower()
    return str(option) if isinstance(option, int) else option


class Config(BaseModel):
    """Everything that decides a run's result; its resolved form is saved in the run folder."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(description="names the feature table and the run folder")
    data: Annotated[DemoShopConfig | CatalogueConfig | SvmlightConfig, Field(discriminator="kind")]
    encoders: dict[str, EncoderConfig] = {}
    aligned: AlignedTrainingConfig | None = Field(
        None, description="how ltr.fit_encoder fits the `aligned` encoder among these"
    )
    distillation: DistillationConfig | None = Field(
        None, description="how ltr.fit_encoder makes the `student` or `static` encoder among these"
    )
    features: FeaturesConfig = FeaturesConfig()
    embeddings: EmbeddingFusionConfig | None = None
    lists: ListsConfig = ListsConfig()
    split: SplitConfig = FoldsConfig()
    ranker: RankerConfig = LightGBMConfig()
    train: TrainConfig = TrainConfig()
    ladder: tuple[str, ...] = Field(
        (), description="feature groups (lexical, structured, text, image, audio, …), each rung adding one"
    )
    evaluation: EvaluationConfig = EvaluationConfig()
    robustness: RobustnessConfig = RobustnessConfig()
    tuning: TuningConfig = TuningConfig()
    cache: CacheConfig = CacheConfig()
    store: StoreConfig = StoreConfig()
    runs: str = "runs"
    tracking: TrackingConfig = TrackingConfig()

    _base: Path = PrivateAttr(default_factory=Path.cwd)

    @field_validator("name")
    @classmethod
    def _fit_for_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
            raise ValueError("letters, digits, _, - and . (it becomes a folder)")
        return name

    @field_validator("ladder", "embeddings")
    @classmethod
    def _names_that_can_be(cls, value: Any, info: ValidationInfo) -> Any:
        check_names(value, info.data.get("data"))
        return value

    @field_validator("embeddings")
    @classmethod
    def _without_what_is_left_out(
        cls, value: EmbeddingFusionConfig | None, info: ValidationInfo
    ) -> EmbeddingFusionConfig | None:
        features = info.data.get("features")
        return value if value is None or features is None else value.less(features.without)

    @field_validator("features")
    @classmethod
    def _groups_that_can_be(cls, value: FeaturesConfig, info: ValidationInfo) -> FeaturesConfig:
        check_names(value.without, info.data.get("data"))
        return value

    @property
    def base(self) -> Path:
        """The folder that the data's and the models' relative paths start from."""
        return self._base


def read_config(
    path: Path, overrides: Mapping[str, object] | None = None, base: Path | None = None
) -> Config:
    """The settings in a YAML file, with `{"section.key": value}` overrides laid over them.

    Raises InputError for a file that is missing or no YAML, and for any key or value the tree refuses.
    """
    tree = lay_over(read_yaml(path), overrides or {})
    return parse_config(tree, base or path.resolve().parent, str(path))


def lay_over(tree: dict[str, Any], overrides: Mapping[str, object]) -> dict[str, Any]:
    """Put `{"section.key": value}` into a tree; kinds first: they decide which settings still apply."""
    for dotted, value in sorted(overrides.items(), key=lambda item: not item[0].endswith(".kind")):
        _put(tree, dotted, value)
    return tree


def parse_config(tree: Mapping[str, Any], base: Path, where: str) -> Config:
    """Validate a tree of settings; the error names the key's full path and the nearest known key."""
    tree = {name: _with_kind(name, section) for name, section in tree.items()}
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise _explain(error, tree, where) from error
    _refuse_truths(tree, config.model_dump(), where)
    config._base = base
    return config


def _refuse_truths(given: Any, read: Any, where: str, path: str = "") -> None:
    """InputError for true or false where a number stands: `trees: true` would be one tree."""
    if isinstance(given, bool) and isinstance(read, int | float) and not isinstance(read, bool):
        raise InputError(
            where=f"{where}, key {path!r}", expected="a number", got=str(given).lower(), cure="write a number"
        )
    if isinstance(given, Mapping) and isinstance(read, Mapping):
        pairs = [(f"{path}.{key}".lstrip("."), value, read.get(key)) for key, value in given.items()]
    elif isinstance(given, list | tuple) and isinstance(read, list | tuple):
        # What was read may be sorted, and each once.
        like = read if len(read) == len(given) else [*read[:1]] * len(given)
        several = zip(given, like, strict=False)
        pairs = [(f"{path}.{at}", *both) for at, both in enumerate(several)]
    else:
        return
    for place, value, as_read in pairs:
        _refuse_truths(value, as_read, where, place)


def _with_kind(name: str, section: Any) -> Any:
    """`ranker: {trees: 300}` means the default kind of ranker."""
    default = getattr(Config.model_fields.get(name), "default", None)
    kind = getattr(default, "kind", None)
    if kind is not None and isinstance(section, Mapping):
        return {"kind": kind, **section}
    return section


def dump_config(config: Config) -> str:
    """The resolved settings as YAML: every default spelt out; reading it back gives the same tree."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _put(tree: dict[str, Any], dotted: str, value: object) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        below = tree.get(section)
        if not isinstance(below, dict):
            # `features.lexical: true` and an absent section both stand for the defaults.
            below = tree[section] = {}
        tree = below
    if key == "kind" and value != tree.get("kind"):
        _keep_shared(tree, sections, value)
    tree[key] = value


def _keep_shared(section: dict[str, Any], path: list[str], kind: object) -> None:
    """Choosing another kind keeps the settings that both kinds know (not the library's own `params`)."""
    models = [
        m for m in _models_at(path) if "kind" in m.model_fields and m.model_fields["kind"].default == kind
    ]
    for key in [key for key in section if not any(_takes(model, key, section[key]) for model in models)]:
        del section[key]


def _takes(model: type[BaseModel], key: str, value: Any) -> bool:
    """Whether the kind has the setting, and this choice where it offers a few (each has its own objectives)."""
    field = model.model_fields.get(key)
    if field is None or key == "params":
        return False
    return get_origin(field.annotation) is not Literal or value in get_args(field.annotation)


def _explain(error: ValidationError, tree: Mapping[str, Any], where: str) -> InputError:
    faults = error.errors()
    problem = _misnamed(faults) or faults[0]
    path, known = _locate(problem["loc"], tree, absent=problem["type"] == "missing")
    if tree and not tree.keys() & Config.model_fields:
        expected = f"settings of this toolkit ({', '.join([*Config.model_fields][:4])}, …)"
        got = f"the keys {', '.join(map(str, [*tree][:6]))}"
        cure = "start from a file in configs/, or have `shop-ltr init` write one"
        return InputError(where=where, expected=expected, got=got, cure=cure)
    if problem["type"] == "invalid_key":
        cure = "remove it, or put it in quotes if it is a name"
        return InputError(where=where, expected="names as keys", got=repr(problem["input"]), cure=cure)
    if problem["type"] == "extra_forbidden":
        return _unknown_key(path, where)
    got = "nothing" if problem["type"] == "missing" else secrets.scrub(repr(problem["input"]))[:80]
    if path[:2] == ["store", "storage_options"] or path == ["store"]:
        got = f"one of type {type(problem['input']).__name__}"  # it may hold a secret
    if problem["type"].startswith("union_tag"):
        path.append("kind")
        got = repr(problem["ctx"]["tag"]) if "tag" in problem["ctx"] else "none"
    label = ".".join(path) or "the whole file"
    cure = f"set {label}" if not known else f"change {label}"
    if problem["type"] == "string_type" and isinstance(problem["input"], int | float | dt.date):
        cure = "put it in quotes"
    return InputError(
        where=f"{where}, key {label!r}",
        expected=_expected(problem),
        got=got,
        cure=cure,
    )


def _unknown_key(path: list[str], where: str) -> InputError:
    """With the nearest of all that the section may have, whatever its kind."""
    known = [name for model in _models_at(path[:-1]) for name in model.model_fields]
    near = difflib.get_close_matches(path[-1], known, n=1) or difflib.get_close_matches(
        path[-1].lower(), known, n=1
    )
    cure = f"did you mean {'.'.join([*path[:-1], near[0]])!r}?" if near else "remove it"
    if path[-1] in known:
        cure = "remove it, or choose another kind: this one has no such setting"
    return InputError(where=where, expected="a known key", got=f"{'.'.join(path)!r}", cure=cure)


def _misnamed(faults: Sequence[ErrorDetails]) -> ErrorDetails | None:
    """Where a needed key is missing first, the unknown one beside it: it may be that key, with a slip in it."""
    if faults[0]["type"] != "missing":
        return None
    beside = faults[0]["loc"][:-1]
    return next(
        (one for one in faults if one["type"] == "extra_forbidden" and one["loc"][:-1] == beside), None
    )


def _expected(problem: ErrorDetails) -> str:
    """What a setting should have been, in plain words."""
    if problem["type"] == "union_tag_invalid":
        return f"one of {problem['ctx']['expected_tags']}"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ").rstrip(".")
    limit = "a number " if problem["type"].startswith(("greater_than", "less_than")) else ""
    return _PLAINLY.get(problem["type"], limit + message)


def _locate(loc: tuple[int | str, ...], tree: Any, *, absent: bool) -> tuple[list[str], bool]:
    """The keys of an error's location as the file spells them (union tags are not keys), and if it has the last."""
    path: list[str] = []
    here, tagged = tree, False
    for step, part in enumerate(loc):
        if isinstance(here, Mapping) and not tagged and part == here.get("kind"):
            tagged = True  # the tag, though a key may have the same name: split.folds of kind folds
            continue
        if _has(here, part):
            here, tagged = here[part], False
        elif absent and step == len(loc) - 1:
            return [*path, str(part)], False
        else:
            continue
        path.append(str(part))
    return path, True


def _has(here: Any, part: int | str) -> bool:
    if isinstance(here, list):
        return isinstance(part, int) and part < len(here)
    return isinstance(here, Mapping) and part in here


def _models_at(path: list[str]) -> list[type[BaseModel]]:
    models: list[type[BaseModel]] = [Config]
    for key in path:
        models = [inner for model in models for inner in _models_in(model.model_fields.get(key))]
    return models


def _models_in(field: FieldInfo | None) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    queue: list[Any] = [] if field is None else [field.annotation]
    while queue:
        kind = queue.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += _FAMILIES[kind].classes if kind in _FAMILIES else [kind]
        queue.extend(getattr(kind, "__args__", ()))
    return found
