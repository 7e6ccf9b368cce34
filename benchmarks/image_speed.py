"""python -m benchmarks.image_speed [--photos 4000] [--large 400]

Photos a second through `encode`, which loads them in workers ahead of the network, against a plain loop: decode,
shrink, forward, one after the other. Vectors are checked to be equal bit for bit first; the two take turns,
so that a noisy machine slows both. Photos: a fashion catalogue's own (60 × 80 pixels), and 800 × 800 made of them
(of noise where that catalogue is not at hand). Networks: the small aligned encoder and a ResNet-18, of random weights,
whose speed is that of fitted ones. Then what the workers alone give, as threads and as processes.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from PIL import Image

from benchmarks import record
from features.encoders.image.aligned import AlignedConfig, AlignedEncoder, AlignedShape, save_aligned
from features.encoders.image.aligned_network import encode_pixels, make_network, photo_pixels, to_pixels
from features.encoders.image.photo_loading import PhotoSettings
from features.encoders.image.pretrained import TorchvisionConfig, TorchvisionEncoder
from features.encoders.protocol import unit_rows
from features.media.photos import decode

HEIGHT, WIDTH, DIMENSIONS = 64, 48, 384
RESNET = {"backbone": "resnet18", "weights": "random", "seed": 7, "size": 64}
LARGE_SIDE, QUALITY = 800, 85
ALONE = 200  # photos that the workers prepare without a network, in tasks of
TASK = 8

Forward = Callable[[list[Image.Image]], np.ndarray]


class Watched:
    """A network's forward pass, and the seconds spent in it."""

    def __init__(self, forward: Callable[..., np.ndarray]) -> None:
        self._forward, self.seconds = forward, 0.0

    def __call__(self, *given: Any) -> np.ndarray:
        begun = time.perf_counter()
        found = self._forward(*given)
        self.seconds += time.perf_counter() - begun
        return found


