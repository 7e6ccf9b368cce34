"""Model files of strangers, checksums fitting: each scores, or is one InputError; none ends the process."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
import xgboost as xgb

from features.errors import InputError
from ltr.data.dataset import Dataset
from ltr.rankers import load_ranker, make_ranker
from ltr.rankers.boosters import lightgbm_text as text_checks
from ltr.rankers.boosters import trial_load
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig
from ltr.rankers.boosters.lightgbm_text import checked_text
from ltr.rankers.boosters.xgboost_json import checked_json
from ltr.rankers.boosters.xgboost_ranker import XGBoostConfig

FEATURES = 5
ODD = [
    "-1",
    "0",
    "7",
    "31",
    "2147483647",
    "-2147483648",
    "99999999999999999999",
    "nan",
    "inf",
    "1e400",
    "",
    "x",
    "0.5",
]


def _world() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, FEATURES))
    X[:, 3] = rng.integers(0, 12, 600)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, rng.integers(0, 4, 600)


def lightgbm_text(**more: object) -> bytes:
    X, y = _world()
    data = lgb.Dataset(X, y, group=[20] * 30, categorical_feature=[3], feature_name=list("abcde"))
    params = {
        "objective": "lambdarank",
        "verbosity": -1,
        "num_leaves": 6,
        "label_gain": [0, 1, 3, 7],
        "seed": 0,
    }
    return lgb.train(params | {"num_threads": 1} | more, data, 4).model_to_string().encode()


def xgboost_json(**more: object) -> bytes:
    X, y = _world()
    kinds = ["q", "q", "q", "c", "q"]
    data = xgb.DMatrix(X, y, group=[20] * 30, feature_types=kinds, enable_categorical=True)
    booster = xgb.train({"objective": "rank:ndcg", "max_depth": 3, "nthread": 1} | more, data, 3)
    return bytes(booster.save_raw("json"))


LIGHTGBM: list[dict[str, object]] = [
    {},
    {"boosting": "dart"},
    {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    {"min_data_in_leaf": 500},  # one leaf
    {"num_leaves": 40, "min_data_in_leaf": 1},
    {"objective": "rank_xendcg"},
    {"monotone_constraints": [0, 1, 0, 0, 0]},
    {"max_cat_to_onehot": 1, "min_data_per_group": 1},
    {"objective": "rank_xendcg", "linear_tree": True},
    {"zero_as_missing": True},
]
XGBOOST: list[dict[str, object]] = [
    {},
    {"booster": "dart", "rate_drop": 0.3},
    {"gamma": 1.0, "max_depth": 8},
    {"grow_policy": "lossguide", "max_leaves": 31, "max_depth": 0},
    {"objective": "rank:pairwise", "num_parallel_tree": 3},
    {"lambdarank_unbiased": True},
]


@pytest.mark.parametrize("more", LIGHTGBM, ids=str)
def test_what_lightgbm_writes_passes(more: dict[str, object]) -> None:
    text = lightgbm_text(**more)
    assert checked_text(text, FEATURES) == text
    with pytest.raises(ValueError, match="6 features"):
        checked_text(text, FEATURES + 1)


@pytest.mark.parametrize("more", XGBOOST, ids=str)
def test_what_xgboost_writes_passes(more: dict[str, object]) -> None:
    data = xgboost_json(**more)
    assert checked_json(data, FEATURES) == data
    with pytest.raises(ValueError, match="6 features"):
        checked_json(data, FEATURES + 1)


def _mutated_text(text: bytes, rng: np.random.Generator) -> bytes:
    """A number, a line, a byte or a piece changed; now and then the sizes of the trees told anew, as a forger would."""
    lines = text.decode().split("\n")
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(lines)))
        numbers = list(re.finditer(r"(?<=[= ])[-+.\de]+", lines[at]))
        kind = rng.integers(6)
        if kind < 3 and numbers:
            found = numbers[int(rng.integers(len(numbers)))]
            lines[at] = lines[at][: found.start()] + str(rng.choice(ODD)) + lines[at][found.end() :]
        elif kind == 3:
            del lines[at]
            lines = lines or [""]
        elif kind == 4:
            lines.insert(at, lines[int(rng.integers(len(lines)))])
        elif numbers:
            found = numbers[-1]
            lines[at] = lines[at][: found.start()].rstrip() if rng.random() < 0.5 else lines[at] + " 1"
    changed = "\n".join(lines)
    if rng.random() < 0.8:
        trees = re.findall(r"Tree=\d+\n.*?\n\n\n", changed, re.DOTALL)
        changed = re.sub(
            r"(?m)^tree_sizes=.*", "tree_sizes=" + " ".join(str(len(t)) for t in trees), changed, count=1
        )
    data = bytearray(changed.encode())
    if rng.random() < 0.2:
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    return bytes(data)


def _mutated_json(data: bytes, rng: np.random.Generator) -> bytes:
    tree = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        node, path = tree, []
        while isinstance(node, dict | list) and len(node):
            key = rng.choice(sorted(node)) if isinstance(node, dict) else int(rng.integers(len(node)))
            path.append((node, str(key) if isinstance(node, dict) else key))
            node = node[path[-1][1]]
        holder, key = path[-1] if rng.random() < 0.7 else path[int(rng.integers(len(path)))]
        odd = str(rng.choice(ODD))
        new: object = odd
        if rng.random() < 0.8:
            new = (
                int(odd)
                if re.fullmatch(r"-?\d+", odd)
                else 1e30
                if odd == "inf"
                else []
                if odd == "x"
                else None
            )
        holder[key] = new
        if rng.random() < 0.2 and isinstance(holder, list):
            del holder[key]
    return json.dumps(tree).encode()


_USE = """
import sys, numpy as np
from pathlib import Path
kind, folder = sys.argv[1:]
rows = np.load(Path(folder) / "rows.npy")
for path in sorted(Path(folder).glob("*.model")):
    print(path.name, flush=True)
    if kind == "lightgbm":
        import lightgbm as lgb
        try:
            booster = lgb.Booster(model_str=path.read_text())
            booster.predict(rows, num_threads=1)
            booster.predict(rows, pred_contrib=True, num_threads=1)
        except (lgb.basic.LightGBMError, ValueError):
            pass
    else:
        import xgboost as xgb
        try:
            booster = xgb.Booster(model_file=bytearray(path.read_bytes()))
            booster.set_param({"nthread": 1})
            booster.inplace_predict(rows, validate_features=False)
            types = ["q", "q", "q", "c", "q"]
            data = xgb.DMatrix(rows, feature_types=types, enable_categorical=True, nthread=1)
            booster.predict(data, pred_contribs=True, validate_features=False)
        except xgb.core.XGBoostError:
            pass
