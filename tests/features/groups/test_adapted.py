"""Adapted similarity in worlds whose right answer is known: what is learnt, what is not, and that nothing leaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.encoders.vectors import RowVectors, of_pairs
from features.errors import InputError
from features.groups.adapted import STRENGTHS, AdaptedSimilarity, feature_of, fields_of
from features.groups.adapted_fitting import GradedLists, fit_path

SIZE = 6
TITLE = "text.title"


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def world(queries: int = 80, rows: int = 12, seed: int = 0) -> tuple[dict[str, RowVectors], GradedLists]:
    """Products are the better the nearer they lie to the query in the encoder's space with one axis turned round."""
    random = np.random.default_rng(seed)
    asked, offered = (unit(random.normal(size=(count, SIZE))) for count in (queries, 3 * rows))
    of_query = np.repeat(np.arange(queries), rows)
    of_product = random.integers(0, len(offered), queries * rows)
    turned = offered * np.array([-1, 1, 1, 1, 1, 1], dtype=np.float32)
    worth = np.einsum("ij,ij->i", asked[of_query], turned[of_product]) + random.normal(0, 0.1, len(of_query))
    gains = np.digitize(worth, [0.0, 0.3, 0.6]).astype(float)
    fields = {"query_text": RowVectors(asked, of_query), "title": RowVectors(offered, of_product)}
    return fields, GradedLists(np.full(queries, rows), gains)


def adapt(fields: dict[str, RowVectors], lists: GradedLists) -> tuple[AdaptedSimilarity, np.ndarray]:
    return AdaptedSimilarity.fit(fields, [TITLE], lists)


def test_learns_which_way_an_axis_counts_and_ranks_unseen_queries_by_it() -> None:
    fields, lists = world()
    adapted, own = adapt(fields, lists)
    unseen, graded = world(seed=1)
    unseen["query_text"] = RowVectors(unseen["query_text"].vectors, unseen["query_text"].rows)
    found = adapted.transform(unseen, graded.sizes)
    plain = np.nanmean(graded.ndcg(of_pairs(*unseen.values())))
    assert np.nanmean(graded.ndcg(found[:, 0])) > plain + 0.05
    assert np.nanmean(lists.ndcg(own[:, 0])) > np.nanmean(lists.ndcg(of_pairs(*fields.values()))) + 0.05
    assert adapted.names == ["adapted.title", "adapted.title_rank", "adapted.title_z"]


def test_features_of_a_query_never_saw_its_own_grades() -> None:
    """Other grades for one query leave its own features as they were, and change those of the others."""
    fields, lists = world()
    _, own = adapt(fields, lists)
    rows = np.arange(12)
    changed = lists.gains.copy()
    changed[rows] = 3 - changed[rows]
    _, other = adapt(fields, GradedLists(lists.sizes, changed))
    assert np.array_equal(own[rows], other[rows])
    assert not np.array_equal(own[12:], other[12:])


def test_shuffled_grades_give_nothing() -> None:
    """Beyond what chance gives any feature; most worlds end with no map at all."""
    gained, plain = [], 0
    for seed in range(6):
        fields, lists = world(seed=seed)
        shuffled = GradedLists(lists.sizes, np.random.default_rng(seed).permutation(lists.gains))
        adapted, own = adapt(fields, shuffled)
        plain += not adapted.maps[TITLE].weights.any()
        gained.append(np.nanmean(shuffled.ndcg(own[:, 0]) - shuffled.ndcg(of_pairs(*fields.values()))))
    assert np.mean(gained) < 0.01
    assert plain >= 3


@pytest.mark.parametrize(
    "spoil",
    [
        np.zeros_like,
        np.ones_like,
        lambda gains: np.eye(1, len(gains))[0],
    ],
    ids=["no gain", "all alike", "one telling list"],
)
def test_lists_that_tell_nothing_give_the_plain_cosine(spoil: object) -> None:
    fields, lists = world(queries=10)
    adapted, own = adapt(fields, GradedLists(lists.sizes, spoil(lists.gains)))  # type: ignore[operator]
    assert not adapted.maps[TITLE].weights.any()
    assert np.array_equal(own[:, 0], of_pairs(*fields.values()))


