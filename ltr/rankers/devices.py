"""Is the device asked for really there? Asked of each library itself, by training a toy model on it.

XGBoost, told to use CUDA on a machine without a GPU, trains on the CPU and only warns; a slow run that
passes for a GPU run is a defect, so a missing device is an error here.
"""

# ruff: noqa: PLC0415 - either library takes half a second and more to import, and a run needs one of them

from __future__ import annotations

import functools
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from features.errors import InputError

Device = Literal["cpu", "cuda", "opencl"]

LIGHTGBM_NAMES: dict[Device, str] = {"cpu": "cpu", "cuda": "cuda", "opencl": "gpu"}
LIGHTGBM_CURES: dict[Device, str] = {
    "cuda": "choose ranker xgboost, whose wheel has CUDA, or build LightGBM with -DUSE_CUDA=1",
    "opencl": "install the GPU's OpenCL driver (or pocl, for OpenCL on the CPU), or use device cpu",
}


@contextmanager
def silent_library() -> Iterator[None]:
    """Keep LightGBM's "[Fatal] …" off the terminal, where an exception says the same.

    The library writes to file descriptor 2 itself, past sys.stderr and past its own verbosity.
    """
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@functools.cache
def check_lightgbm(device: Device) -> None:
    """Raise InputError when LightGBM cannot train on the device here.

    The first call for OpenCL compiles its kernels, which may take some ten seconds.
    """
    if device == "cpu":
        return
    import lightgbm as lgb

    X, grades, groups = _toy()
    settings = {
        "objective": "lambdarank",
        "device_type": LIGHTGBM_NAMES[device],
        "verbosity": -1,
        "num_threads": 1,
    }
    try:
        with silent_library():
            lgb.train(settings, lgb.Dataset(X, grades, group=groups), num_boost_round=1)
    except lgb.basic.LightGBMError as error:
        raise _absent(
            "LightGBM", device, str(error).split("\n")[0].rstrip("."), LIGHTGBM_CURES[device]
        ) from error


@functools.cache
def check_xgboost(device: Device) -> None:
    """Raise InputError when XGBoost cannot train on the device here."""
    if device == "cpu":
        return
    if device == "opencl":
        cure = "use device cuda or cpu, or ranker lightgbm"
        raise _absent("XGBoost", device, "a library without OpenCL", cure)
    import xgboost as xgb

    if not xgb.build_info().get("USE_CUDA", False):
        raise _absent(
            "XGBoost", device, "a build without CUDA", "install XGBoost's wheel from PyPI, or use device cpu"
        )
    used = _device_xgboost_falls_back_to()
    if not used.startswith("cuda"):
        got = f"no CUDA GPU (XGBoost would fall back to {used})"
        raise _absent("XGBoost", device, got, "check nvidia-smi and CUDA_VISIBLE_DEVICES, or use device cpu")


def _device_xgboost_falls_back_to() -> str:
    import xgboost as xgb

    X, grades, groups = _toy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its warning of the fall-back becomes our error
        matrix = xgb.DMatrix(X, grades, group=groups, nthread=1)
        booster = xgb.train(
            {"objective": "rank:ndcg", "device": "cuda", "nthread": 1}, matrix, num_boost_round=1
        )
    return json.loads(booster.save_config())["learner"]["generic_param"]["device"]


def _toy() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    return X, np.tile([0.0, 1.0], 100), np.full(20, 10)


def _absent(library: str, device: Device, got: str, cure: str) -> InputError:
    return InputError(
        where="ranker.device", expected=f"a device {device} that {library} can use", got=got, cure=cure
    )