print("whole")
"""


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost"])
def test_of_hundreds_of_forged_models_none_that_passes_ends_a_process(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    originals = (
        [lightgbm_text(**more) for more in LIGHTGBM]
        if kind == "lightgbm"
        else [xgboost_json(**m) for m in XGBOOST]
    )
    mutated, check = (_mutated_text, checked_text) if kind == "lightgbm" else (_mutated_json, checked_json)
    passed = refused = 0
    for number in range(600):
        data = mutated(originals[number % len(originals)], rng)
        try:
            check(data, FEATURES)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError):
            refused += 1
        else:
            (tmp_path / f"{number:04}.model").write_bytes(data)
            passed += 1
    assert passed > 20, "some changes do no harm"
    assert refused > 200
    np.save(tmp_path / "rows.npy", trial_load._rows(FEATURES))
    used = subprocess.run(
        [sys.executable, "-c", _USE, kind, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert used.stdout.endswith("whole\n"), (used.returncode, used.stdout[-200:], used.stderr[-500:])


def ranking_data() -> Dataset:
    rng = np.random.default_rng(1)
    return Dataset.from_frame(
        pl.DataFrame(
            {
                "query_id": np.repeat([f"q{n:02}" for n in range(20)], 8),
                "product_id": np.tile([f"p{n}" for n in range(8)], 20),
                "grade": rng.integers(0, 4, 160).astype(float),
                "lexical.a": rng.normal(size=160).astype(np.float32),
                "lexical.b": rng.normal(size=160).astype(np.float32),
            }
        )
    )


def _saved(config: LightGBMConfig | XGBoostConfig, folder: Path) -> Path:
    ranker = make_ranker(config)
    ranker.fit(ranking_data())
    ranker.save(folder)
    return folder


def _forge(folder: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the model and let the checksum fit."""
    (path,) = folder.glob("model_0.*")
    path.write_bytes(change(path.read_bytes()))
    about = json.loads((folder / "ranker.json").read_text())
    about["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "ranker.json").write_text(json.dumps(about))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_what_was_saved_here_is_opened_at_once_and_what_was_not_is_tried_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _saved(LightGBMConfig(trees=3, threads=1, bags=1), tmp_path / "model")
    tried: list[object] = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: tried.append(a) or run(*a, **k))
    load_ranker(folder)
    assert not tried
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of another user"))
    scores = [load_ranker(folder).score(ranking_data()) for _ in range(2)]
    assert len(tried) == 1, "tried once, and known from then on"
    np.testing.assert_array_equal(*scores)


