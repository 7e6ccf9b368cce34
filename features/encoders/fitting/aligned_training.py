"""Fit an aligned encoder to a frozen text space: photos beside their texts, all other texts of the batch away.

What comes out hangs on the steps alone, never on how fast they were: a time limit cuts the fitting short, and says
so. Locked-text tuning (Zhai et al., "LiT", 2022) with the symmetric contrastive loss of CLIP (Radford et al.,
2021) and its learnt temperature. Which pairs these are, its caller decides. A fitting that was killed goes on
where its last checkpoint left it.
"""

from __future__ import annotations

import copy
import logging
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from features.disk import whole_file
from features.encoders.fitting.aligned_start import content_of, first_network
from features.encoders.fitting.contrastive import augment, contrastive_loss, learning_rate_at
from features.encoders.fitting.pair_sampling import (
    Pairs,
    alike,
    batches,
    draw_targets,
    held_out_recall,
    hold_out,
)
from features.encoders.image.aligned_network import PhotoNetwork, as_batch, encode_pixels, has_bfloat16
from features.encoders.image.aligned_settings import AlignedTrainingConfig
from features.encoders.protocol import fingerprint_of
from features.errors import InputError
from features.progress import clock

log = logging.getLogger(__name__)

_AVERAGED_STEPS = 200  # that the measured and kept weights are a moving average of, or a fifth of them all
_COLDEST = 0.01  # temperature: below it a handful of hard negatives takes the whole gradient
_CHECKPOINT_SECONDS = 30.0
_REPORT_SECONDS = 15.0
_ESTIMATED_AFTER = 8  # steps of this process: then it is known how long they take


@dataclass(frozen=True)
class Progress:
    """Where a fitting stands."""

    epoch: int
    step: int
    steps: int
    loss: float
    """Mean over the steps since the last report."""
    temperature: float
    recall: float | None
    """On the held-out pairs, at the end of an epoch."""
    seconds_left: float


@dataclass(frozen=True)
class Fitted:
    """The aligned encoder that was best on held-out pairs."""

    photo_network: PhotoNetwork
    recall: float
    epochs: int
    seconds: float
    """Spent, over all the times it was started."""
    cut: bool
    """Whether the time limit ended it: with more minutes it goes on from its checkpoint."""
    trained_on: int
    held_out: int


@dataclass
class _Standing:
    """What a fitting needs, beside the network and the optimiser, to go on."""

    step: int = 0
    seconds: float = 0.0
    best_recall: float = -1.0
    stale_epochs: int = 0


def fit_aligned_encoder(
    pairs: Pairs,
    settings: AlignedTrainingConfig,
    device: torch.device,
    checkpoint: Path,
    tell: Callable[[Progress], None] = lambda _: None,
    base: Path | None = None,
    spent: float = 0.0,
) -> Fitted:
    """Train until the epochs are over, recall on held-out pairs no longer rises, or the minutes cut it short.

    spent: seconds of the minutes that are gone already, on reading and encoding the pairs.
    checkpoint: a file kept on the way; one of the same pairs and settings is gone on from, any other is
    overwritten. base: the folder that a path of `weights` or `start` starts from.
    Raises InputError for an aligned encoder to start from that is not there, or is of another shape, and where
    no minute is left to begin with.
    """
    return _Fitting(pairs, settings, device, checkpoint, tell, base).run(spent)


