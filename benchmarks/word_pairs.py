"""python -m benchmarks.word_pairs [demo esci icecat fashion homedepot]

What learning from the judgements which words go together is worth to LightGBM with all features, out of fold on the
queries that train (3 folds, 2 bags, judged lists): against the same model without, and with the title's cosine adapted
instead of or beside it. Texts are read by int8.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

import polars as pl

from benchmarks import record
from features.groups.adapted import WORDS
from ltr.config.tree import read_config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig, choose_vectors
from ltr.data.splits import FoldsConfig, make_folds
from ltr.evaluation.per_query import convention, evaluate
from ltr.evaluation.significance import compare
from ltr.pipeline.prepare import prepare
from ltr.training.cross_fit import cross_fit

SETS = ("demo", "esci", "icecat", "fashion", "homedepot")
TITLE, METRIC = "text.title", "nDCG@10"
LEARNT = {"words": (WORDS,), "title's cosine": (TITLE,), "both": (WORDS, TITLE)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}; default: those at hand")
    given = arguments.parse_args()
    sets = [name for name in given.sets or SETS if name == "demo" or record.have(name)]
    found = {name: measured(name) for name in sets}
    about = convention(read_config(record.config_path("demo")).evaluation)
    record.write(
        "word_pairs",
        f"python -m benchmarks.word_pairs {' '.join(sets)}",
        {"convention": about, "sets": found},
    )


def measured(name: str) -> list[dict[str, Any]]:
    """Rows of what was learnt, for which queries, and the comparison with the model without."""
    quick = {} if name == "demo" else {"encoders.text.runtime": "onnx-int8"}
    config = read_config(record.config_path(name), quick)
    prepared = prepare(config)
    queries = prepared.collection.queries
    if "split" in queries.columns:
        queries = queries.filter(split="train")
    data = Dataset.from_frame(prepared.table.frame, prepared.schema).judged()
    data = data.take(sorted(set(queries["query_id"]) & set(data.query_ids)))
    both = EmbeddingFusionConfig(adapted=LEARNT["both"])
    vectors = prepared.builder.embeddings(queries, data.frame) | prepared.builder.words(queries, data.frame)
    rows = EmbeddedDataset(data, choose_vectors(vectors, both))
    folds = make_folds(FoldsConfig(folds=3), queries, data.frame["query_id"])
    ranker = config.ranker.model_copy(update={"threads": 1, "bags": 2})

    def values(embeddings: EmbeddingFusionConfig | None) -> pl.DataFrame:
        fitted = cross_fit(rows, folds, ranker, embeddings)
        return evaluate(data.scored(fitted.scores), config.evaluation).select("query_id", METRIC)

    without = values(None)
    made = []
    for what, adapted in LEARNT.items():
        ours = values(EmbeddingFusionConfig(adapted=adapted))
        for kind, chosen in kinds(queries).items():
            pair = (table.join(chosen, on="query_id", how="semi") for table in (ours, without))
            made.append({"learnt": what, "queries_with": kind, **asdict(compare(*pair, METRIC))})
            print(name, made[-1], flush=True)
    return made


def kinds(queries: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The queries with words; where there are any, those without."""
    worded = pl.col("text").is_not_null()
    without = queries.filter(~worded)
    return {"words": queries.filter(worded), **({"photos alone": without} if without.height else {})}


if __name__ == "__main__":
    main()