def test_what_ends_the_process_ends_only_that_of_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the checks to let one through: the trial alone stands before it."""
    folder = _saved(LightGBMConfig(trees=3, threads=1, bags=1), tmp_path / "model")
    _forge(folder, lambda data: data + b"\n")
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda words, **k: run([words[0], "-c", code], **k))
    with pytest.raises(InputError, match=r"ended the process that tried it \(signal 11\)"):
        load_ranker(folder)


FORGED: dict[str, Callable[[bytes], bytes]] = {
    "a child beyond": lambda d: re.sub(rb"left_child=\S+", b"left_child=900000", d, count=1),
    "a feature beyond": lambda d: re.sub(rb"split_feature=\S+", b"split_feature=70000", d, count=1),
    "more leaves": lambda d: re.sub(rb"num_leaves=\d+", b"num_leaves=2000000000", d, count=1),
    "a ring": lambda d: re.sub(rb"left_child=\S+", b"left_child=0", d, count=1),
    "sizes": lambda d: re.sub(rb"tree_sizes=\d+", b"tree_sizes=9", d, count=1),
    "cut": lambda d: d[: len(d) // 2],
    "empty": lambda d: b"",
    "noise": lambda d: bytes(range(256)) * 9,
    "nested": lambda d: b'{"' + b"[" * 100_000,
}


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize(
    "config", [LightGBMConfig(trees=3, threads=1, bags=1), XGBoostConfig(trees=3, threads=1, bags=1)], ids=str
)
def test_a_forged_model_is_one_clear_line(config: LightGBMConfig, name: str, tmp_path: Path) -> None:
    folder = _saved(config, tmp_path / "model")
    if config.kind == "xgboost" and name in ("a child beyond", "a ring"):
        _forge(folder, lambda d: re.sub(rb'"left_children":\[\d+', b'"left_children":[0', d, count=1))
    elif config.kind == "xgboost" and name in ("a feature beyond", "more leaves", "sizes"):
        _forge(folder, lambda d: re.sub(rb'"num_nodes":"\d+"', b'"num_nodes":"1999999999"', d, count=1))
    else:
        _forge(folder, FORGED[name])
    with pytest.raises(InputError):
        load_ranker(folder)


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/passwd", "model_0.txt/../x", "model_0", ""])
def test_sums_name_models_of_the_folder_and_nothing_else(name: str, tmp_path: Path) -> None:
    folder = _saved(LightGBMConfig(trees=3, threads=1, bags=1), tmp_path / "model")
    about = json.loads((folder / "ranker.json").read_text())
    about["sha256"][name] = "0" * 64
    (folder / "ranker.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="among the models"):
        load_ranker(folder)


@pytest.mark.parametrize(("word", "is_read"), [("inf", True), ("-inf", True), ("nan", False), ("0.5", True)])
def test_a_split_of_missing_from_present_is_read(word: str, is_read: bool) -> None:
    """LightGBM writes such a threshold as inf."""
    tree = {"threshold": f"0.1 {word}", "decision_type": "2 2"}
    with nullcontext() if is_read else pytest.raises(ValueError, match="not numbers"):
        text_checks._check_splits(tree, 3, 0)
