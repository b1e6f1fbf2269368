# One front door. `make demo`, `make test` and `make lint` each work on a clean clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
TOOLS := .venv-tools

.PHONY: setup demo test test-all test-tools lint format type clean docker

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test,lint]"
	touch $@

setup: $(VENV)/.installed-dev

# The clip is drawn, so it is asked of the model that knows drawings; the default model knows photographs.
demo: $(VENV)/.installed
	$(BIN)/ovvis segment examples/park.mp4 --classes "dog,skateboard" --model instformer-tiny

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

test-all: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not gpu" $(PYTEST_ARGS)

# Exports read by Datumaro, Label Studio, supervision and ultralytics, in an environment of their own.
test-tools:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[test]"
	$(TOOLS)/bin/python -m pip install --quiet --no-deps -r tests/tools/requirements.txt
	$(TOOLS)/bin/python -m pytest tests/tools $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=.:models $(BIN)/lint-imports

type: $(VENV)/.installed-dev
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docker:
	docker build -t ovvis .

clean:
	rm -rf $(VENV) $(TOOLS) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
