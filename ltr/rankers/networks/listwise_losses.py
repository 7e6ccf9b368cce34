"""Losses over whole lists: scores in, one number out, differentiable.

All take scores, gains and a mask of shape (queries, longest list): True where there is a row; what stands
elsewhere has no effect. Each is a mean over the queries that have a gain; 0 where none has.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

APPROX_TEMPERATURE = 0.1  # the value of Bruch et al., SIGIR 2019 (their α = 10)
LAMBDA_MU = 10.0  # weight of the NDCG-Loss2 part; the value of Wang et al.
SHARPNESS = 1.0  # σ of the logistic loss of a pair


def listnet(scores: Tensor, gains: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of top-one probabilities: -Σ_i (g_i / Σg) ln softmax(s)_i.

    Cao et al., "Learning to rank: from pairwise approach to listwise approach" (ICML 2007), with the gain
    as its increasing function of the grade: a bound of nDCG (Bruch et al., ICTIR 2019).
    """
    gains = gains.masked_fill(~mask, 0.0)
    logs = functional.log_softmax(_hidden(scores, mask), dim=1).masked_fill(~mask, 0.0)
    total = gains.sum(dim=1)
    return _mean(-(gains * logs).sum(dim=1) / _not_zero(total), total > 0)


def approx_ndcg(scores: Tensor, gains: Tensor, mask: Tensor) -> Tensor:
    """1 - nDCG with smooth ranks: rank_i = 1 + Σ_{j≠i} sigmoid((s_j - s_i) / T).

    Qin, Liu and Li, "A general approximation framework for direct optimization of information retrieval
    measures" (2010); Bruch et al., "Revisiting approximate metric optimization in the age of deep neural
    networks" (SIGIR 2019).
    """
    gains = gains.masked_fill(~mask, 0.0)
    ahead = torch.sigmoid((scores[:, None, :] - scores[:, :, None]) / APPROX_TEMPERATURE)
    others = mask[:, None, :] & ~torch.eye(scores.shape[1], dtype=torch.bool, device=scores.device)
    ranks = 1 + ahead.masked_fill(~others, 0.0).sum(dim=2)
    ideal = _ideal_dcg(gains)
    ndcg = (gains / torch.log2(1 + ranks)).sum(dim=1) / _not_zero(ideal)
    return _mean(1 - ndcg, ideal > 0)


def lambdaloss(scores: Tensor, gains: Tensor, mask: Tensor) -> Tensor:
    """NDCG-Loss2++: Σ over pairs g_i > g_j of (ρ_ij + μ δ_ij) |G_i - G_j| log2(1 + e^(-σ(s_i - s_j))).

    G = gain / ideal DCG; with D(r) = log2(1 + r) at the present ranks, ρ_ij = |1/D(r_i) - 1/D(r_j)| and
    δ_ij = |1/D(|r_i - r_j|) - 1/D(|r_i - r_j| + 1)|. The weights are held fixed when the loss is derived.
    Wang et al., "The LambdaLoss framework for ranking metric optimization" (CIKM 2018).
    """
    gains = gains.masked_fill(~mask, 0.0)
    ideal = _ideal_dcg(gains)
    better = (gains[:, :, None] > gains[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    worth = (gains[:, :, None] - gains[:, None, :]).abs() / _not_zero(ideal)[:, None, None]
    order = _hidden(scores.detach(), mask).argsort(dim=1, descending=True, stable=True)
    ranks = order.argsort(dim=1).to(scores.dtype) + 1  # ties in the order given
    weights = (_rank_weights(ranks) * worth).masked_fill(~better, 0.0)
    margins = (scores[:, :, None] - scores[:, None, :]).masked_fill(~better, 0.0)
    losses = functional.softplus(-SHARPNESS * margins) / torch.log(scores.new_tensor(2.0))
    return _mean((weights * losses).sum(dim=(1, 2)), ideal > 0)


def _rank_weights(ranks: Tensor) -> Tensor:
    """ρ + μ δ (queries, L, L) of ranks (queries, L); 0 on the diagonal."""
    discounts = 1 / torch.log2(1 + ranks)
    rho = (discounts[:, :, None] - discounts[:, None, :]).abs()
    apart = (ranks[:, :, None] - ranks[:, None, :]).abs()
    delta = (1 / torch.log2(1 + apart.clamp(min=1)) - 1 / torch.log2(2 + apart)).masked_fill(apart == 0, 0.0)
    return rho + LAMBDA_MU * delta


def _ideal_dcg(gains: Tensor) -> Tensor:
    """(queries,) DCG of the gains in descending order."""
    places = torch.arange(1, gains.shape[1] + 1, device=gains.device, dtype=gains.dtype)
    return (gains.sort(dim=1, descending=True).values / torch.log2(1 + places)).sum(dim=1)


def _hidden(scores: Tensor, mask: Tensor) -> Tensor:
    """Padding below every score; a finite number, since infinities would spoil gradients."""
    return scores.masked_fill(~mask, -1e30)


def _not_zero(totals: Tensor) -> Tensor:
    return torch.where(totals > 0, totals, torch.ones_like(totals))


def _mean(losses: Tensor, counted: Tensor) -> Tensor:
    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)
