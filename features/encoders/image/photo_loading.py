"""Photos read, decoded and shrunk by worker threads ahead of the network, in order, a few batches at most.

Threads and not processes: Pillow decodes and shrinks outside Python's lock, and torch computes outside it, so
all three overlap. Without a network, two processes had 0.8 of a plain loop's rate on JPEGs of 60 × 80 pixels
and 0.4 on 800 × 800, and two threads had 0.9, on a machine whose two cores were both taken
(`benchmarks.image_speed` measures it where it runs). Threads start in no time, so a pool lives for one call of
`encode` and nothing is left running after an error or Ctrl-C.

Pillow's `draft`, which decodes a large JPEG at a half or a quarter of its size, is not used: it gives other
pixels, hence other vectors.
"""

# ruff: noqa: PLC0415 - torch takes seconds to import, and a run whose vectors are all cached needs none

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from typing import ClassVar, Literal, TypeVar

import numpy as np
from PIL import Image
from pydantic import Field

from features.encoders.protocol import TorchSettings, torch_device, unit_rows
from features.media.files import MediaError, read_bytes
from features.media.photos import decode

Prepared = TypeVar("Prepared")

_CHUNK = 8  # photos a task: of the smallest ones a task's own cost is then some hundredths
_BATCHES_AHEAD = 2


class PhotoSettings(TorchSettings):
    """How a network reads photos. `workers` does not change the vectors and stays out of the fingerprint."""

    packages: ClassVar[tuple[str, ...]] = ("torch", "torchvision")
    extra: ClassVar[str] = "photos"

    workers: int = Field(
        4, ge=0, description="threads that read and shrink photos ahead of the network; 0: none"
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="of the network's products; the shorter ones are for a GPU"
    )
    batch_size: int = Field(32, ge=1, description="photos the network sees at a time")

    @property
    def rounding(self) -> dict[str, str]:
        """What the precision adds to a fingerprint: nothing where it is exact."""
        return {} if self.precision == "float32" else {"precision": self.precision}


def encode_photos(
    items: Sequence[str | bytes],
    prepare: Callable[[Image.Image], Prepared],
    forward: Callable[[list[Prepared]], np.ndarray],
    dimensions: int,
    settings: PhotoSettings,
) -> np.ndarray:
    """(n, dimensions) float32 unit rows, NaN for each photo that cannot be read.

    prepare: an upright RGB photo → what the network takes, called in the workers; forward: a batch of those →
    its vectors, called here. What either raises ends the call, after the workers are done.
    """
    vectors = np.full((len(items), dimensions), np.nan, dtype=np.float32)
    with closing(photo_batches(items, prepare, settings.batch_size, settings.workers)) as batches:
        for rows, photos in batches:
            with autocast(settings):
                vectors[rows] = forward(photos)
    return unit_rows(vectors)


def photo_batches(
    items: Sequence[str | bytes], prepare: Callable[[Image.Image], Prepared], size: int, workers: int
) -> Generator[tuple[np.ndarray, list[Prepared]]]:
    """For every `size` items: the rows (r,) of those that can be read, and these prepared; r ≥ 1."""
    with closing(_each(items, prepare, _BATCHES_AHEAD * size, workers)) as each:
        for start in range(0, len(items), size):
            batch = [next(each) for _ in items[start : start + size]]
            photos = [photo for photo in batch if photo is not None]
            if photos:
                yield start + np.array([row for row, photo in enumerate(batch) if photo is not None]), photos


def autocast(settings: PhotoSettings) -> AbstractContextManager[object]:
    """Where torch computes in the precision asked for: products short, sums and norms exact."""
    if settings.precision == "float32":
        return nullcontext()
    import torch

    dtype = torch.bfloat16 if settings.precision == "bfloat16" else torch.float16
    return torch.autocast(torch_device(settings).type, dtype=dtype)


def _each(
    items: Sequence[str | bytes], prepare: Callable[[Image.Image], Prepared], ahead: int, workers: int
) -> Generator[Prepared | None]:
    """The photos in order, None for one that cannot be read; about `ahead` of them are under way at once."""
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    if not workers or len(chunks) == 1:  # one query's photo is not worth a thread
        for item in items:
            yield _prepared(item, prepare)
        return
    pool = ThreadPoolExecutor(min(workers, max(len(chunks), 1)), thread_name_prefix="photos")
    waiting: deque[Future[list[Prepared | None]]] = deque()
    try:
        for chunk in chunks:
            if len(waiting) * _CHUNK >= ahead:
                yield from waiting.popleft().result()
            waiting.append(pool.submit(_prepare_all, chunk, prepare))
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare_all(
    items: Sequence[str | bytes], prepare: Callable[[Image.Image], Prepared]
) -> list[Prepared | None]:
    return [_prepared(item, prepare) for item in items]


def _prepared(item: str | bytes, prepare: Callable[[Image.Image], Prepared]) -> Prepared | None:
    try:
        photo = decode(read_bytes(item))
    except MediaError:
        return None
    return prepare(photo)
