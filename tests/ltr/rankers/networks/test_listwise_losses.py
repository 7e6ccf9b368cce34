"""The listwise losses: their formulas written out, and what must not change them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ltr.rankers.networks.listwise_losses import LAMBDA_MU, approx_ndcg, lambdaloss, listnet

Rows = tuple[list[float], list[float]]
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
each_loss = pytest.mark.parametrize(
    "loss", [listnet, approx_ndcg, lambdaloss], ids=lambda loss: loss.__name__
)


def ideal_dcg(gains: list[float]) -> float:
    return sum(gain / np.log2(rank + 2) for rank, gain in enumerate(sorted(gains, reverse=True)))


def plain_listnet(scores: list[float], gains: list[float]) -> float:
    total = sum(np.exp(score) for score in scores)
    return -sum(gain / sum(gains) * np.log(np.exp(s) / total) for s, gain in zip(scores, gains, strict=True))


def plain_approx_ndcg(scores: list[float], gains: list[float]) -> float:
    dcg = 0.0
    for i, gain in enumerate(gains):
        rank = 1 + sum(
            1 / (1 + np.exp(-(s - scores[i]) / 0.1)) for j, s in enumerate(scores) if j != i
        )  # fmt: skip
        dcg += gain / np.log2(1 + rank)
    return 1 - dcg / ideal_dcg(gains)


def plain_lambdaloss(scores: list[float], gains: list[float]) -> float:
    rank = {i: place + 1 for place, i in enumerate(sorted(range(len(scores)), key=lambda i: -scores[i]))}
    total = 0.0
    for i in range(len(scores)):
        for j in range(len(scores)):
            if gains[i] > gains[j]:
                rho = abs(1 / np.log2(1 + rank[i]) - 1 / np.log2(1 + rank[j]))
                apart = abs(rank[i] - rank[j])
                delta = 1 / np.log2(1 + apart) - 1 / np.log2(2 + apart)
                worth = (gains[i] - gains[j]) / ideal_dcg(gains)
                total += (rho + LAMBDA_MU * delta) * worth * np.log2(1 + np.exp(-(scores[i] - scores[j])))
    return total


PLAIN: dict[Loss, Callable[[list[float], list[float]], float]] = {
    listnet: plain_listnet,
    approx_ndcg: plain_approx_ndcg,
    lambdaloss: plain_lambdaloss,
}


@st.composite
def lists(draw: st.DrawFn) -> list[Rows]:
    """A few queries: distinct scores, so that ranks are clear, and grades of which one at least is above 0."""
    made = []
    for _ in range(draw(st.integers(1, 4))):
        length = draw(st.integers(1, 7))
        order = draw(st.permutations(range(length)))
        step = draw(st.floats(0.05, 0.8))
        grades = draw(st.lists(st.sampled_from([0, 1, 1.5, 3]), min_size=length, max_size=length))
        grades[draw(st.integers(0, length - 1))] = 2
        made.append(([step * place for place in order], [2.0**grade - 1 for grade in grades]))
    return made


def tensors(queries: list[Rows], padding: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Padded scores, gains and mask; the padding holds values that would do harm if they were read."""
    width = max(len(scores) for scores, _ in queries) + padding
    scores, gains = np.full((len(queries), width), 50.0), np.full((len(queries), width), 9.0)
    mask = np.zeros((len(queries), width), bool)
    for row, (s, g) in enumerate(queries):
        scores[row, : len(s)], gains[row, : len(s)], mask[row, : len(s)] = s, g, True
    return torch.from_numpy(scores), torch.from_numpy(gains), torch.from_numpy(mask)


@each_loss
@given(queries=lists())
def test_agrees_with_its_formula(loss: Loss, queries: list[Rows]) -> None:
    expected = np.mean([PLAIN[loss](scores, gains) for scores, gains in queries])
    assert loss(*tensors(queries)).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@each_loss
@given(queries=lists(), random=st.randoms(use_true_random=False))
def test_the_order_of_rows_and_queries_does_not_matter(loss: Loss, queries: list[Rows], random) -> None:
    shuffled = []
    for scores, gains in queries:
        rows = list(zip(scores, gains, strict=True))
        random.shuffle(rows)
        shuffled.append(([s for s, _ in rows], [g for _, g in rows]))
    random.shuffle(shuffled)
    assert loss(*tensors(shuffled)).item() == pytest.approx(
        loss(*tensors(queries)).item(), rel=1e-9, abs=1e-12
    )


@each_loss
@given(queries=lists())
def test_padding_has_no_effect(loss: Loss, queries: list[Rows]) -> None:
    plain, padded = tensors(queries), tensors(queries, padding=3)
    plain[0].requires_grad_()
    padded[0].requires_grad_()
    short, long = loss(*plain), loss(*padded)
    short.backward()
    long.backward()
    assert plain[0].grad is not None
    assert padded[0].grad is not None
    assert long.item() == pytest.approx(short.item(), rel=1e-12, abs=1e-12)
    torch.testing.assert_close(padded[0].grad[:, :-3], plain[0].grad)
    assert not padded[0].grad[~padded[2]].any()


@each_loss
@given(queries=lists())
def test_only_differences_of_scores_and_ratios_of_gains_count(loss: Loss, queries: list[Rows]) -> None:
    scores, gains, mask = tensors(queries)
    value = loss(scores, gains, mask).item()
    assert loss(scores + 3, 7 * gains, mask).item() == pytest.approx(value, rel=1e-9, abs=1e-9)


@each_loss
def test_gradients_are_those_of_finite_differences(loss: Loss) -> None:
    random = np.random.default_rng(0)
    queries = [
        (random.permutation(n).tolist(), (2.0 ** random.integers(0, 4, n) - 1).tolist()) for n in (6, 3, 1)
    ]
    scores, gains, mask = tensors(queries)
    scores = (scores * 0.2).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(s, gains, mask), (scores,))


@each_loss
def test_queries_with_nothing_relevant_teach_nothing(loss: Loss) -> None:
    useful: Rows = ([0.3, 0.1, 0.2], [0.0, 3.0, 1.0])
    useless: Rows = ([0.2, 0.1], [0.0, 0.0])
    assert loss(*tensors([useful, useless])).item() == pytest.approx(loss(*tensors([useful])).item())
    scores, gains, mask = tensors([useless])
    scores.requires_grad_()
    value = loss(scores, gains, mask)
    value.backward()
    assert value.item() == 0
    assert scores.grad is not None
    assert not scores.grad.any()


@each_loss
def test_a_better_order_costs_less(loss: Loss) -> None:
    gains = [7.0, 3.0, 1.0, 0.0, 0.0]
    worst, middling, best = (
        [0.4 * place for place in order] for order in ([0, 1, 2, 3, 4], [2, 4, 1, 3, 0], [4, 3, 2, 1, 0])
    )
    costs = [loss(*tensors([(scores, gains)])).item() for scores in (worst, middling, best)]
    assert costs == sorted(costs, reverse=True)


@each_loss
def test_scores_far_apart_stay_finite(loss: Loss) -> None:
    scores, gains, mask = (part.float() for part in tensors([([1e4, -1e4, 0.0], [0.0, 7.0, 1.0])]))
    scores.requires_grad_()
    value = loss(scores, gains, mask.bool())
    value.backward()
    assert scores.grad is not None
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()
