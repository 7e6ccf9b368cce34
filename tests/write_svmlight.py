"""A tiny set of ready-made features and its config; run with a folder, it writes them there."""

from __future__ import annotations

import sys
from pathlib import Path


def write_svmlight(folder: Path) -> Path:
    for part, first in (("train", 0), ("test", 30)):
        lines = [
            f"{(row * 7 + query) % 3} qid:{first + query} 1:{((row * 7 + query) % 3) + row / 50} 2:{row / 10}"
            for query in range(30)
            for row in range(8)
        ]
        (folder / f"{part}.svm").write_text("\n".join(lines) + "\n")
    config = folder / "ready.yaml"
    config.write_text(
        "name: ready\ndata: {kind: svmlight, files: {train: train.svm, test: test.svm}}\n"
        "split: {kind: column, column: split, train: [train], test: [test]}\n"
        "ranker: {trees: 5}\nevaluation: {bootstrap: {resamples: 100}}\n"
    )
    return config


if __name__ == "__main__":
    write_svmlight(Path(sys.argv[1]))