def main() -> None:
    given = arguments()
    torch.set_num_threads(given.threads)
    photos = {"60 × 80": small_photos(given.photos)}
    photos[f"{LARGE_SIDE} × {LARGE_SIDE}"] = large_photos(photos["60 × 80"], given.large)
    figures: dict[str, Any] = {
        "threads": given.threads,
        "turns": given.turns,
        "rows": [],
        "workers_alone": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        for size, items in photos.items():
            for name, encoder, plain in pairings(Path(folder), given):
                row = compare(items, encoder, plain, given.turns)
                figures["rows"].append({"photos": size, "count": len(items), "network": name, **row})
                print(f"{size}, {name}: {row}", flush=True)
    for size, items in photos.items():
        figures["workers_alone"][size] = workers_alone(items[:ALONE], given.turns)
        print(f"{size}, workers alone: {figures['workers_alone'][size]}", flush=True)
    command = shlex.join(["python", "-m", "benchmarks.image_speed", *sys.argv[1:]])
    record.write("image_speed", command, figures)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=4_000)
    parser.add_argument("--large", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--workers", type=int, default=PhotoSettings.model_fields["workers"].default)
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args()


def small_photos(count: int) -> list[bytes]:
    if record.have("fashion"):
        table = pl.scan_parquet(record.DATA / "fashion" / "images.parquet").head(count).collect()
        return table["image"].to_list()
    rng = np.random.default_rng(0)
    return [jpeg(Image.fromarray(rng.integers(0, 256, (80, 60, 3), dtype=np.uint8))) for _ in range(count)]


def large_photos(small: Sequence[bytes], count: int) -> list[bytes]:
    """Enlarged, with a camera's grain, without which they would decode too quickly."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 8, (LARGE_SIDE, LARGE_SIDE, 3)).astype(np.float32)
    made = []
    for data in small[:count]:
        photo = np.asarray(decode(data).resize((LARGE_SIDE, LARGE_SIDE), Image.Resampling.BICUBIC))
        made.append(jpeg(Image.fromarray((photo + grain).clip(0, 255).astype(np.uint8))))
    return made


def jpeg(photo: Image.Image) -> bytes:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def pairings(folder: Path, given: argparse.Namespace) -> list[tuple[str, Any, Callable[..., np.ndarray]]]:
    """Each network by name, as our encoder and as a plain loop (items, watch) → vectors."""
    how: dict[str, Any] = {"device": "cpu", "threads": given.threads, "workers": given.workers}
    photo_network = make_network("small", DIMENSIONS, (HEIGHT, WIDTH), seed=0).eval()
    shape = AlignedShape(backbone="small", dimensions=DIMENSIONS, height=HEIGHT, width=WIDTH, space="none")
    save_aligned(folder, photo_network, shape, {})
    aligned = AlignedEncoder(AlignedConfig(folder=str(folder), **how), folder)
    resnet_config = TorchvisionConfig(**RESNET, **how)
    resnet = TorchvisionEncoder(resnet_config, folder)

    def by_encoder(images: list[Image.Image]) -> np.ndarray:
        return encode_pixels(
            photo_network, torch.from_numpy(to_pixels(images, HEIGHT, WIDTH)), torch.device("cpu")
        )

    return [
        ("small aligned encoder, 48 × 64", aligned, PlainLoop(by_encoder, 256)),
        ("ResNet-18, 64 × 64", resnet, PlainLoop(plain_resnet(resnet), resnet_config.batch_size)),
    ]


def plain_resnet(encoder: TorchvisionEncoder) -> Forward:
    from torchvision.transforms._presets import ImageClassification  # noqa: PLC0415

    side = RESNET["size"]
    transform = ImageClassification(crop_size=side, resize_size=round(side * 256 / 224))

    def forward(images: list[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            return encoder.network(torch.stack([transform(image) for image in images])).numpy()

    return forward


class PlainLoop:
    """Decode → shrink → forward, one thing after the other."""

    def __init__(self, forward: Forward, batch_size: int) -> None:
        self._forward, self._batch = forward, batch_size

    def __call__(self, items: Sequence[bytes]) -> np.ndarray:
        parts = [
            self._forward([decode(item) for item in items[start : start + self._batch]])
            for start in range(0, len(items), self._batch)
        ]
        return unit_rows(np.concatenate(parts))


def compare(items: Sequence[bytes], encoder: Any, plain: PlainLoop, turns: int) -> dict[str, float]:
    """Median rates and ratio over the turns, and the share of our time in which the network computed."""
    probe = items[: len(items) // 4]
    if not np.array_equal(encoder.encode(probe, "image"), plain(probe)):
        raise SystemExit("the vectors differ from the plain loop's")
    forward = encoder._forward  # wrapped, to see when the network is busy
    ratios, ours, theirs, busy = [], [], [], []
    for _ in range(turns):
        encoder._forward = watched = Watched(forward)
        mine = seconds_of(lambda: encoder.encode(items, "image"))
        other = seconds_of(lambda: plain(items))
        ours.append(len(items) / mine)
        theirs.append(len(items) / other)
        ratios.append(other / mine)
        busy.append(watched.seconds / mine)
    encoder._forward = forward
    return {
        "photos_per_s": round(statistics.median(ours), 1),
        "plain_photos_per_s": round(statistics.median(theirs), 1),
        "ratio": round(statistics.median(ratios), 3),
        "lowest": round(min(ratios), 3),
        "highest": round(max(ratios), 3),
        "network_busy": round(statistics.median(busy), 3),
    }


def workers_alone(items: Sequence[bytes], turns: int) -> dict[str, float]:
    """Photos a second prepared for an aligned encoder by one loop, and by two workers of each sort, started before."""
    tasks = [items[start : start + TASK] for start in range(0, len(items), TASK)]
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2, mp_context=spawn) as processes:
        pools: dict[str, Executor | None] = {"loop": None, "2 threads": threads, "2 processes": processes}
        best = dict.fromkeys(pools, 0.0)
        for _ in range(turns + 1):  # the first warms up
            for name, pool in pools.items():
                seconds = seconds_of(lambda pool=pool: list((pool.map if pool else map)(prepare_all, tasks)))
                best[name] = max(best[name], len(items) / seconds)
    return {name: round(rate, 1) for name, rate in best.items()}


def prepare_all(items: Sequence[bytes]) -> list[np.ndarray]:
    return [photo_pixels(decode(item), HEIGHT, WIDTH) for item in items]


def seconds_of(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
