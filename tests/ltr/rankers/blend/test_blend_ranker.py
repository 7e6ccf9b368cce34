"""Blends beyond the rankers' contract: who is heard, what is learnt, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.rankers import BlendConfig, load_ranker
from ltr.rankers.blend.blend_ranker import BlendRanker
from ltr.rankers.blend.members import member_features

SMALL: dict[str, Any] = {"trees": 15, "learning_rate": 0.3, "leaves": 4, "threads": 1, "bags": 1}
SMALL |= {"early_stopping_rounds": 0, "params": {"min_data_in_leaf": 5}}
LEARNED = ("weighted", "stacking")


def shop(queries: int = 60, rows: int = 10, seed: int = 0) -> Dataset:
    """Every third query has no photo; the photo tells the grade, the words tell it when there is no photo."""
    random = np.random.default_rng(seed)
    n = queries * rows
    query = np.repeat(np.arange(queries), rows)
    grade = random.integers(0, 3, n).astype(float)
    has_photo = query % 3 > 0
    photo = np.where(has_photo, grade + random.normal(scale=0.3, size=n), np.nan)
    words = np.where(has_photo, 0.0, grade) + random.normal(scale=0.3, size=n)
    return Dataset.from_frame(
        pl.DataFrame(
            {
                "query_id": [f"q{q:03d}" for q in query],
                "product_id": [f"p{i:03d}" for i in range(rows)] * queries,
                "grade": grade,
                "lexical.words": words,
                "image.photo": pl.Series(photo).fill_nan(None),
                "structured.noise": random.normal(size=n),
            }
        )
    )


def fitted(objective: str, **more: Any) -> BlendRanker:
    ranker = BlendRanker(BlendConfig(**{**SMALL, "objective": objective, **more}))
    ranker.fit(shop())
    return ranker


def mean_rank_correlation(data: Dataset, scores: np.ndarray) -> float:
    parts = np.split(np.arange(len(scores)), np.cumsum(data.groups)[:-1])
    return float(np.mean([np.corrcoef(data.grades[rows], scores[rows])[0, 1] for rows in parts]))


def test_members_are_the_modalities_that_the_table_has() -> None:
    names = ["lexical.a", "text.b", "structured.c", "extra.d", "audio.e"]
    schema = FeatureSchema.of(pl.DataFrame({name: [1.0] for name in names}))
    found = {name: features.names for name, features in member_features(schema).items()}
    assert found == {"text": names[:2], "structured": names[2:4], "audio": names[4:]}
    chosen = member_features(schema, {"words": ["lexical"], "photo": ["image"]})
    assert list(chosen) == ["words"]
    with pytest.raises(InputError, match="of which no member has any"):
        member_features(schema, {"photo": ["image"]})


def test_a_member_without_its_features_is_silent_in_that_query_only() -> None:
    data = shop(seed=1)
    scores = fitted("rrf").fit_members(shop()).members.scores(data)
    without_photo = np.repeat(np.arange(60) % 3 == 0, 10)
    np.testing.assert_array_equal(np.isnan(scores[:, 1]), without_photo)
    assert not np.isnan(scores[:, [0, 2]]).any()


@pytest.mark.parametrize("objective", LEARNED)
def test_what_learns_beats_what_does_not_where_a_member_is_noise(objective: str) -> None:
    data = shop(seed=1)
    plain = mean_rank_correlation(data, fitted("borda").score(data))
    assert mean_rank_correlation(data, fitted(objective).score(data)) > plain + 0.05


def test_weights_leave_out_noise_and_come_from_validation_where_there_is_one() -> None:
    out_of_fold = fitted("weighted")
    assert list(out_of_fold.weights) == ["text", "image", "structured"]
    assert sum(out_of_fold.weights.values()) == pytest.approx(1)
    assert out_of_fold.weights["structured"] == min(out_of_fold.weights.values()) < 0.2
    validated = BlendRanker(out_of_fold.config)
    validated.fit(shop(), shop(queries=12, seed=3))
    members = validated.fit_members(shop(), shop(queries=12, seed=3))
    assert members.held_out.data is members.validation


def test_out_of_fold_scores_come_from_members_that_never_saw_the_query() -> None:
    """Grades of pure noise: members fitted on a query remember it, out of fold they cannot."""
    random = np.random.default_rng(5)
    frame = shop().frame.with_columns(grade=pl.Series(random.integers(0, 3, 600).astype(float)))
    noise = Dataset.from_frame(frame)
    members = BlendRanker(BlendConfig(**{**SMALL, "trees": 60})).fit_members(noise)
    remembered = mean_rank_correlation(noise, members.members.scores(noise)[:, 2])
    unseen = mean_rank_correlation(noise, members.out_of_fold.scores[:, 2])
    assert remembered > 2 * max(unseen, 0.15)


def test_one_query_cannot_be_stacked() -> None:
    one = shop(queries=1)
    with pytest.raises(InputError, match="at least 2 training queries"):
        BlendRanker(BlendConfig(**SMALL, objective="stacking")).fit(one)
    BlendRanker(BlendConfig(**SMALL, objective="rrf")).fit(one)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": {"text": 1.0}},
        {"config": {"kind": "blend", "objective": "weighted", "members": {"text": ["structured"]}}},
        {"weights": {"text": 1.0, "image": float("nan"), "structured": 0.0}},
    ],
    ids=["weights of other members", "members of other features", "weights that are no numbers"],
)
def test_a_damaged_blend_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    fitted("weighted").save(tmp_path)
    about = json.loads((tmp_path / "ranker.json").read_text())
    (tmp_path / "ranker.json").write_text(json.dumps(about | change))
    with pytest.raises(InputError, match="expected a saved ranker"):
        load_ranker(tmp_path)


@pytest.mark.parametrize(
    "settings", [{"objective": "lambdarank"}, {"members": {"a": []}}, {"rank_constant": -1}]
)
def test_settings_without_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BlendConfig(**settings)
