"""Photos loaded ahead of the network: the vectors of a plain loop, whatever the photos and the workers."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import models
from torchvision.transforms._presets import ImageClassification

from features.encoders.image.aligned import AlignedConfig, AlignedShape, save_aligned
from features.encoders.image.aligned_network import encode_pixels, make_network, to_pixels
from features.encoders.image.photo_loading import photo_batches
from features.encoders.image.pretrained import TorchvisionConfig
from features.encoders.protocol import Encoder, unit_rows
from features.encoders.registry import make_encoder
from features.media.files import MediaError, read_bytes
from features.media.photos import decode

SIDE, SEED = 32, 3
BATCH = 5


def photo(seed: int, kind: str = "JPEG") -> bytes:
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(4, 60, 2), 3)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


GOOD = [photo(seed, kind) for seed, kind in enumerate(["JPEG", "PNG", "WEBP", "JPEG", "GIF", "BMP"])]
BAD = [b"", b"not a photo", GOOD[0][:40], "no/such/photo.jpg", "null\0character"]


@pytest.fixture(scope="module")
def aligned_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("aligned")
    shape = AlignedShape(backbone="small", dimensions=12, height=24, width=16, space="made up")
    save_aligned(folder, make_network("small", 12, (24, 16), seed=SEED), shape, {})
    return folder


@pytest.fixture(scope="module")
def photo_files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    for number, data in enumerate(GOOD):
        (folder / f"{number}").write_bytes(data)
    return [str(folder / f"{number}") for number in range(len(GOOD))]


def resnet(workers: int, **changes: object) -> Encoder:
    config = {"backbone": "resnet18", "weights": "random", "seed": SEED, "size": SIDE, "device": "cpu"}
    config |= {"batch_size": BATCH, "threads": 1, "workers": workers}
    return make_encoder(TorchvisionConfig(**config | changes), Path())


def aligned(folder: Path, workers: int, **changes: object) -> Encoder:
    config = {"folder": str(folder), "batch_size": BATCH, "threads": 1, "device": "cpu", "workers": workers}
    return make_encoder(AlignedConfig(**config | changes), Path())


@pytest.fixture(scope="module")
def plain_resnet() -> torch.nn.Module:
    torch.manual_seed(SEED)
    network = models.get_model("resnet18", weights=None)
    network.fc = torch.nn.Identity()
    return network.eval()


def plain_loop(items: list[bytes | str], forward: object, dimensions: int) -> np.ndarray:
    """Decode → resize → forward, batch after batch, one thing at a time."""
    vectors = np.full((len(items), dimensions), np.nan, dtype=np.float32)
    for start in range(0, len(items), BATCH):
        readable, images = [], []
        for row, item in enumerate(items[start : start + BATCH], start):
            try:
                images.append(decode(read_bytes(item)))
            except MediaError:
                continue
            readable.append(row)
        if readable:
            vectors[readable] = forward(images)  # type: ignore[operator]
    return unit_rows(vectors)


@pytest.mark.parametrize("workers", [0, 1, 2])
@settings(max_examples=12, deadline=None)
@given(choice=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["bytes", "file", "bad"])), max_size=40))
def test_vectors_are_bit_for_bit_those_of_a_plain_loop(
    workers: int,
    choice: list[tuple[int, str]],
    aligned_folder: Path,
    photo_files: list[str],
    plain_resnet: torch.nn.Module,
) -> None:
    pools = {"bytes": GOOD, "file": photo_files, "bad": BAD}
    items = [pools[kind][number % len(pools[kind])] for number, kind in choice]
    preset = models.ResNet18_Weights.DEFAULT.transforms()
    transform = ImageClassification(
        crop_size=SIDE, resize_size=round(SIDE * preset.resize_size[0] / preset.crop_size[0])
    )
    photo_network = make_network("small", 12, (24, 16), seed=SEED)

    def by_resnet(images: list[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            return plain_resnet(torch.stack([transform(image) for image in images])).numpy()

    def by_encoder(images: list[Image.Image]) -> np.ndarray:
        return encode_pixels(photo_network, torch.from_numpy(to_pixels(images, 24, 16)), torch.device("cpu"))

    for encoder, forward in ((resnet(workers), by_resnet), (aligned(aligned_folder, workers), by_encoder)):
        expected = plain_loop(items, forward, encoder.dimensions)
        np.testing.assert_array_equal(encoder.encode(items, "image"), expected)


@pytest.mark.parametrize("workers", [0, 1, 2, 7])
def test_batches_keep_the_order_and_leave_out_what_cannot_be_read(workers: int) -> None:
    items = [photo(n, "PNG") if n % 3 else b"broken" for n in range(50)]
    sizes = [Image.open(io.BytesIO(item)).size if n % 3 else None for n, item in enumerate(items)]
    seen = list(photo_batches(items, lambda image: image.size, 20, workers))
    found = [(int(row), size) for rows, photos in seen for row, size in zip(rows, photos, strict=True)]
    assert found == [(row, size) for row, size in enumerate(sizes) if size is not None]
    assert [int(rows[-1]) // 20 for rows, _ in seen] == [0, 1, 2]


def test_a_batch_with_nothing_readable_is_left_out() -> None:
    first, _ = next(photo_batches([b""] * 10 + GOOD, np.asarray, 5, 2))
    assert first.tolist() == list(range(10, 15))


def loading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("photos")]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_error_in_a_worker_comes_through_and_ends_the_pool(workers: int) -> None:
    def fail(image: Image.Image) -> Image.Image:
        raise ZeroDivisionError(image.size)

    with pytest.raises(ZeroDivisionError):
        list(photo_batches(GOOD * 10, fail, 8, workers))
    assert not loading_threads()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_of_the_network_ends_the_pool(
    error: type[BaseException], aligned_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> np.ndarray:
        raise error("in the midst")

    encoder = aligned(aligned_folder, 2)
    monkeypatch.setattr("features.encoders.image.aligned_network.encode_pixels", fail)
    with pytest.raises(error, match="in the midst"):
        encoder.encode(GOOD * 10, "image")
    assert not loading_threads()


def test_photos_under_way_are_bounded() -> None:
    size, prepared = 8, []
    batches = photo_batches(GOOD * 50, lambda image: prepared.append(None) or image.size, size, 2)
    next(batches)
    for thread in loading_threads():
        thread.join(0.2)  # time to run too far ahead, if they would
    # A batch in hand, two ahead, and the chunk that the next batch is begun with.
    assert len(prepared) <= 3 * size + 8
    batches.close()
    assert not loading_threads()


def test_one_query_photo_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("features.encoders.image.photo_loading.ThreadPoolExecutor")
    assert len(list(photo_batches(GOOD[:1], np.asarray, 8, 4))) == 1


def test_workers_stay_out_of_the_fingerprint_and_precision_enters(aligned_folder: Path) -> None:
    for make in (resnet, lambda workers, **changes: aligned(aligned_folder, workers, **changes)):
        assert make(0).fingerprint == make(3).fingerprint
        precisions = ("float32", "bfloat16", "float16")
        assert len({make(0, precision=precision).fingerprint for precision in precisions}) == 3
        assert make(0, precision="float32").fingerprint == make(0).fingerprint


@pytest.mark.parametrize("make", ["resnet", "aligned"])
def test_short_precision_gives_nearly_the_same_vectors(make: str, aligned_folder: Path) -> None:
    def encoder(precision: str) -> Encoder:
        chosen = {"precision": precision}
        return resnet(0, **chosen) if make == "resnet" else aligned(aligned_folder, 0, **chosen)

    exact, short = (encoder(name).encode(GOOD, "image") for name in ("float32", "bfloat16"))
    assert short.dtype == np.float32
    assert not np.array_equal(exact, short)
    assert (exact * short).sum(axis=1).min() > 0.999


def test_it_runs_from_a_script_without_a_main_guard(aligned_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(GOOD[0])
    script = (
        "from pathlib import Path\n"
        "from features.encoders.image.aligned import AlignedConfig\n"
        "from features.encoders.registry import make_encoder\n"
        f"encoder = make_encoder(AlignedConfig(folder={str(aligned_folder)!r}, threads=1), Path())\n"
        f"print(encoder.encode([{str(tmp_path / 'photo.jpg')!r}] * 40, 'image').shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "(40, 12)"), done.stderr
