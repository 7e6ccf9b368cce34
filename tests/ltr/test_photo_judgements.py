"""Judgements that list the relevant alone, and an aligned encoder fitted on the photos of training queries."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image

from benchmarks import grocery
from features.errors import InputError
from ltr import check, evaluate, fit_encoder, train
from ltr.config.tree import read_config
from ltr.pipeline.prepare import load_collection

PRODUCTS, QUERIES = 24, 60
ALIGNED = {"height": 16, "width": 16, "epochs": 2, "batch_size": 16, "recall_at": 1}


def photo(rng: np.random.Generator, colour: np.ndarray) -> bytes:
    pixels = np.clip(colour + rng.normal(0, 10, (16, 16, 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Products of one colour each; a query's photo has the colour of the one product listed for it."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (PRODUCTS, 3))
    words = [f"tone {'abcdefgh'[i % 8]} shade {'klm'[i // 8]}" for i in range(PRODUCTS)]
    shown = [photo(rng, colour) for colour in colours]
    ids = [f"p{i:02}" for i in range(PRODUCTS)]
    pl.DataFrame({"product_id": ids, "title": words, "image": shown}).write_parquet(
        tmp_path / "products.parquet"
    )
    asked = pl.DataFrame(
        {
            "query_id": [f"q{i:02}" for i in range(QUERIES)],
            "image": [photo(rng, colours[i % PRODUCTS]) for i in range(QUERIES)],
            "split": ["val" if i < 40 else "test" for i in range(QUERIES)],
        }
    )
    asked.write_parquet(tmp_path / "queries.parquet")
    listed = asked.select(
        "query_id", product_id=pl.Series([ids[i % PRODUCTS] for i in range(QUERIES)]), grade=2
    )
    listed.write_parquet(tmp_path / "judgements.parquet")
    config = {
        "name": "shop",
        "data": {
            "kind": "catalogue",
            **{table: {"path": f"{table}.parquet"} for table in ("products", "queries")},
            "judgements": {"path": "judgements.parquet", "candidates": "catalogue"},
        },
        "encoders": {
            "text": {"kind": "tfidf", "dimensions": 12},
            "image": {"kind": "aligned", "folder": "aligned", "threads": 1},
        },
        "aligned": ALIGNED | {"pairs": "both"},
        "features": {"lexical": False, "similarity": {"text_fields": []}},
        "split": {"kind": "column", "train": ["val"], "test": ["test"], "validation_share": 0.1},
        "ranker": {"kind": "lightgbm", "trees": 5, "threads": 1},
        "evaluation": {"relevant_from": 2, "cutoffs": [1, 10]},
        "cache": {"folder": str(tmp_path / "cache")},
        "store": {"root": str(tmp_path / "store")},
        "runs": str(tmp_path / "runs"),
    }
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def fit(shop: Path, *more: str) -> dict:
    fit_encoder.main(["--config", str(shop / "shop.yaml"), *more])
    return json.loads((shop / "aligned" / "fitting.json").read_text())


def test_the_record_says_that_judgements_were_used(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = fit(shop)
    training = 40 - 40 // 10
    assert record["judgements_used"] is True
    assert record["photos_of_queries"] == training
    assert record["trained_on"] + record["held_out"] == PRODUCTS + training
    assert f"a title and {training} photos of training queries; fitting" in capsys.readouterr().out
    plain = fit(shop, "--aligned.pairs", "catalogue", "--aligned.start", "aligned")
    assert (plain["judgements_used"], plain["photos_of_queries"]) == (False, 0)


def test_a_test_photo_never_reaches_the_aligned_encoder(shop: Path) -> None:
    """With every test photo replaced by another, the aligned encoder is the same to the last bit."""
    fit(shop, "--aligned.epochs", "1")
    first = (shop / "aligned" / "aligned.safetensors").read_bytes()
    queries = pl.read_parquet(shop / "queries.parquet")
    blank = photo(np.random.default_rng(9), np.zeros(3))
    test = pl.col("split") == "test"
    queries.with_columns(image=pl.when(test).then(pl.lit(blank)).otherwise("image")).write_parquet(
        shop / "queries.parquet"
    )
    fit(shop, "--aligned.epochs", "1")
    assert (shop / "aligned" / "aligned.safetensors").read_bytes() == first


def test_folds_leave_no_query_to_learn_from(shop: Path) -> None:
    with pytest.raises(InputError, match=r"one training part.* got 2 folds.*split\.kind: column"):
        fit(shop, "--split.kind", "folds", "--split.folds", "2")


def test_every_product_is_a_candidate_in_training_doctor_and_evaluation(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(shop)
    config = ["--config", str(shop / "shop.yaml")]
    evidence = [finding.evidence for finding in check.main(config)]
    assert any(f"min {PRODUCTS}, median {PRODUCTS}, max {PRODUCTS}" in message for message in evidence)
    assert "unlisted" in capsys.readouterr().out
    run = train.main(config)
    printed = capsys.readouterr().out
    assert f"{QUERIES * PRODUCTS:,} judgements" in printed
    scores = pl.read_parquet(run / "scores.parquet")
    assert scores.height == QUERIES * PRODUCTS
    measured = evaluate.main(["--run", str(run), "--judgements", str(shop / "judgements.parquet")])
    assert measured.per_query["rows"].unique().to_list() == [PRODUCTS]
    assert "R(rel=2)@1" in measured.summary["metric"].to_list()


def test_the_benchmark_tells_what_it_could_not_have(
    shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fit(shop)
    here = {"kind": "aligned", "folder": "aligned", "threads": 1}
    encoders = {
        "far": {"kind": "clip", "model": str(tmp_path / "no such model")},
        "strange": {"kind": "unheard of"},
        "unfitted": {"kind": "aligned", "folder": "nowhere"},
        "own": here,
    }
    monkeypatch.setattr(grocery, "ENCODERS", encoders)
    for photo_network in ("FASHION", "HALF", "GROCERY"):
        monkeypatch.setattr(grocery, photo_network, here)
    config = read_config(shop / "shop.yaml")
    measured, absent = grocery.compare(config, load_collection(config))
    assert absent == {
        "far": "weights not reachable",
        "strange": "no such kind of encoder",
        "unfitted": "aligned encoder not fitted",
    }
    systems = measured.summary["system"].unique(maintain_order=True).to_list()
    assert systems[:3] == ["random", "own: photo–photo", "own: photo–title"]
    assert all("LambdaMART" in name for name in systems[3:])
    assert len(systems) == 6
    assert measured.model == systems[-1]
    # The training queries 0 … 39 show every one of the 24 products: one segment, and no table of the other.
    assert measured.summary["segment"].unique().to_list() == ["all queries"]


def test_segments_tell_whether_a_training_photo_shows_the_product(shop: Path) -> None:
    found = grocery.with_segments(load_collection(read_config(shop / "shop.yaml")), ["q00", "q01"])
    seen = found.filter(segment=grocery.SEEN)["query_id"].sort().to_list()
    assert seen == [f"q{i:02}" for i in range(QUERIES) if i % PRODUCTS < 2]
    assert found.height == QUERIES
