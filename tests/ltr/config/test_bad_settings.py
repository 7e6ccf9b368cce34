"""Wrong configs, options and devices: one clear line each, and nothing of the user's is touched."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from tests.ltr.conftest import Shop

ROOT = Path(__file__).resolve().parent.parent.parent.parent

REFUSED_CONFIGS = [
    ("absent.yaml", "absent.yaml: expected a config file, got no such file; check --config"),
    ("photos", "photos: expected a config file, got a folder; check --config"),
    ("products.csv", "products.csv: expected a tree of settings, got no key: value; start from a file in configs/"),
    ("open_bracket.yaml", "line 10: expected YAML, got a mistake (expected ',' or '}', but got ':'); mend that line"),
    ("tabs.yaml", "tabs.yaml, line 3: expected YAML, got a tab at the beginning of the line; indent by blanks alone"),
    ("not_utf8.yaml", "not_utf8.yaml, line 11: expected UTF-8 text, got the byte 0xe0; save the file as UTF-8"),
    ("twice.yaml", "twice.yaml, line 11: expected YAML, got a mistake (the key 'ranker' a second time); mend that"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "line"), REFUSED_CONFIGS)
def test_a_file_that_is_no_config(shop: Shop, file: str, line: str) -> None:
    assert line in shop.refused(f"train --config BAD/{file}")


REFUSED_SETTINGS = [
    ("--ranker.treees 5", "expected a known key, got 'ranker.treees'; did you mean 'ranker.trees'?"),
    ("--data.products.columns.titel x", "did you mean 'data.products.columns.title'?"),
    ("--ranker.trees many", "shop.yaml, key 'ranker.trees': expected a whole number, got 'many'"),
    ("--ranker.learning_rate -1", "key 'ranker.learning_rate': expected a number greater than 0, got -1"),
    ("--ladder lexical", "key 'ladder': expected a list, got 'lexical'"),
    ("--ladder [lexcal]", "structured, text, image (the nearest to 'lexcal' is 'lexical'), got ['lexcal']"),
    ("--data.products x.csv", "key 'data.products': expected a section of settings, got 'x.csv'"),
    ("--data.products.path=", "key 'data.products.path': expected a path, got None"),
    ("--data.products.columns.title '{a: 1}'", "key 'data.products.columns.title': expected a text, got {'a': 1}"),
    ("--name ../x", "key 'name': expected letters, digits, _, - and . (it becomes a folder), got '../x'"),
    ("--ranker forest", "key 'ranker.kind': expected one of 'blend', 'catboost', 'lightgbm', "),
    ("--objective rank:ndcg", "key 'ranker.objective': expected 'lambdarank' or 'rank_xendcg', got 'rank:ndcg'"),
    ("--device gpu", "key 'ranker.device': expected 'cpu', 'cuda' or 'opencl', got 'gpu'"),
    ("--folds 1", "key 'split.folds': expected a number greater than or equal to 2, got 1; change split.folds"),
    ("--folds 50", "split: expected at least 50 different queries, got 12; ask for fewer folds"),
    ("--folds [", "command line, --folds: expected YAML, got a mistake"),
    ("--ranker.params '{a: b: c}'", "command line, --ranker.params: expected YAML, got a mistake"),
    ("--ranker.params '{numleaves: 5}'", "expected parameters the library knows, got 'numleaves'; did you mean"),
    ("--ranker.monotone [structured.prize]", "expected names of numeric features, got 'structured.prize'; did you"),
    ("--ranker.trees", "command line: expected --section.key VALUE, got '--ranker.trees'; see --help"),
    ("ranker.trees 3", "--section.key VALUE, got 'ranker.trees'; did you mean --ranker.trees?"),
    ("--split '{kind: column}'", "split: expected a column 'split' of the queries, got columns query_id, text, image"),
    ("--evaluation.gain '{0: 0, 1: 1}'", "expected the grades of the gain table, [0.0, 1.0], got 2; add it to"),
    ("--evaluation.relevant_from 99", "expected 'queries without relevant item' to pass, got 12 of 12 (100.0%)"),
    (
        "--encoders.text.kind word2vec",
        "key 'encoders.text.kind': expected one of 'aligned', 'clip', 'colours', 'joined', 'pixels', ",
    ),
    ("--encoders.text.model x", "key 'encoders.text.kind': expected a kind, got none"),
    ("--encoders.text '{kind: sentence-transformer, model: x}'", "expected a folder or a hub id (owner/name), got"),
    ("--encoders.text '{kind: tfidf, state: x.safetensors}'", "x.safetensors: expected a saved TF-IDF state, got"),
    ("--encoders.photo.kind torchvision", "encoder 'torchvision': expected weights, got none; name torchvision weig"),
    ("--encoders.photo '{kind: torchvision, weights: x.pth}'", "x.pth: expected a file of weights, got no such file"),
    (
        "--encoders.photo '{kind: torchvision, weights: random, backbone: resnet51}'",
        "expected a torchvision classification model, got 'resnet51'; name one such as resnet50",
    ),
    ("--run file", "file: expected a new folder, or an earlier run, got a file; name another with --run"),
    ("--run mine", "mine: expected a new folder, or an earlier run, got a folder that is no run; name another"),
    ("--run .", ".: expected a new folder, or an earlier run, got a folder that is no run; name another"),
    ("--runs file", "file: expected a folder to write the run in, got one that cannot be made (File exists)"),
    ("--store.root file", "feature store file: expected a place where tables can be written, got Could not create"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "line"), REFUSED_SETTINGS)
def test_a_setting_that_cannot_be_used_is_told_in_one_line(shop: Shop, words: str, line: str) -> None:
    (shop.folder / "file").write_text("the user's own")
    (shop.folder / "mine").mkdir()
    (shop.folder / "mine" / "file").write_text("the user's own")
    assert line in shop.refused(f"train {words}")
    assert (shop.folder / "file").read_text() == (shop.folder / "mine" / "file").read_text()
    assert not any(shop.folder.glob("runs/*"))


def test_a_file_where_the_cache_should_be_costs_time_not_the_features(shop: Shop) -> None:
    (shop.folder / "cache").write_text("")
    ended = shop.run("build_features --encoders.text.kind tfidf")
    assert (ended.status, ended.err) == (0, "")
    assert re.search(r"WARNING: embedding cache: vectors are not kept .+Not a directory: 'cache/", ended.out)


def test_a_file_where_the_store_should_be(shop: Shop) -> None:
    (shop.folder / "store").write_text("")
    ended = shop.run("build_features --encoders.text.kind tfidf")
    assert ended.status == 2
    assert re.fullmatch(r"error: .*store.+\n", ended.err)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "--run x --top many",
            "error: command line: expected a whole number of 1 or more, got 'many'; ask for one or more\n",
        ),
        ("--query", "error: command line: argument --query: expected one argument; see --help\n"),
        (
            "--run x --tops 3",
            "error: command line: expected an argument of this command, got '--tops'; did you mean --top?\n",
        ),
    ],
)
def test_wrong_words_are_told_in_one_line_too(shop: Shop, words: str, line: str) -> None:
    ended = shop.run(f"rank {words}")
    assert (ended.status, ended.out, ended.err) == (2, "", line)


def test_an_encoder_on_a_gpu_that_is_not_there(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    encoder = "'{kind: torchvision, backbone: resnet18, weights: random, device: cuda}'"
    line = shop.refused(f"build_features --encoders.photo {encoder}")
    assert (
        "encoder 'torchvision', device: expected a CUDA device that torch can use, got none; set device"
        in line
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--data.products.path empty.csv", "empty.csv: expected rows, got an empty file; check the file or its path"),
        ("--device cuda", "ranker.device: expected a device cuda that LightGBM can use, got"),
        ("--device cuda --ranker xgboost", "ranker.device: expected a device cuda that XGBoost can use, got no CUDA"),
    ],
)  # fmt: skip
def test_the_command_as_typed_writes_one_line(shop: Shop, words: str, line: str) -> None:
    """In a process of its own, to which no GPU is shown; the libraries write nothing beside the line."""
    command, *rest = shop.words(f"train {words}")
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-m", f"ltr.{command}", *rest],
        env=hidden,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert re.fullmatch(rf"error: .*{re.escape(line)}[^\n]*\n", ended.stderr), ended.stderr
