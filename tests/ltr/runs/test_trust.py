"""Runs of strangers: what their settings name lies in the run or the working folder, or is one clear line."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from ltr.config.tree import parse_config
from ltr.runs.trust import VARIABLE, check_settings, refuse_links, remember_run

PLAIN: dict[str, Any] = {
    "name": "shop",
    "data": {
        "kind": "catalogue",
        "products": {"path": "data/products.csv", "category_separator": "/"},
        "images": {"folder": "data/photos", "column": "{id}.jpg"},
        "queries": {"path": "data/queries.csv"},
        "judgements": {"path": "data/judgements.csv"},
    },
    "encoders": {"text": {"kind": "tfidf"}},
    "features": {"lexical": True, "structured": True},
    "store": {"root": "store"},
    "cache": {"folder": "cache"},
    "split": {"kind": "folds", "folds": 2},
    "ranker": {"kind": "lightgbm"},
}
PLACES = [
    ("data", "products", "path"),
    ("data", "images", "folder"),
    ("data", "queries", "path"),
    ("data", "judgements", "path"),
    ("encoders", "text", "state"),
    ("store", "root"),
    ("cache", "folder"),
    ("runs",),
]
AWAY = [
    "/etc/passwd",
    "../secret",
    "a/../../secret",
    "/proc/self/environ",
    "~/.ssh/id_rsa",
    "link/secret",
    "../working folder 2/x",
]
REMOTE = ["s3://evil/x", "http://evil/x", "file:///etc/x", "${HOME}/x", "postgresql://u@evil/db"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's run within a working folder."""
    working = tmp_path / "working folder"
    (working / "run").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (working / "link").symlink_to(tmp_path)
    monkeypatch.chdir(working)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache of the user"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return working / "run"


def changed(place: tuple[str, ...], value: object) -> dict[str, Any]:
    tree = copy.deepcopy(PLAIN)
    node = tree
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return tree


def check(run: Path, tree: dict[str, Any], base: Path | None = None) -> None:
    (run / "config.yaml").write_text(repr(tree))
    check_settings(run, parse_config(tree, base or run.parent, "config.yaml"))


def test_what_stays_within_passes(run: Path) -> None:
    check(run, PLAIN)
    check(run, changed(("encoders", "text", "state"), str(run / "encoder-text.safetensors")))
    check(run, changed(("cache", "folder"), str(run.parent / "elsewhere" / "cache")))
    check(run, changed(("data", "products", "path"), "data/../other/products.csv"))


@pytest.mark.parametrize("value", AWAY)
@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_what_leads_out_is_refused_until_its_folder_is_trusted(
    place: tuple[str, ...], value: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = changed(place, value)
    with pytest.raises(InputError, match=rf"config.yaml: expected files of the run.*{place[-1]}"):
        check(run, tree)
    monkeypatch.setenv(VARIABLE, "/")
    check(run, tree)


@pytest.mark.parametrize("value", REMOTE)
def test_addresses_and_secrets_of_a_stranger_are_never_followed(value: str, run: Path) -> None:
    with pytest.raises(InputError, match=r"store.root"):
        check(run, changed(("store", "root"), value))


def test_secrets_of_the_environment_are_not_put_into_a_strangers_options(run: Path) -> None:
    tree = changed(("store",), {"root": "store", "storage_options": {"key": "${AWS_SECRET_ACCESS_KEY}"}})
    with pytest.raises(InputError, match=r"storage_options.key a secret"):
        check(run, tree)


def test_a_base_elsewhere_makes_relative_paths_lead_out(run: Path) -> None:
    with pytest.raises(InputError, match=r"data.products.path"):
        check(run, PLAIN, base=Path("/etc"))


def test_what_this_user_made_here_is_opened_as_it_is(run: Path) -> None:
    tree = changed(("data", "products", "path"), "../secret/products.csv")
    (run / "config.yaml").write_text(repr(tree))
    remember_run(run, run.parent)
    check(run, tree)
    with pytest.raises(InputError):
        check(run, tree, base=run.parents[1])  # the same settings over another base are another's
    with pytest.raises(InputError):
        check(run, changed(("data", "products", "path"), "../secret/other.csv"))


@pytest.mark.parametrize("target", ["../../secret", "/etc/passwd", "/dev/zero", "ring", "../../x"])
def test_links_that_lead_out_of_a_run_are_refused(target: str, run: Path) -> None:
    (run / "model").mkdir()
    (run / "inside").symlink_to("model")
    refuse_links(run)
    (run / "model" / "ring").symlink_to(target)
    with pytest.raises(InputError, match="a link that leads out of it"):
        refuse_links(run)