class _Fitting:
    """One fitting: the network, its optimiser, and where it stands."""

    def __init__(
        self,
        pairs: Pairs,
        settings: AlignedTrainingConfig,
        device: torch.device,
        checkpoint: Path,
        tell: Callable[[Progress], None],
        base: Path | None,
    ) -> None:
        self._pairs, self._settings, self._device = pairs, settings, device
        self._checkpoint, self._tell = checkpoint, tell
        self._train, self._held = hold_out(pairs, settings.held_out, settings.seed)
        self._batch = min(settings.batch_size, len(self._train))
        self._epoch_steps = len(self._train) // self._batch
        self._photos = torch.from_numpy(pairs.photos).to(device)
        self._photo_network = first_network(settings, pairs.text.vectors.shape[1], base).to(device)
        self._log_scale = nn.Parameter(torch.tensor(-math.log(settings.temperature), device=device))
        self._optimiser = torch.optim.AdamW(self._parameter_groups(), lr=0.0)
        self._averaged = copy.deepcopy(self._photo_network)
        self._standing = _Standing()
        self._taken, self._before = 0, 0.0  # steps of this process, and the seconds before them
        self._best = copy.deepcopy(self._photo_network)
        self._key = fingerprint_of(
            {
                "pairs": pairs.fingerprint,
                "settings": settings.model_dump(exclude={"minutes"}),
                "start": content_of(self._photo_network),
            }
        )
        self._resume()

    @property
    def _steps(self) -> int:
        return self._settings.epochs * self._epoch_steps

    @property
    def _share(self) -> float:
        """How much of the fitting is done; of its steps, so that a busy machine ends with the same network."""
        return self._standing.step / self._steps

    @property
    def _limit(self) -> float:
        return 60 * (self._settings.minutes or math.inf)

    @property
    def _over(self) -> bool:
        return self._share >= 1 or self._standing.stale_epochs >= self._settings.patience

    def run(self, spent: float) -> Fitted:
        standing = self._standing
        standing.seconds += spent
        self._before = standing.seconds
        while not self._over and standing.seconds < self._limit:
            self._run_epoch()
        if standing.step == 0:
            raise InputError(
                where="aligned.minutes",
                expected="time left to fit in, after photos and texts were read",
                got=f"{standing.seconds / 60:.1f} minutes gone of {self._settings.minutes:g}",
                cure="run it again (the texts' vectors are kept), or allow more minutes",
            )
        if not self._over:
            log.warning(
                "WARN: cut short by aligned.minutes %g after step %s of %s (epoch %d of %d): the learning rate has "
                "not fallen yet, and a busy machine gives another network; run it again with more minutes to go on",
                *(self._settings.minutes, f"{standing.step:,}", f"{self._steps:,}"),
                *(math.ceil(standing.step / self._epoch_steps), self._settings.epochs),
            )
        measured = standing.best_recall >= 0  # else it was cut in its first epoch
        return Fitted(
            (self._best if measured else self._averaged).eval(),
            standing.best_recall if measured else self._recall(),
            epochs=math.ceil(standing.step / self._epoch_steps),
            seconds=standing.seconds,
            cut=not self._over,
            trained_on=len(self._train),
            held_out=len(self._held),
        )

    def _run_epoch(self) -> None:
        """The rest of the epoch that the last checkpoint fell in, then its recall."""
        settings, standing = self._settings, self._standing
        epoch, done = divmod(standing.step, self._epoch_steps)
        watch = _Watch()
        losses: list[Tensor] = []
        for place, rows in enumerate(batches(self._train, self._batch, settings.seed, epoch)):
            if place < done:
                continue
            if watch.due("kept", _CHECKPOINT_SECONDS):
                self._keep()
            losses.append(self._take_step(rows))
            standing.step += 1
            standing.seconds += watch.lap()
            self._estimate()
            if watch.due("report", _REPORT_SECONDS):
                self._tell(self._progress(losses, None))
                losses = []
            if self._share >= 1 or standing.seconds >= self._limit:
                break
        # Cut in mid-epoch it is not measured: gone on from, it would count as an epoch.
        recall = None if standing.step % self._epoch_steps else self._measure()
        self._keep()
        self._tell(self._progress(losses, recall))

    def _estimate(self) -> None:
        """Say once how long all steps will take, and that the limit will cut them short if it will."""
        self._taken += 1
        if self._taken != _ESTIMATED_AFTER:
            return
        left = (
            (self._standing.seconds - self._before) / _ESTIMATED_AFTER * (self._steps - self._standing.step)
        )
        log.info("%s steps: about %s left at this pace", f"{self._steps:,}", clock(left))
        if self._standing.seconds + left > self._limit:
            log.warning(
                "WARN: aligned.minutes %g will cut it short at about step %s of %s",
                self._settings.minutes,
                f"{round(self._steps * (self._limit / (self._standing.seconds + left))):,}",
                f"{self._steps:,}",
            )

    def _take_step(self, rows: np.ndarray) -> Tensor:
        settings, step = self._settings, self._standing.step
        rate = settings.learning_rate * learning_rate_at(self._share)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        rng = np.random.default_rng([settings.seed, step, 1])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        targets = torch.from_numpy(draw_targets(self._pairs, rows, settings.mix, rng)).to(self._device)
        same = torch.from_numpy(alike(self._pairs, rows)).to(self._device)
        photos = as_batch(self._photos[torch.from_numpy(rows)])
        seen = photos if settings.views == 0 else photos.repeat(2, 1, 1, 1)
        self._photo_network.train()
        with self._autocast():
            views = self._photo_network(augment(seen, generator, settings.jitter)).split(len(rows))
        scale = self._log_scale.exp()
        loss = torch.stack([contrastive_loss(view, targets, scale, same) for view in views]).mean()
        if settings.views:
            first, second = views
            loss = loss + settings.views * contrastive_loss(first, second, scale, same)
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        self._average()
        with torch.no_grad():
            self._log_scale.clamp_(max=-math.log(_COLDEST))
        return loss.detach()

    def _average(self) -> None:
        """Move the averaged network towards the trained one.

        At a high learning rate the latter's batch norms lag behind its filters: from one epoch to the next
        its recall fell from .77 to .52 and rose again, and early stopping would have met that noise.
        """
        steps = min(_AVERAGED_STEPS, 1 + self._steps // 5, 1 + self._standing.step)
        trained = self._photo_network.state_dict()
        for name, tensor in self._averaged.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(trained[name], 1 / steps)

    def _recall(self) -> float:
        photos = encode_pixels(self._averaged, self._photos[torch.from_numpy(self._held)], self._device)
        return held_out_recall(self._pairs, self._held, photos, self._settings.recall_at)

    def _measure(self) -> float:
        recall = self._recall()
        self._standing.stale_epochs += 1
        if recall > self._standing.best_recall:
            self._standing.best_recall, self._standing.stale_epochs = recall, 0
        if recall == self._standing.best_recall:  # of equals the last, whose learning rate was the lowest
            self._best = copy.deepcopy(self._averaged)
        return recall

    def _autocast(self) -> torch.autocast:
        wanted = self._settings.precision == "bfloat16"
        if self._settings.precision == "auto":
            wanted = has_bfloat16(self._device)
        return torch.autocast(self._device.type, torch.bfloat16, enabled=wanted)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Weight decay for matrices and filters only: biases, norms and the temperature have no say in size."""
        parameters = [*self._photo_network.parameters(), self._log_scale]
        return [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self._settings.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]

    def _progress(self, losses: list[Tensor], recall: float | None) -> Progress:
        step, share = self._standing.step, self._share
        left = self._standing.seconds * (1 - share) / share
        loss = torch.stack(losses).mean().item() if losses else math.nan
        temperature = math.exp(-self._log_scale.item())
        epoch = math.ceil(step / self._epoch_steps)
        return Progress(epoch, step, self._steps, loss, temperature, recall, left)

    def _keep(self) -> None:
        """Write the checkpoint whole or not at all."""
        state = {
            "key": self._key,
            "aligned": self._photo_network.state_dict(),
            "averaged": self._averaged.state_dict(),
            "best": self._best.state_dict(),
            "log_scale": self._log_scale.detach(),
            "optimiser": self._optimiser.state_dict(),
            "standing": vars(self._standing),
        }
        with whole_file(self._checkpoint) as path:
            torch.save(state, path)

    def _resume(self) -> None:
        if not self._checkpoint.is_file():
            return
        try:
            state = torch.load(self._checkpoint, map_location=self._device, weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
            got = str(error).split("\n", 1)[0] or type(error).__name__
            cure = "remove it: the fitting starts again"
            raise InputError(where=self._checkpoint, expected="a checkpoint", got=got, cure=cure) from error
        if state.get("key") != self._key:
            return
        self._photo_network.load_state_dict(state["aligned"])
        self._averaged.load_state_dict(state["averaged"])
        self._best.load_state_dict(state["best"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._standing = _Standing(**state["standing"])
        with torch.no_grad():
            self._log_scale.copy_(state["log_scale"])


class _Watch:
    """Seconds between laps, and whether something is due again."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._since: dict[str, float] = {}

    def lap(self) -> float:
        now = time.monotonic()
        passed, self._last = now - self._last, now
        return passed

    def due(self, what: str, seconds: float) -> bool:
        since = self._since.setdefault(what, self._last)
        if self._last - since < seconds:
            return False
        self._since[what] = self._last
        return True
