"""What the two networks share: training with early stopping, the mean over bags, saving."""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.rankers.boosters.boosted import HISTORY, bad_data, thread_count
from ltr.rankers.lists import differ_in_gain, mean_ndcg
from ltr.rankers.model_files import read_models, write_models
from ltr.rankers.networks.early_stopping import BestEpoch, limited_threads
from ltr.rankers.networks.grade_classes import labels_of
from ltr.rankers.networks.network_settings import NetworkConfig
from ltr.rankers.networks.query_batches import QueryBatch, TrainingPart, query_batches
from ltr.rankers.networks.standardiser import Standardiser

LONGEST_LIST = 512  # rows of one query in a training batch
SCORED_AT_ONCE = 4096
LARGEST_STEP = 1.0  # norm that a batch's gradient is cut to: one odd list must not undo an epoch


Config = TypeVar("Config", bound=NetworkConfig)


class NetworkRanker(ABC, Generic[Config]):
    """The mean of `bags` networks over standardised features; a subclass says which, and their loss.

    schema: the features it was fitted on. history: validation nDCG by bag and epoch (both from 1), without
    rows when there was no validation part. On the CPU the same seed and threads give the same model,
    byte for byte.
    """

    config_class: ClassVar[type[NetworkConfig]]

    def __init__(self, config: Config | None = None) -> None:
        self.config: Config = config or self.config_class.model_validate({})  # type: ignore[assignment]
        self.schema = FeatureSchema(())
        self.history = pl.DataFrame(schema=HISTORY)
        self.classes = np.empty(0)
        self._standardiser = Standardiser((), (), (), (), ())
        self._networks: list[nn.Module] = []
        self._epochs: list[int] = []

    @property
    def best_iteration(self) -> int:
        """Epochs kept; of several bags the rounded mean."""
        return round(float(np.mean(self._epochs)))

    def fit(self, train: Dataset, validation: Dataset | None = None) -> None:
        """Train on graded pairs; stop early by the nDCG of the validation part, where there is one.

        Raises InputError for data that nothing can be learnt from, and a device that is not there.
        """
        validation = validation if validation is not None and len(validation.groups) else None
        self._check(train, validation)
        self.schema, self.classes = train.schema, self._make_classes(train.grades)
        self._standardiser = Standardiser.fit(train.X, train.schema)
        self._networks, self._epochs, histories = [], [], []
        with limited_threads(thread_count(self.config.threads, train.X)):
            parts = [self._part(data) for data in (train, validation) if data is not None]
            for bag in range(self.config.bags):
                network, epoch, ndcg = self._train_one(self.config.seed + bag, parts)
                self._networks.append(network)
                self._epochs.append(epoch)
                histories += [(bag + 1, step, value) for step, value in enumerate(ndcg, 1)]
        self.history = pl.DataFrame(histories, schema=HISTORY, orient="row")

    def score(self, data: Dataset) -> np.ndarray:
        """Scores (n,) float64 in the order of `data.frame`: higher is better, comparable within a query only.

        Always on the CPU, so that a run scores alike everywhere. Raises InputError when the features
        are not those of training.
        """
        return self.score_bags(data).T.mean(axis=0)

    def score_bags(self, data: Dataset) -> np.ndarray:
        """Scores (n, bags) of each bag's network, of which `score` is the mean."""
        # Reckoned in 64 bits and cut to 32: the last bits of a sum differ with the number of rows beside it.
        scores = [self._to_scores(outputs).astype(np.float32) for outputs in self._outputs(data)]
        return np.stack(scores).astype(np.float64).T

    def save(self, folder: Path) -> None:
        """Write ranker.json, and one safetensors file of weights per bag."""
        about = {
            "config": self.config.model_dump(mode="json"),
            "features": json.loads(self.schema.to_json()),
            "classes": self.classes.tolist(),
            "standardiser": self._standardiser.to_json(),
            "epochs": self._epochs,
            "history": self.history.to_dict(as_series=False),
        }
        states = (network.float().state_dict() for network in map(copy.deepcopy, self._networks))
        write_models(folder, about, [{k: v.numpy() for k, v in state.items()} for state in states])

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; scores are equal to the last bit. InputError for a file that changed."""
        about, models = read_models(folder)
        ranker = cls(cls.config_class.model_validate(about["config"]))  # type: ignore[arg-type]
        ranker.schema = FeatureSchema.from_json(json.dumps(about["features"]))
        ranker.classes = np.array(about["classes"])
        ranker._standardiser = Standardiser.from_json(about["standardiser"])
        ranker._epochs = about["epochs"]
        ranker.history = pl.DataFrame(about["history"], schema=HISTORY)
        for arrays in models:
            network = ranker._build()
            network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
            ranker._networks.append(network.double().eval())
        return ranker

    def _check(self, train: Dataset, validation: Dataset | None) -> None:
        if not train.X.size:
            got = f"{len(train.X)} pairs with {train.X.shape[1]} features"
            raise bad_data(
                "pairs with features to train on", got, "check the judgements and the feature groups"
            )
        if validation is not None and self.config.early_stopping_rounds:
            self._check_validation(validation)
        if self.config.device == "cuda" and not torch.cuda.is_available():
            raise InputError(
                where="ranker.device",
                expected="a device cuda that PyTorch can use",
                got="no CUDA GPU, or a build of PyTorch without CUDA",
                cure="check nvidia-smi and CUDA_VISIBLE_DEVICES, or use device cpu",
            )

    def _check_validation(self, data: Dataset) -> None:
        if not differ_in_gain(gains_of(data.grades, self.config.gain), data.groups):
            raise bad_data(
                "a validation query whose products differ in grade",
                f"none in {len(data.groups)} queries: nothing tells when to stop",
                "raise split.validation_share, or set ranker.early_stopping_rounds: 0",
            )

    def _part(self, data: Dataset) -> TrainingPart:
        labels = labels_of(data.grades, self.classes)
        gains = gains_of(data.grades, self.config.gain)
        gains = gains / max(gains.max(), 1.0)  # only ratios count, and these do not overflow 32 bits
        return TrainingPart.of(self._inputs(data.X), labels, gains, data.groups, self.config.device)

    def _train_one(self, seed: int, parts: list[TrainingPart]) -> tuple[nn.Module, int, list[float]]:
        """A network, the epoch it is of, and the validation nDCG after each epoch."""
        config = self.config
        devices = [torch.cuda.current_device()] if config.device == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            network = self._build().to(config.device)
            random = np.random.default_rng(seed)
            kept = BestEpoch(config.early_stopping_rounds)
            optimiser = torch.optim.AdamW(
                network.parameters(), config.learning_rate, weight_decay=config.weight_decay
            )
            for _ in range(config.epochs):
                network.train()
                for batch in query_batches(parts[0], config.batch_rows, LONGEST_LIST, random):
                    loss = self._loss(network(batch.inputs), batch)
                    optimiser.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(network.parameters(), LARGEST_STEP)
                    optimiser.step()
                if len(parts) > 1 and kept.is_over(network, self._validate(network.eval(), parts[1])):
                    break
        epoch = kept.restore(network, config.epochs)
        return network.cpu().double().eval(), epoch, kept.history

    def _validate(self, network: nn.Module, part: TrainingPart) -> float:
        with torch.inference_mode():
            outputs = network(part.inputs).double().cpu().numpy()
        return mean_ndcg(self._to_scores(outputs), part.gains.cpu().numpy(), part.groups, self.config.stop_at)

    def _outputs(self, data: Dataset) -> Iterator[np.ndarray]:
        """Each network's outputs (n, width) float64."""
        if data.schema != self.schema:
            self.schema.check(data.frame, "table to score")
        with limited_threads(thread_count(self.config.threads, data.X)), torch.inference_mode():
            inputs = torch.from_numpy(self._inputs(data.X))
            for network in self._networks:
                parts = [network(part.double()) for part in inputs.split(SCORED_AT_ONCE)]
                yield torch.cat(parts).numpy()

    def _inputs(self, X: np.ndarray) -> np.ndarray:
        """(n, d) float32, what the network takes."""
        return self._standardiser.transform(X)

    def _make_classes(self, grades: np.ndarray) -> np.ndarray:  # noqa: ARG002 - the MLP's depend on them
        return np.array([0.0, self.config.relevant_from])

    @abstractmethod
    def _build(self) -> nn.Module:
        """A fresh network for the fitted standardiser, its weights drawn from torch's generator."""

    @abstractmethod
    def _loss(self, outputs: Tensor, batch: QueryBatch) -> Tensor: ...

    @abstractmethod
    def _to_scores(self, outputs: np.ndarray) -> np.ndarray: ...
