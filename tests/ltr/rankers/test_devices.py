from __future__ import annotations

import shutil
import subprocess

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
import xgboost as xgb

from features.errors import InputError
from ltr.data.dataset import Dataset
from ltr.rankers import LightGBMConfig, XGBoostConfig, make_ranker
from ltr.rankers.devices import check_lightgbm, check_xgboost


def has_gpu() -> bool:
    listing = shutil.which("nvidia-smi")
    return (
        listing is not None
        and subprocess.run([listing, "-L"], check=False, capture_output=True).returncode == 0
    )


needs_gpu = pytest.mark.skipif(not has_gpu(), reason="needs an NVIDIA GPU")
needs_no_gpu = pytest.mark.skipif(has_gpu(), reason="needs a machine without an NVIDIA GPU")


def needs_opencl() -> None:
    try:
        check_lightgbm("opencl")
    except InputError as error:
        pytest.skip(f"needs an OpenCL platform: {error}")


def data(queries: int = 40, rows: int = 10) -> Dataset:
    random = np.random.default_rng(0)
    X = random.normal(size=(queries * rows, 3)).astype(np.float32)
    frame = pl.DataFrame(
        {
            "query_id": np.repeat([f"q{i:02d}" for i in range(queries)], rows),
            "product_id": np.tile([f"p{i}" for i in range(rows)], queries),
            "grade": np.digitize(X[:, 0] + X[:, 1], [-1, 0, 1]).astype(float),
        }
    )
    return Dataset.from_frame(frame.hstack(pl.DataFrame(X, schema=["extra.a", "extra.b", "extra.c"])))


def test_the_cpu_is_always_there() -> None:
    check_lightgbm("cpu")
    check_xgboost("cpu")


@needs_no_gpu
def test_xgboost_without_a_gpu_is_an_error_and_no_cpu_run() -> None:
    with pytest.raises(InputError, match=r"no CUDA GPU .* use device cpu"):
        make_ranker(XGBoostConfig(device="cuda")).fit(data())


def test_xgboost_built_without_cuda_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    check_xgboost.cache_clear()
    monkeypatch.setattr(xgb, "build_info", lambda: {"USE_CUDA": False})
    with pytest.raises(InputError, match="a build without CUDA"):
        check_xgboost("cuda")


def test_xgboost_has_no_opencl() -> None:
    with pytest.raises(InputError, match="without OpenCL; use device cuda or cpu"):
        make_ranker(XGBoostConfig(device="opencl")).fit(data())


@pytest.mark.parametrize(
    ("device", "cure"), [("cuda", "choose ranker xgboost"), ("opencl", "install the GPU's OpenCL")]
)
def test_lightgbm_without_the_device_is_an_error(
    device: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object, **__: object) -> None:
        raise lgb.basic.LightGBMError("No OpenCL device found\nmore")

    check_lightgbm.cache_clear()
    monkeypatch.setattr(lgb, "train", absent)
    with pytest.raises(InputError, match=f"got No OpenCL device found; {cure}"):
        check_lightgbm(device)  # type: ignore[arg-type]


def test_lightgbms_wheel_has_no_cuda() -> None:
    try:
        check_lightgbm("cuda")
    except InputError as error:
        assert "CUDA Tree Learner was not enabled" in error.got
    else:
        pytest.skip("this LightGBM is built with CUDA")


def test_opencl_scores_as_the_cpu_does() -> None:
    needs_opencl()
    scores = []
    for device in ("cpu", "opencl"):
        ranker = make_ranker(
            LightGBMConfig(trees=20, bags=1, device=device, threads=1, min_rows_per_leaf=5, leaves=7)
        )
        ranker.fit(data())
        scores.append(ranker.score(data()))
    # OpenCL adds up gradients in 32 bits, the CPU in 64.
    np.testing.assert_allclose(scores[1], scores[0], rtol=0, atol=1e-4)
    assert np.ptp(scores[0]) > 1


@needs_gpu
def test_cuda_scores_as_the_cpu_does() -> None:
    scores = []
    for device in ("cpu", "cuda"):
        ranker = make_ranker(
            XGBoostConfig(trees=20, bags=1, device=device, threads=1, feature_fraction=1, bagging_fraction=1)
        )
        ranker.fit(data())
        scores.append(ranker.score(data()))
    np.testing.assert_allclose(scores[1], scores[0], rtol=0, atol=1e-2)
    assert np.ptp(scores[0]) > 1
