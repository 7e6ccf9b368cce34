# Each target makes its own environment first; the second time that takes a moment.
PYTHON ?= python3
BIN := .venv/bin
THREADS ?= 2

.PHONY: demo loop test lint bench faults bare docs settings clean

demo: .venv/installed
	$(BIN)/python -m ltr.build_features
	$(BIN)/python -m ltr.train --objective lambdarank --ranker xgboost
	$(BIN)/python -m ltr.train --objective lambdarank --ranker lightgbm
	@echo "open runs/demo-lightgbm/report.html and runs/demo-xgboost/report.html, or search: $(BIN)/shop-ltr serve"

# A verdict of "not promoted" (status 1) is an answer, not a fault.
loop: .venv/installed
	$(BIN)/python -m ltr.loop || test $$? -eq 1

settings: .venv/installed
	$(BIN)/python -c "from pathlib import Path; from ltr.config.settings_schema import write; write(Path('docs/settings.md'))"

test: .venv/installed
	$(BIN)/python -m pytest -n $(THREADS)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/check_dependencies.py

bench: .venv/installed
	$(BIN)/python -m benchmarks

# Damage done on purpose, counted; some minutes.
faults: .venv/installed
	$(BIN)/python -m benchmarks.faults
	$(BIN)/python -m benchmarks.tables

.venv/installed: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch .venv/installed

# The documentation site, without network; open docs/_build/index.html
docs: .venv/installed
	rm -rf docs/api docs/_build
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build

# The wheel in an environment with nothing but what it declares: trains and judges ready-made features.
bare: .venv/installed
	rm -rf build/bare && mkdir -p build/bare
	$(BIN)/python -m build --wheel --no-isolation --outdir build/bare . >/dev/null
	$(PYTHON) -m venv build/bare/venv
	build/bare/venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build/bare/*.whl
	build/bare/venv/bin/python -m pip check
	cd build/bare && ../../$(BIN)/python ../../tests/write_svmlight.py . \
	  && venv/bin/python -m ltr.train --objective lambdarank --config ready.yaml \
	  && venv/bin/python -m ltr.evaluate --run runs/ready-lightgbm

clean:
	rm -rf .venv build docs/api docs/_build *.egg-info runs store cache