@settings(max_examples=6, deadline=None)
@given(missing=st.lists(st.integers(0, 959), max_size=400), asked=st.booleans())
def test_missing_vectors_are_missing_features_and_no_others(missing: list[int], asked: bool) -> None:
    fields, lists = world()
    name = "query_text" if asked else "title"
    rows = fields[name].rows.copy()
    rows[missing] = -1
    fields[name] = RowVectors(fields[name].vectors, rows)
    adapted, own = adapt(fields, lists)
    gone = np.isin(np.arange(len(rows)), missing)
    assert np.array_equal(np.isnan(own[:, 0]), gone)
    assert np.array_equal(np.isnan(adapted.transform(fields, lists.sizes)).all(axis=1), gone)


def test_nothing_to_compare_at_all() -> None:
    fields, lists = world(queries=10)
    fields["query_text"] = RowVectors(np.zeros((0, SIZE), np.float32), np.full(120, -1))
    adapted, own = adapt(fields, lists)
    assert np.isnan(own).all()
    assert np.isnan(adapted.transform(fields, lists.sizes)).all()


def test_a_query_is_scored_alike_alone_and_among_others() -> None:
    fields, lists = world()
    adapted, _ = adapt(fields, lists)
    whole = adapted.transform(fields, lists.sizes)
    one = adapted.transform(
        {name: part.take(np.arange(12, 24)) for name, part in fields.items()}, np.array([12])
    )
    assert np.allclose(one, whole[12:24], atol=1e-5)


def test_a_stronger_penalty_moves_less_and_the_huddled_as_much_as_the_spread() -> None:
    """Vectors that all point nearly the same way differ as much in their own units."""
    fields, lists = world()
    huddled = {name: RowVectors(unit(part.vectors + 8), part.rows) for name, part in fields.items()}
    norms, gained = [], []
    for part in (fields, huddled):
        found = fit_path(part["query_text"], part["title"], lists, STRENGTHS)
        norms.append([np.linalg.norm(one.weights) for one in found.values()])
        best = found[STRENGTHS[-1]].of_pairs(*part.values())
        gained.append(np.nanmean(lists.ndcg(best) - lists.ndcg(of_pairs(*part.values()))))
    assert all(np.all(np.diff(path) > 0) for path in norms)
    assert min(gained) > 0.05


def test_saved_maps_score_alike_and_a_damaged_file_is_told(tmp_path: Path) -> None:
    fields, lists = world()
    adapted, _ = adapt(fields, lists)
    adapted.save(tmp_path / "adapted.safetensors")
    again = AdaptedSimilarity.load(tmp_path / "adapted.safetensors", [TITLE])
    assert np.array_equal(again.transform(fields, lists.sizes), adapted.transform(fields, lists.sizes))
    for names in (["text.brand"], [TITLE, "text.brand"], []):
        with pytest.raises(InputError, match="saved maps of adapted similarity"):
            AdaptedSimilarity.load(tmp_path / "adapted.safetensors", names)
    whole = (tmp_path / "adapted.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-5])
    with pytest.raises(InputError, match="copy the whole run folder again"):
        AdaptedSimilarity.load(tmp_path / "cut.safetensors", [TITLE])


@pytest.mark.parametrize(
    ("comparison", "fields", "feature"),
    [
        ("text.title", ("query_text", "title"), "adapted.title"),
        ("text.brand", ("query_text", "brand"), "adapted.brand"),
        ("image.photo_photo", ("query_image", "image"), "adapted.photo_photo"),
        ("image.text_photo", ("query_text", "image"), "adapted.text_photo"),
        ("image.photo_title", ("query_image", "title"), "adapted.photo_title"),
        ("audio.audio_audio", ("query_audio", "audio"), "adapted.audio_audio"),
        ("audio.audio_title", ("query_audio", "title"), "adapted.audio_title"),
    ],
)
def test_names_of_fields_and_features(comparison: str, fields: tuple[str, str], feature: str) -> None:
    assert (fields_of(comparison), feature_of(comparison)) == (fields, feature)
