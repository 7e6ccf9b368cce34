"""From the demo shop to a run folder, and from the run folder to new queries, by the commands a person types."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from features.batch import QueryBatch
from features.encoders.text.sentence_encoders import TfidfConfig, TfidfEncoder
from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr import build_features, check, evaluate, rank, train
from ltr.demo import shop as demo_shop
from ltr.evaluation.baselines import SINGLE
from ltr.evaluation.shown import BEST_RECALL, CEILING
from ltr.evaluation.systems import ALL
from ltr.pipeline.prepare import load_collection
from ltr.runs.saved_run import SavedRun
from ltr.serving.ranking import one_query
from ltr.serving.ranking import rank as rank_products
from tests.ltr.conftest import Trained

KEPT = (
    *("config.yaml", "features.json", "run.json", "metrics.json", "cleaning.json", "doctor.json"),
    *(
        "per_query.parquet",
        "scores.parquet",
        "report.md",
        "report.html",
        "model",
        "encoder-text.safetensors",
        "trained_on.parquet",
    ),
)


@pytest.mark.parametrize("name", KEPT)
def test_a_run_folder_holds_all_that_scoring_needs(trained: Trained, name: str) -> None:
    assert (trained.run / name).exists()


def test_every_judged_pair_is_scored_by_a_model_that_did_not_see_its_query(trained: Trained) -> None:
    pairs, scores = SavedRun.open(trained.run).held_out()
    assert all(np.isfinite(values).all() for values in scores.values())
    assert pairs.height == load_collection(SavedRun.open(trained.run).config).judgements.height


def test_the_report_states_the_convention_and_shows_the_plain_baselines(trained: Trained) -> None:
    for name in ("report.md", "report.html"):
        text = (trained.run / name).read_text(encoding="utf-8")
        for word in (
            "2^grade − 1",
            "left out of the mean",
            "random",
            "BM25",
            "text cosine",
            "lexical",
            "+ image",
        ):
            assert word in text or word == "+ image", (name, word)


def test_the_html_report_asks_nothing_of_the_network(trained: Trained) -> None:
    page = (trained.run / "report.html").read_text(encoding="utf-8")
    assert "http://" not in page
    assert "https://" not in page


def test_metrics_are_plain_json_with_intervals_around_the_means(trained: Trained) -> None:
    figures = json.loads((trained.run / "metrics.json").read_text(encoding="utf-8"))
    rows = [row for row in figures["summary"] if row["mean"] is not None]
    assert rows
    assert all(row["low"] <= row["mean"] <= row["high"] for row in rows)
    assert {row["segment"] for row in rows} == {ALL, "words", "photo", "words and photo"}


def test_the_same_command_gives_the_same_model_to_the_last_byte(trained: Trained) -> None:
    again = trained.work / "again"
    train.main(trained.words("--run", str(again)))
    for path in (trained.run / "model").iterdir():
        assert path.read_bytes() == (again / "model" / path.name).read_bytes()


def test_features_are_built_once_and_then_come_from_the_store(trained: Trained) -> None:
    first = build_features.main(trained.words("--rebuild"))
    second = build_features.main(trained.words())
    assert (first.from_store, second.from_store) == (False, True)
    assert first.table.frame.equals(second.table.frame)
    assert first.schema == second.schema


def test_other_settings_of_the_features_build_another_table(trained: Trained) -> None:
    first = build_features.main(trained.words())
    other = build_features.main(trained.words("--features.lexical", "false"))
    assert "lexical" in first.schema.groups
    assert "lexical" not in other.schema.groups


def test_other_weights_under_the_same_name_build_another_table(trained: Trained, tmp_path: Path) -> None:
    """The store goes by what an encoder is, not by what its settings say."""
    shutil.copy(trained.run / "encoder-text.safetensors", tmp_path / "state.safetensors")
    words = trained.words(
        "--name", "state", "--encoders", f"{{text: {{kind: tfidf, state: {tmp_path}/state.safetensors}}}}"
    )
    first, again = build_features.main(words), build_features.main(words)
    other = TfidfEncoder(TfidfConfig(dimensions=8), tmp_path)
    other.fit(["red tee", "blue lamp", "green shoe and a bag"])
    other.save(tmp_path / "state.safetensors")
    assert [t.from_store for t in (first, again, build_features.main(words))] == [False, True, False]


def test_xgboost_trains_by_the_same_objective_name(trained: Trained) -> None:
    run = train.main(
        trained.words("--ranker", "xgboost", "--objective", "lambdarank", "--run", str(trained.work / "x"))
    )
    assert SavedRun.open(run).name == "xgboost"


def test_embeddings_as_features_are_fitted_saved_and_scored(trained: Trained) -> None:
    words = trained.words(
        "--embeddings", "{fields: [title, image], components: 4}", "--run", str(trained.work / "e")
    )
    run = SavedRun.open(train.main(words))
    products = load_collection(run.config).products
    ranked = rank_products(run, run.builder(products), QueryBatch(one_query("red tee", None)))
    assert ranked.height > 0
    assert not any(name.startswith("embedding.") for name in run.schema.names)
    assert any(name.startswith("embedding.") for name in run.model.ranker.schema.names)


def test_serving_a_query_gives_the_scores_that_training_rows_get(trained: Trained) -> None:
    run = SavedRun.open(trained.run)
    shop = load_collection(run.config)
    builder = run.builder(shop.products)
    together = run.score(builder, shop.queries, shop.judgements)
    for query_id in shop.queries["query_id"].head(6):
        mine = (shop.judgements["query_id"] == query_id).to_numpy()
        alone = run.score(
            builder, shop.queries.filter(query_id=query_id), shop.judgements.filter(pl.Series(mine)).reverse()
        )
        np.testing.assert_array_equal(alone[::-1], together[mine])


def photo(shop: pl.DataFrame, folder: Path) -> Path:
    path = folder / "photo.jpg"
    data = shop["image"].drop_nulls()[0]
    Image.open(io.BytesIO(data)).convert("RGB").save(path)
    return path


@pytest.mark.parametrize("kind", ["words", "photo", "both"])
def test_an_unseen_query_is_ranked(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = photo(load_collection(SavedRun.open(trained.run).config).products, tmp_path)
    words = {"words": ["--query", "blue shoes under 90"], "photo": ["--image", str(path)]}
    words["both"] = [*words["words"], *words["photo"]]
    capsys.readouterr()
    rank.main(["--run", str(trained.run), *words[kind], "--top", "7", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["rank"] for row in rows] == list(range(1, 8))
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert len({row["product_id"] for row in rows}) == 7


def test_a_query_photo_finds_its_own_product_first_by_cosine(trained: Trained) -> None:
    run = SavedRun.open(trained.run)
    products = load_collection(run.config).products
    shown = products.filter(pl.col("image").is_not_null()).row(0, named=True)
    query = pl.DataFrame(
        {"query_id": ["q"], "text": [None], "image": [shown["image"]]}, schema_overrides={"text": pl.String}
    )
    builder = run.builder(products)
    assert builder.candidates(query, 1)["product_id"].to_list() == [shown["product_id"]]


def test_evaluate_alone_repeats_the_held_out_figures(trained: Trained) -> None:
    summary = json.loads((trained.run / "metrics.json").read_text(encoding="utf-8"))["summary"]
    measured = evaluate.main(["--run", str(trained.run)])
    again = {(r["system"], r["segment"], r["metric"]): r["mean"] for r in measured.summary.to_dicts()}
    assert again == {(r["system"], r["segment"], r["metric"]): r["mean"] for r in summary}


def test_evaluate_alone_repeats_what_is_shown(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main(["--run", str(trained.run), "--json"])
    shown = json.loads(capsys.readouterr().out)["shown"]
    assert shown == json.loads((trained.run / "metrics.json").read_text(encoding="utf-8"))["shown"]
    about = json.loads((trained.run / "run.json").read_text(encoding="utf-8"))["shown"]
    means = {(row["system"], row["metric"]): row["mean"] for row in shown["summary"] if row["segment"] == ALL}
    assert about == {
        system: {metric: mean for (name, metric), mean in means.items() if name == system}
        for system in ("lightgbm", CEILING)
    }


def test_what_is_shown_by_another_convention_is_left_out_aloud(
    trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate.main(["--run", str(trained.run), "--evaluation.gain", "linear", "--json"])
    printed = capsys.readouterr()
    assert json.loads(printed.out)["shown"] is None
    assert "what is shown is not told: the run has kept its measures by other conventions" in printed.err


def test_evaluate_under_another_convention_needs_no_training(trained: Trained) -> None:
    zero = evaluate.main(
        ["--run", str(trained.run), "--evaluation.relevant_from", "3", "--evaluation.empty_queries", "zero"]
    )
    skip = evaluate.main(["--run", str(trained.run), "--evaluation.relevant_from", "3"])
    mean = {
        name: m.summary.filter(
            pl.col("metric") == "AP(rel=3)", pl.col("segment") == ALL, system="lightgbm"
        ).row(0, named=True)
        for name, m in (("zero", zero), ("skip", skip))
    }
    counted = mean["skip"]["queries"]
    assert mean["zero"]["mean"] == pytest.approx(mean["skip"]["mean"] * counted / mean["zero"]["queries"])


def test_a_run_is_measured_on_new_queries_over_another_catalogue(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = demo_shop.generate(demo_shop.DemoShopConfig(products=60, queries=10, judged_per_query=12, seed=99))
    for name in ("products", "queries", "judgements"):
        getattr(shop, name).write_parquet(tmp_path / f"{name}.parquet")
    files = [
        word
        for name in ("products", "queries", "judgements")
        for word in (f"--{name}", str(tmp_path / f"{name}.parquet"))
    ]
    measured = evaluate.main(["--run", str(trained.run), *files, "--json"])
    shown = json.loads(capsys.readouterr().out)["shown"]
    whole = measured.summary.filter(pl.col("segment") == ALL, metric="nDCG@10")
    assert whole.filter(system="lightgbm")["queries"][0] == 10
    assert whole.filter(system="lightgbm")["mean"][0] > whole.filter(system="random")["mean"][0]
    found = {(r["system"], r["metric"]): r["mean"] for r in shown["summary"] if r["segment"] == ALL}
    assert found[CEILING, BEST_RECALL] == 1
    assert 0 < found["lightgbm", "worst"] <= found["lightgbm", "best"] <= 1
    assert found["random", "condensed nDCG@10"] < found["lightgbm", "condensed nDCG@10"]
    assert found["lightgbm", "condensed nDCG@10"] <= found[CEILING, "condensed nDCG@10"] <= 1
    assert "true nDCG@10" not in {metric for _, metric in found}  # of these queries the shop knows no truth


def test_new_queries_over_the_same_catalogue(trained: Trained, tmp_path: Path) -> None:
    products = load_collection(SavedRun.open(trained.run).config).products["product_id"]
    pl.DataFrame({"query_id": ["a", "b"], "text": ["red tee", "lamp"]}).write_csv(tmp_path / "q.csv")
    judged = {"query_id": ["a", "a", "b", "b"], "product_id": products.head(4), "grade": [3, 0, 0, 2]}
    pl.DataFrame(judged).write_csv(tmp_path / "j.csv")
    words = ["--queries", str(tmp_path / "q.csv"), "--judgments", str(tmp_path / "j.csv")]
    measured = evaluate.main(["--run", str(trained.run), *words])
    assert measured.per_query["query_id"].unique().sort().to_list() == ["a", "b"]


@pytest.mark.parametrize("new", [True, False])
def test_queries_that_the_model_was_trained_on_are_told(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], new: bool
) -> None:
    shop = load_collection(SavedRun.open(trained.run).config)
    queries = shop.queries.with_columns(pl.col("text").str.to_uppercase() + "!")
    if new:
        queries = queries.with_columns(text=pl.lit("never asked before ") + pl.col("query_id"))
    queries.write_parquet(tmp_path / "q.parquet")
    shop.judgements.write_parquet(tmp_path / "j.parquet")
    words = ["--queries", str(tmp_path / "q.parquet"), "--judgements", str(tmp_path / "j.parquet")]
    evaluate.main(["--run", str(trained.run), *words])
    message = f"WARNING: {queries.height} of {queries.height} queries look like ones the model was trained on"
    assert (message in capsys.readouterr().out) == (not new)


def test_a_run_on_svmlight_is_measured_on_a_file_that_leaves_zeros_out(tmp_path: Path) -> None:
    lines = [f"{n % 3} qid:{n // 6} 1:{n % 3 + n * 7 % 5 / 3:.2f} 2:{n % 7} 3:{n % 2}" for n in range(60)]
    (tmp_path / "train.svm").write_text("\n".join(lines) + "\n")
    (tmp_path / "new.svm").write_text(
        "\n".join(f"{n % 3} qid:{n // 6} 1:{n % 3 + 0.6}" for n in range(12)) + "\n"
    )
    config = "name: ready\ndata: {kind: svmlight, files: {all: train.svm}}\n"
    (tmp_path / "ready.yaml").write_text(config)
    words = ["--config", str(tmp_path / "ready.yaml"), "--store.root", str(tmp_path / "store")]
    settings = [
        "--folds",
        "2",
        "--ranker.trees",
        "20",
        "--ranker.min_rows_per_leaf",
        "1",
        "--ranker.threads",
        "1",
    ]
    run = train.main([*words, *settings, "--run", str(tmp_path / "run")])
    assert not (
        tmp_path / "store"
    ).exists()  # the features were in the file: only who asks for a table has one
    assert [build_features.main(words).from_store for _ in range(2)] == [False, True]
    measured = evaluate.main(["--run", str(run), "--judgements", str(tmp_path / "new.svm")])
    best = measured.summary.filter(system="lightgbm", metric="nDCG@10")
    assert best["queries"][0] == 2
    assert best["mean"][0] > measured.summary.filter(system="random", metric="nDCG@10")["mean"][0]
    # The feature chosen in training is what the run is measured against, on held-out and on new queries.
    single = measured.summary.filter(system=SINGLE, metric="nDCG@10")
    assert (single["queries"][0], measured.best) == (2, {"unknown": SINGLE})
    chosen = json.loads((run / "run.json").read_text(encoding="utf-8"))["single_feature"]
    assert chosen == {"feature": "given.f1", "sign": 1}
    assert f"score: {SINGLE}" in pl.read_parquet_schema(run / "scores.parquet")


def test_a_setting_that_training_settled_cannot_change_afterwards(trained: Trained) -> None:
    with pytest.raises(InputError, match=r"ranker\.trees"):
        evaluate.main(["--run", str(trained.run), "--ranker.trees", "3"])


def test_a_table_whose_features_differ_from_the_runs_is_refused(trained: Trained) -> None:
    run = SavedRun.open(trained.run)
    shop = load_collection(run.config)
    table = run.builder(shop.products).build(shop.queries, shop.judgements.head(5)).frame
    first, second = run.schema.names[:2]
    for bad, named in (
        (table.drop(first), f"missing '{first}'"),
        (table.with_columns(more=pl.lit(1.0)), "extra 'more'"),
        (table.select("query_id", "product_id", second, first, *run.schema.names[2:]), first),
    ):
        with pytest.raises(InputError, match=named):
            run.dataset(bad)


def test_check_prints_findings_and_passes_a_sound_shop(trained: Trained) -> None:
    found = check.main(trained.words())
    assert {finding.level for finding in found} <= {"PASS", "WARN"}
    assert [finding.check for finding in found].count("queries with a word that no product has") == 1


def test_the_schema_comes_back_from_its_json(trained: Trained) -> None:
    schema = SavedRun.open(trained.run).schema
    assert FeatureSchema.from_json(schema.to_json()) == schema


def test_new_judgements_of_unknown_queries_ask_for_their_table(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("query_id,product_id,grade\nx1,p1,1\nx1,p2,0\n")
    with pytest.raises(InputError, match=r"new\.csv: .*got ids alone; name their table with --queries"):
        evaluate.main(["--run", str(trained.run), "--judgements", str(tmp_path / "new.csv")])
