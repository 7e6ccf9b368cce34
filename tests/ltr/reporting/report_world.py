"""A report of made-up figures with every section, whose words try to break out of the page."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from ltr.data.doctor import Finding
from ltr.evaluation.classification import classification
from ltr.evaluation.gate import judge
from ltr.evaluation.per_query import EvaluationConfig, convention
from ltr.evaluation.significance import BootstrapConfig
from ltr.evaluation.systems import measure
from ltr.explanation.importance import Importance
from ltr.pipeline.robustness import RobustnessPoint
from ltr.reporting.run_page.calibration import calibrate
from ltr.reporting.run_page.examples import Candidates, Example, build_examples, choose_queries
from ltr.reporting.run_page.first_screen import AddedSource, verdict_lines
from ltr.reporting.run_page.query_gains import query_gains, query_lines
from ltr.reporting.run_page.report import Report

SCRIPT = "<script>alert(1)</script>"
QUOTED = """tee "for him" & 'her' <b>50%</b>"""
CLIP = "hum <b>50%<b> & more.mp3"
LONG = "Donaudampfschifffahrtsgesellschaft" * 3
CONFIG = EvaluationConfig(cutoffs=(5,), bootstrap=BootstrapConfig(resamples=100))
QUERIES, ROWS = 24, 12


def photo(colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), colour).save(buffer, "PNG")
    return buffer.getvalue()


def sound(seconds: float = 0.1) -> bytes:
    """A WAV file that hums."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(2)
        clip.setframerate(4_000)
        clip.writeframes(bytes(range(0, 200, 4)) * round(160 * seconds))
    return buffer.getvalue()


def pairs() -> pl.DataFrame:
    random = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "query_id": np.repeat([f"q{i:02d}" for i in range(QUERIES)], ROWS),
            "product_id": np.tile([f"p{i:02d}" for i in range(ROWS)], QUERIES),
            "grade": random.integers(0, 4, QUERIES * ROWS).astype(float),
        }
    )


def queries() -> pl.DataFrame:
    texts = [QUOTED, SCRIPT, LONG, None, *(f"plain words {i}" for i in range(4, QUERIES))]
    return pl.DataFrame(
        {
            "query_id": [f"q{i:02d}" for i in range(QUERIES)],
            "text": texts,
            "image": [photo() if text is None else None for text in texts],
            "media.audio": [f"/no/such/folder/{CLIP}"] * QUERIES,
            "segment": ["text & <i>more</i>" if i % 2 else "photo" for i in range(QUERIES)],
        }
    )


def products() -> pl.DataFrame:
    titles = [SCRIPT, LONG, QUOTED, *(f"product {i}" for i in range(3, ROWS))]
    columns = {"title": titles, "brand": [SCRIPT] * ROWS, "price": [9.5] * ROWS}
    return pl.DataFrame(
        {
            "product_id": [f"p{i:02d}" for i in range(ROWS)],
            **columns,
            "image": [photo() if i % 3 else None for i in range(ROWS)],
            "media.audio": [None, b"no sound", *[sound()] * (ROWS - 2)],
        }
    )


