"""The settings' reference: true to the tree, and quick to answer a typo."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from features.errors import InputError
from ltr.config.settings import Setting, check_names, choices, read_schema, settings, to_markdown
from ltr.config.settings_schema import schema
from ltr.config.tree import read_config
from ltr.rankers import RANKERS, register
from tests.ltr.config.test_tree import CONFIGS
from tests.ltr.rankers.ridge_ranker import RidgeConfig, RidgeRanker

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "settings.md"
NAMED = [one for one in settings() if "NAME" not in one.name]


def test_the_copy_of_the_schema_is_true() -> None:
    assert read_schema() == json.loads(json.dumps(schema())), "run `make settings`"


def test_the_page_is_true() -> None:
    assert PAGE.read_text(encoding="utf-8") == to_markdown(), "run `make settings`"


def dotted(tree: Any, path: str = "") -> Iterator[str]:
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from dotted(value, f"{path}.{key}" if path else key)
    else:
        yield path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_setting_of_every_config_is_known(path: Path) -> None:
    """Resolved, so that each default stands in it too."""
    tree = read_config(path).model_dump(mode="json")
    check_names(dict.fromkeys(dotted(tree), None), "test")


@pytest.mark.parametrize("seed", range(20))
def test_a_letter_too_many_is_refused_and_the_setting_named(seed: int) -> None:
    pick = random.Random(seed)
    one = pick.choice([setting for setting in NAMED if len(setting.name.split(".")[-1]) > 4])
    at = len(one.name) - pick.randrange(1, 3)
    typo = one.name[:at] + one.name[at] + one.name[at:]
    with pytest.raises(InputError) as caught:
        check_names({typo: 1}, "command line")
    assert f"did you mean {one.name!r}?" in str(caught.value)


WORDS = [
    one for one in NAMED if one.takes.startswith("`") and " or " not in one.takes and "[" not in one.takes
]


@pytest.mark.parametrize("one", WORDS, ids=lambda one: f"{one.name}-{one.kind}")
def test_what_is_offered_is_taken_and_nothing_near_it(one: Setting) -> None:
    offered = re.findall(r"`([^`]+)`", one.takes)
    assert set(offered) <= set(choices(one.name))
    for word in offered:
        check_names({one.name: word}, "test")
        if all(word + "x" not in words for words in [choices(one.name)]):
            with pytest.raises(InputError, match=re.escape(repr(word + "x"))):
                check_names({one.name: word + "x"}, "test")


def test_names_of_the_users_own_are_no_settings_to_check() -> None:
    known = {"encoders.sound.kind": "tfidf", "ranker.params.max_bin": 63, "evaluation.gain.2": 3}
    check_names(known | {"data.products.media.audio": "clip", "train.modality_dropout.photos": 0.5}, "test")


def test_the_schema_reads_the_demo_config() -> None:
    tree = yaml.safe_load(CONFIGS[0].read_text(encoding="utf-8"))
    assert set(tree) <= set(read_schema()["properties"])


def test_kinds_registered_from_outside_are_not_among_the_packages_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = schema()
    monkeypatch.setattr(RANKERS, "_known", dict(RANKERS._known))
    register(RidgeConfig, RidgeRanker)
    assert schema() == before
