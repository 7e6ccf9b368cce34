"""Settings of the networks; kept apart from them so that reading a config needs no torch."""

# ruff: noqa: PLC0415 - torch takes seconds to import, and the boosters need none

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ltr.rankers.protocol import Ranker, RankerSettings
from ltr.rankers.registry import register

Widths = tuple[int, ...]


class NetworkConfig(RankerSettings):
    """Settings that mean the same to both networks."""

    packages: ClassVar[tuple[str, ...]] = ("torch",)
    extra: ClassVar[str] = "networks"

    epochs: int = Field(40, ge=1, description="at most; early stopping may keep fewer")
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    dropout: float = Field(0.3, ge=0, lt=1)
    batch_rows: int = Field(1024, ge=1, description="of whole queries, padding counted; one query at least")
    relevant_from: float = Field(1.0, gt=0, description="the lowest grade that counts as relevant")
    early_stopping_rounds: int = Field(6, ge=0, description="epochs without a better validation nDCG; 0: off")
    stop_at: int = Field(10, ge=1, description="the k of the validation nDCG@k")
    bags: int = Field(1, ge=1, description="models of seeds seed, seed + 1, … whose scores are averaged")
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int | None = Field(None, ge=1, description="null: all cores, but one for small tables")
    seed: int = Field(0, ge=0, lt=2**30)


class MLPConfig(NetworkConfig):
    """grades: one class per grade, scored by expected gain; relevance: `relevant_from` or not, by log-odds."""

    kind: Literal["mlp"] = "mlp"
    objective: Literal["grades", "relevance"] = "grades"
    hidden: Widths = Field((512, 256), min_length=1, description="units of each hidden layer")


class NeuralConfig(NetworkConfig):
    """Which listwise loss, and how much the second task, telling relevant from not, counts beside it."""

    kind: Literal["neural"] = "neural"
    objective: Literal["listnet", "lambdaloss", "approx_ndcg"] = "listnet"
    width: int = Field(64, ge=1, description="units that each modality is reduced to")
    pointwise_weight: float = Field(
        0.2, ge=0, description="of the log-loss of relevance beside the listwise loss"
    )
    modality_dropout: float = Field(
        0.1, ge=0, lt=1, description="share of rows whose text, or image, is hidden"
    )


def _mlp(config: MLPConfig) -> Ranker:
    from ltr.rankers.networks.mlp_ranker import MLPRanker

    return MLPRanker(config)


def _neural(config: NeuralConfig) -> Ranker:
    from ltr.rankers.networks.neural_ranker import NeuralRanker

    return NeuralRanker(config)


register(MLPConfig, _mlp)
register(NeuralConfig, _neural)