def made_report() -> Report:
    """The model's scores are the grades with noise, BM25's are noise alone."""
    judged, random = pairs(), np.random.default_rng(1)
    grades = judged["grade"].to_numpy()
    scores = {
        "random": random.normal(size=len(grades)),
        "BM25": random.normal(size=len(grades)),
        SCRIPT: random.normal(size=len(grades)),
        "model": grades + random.normal(scale=3, size=len(grades)),
    }
    measured = measure(judged, scores, queries(), CONFIG, "model")
    gains = query_gains(measured)
    kinds = queries().select("query_id", family=pl.lit("kind"), segment="segment")
    names = queries().select(
        "query_id", family=pl.lit("names"), segment=pl.Series([SCRIPT, "a <i>colour</i>"] * 12).sort()
    )
    model, plain = (gains.select("query_id", pl.col(name).alias("nDCG@5")) for name in ("after", "before"))
    verdict = judge(("model", model), ("the best plain baseline", plain), pl.concat([kinds, names]), CONFIG)
    return Report(
        title=f"demo {SCRIPT}",
        command=f"python -m ltr.train --name '{SCRIPT}'",
        convention=convention(CONFIG),
        measurement=measured,
        facts=[("ranker", SCRIPT)],
        about=[("made", "2026-01-02 03:04 UTC"), ("commit", f"abc {SCRIPT}"), ("data", "12 products")],
        lines=verdict_lines(verdict, gains),
        added=[AddedSource(f"photos {SCRIPT}", _test(0.018)), AddedSource("text", _test(0.005, 0.4))],
        classified=classification(
            judged["grade"].to_numpy(), random.dirichlet(np.ones(4), judged.height), np.arange(4.0)
        ),
        verdict=verdict,
        gains=query_lines(gains, queries()),
        calibration=calibrate(judged, scores["model"], CONFIG.bootstrap),
        importance=_importance(),
        robustness=[
            RobustnessPoint("photos", share, system, 0.8 - share / 5, 0.7 - share / 5, 0.9 - share / 5)
            for share in (0.0, 0.5, 1.0)
            for system in ("all", "without the modality")
        ],
        findings=[Finding("WARN", "null share", f"of {LONG}", SCRIPT)],
        cleaning=[("products", "prices", 12, 3, "set null", SCRIPT)],
        examples=_examples(gains, judged, scores),
        grades=(0.0, 3.0),
    )


def _examples(gains: pl.DataFrame, judged: pl.DataFrame, scores: Mapping[str, np.ndarray]) -> list[Example]:
    reasons = {
        (q, p): [("image", 0.5), (SCRIPT, -0.25)] for q, p in judged.select("query_id", "product_id").rows()
    }
    unjudged = judged.with_columns(grade=pl.when(pl.int_range(pl.len()) % 3 > 0).then("grade"))
    shop = queries(), products()
    searched = Candidates(unjudged, scores, {})
    return build_examples(
        choose_queries(gains), "model", shop, Candidates(judged, scores, reasons), searched, "€"
    )


def _test(difference: float, p_value: float = 0.01) -> dict[str, float]:
    ends = {"low": difference - 0.01, "high": difference + 0.012}
    return {"difference": difference, "p_value": p_value, "p_holm": p_value, **ends}


def _importance() -> Importance:
    rows = [
        {"name": name, "importance": size, "low": size / 2, "high": size * 2, "share": size, "modality": name}
        for name, size in ((SCRIPT, 0.6), ("image", 0.3), ("中文 $x$", 0.1))
    ]
    drops = [{"name": row["name"], "drop": row["importance"], "low": -0.1, "high": 0.9} for row in rows]
    return Importance(rows, rows, drops, "nDCG@5", QUERIES, QUERIES, QUERIES * ROWS)


def tuning() -> dict[str, Any]:
    """What `summarise_search` and `ltr.tune` write."""
    trials = [{"number": i, "state": "complete", "value": 0.5 + i / 100, "second": 9.0 - i} for i in range(5)]
    test = {"segment": SCRIPT, "default": 0.5, "tuned": 0.6, "difference": 0.1, "low": -0.1, "high": 0.3}
    return {
        "metric": "nDCG@5",
        "second": "latency",
        "counts": {"complete": 5, "pruned": 0, "fail": 0},
        "trials": trials,
        "history": [{"number": t["number"], "value": t["value"], "best": t["value"]} for t in trials],
        "default": 0,
        "winner": 4,
        "params": {"leaves": 15, "rate": 0.123456, "kind": SCRIPT},
        "importances": {"leaves": 0.7, SCRIPT: 0.3},
        "front": trials[-1:],
        "nested": {"winner": 0.54, "nested": 0.52, "default": 0.5, "warning": "the search fitted its folds"},
        "test": [test | {"p_value": 0.2}],
        "folds": 3,
    }
