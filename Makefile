# Each target makes its own environment first; the second time that takes a moment.
PYTHON ?= python3
BIN := .venv/bin
THREADS ?= 2

.PHONY: demo test lint bench clean

demo: .venv/installed
	$(BIN)/python -m ltr.build_features
	$(BIN)/python -m ltr.train --objective lambdarank --ranker xgboost
	$(BIN)/python -m ltr.train --objective lambdarank --ranker lightgbm
	@echo "open runs/demo-lightgbm/report.html and runs/demo-xgboost/report.html"

test: .venv/installed
	$(BIN)/python -m pytest -n $(THREADS)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed
	$(BIN)/python -m benchmarks

.venv/installed: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch .venv/installed

clean:
	rm -rf .venv build *.egg-info runs store cache
