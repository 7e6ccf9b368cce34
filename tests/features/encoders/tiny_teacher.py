"""A tiny sentence-transformers model, built and saved by the tests themselves: no network, milliseconds a text."""

from __future__ import annotations

from pathlib import Path

WORDS = (
    "red",
    "blue",
    "green",
    "shirt",
    "jeans",
    "dress",
    "cotton",
    "denim",
    "with",
    "pockets",
    "seams",
    "and",
)
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def build_teacher(folder: Path, layers: int = 4, seed: int = 0) -> Path:
    """BERT of 16 dimensions and random weights, a WordPiece vocabulary of a few words and all letters."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    raw = folder / "raw"
    raw.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
    vocabulary += WORDS
    (raw / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    tokenizer = BertTokenizerFast(
        vocab={word: place for place, word in enumerate(vocabulary)}, model_max_length=32
    )
    tokenizer.save_pretrained(raw)
    torch.manual_seed(seed)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": layers}
    config = BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, initializer_range=0.5, **size)
    BertModel(config).save_pretrained(raw)
    transformer = Transformer(str(raw), max_seq_length=24)
    modules = [transformer, Pooling(16), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "teacher"), create_model_card=False)
    return folder / "teacher"
