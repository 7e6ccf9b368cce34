"""A tiny CLIP model, built and saved by the tests themselves: no network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_clip(tmp_path_factory.mktemp("clip"), seed=0)


def build_clip(folder: Path, seed: int) -> Path:
    """A CLIP model of one layer, random weights and an alphabet of bytes, saved as the real ones are."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    vocabulary, merges = str(folder / "vocab.json"), str(folder / "merges.txt")
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=24)
    crop = {"height": 32, "width": 32}
    layer = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    last = len(words) - 1
    special = {"bos_token_id": last - 1, "eos_token_id": last, "pad_token_id": last}
    text = {**layer, **special, "vocab_size": len(words), "max_position_embeddings": 24}
    vision = {**layer, "image_size": 32, "patch_size": 16}
    torch.manual_seed(seed)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop)
    CLIPProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    return folder
