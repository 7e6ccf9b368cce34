"""The command: from a config to a student or static encoder that the same config reads, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.errors import InputError
from ltr import fit_encoder
from ltr.config.command_line import DEMO_CONFIG
from ltr.config.tree import lay_over, parse_config
from ltr.pipeline.prepare import load_collection, make_builder
from tests.features.encoders.tiny_teacher import build_teacher

SHOP = {"kind": "demo", "products": 60, "queries": 8, "judged_per_query": 5}


def words(folder: Path, kind: str) -> list[str]:
    encoder = {"text": {"kind": kind, "folder": str(folder / kind)}}
    teacher = {"model": str(folder / "tiny" / "teacher"), "device": "cpu", "threads": 1}
    settings = {"teacher": teacher, "texts": 80, "runs": 20, "epochs": 1, "words": 5, "dimensions": 8}
    given = {
        "data": SHOP,
        "encoders": encoder,
        "distillation": settings,
        "cache": {"folder": str(folder / "cache")},
    }
    return [word for name, value in given.items() for word in (f"--{name}", json.dumps(value))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("distilled")
    build_teacher(made / "tiny")
    return made


@pytest.mark.parametrize(
    ("kind", "figure"), [("student", "cosine to the teacher"), ("static", "correlation of cosines")]
)
def test_what_is_made_gives_text_features(
    folder: Path, kind: str, figure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = fit_encoder.main(words(folder, kind))
    assert f"{kind} encoder: {target}" in capsys.readouterr().out
    record = json.loads((target / "fitting.json").read_text())
    assert -1 <= record[figure] <= 1
    assert 0 < record["held_out"] <= 10
    tree = {"name": "shop", "data": SHOP, "encoders": {"text": {"kind": kind, "folder": str(target)}}}
    config = parse_config(lay_over(tree, {"cache.folder": str(folder / "cache")}), DEMO_CONFIG.parent, "test")
    collection = load_collection(config)
    pairs = collection.judgements.head(10)
    features = make_builder(config, collection.products).build(collection.queries, pairs).frame
    assert "text.title" in features.columns


def test_an_earlier_one_is_set_aside(folder: Path) -> None:
    for _ in range(2):
        fit_encoder.main(words(folder, "static"))
    assert list(folder.glob("static@*"))
    assert not list(folder.glob(".draft-*"))


def test_a_config_without_such_an_encoder() -> None:
    with pytest.raises(
        InputError, match=r"expected one that is fitted on the catalogue.*got text: tfidf; add one"
    ):
        fit_encoder.main(["--encoders", "{text: {kind: tfidf}}"])


def test_a_folder_that_is_something_else_is_not_moved_away(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="name another folder in the config"):
        fit_encoder.main(words(tmp_path, "static"))
