"""The verdict of the first screen, what each source adds, and the words of a search team."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from features.feature_schema import Feature, FeatureSchema
from ltr.config.command_line import DEMO_CONFIG
from ltr.config.tree import read_config
from ltr.evaluation.gate import judge
from ltr.evaluation.per_query import EvaluationConfig
from ltr.evaluation.significance import BootstrapConfig
from ltr.evaluation.systems import Measurement
from ltr.reporting.run_page.examples import price_in_words
from ltr.reporting.run_page.first_screen import added_sources, verdict_lines
from ltr.reporting.run_page.run_report import currency_of
from ltr.reporting.words import feature_in_words, source_in_words, system_in_words

CONFIG = EvaluationConfig(bootstrap=BootstrapConfig(resamples=200))
METRIC = "nDCG@10"


def gains(**shifts: tuple[int, float]) -> pl.DataFrame:
    """Queries of each kind: how many, and by how much the model is better; each moves a little by itself."""
    rng = np.random.default_rng(0)
    rows = [
        (f"{kind}{i:03d}", kind.replace("_", " "), "BM25", 0.5, 0.5 + shift + noise)
        for kind, (count, shift) in shifts.items()
        for i, noise in enumerate(rng.normal(scale=0.02, size=count))
    ]
    frame = pl.DataFrame(rows, schema=["query_id", "kind", "baseline", "before", "after"], orient="row")
    return frame.with_columns(gain=pl.col("after") - pl.col("before"))


def said_of(found: pl.DataFrame) -> dict[str, str]:
    parts = found.select("query_id", family=pl.lit("kind"), segment="kind")
    model, plain = (found.select("query_id", pl.col(name).alias(METRIC)) for name in ("after", "before"))
    verdict = judge(("model", model), ("baseline", plain), parts, CONFIG)
    return {line.kind: line.says for line in verdict_lines(verdict, found)}


def test_each_kind_has_its_own_verdict() -> None:
    found = gains(words=(40, 0.1), photo=(30, -0.1), words_and_photo=(30, 0.0), audio=(4, 0.3))
    assert said_of(found) == {
        "Queries in words": "better",
        "Photo queries": "worse",
        "Words and photo together": "within noise",
        "Queries by audio": "too few",
    }


@pytest.mark.parametrize(("shift", "says"), [(0.1, "better"), (-0.1, "worse"), (0.0, "within noise")])
def test_one_kind_alone_is_judged_as_a_whole(shift: float, says: str) -> None:
    assert said_of(gains(unknown=(40, shift))) == {"All queries": says}


def climbed(**means: float) -> Measurement:
    rng = np.random.default_rng(1)
    frames = [
        pl.DataFrame(
            {"query_id": [f"q{i:02d}" for i in range(40)], METRIC: mean + rng.normal(scale=0.01, size=40)}
        ).with_columns(system=pl.lit(system))
        for system, mean in means.items()
    ]
    return Measurement(pl.concat(frames), pl.DataFrame(), pl.DataFrame(), "lightgbm", METRIC)


def test_each_source_is_what_it_adds_to_those_before_it() -> None:
    schema = FeatureSchema(tuple(Feature(f"{group}.a") for group in ("lexical", "text", "image", "extra")))
    measured = climbed(**{"BM25": 0.9, "lexical": 0.5, "+ text": 0.501, "lightgbm": 0.6})
    found = added_sources(measured, schema, ("lexical", "text", "image"), CONFIG, "")
    assert [(added.source, added.beyond_noise) for added in found] == [
        ("likeness of texts", False),
        ("photos, the shop's own columns", True),
    ]
    assert found[1].test["difference"] == pytest.approx(0.1, abs=0.01)


def test_what_the_model_leans_on_is_a_step_of_its_own() -> None:
    schema = FeatureSchema((Feature("lexical.a"), Feature("text.a")))
    measured = climbed(lexical=0.5, **{"lightgbm alone": 0.6, "lightgbm": 0.7})
    found = added_sources(measured, schema, ("lexical",), CONFIG, "leaning on text.a")
    assert [added.source for added in found] == ["likeness of texts", "leaning on text.a"]
    assert [added.test["difference"] for added in found] == pytest.approx([0.1, 0.1], abs=0.01)


def test_nothing_is_said_of_sources_where_no_ladder_was_climbed() -> None:
    schema = FeatureSchema((Feature("given.f1"),))
    assert added_sources(climbed(random=0.3, lightgbm=0.6), schema, ("lexical", "text"), CONFIG, "") == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lexical.bm25_title_z", "word search (BM25) in the title, against the list"),
        ("lexical.covered_all", "share of words found in any text"),
        ("lexical.title_terms", "number of words in the title"),
        ("text.description_rank", "likeness of words and the description, place in the list"),
        ("image.photo_photo", "likeness of the two photos"),
        ("structured.price_rank_in_category", "price, place in its category"),
        ("structured.missing_image", "the photo missing"),
        ("extra.delivery_days", "delivery days"),
        ("audio.audio_audio", "audio: audio audio"),
        ("given.f7", "given: f7"),
    ],
)
def test_features_are_called_by_words(name: str, words: str) -> None:
    assert feature_in_words(name) == words


def test_systems_and_sources_are_called_by_words() -> None:
    assert system_in_words("BM25") == "plain word search (BM25)"
    assert system_in_words("audio cosine") == "likeness of audio alone (audio cosine)"
    assert system_in_words("random") == "random order"
    assert system_in_words("lightgbm") == "lightgbm"
    assert source_in_words("image") == "photos"
    assert source_in_words("audio") == "audio"


@pytest.mark.parametrize(
    ("price", "currency", "words"),
    [(9.5, "€", "€9.50"), (1234.5, "EUR", "1,234.50 EUR"), (9.5, "", "9.50"), (None, "EUR", "")],
)
def test_a_price_has_its_currency(price: float | None, currency: str, words: str) -> None:
    assert price_in_words(price, currency) == words


def test_the_demos_prices_are_in_the_dollars_that_its_queries_name() -> None:
    config = read_config(DEMO_CONFIG)
    assert price_in_words(9.5, currency_of(config.data)) == "9.50 USD"
    assert currency_of(None) == ""
