"""Which of a config's encoders is fitted on its catalogue, and where it is written."""

from __future__ import annotations

from pathlib import Path

from features.encoders.image.aligned import AlignedConfig, is_aligned
from features.encoders.text.static import StaticConfig, is_static
from features.encoders.text.student import StudentConfig, is_student
from features.errors import InputError
from features.installed import require
from ltr.config.tree import Config
from ltr.runs.encoders.aligned_encoder import fit_aligned
from ltr.runs.encoders.quick_text_encoder import make_quick

FittedConfig = AlignedConfig | StudentConfig | StaticConfig


def fit_encoder(config: Config, role: str | None = None) -> tuple[FittedConfig, Path, str]:
    """Fit the encoder of that role, or the only one that is fitted; its settings, folder, and what came of it."""
    encoder = _choose(config, role)
    target = (config.base / encoder.folder).resolve()
    _check_target(target)
    if isinstance(encoder, AlignedConfig):
        return encoder, target, fit_aligned(config, encoder, target)
    if isinstance(encoder, StaticConfig):
        require("encoder 'static'", ["model2vec"], "fast")
    return encoder, target, make_quick(config, encoder, target)


def _choose(config: Config, role: str | None) -> FittedConfig:
    kinds = ", ".join(f"{name}: {encoder.kind}" for name, encoder in config.encoders.items()) or "none"
    fitted = {name: one for name, one in config.encoders.items() if isinstance(one, FittedConfig)}
    wanted = fitted if role is None else {name: one for name, one in fitted.items() if name == role}
    if len(wanted) == 1:
        return next(iter(wanted.values()))
    if wanted:
        got, cure = f"several ({kinds})", f"name one with --role {next(iter(wanted))}"
    else:
        got = kinds
        cure = "add one, such as image: {kind: aligned, folder: fitted/NAME} or text: {kind: student, folder: NAME}"
    which = "" if role is None else f" named {role!r}"
    raise InputError(
        where="encoders",
        expected=f"one{which} that is fitted on the catalogue (kind aligned, student or static)",
        got=got,
        cure=cure,
    )


def _check_target(target: Path) -> None:
    """Before an hour of fitting: is the folder new, or an earlier fitted encoder, which will be set aside?"""
    if target.exists() and not (is_aligned(target) or is_student(target) or is_static(target)):
        raise InputError(
            where=target,
            expected="a new folder, or an earlier encoder that was fitted",
            got="another folder" if target.is_dir() else "a file",
            cure="name another folder in the config: this one would be moved away",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
