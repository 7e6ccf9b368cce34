"""Quick text encoders: ONNX Runtime against torch, students and static tables against their teacher."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from features import installed
from features.encoders.fitting.distillation_settings import DistillationConfig
from features.encoders.fitting.static_distillation import frequent_words, make_static
from features.encoders.fitting.text_distillation import (
    catalogue_texts,
    fewer_layers,
    fit_student,
    held_out_count,
)
from features.encoders.protocol import Encoder
from features.encoders.registry import make_encoder
from features.encoders.text.model_files import load_model
from features.encoders.text.sentence_encoders import SentenceTransformerConfig
from features.encoders.text.static import StaticConfig, save_static
from features.encoders.text.student import StudentAbout, StudentConfig, save_student
from features.errors import InputError
from tests.features.encoders.tiny_teacher import WORDS, build_teacher

TEXTS = [" ".join(WORDS[place:] + WORDS[:place])[: 4 + 3 * place] for place in range(len(WORDS))]
TEXTS += ["red shirt", "blue denim jeans with pockets, seams and buttons and a very long tail of words", "x"]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_teacher(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


def encoder(teacher: Path, **options: object) -> Encoder:
    return make_encoder(
        SentenceTransformerConfig(model=str(teacher), threads=1, device="cpu", **options), Path()
    )


# ONNX Runtime


@pytest.mark.parametrize("max_tokens", [None, 5])
@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_float32_gives_torchs_vectors_under_one_fingerprint(
    teacher: Path, exports: Path, max_tokens: int | None, batch_tokens: int
) -> None:
    plain = encoder(teacher, max_tokens=max_tokens)
    quick = encoder(
        teacher, max_tokens=max_tokens, runtime="onnx", exports=str(exports), batch_tokens=batch_tokens
    )
    assert (quick.fingerprint, quick.space) == (plain.fingerprint, plain.space)
    np.testing.assert_allclose(quick.encode(TEXTS, "text"), plain.encode(TEXTS, "text"), atol=1e-5)


def test_int8_is_near_and_does_not_hang_on_neighbours(teacher: Path, exports: Path) -> None:
    plain = encoder(teacher)
    rounded = encoder(teacher, runtime="onnx-int8", exports=str(exports))
    vectors = rounded.encode(TEXTS, "text")
    assert (vectors * plain.encode(TEXTS, "text")).sum(axis=1).min() > 0.95
    assert np.abs(vectors - plain.encode(TEXTS, "text")).max() > 1e-4  # it is rounded at all
    alone = np.concatenate([rounded.encode([text], "text") for text in TEXTS])
    np.testing.assert_allclose(vectors, alone, atol=1e-6)
    assert rounded.fingerprint != plain.fingerprint
    assert rounded.space == plain.space


def test_bfloat16_is_nearer_and_has_a_fingerprint_of_its_own(teacher: Path) -> None:
    plain, rounded = encoder(teacher), encoder(teacher, runtime="torch-bfloat16")
    exact, vectors = plain.encode(TEXTS, "text"), rounded.encode(TEXTS, "text")
    assert (vectors * exact).sum(axis=1).min() > 0.999
    assert np.abs(vectors - exact).max() > 1e-5  # it is rounded at all
    assert vectors.dtype == np.float32
    assert rounded.fingerprint != plain.fingerprint
    assert rounded.space == plain.space


def test_a_model_is_exported_once_and_whole(teacher: Path, tmp_path: Path) -> None:
    encoder(teacher, runtime="onnx", exports=str(tmp_path)).encode(["red"], "text")
    (folder,) = tmp_path.iterdir()
    assert {path.name for path in folder.iterdir()} == {"about.json", "model.onnx", "tokenizer.json"}
    before = (folder / "model.onnx").stat().st_mtime_ns
    encoder(teacher, runtime="onnx", exports=str(tmp_path)).encode(["red"], "text")
    assert (folder / "model.onnx").stat().st_mtime_ns == before


def test_an_export_that_gives_other_vectors_is_refused(
    teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.encoders.text.onnx_export._TOLERANCE", -1.0)
    with pytest.raises(InputError, match=r"vectors differ.*set runtime: torch"):
        encoder(teacher, runtime="onnx", exports=str(tmp_path)).encode(["red"], "text")
    assert list(tmp_path.iterdir()) == []  # nothing half made is left


@pytest.mark.parametrize("runtime", ["onnx", "onnx-int8"])
def test_without_the_extra_the_cure_is_named(
    teacher: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(InputError, match=r"got no onnxruntime; pip install 'shop-ltr\[fast\]'"):
        encoder(teacher, runtime=runtime)


def test_onnx_runtime_is_for_the_cpu(teacher: Path) -> None:
    config = SentenceTransformerConfig(model=str(teacher), device="cuda", runtime="onnx")
    with pytest.raises(InputError, match="set device: cpu, or runtime: torch"):
        make_encoder(config, Path())


# Students


def settings(**options: object) -> DistillationConfig:
    return DistillationConfig(
        **{"texts": 60, "runs": 30, "epochs": 30, "batch_tokens": 256, "layers": 2} | options
    )


def fitted(teacher: Path, **options: object) -> tuple[float, list[float]]:
    """The held-out cosine, and the losses told on the way."""
    products = pl.DataFrame({"title": [f"{a} {b} {c}" for a in WORDS for b in WORDS[:3] for c in "xy"]})
    chosen = settings(**options)
    texts = catalogue_texts(products, chosen).to_list()
    vectors = encoder(teacher).encode(texts, "text")
    losses: list[float] = []
    made = fit_student(
        texts, vectors, teacher, chosen, torch.device("cpu"), lambda at: losses.append(at.loss)
    )
    assert made.held_out == len(texts) // 10
    assert made.trained_on + made.held_out == len(texts)
    return made.cosine, losses


def test_a_student_of_all_layers_is_its_teacher(teacher: Path) -> None:
    cosine, losses = fitted(teacher, layers=4, epochs=1, learning_rate=1e-9)
    assert cosine == pytest.approx(1, abs=1e-4)
    assert losses[-1] == pytest.approx(0, abs=1e-2)  # bfloat16, where the processor has it


def test_fitting_brings_a_student_nearer(teacher: Path) -> None:
    untaught, _ = fitted(teacher, epochs=1, learning_rate=1e-9)
    taught, _ = fitted(teacher, learning_rate=5e-3)
    assert 1 - taught < (1 - untaught) / 2


def test_time_ends_a_fitting_and_says_so(teacher: Path, caplog: pytest.LogCaptureFixture) -> None:
    _, losses = fitted(teacher, epochs=10_000, minutes=0.005)
    assert len(losses) == 1
    assert "WARN: cut short by distillation.minutes 0.005 after step " in caplog.text


def test_a_teacher_of_too_few_layers(teacher: Path) -> None:
    with pytest.raises(InputError, match=r"at least 5 layers.*got 4"):
        fewer_layers(load_model(teacher, torch.device("cpu")), 5, teacher)


@pytest.mark.parametrize(("count", "expected"), [(1, [3]), (2, [0, 3]), (3, [0, 2, 3]), (4, [0, 1, 2, 3])])
def test_layers_are_evenly_drawn(teacher: Path, count: int, expected: list[int]) -> None:
    whole = load_model(teacher, torch.device("cpu"))[0].auto_model.encoder.layer
    first = [layer.output.dense.weight[0, 0].item() for layer in whole]
    student = fewer_layers(load_model(teacher, torch.device("cpu")), count, teacher)
    kept = [layer.output.dense.weight[0, 0].item() for layer in student[0].auto_model.encoder.layer]
    assert kept == [first[place] for place in expected]


def test_a_saved_student_has_its_teachers_space(teacher: Path, tmp_path: Path, exports: Path) -> None:
    model = fewer_layers(load_model(teacher, torch.device("cpu")), 2, teacher)
    expected = model.encode(TEXTS)
    save_student(tmp_path, model, StudentAbout(layers=2, space="the teacher's"), {"seconds": 1})
    student = make_encoder(StudentConfig(folder=str(tmp_path), threads=1), Path())
    np.testing.assert_allclose(student.encode(TEXTS, "text"), expected, atol=1e-5)
    assert student.space == "the teacher's"
    (tmp_path / "fitting.json").write_text(json.dumps({"seconds": 2}))
    again = make_encoder(StudentConfig(folder=str(tmp_path), threads=1), Path())
    assert again.fingerprint == student.fingerprint
    rounded = StudentConfig(folder=str(tmp_path), threads=1, runtime="onnx-int8", exports=str(exports))
    quick = make_encoder(rounded, Path())
    assert quick.fingerprint != student.fingerprint
    assert (quick.encode(TEXTS, "text") * expected).sum(axis=1).min() > 0.95


@pytest.mark.parametrize("config", [StudentConfig(folder="none"), StaticConfig(folder="none")])
def test_using_before_making_names_the_command(config: StudentConfig | StaticConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder; make it of a larger encoder first"):
        make_encoder(config, tmp_path)


# The catalogue's texts


def test_texts_are_distinct_and_none_is_blank() -> None:
    titles = [f"{a} {b}" for a in WORDS for b in WORDS]
    products = pl.DataFrame({"title": [*titles, None, " "], "brand": ["Acme"] * (len(titles) + 2)})
    texts = catalogue_texts(products, settings(texts=1000, runs=100))
    assert texts.n_unique() == len(texts)
    assert set(titles) | {"Acme"} <= set(texts)
    assert all(any(run in title for title in titles) for run in set(texts) - {"Acme"})
    assert held_out_count(len(texts), settings(held_out=7)) == 7


def test_a_catalogue_of_too_few_texts() -> None:
    with pytest.raises(InputError, match="at least 20 texts"):
        catalogue_texts(pl.DataFrame({"title": ["red shirt"]}), settings(runs=0))


# Static tables


def test_a_table_holds_the_teachers_reading_of_each_token(teacher: Path, tmp_path: Path) -> None:
    network = load_model(teacher, torch.device("cpu"))
    texts = [*TEXTS, "velvet red", "velvet", "velvet dress"]
    assert frequent_words(texts, network.tokenizer.backend_tokenizer, 1) == ["velvet"]
    model = make_static(texts, network, settings(words=1, dimensions=8))
    save_static(tmp_path, model, {})
    static = make_encoder(StaticConfig(folder=str(tmp_path)), Path())
    assert static.dimensions == 8
    ids = model.tokenize(["velvet red"])[0]
    assert [model.tokens[place] for place in ids] == ["velvet", "red"]
    mean = model.embedding[ids].mean(axis=0)
    found = static.encode(["velvet red", "", "☃"], "text")
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert np.isnan(found[1:]).all()


def test_static_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"package model2vec.*pip install 'shop-ltr\[fast\]'"):
        make_encoder(StaticConfig(folder="any"), Path())


def test_the_extra_is_what_the_tests_run_with() -> None:
    assert all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "model2vec"))
