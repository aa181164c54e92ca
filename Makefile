# The first call of any target builds .venv from the hash-pinned lock; later calls notice that nothing changed.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# Empty means: settings.yaml if it exists, else the demo world.
SETTINGS ?=
AS_OF ?=

RUN := $(PY) -m pipeline
OPTIONS := $(if $(SETTINGS),--settings "$(SETTINGS)")

.DEFAULT_GOAL := help
.PHONY: help install train predict ui test check unit spark-test docs lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is %s. Name one with: make PYTHON=/path/to/python3.11" % sys.version.split()[0])'
	@echo "Building $(VENV) from requirements.lock (once, a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(STAMP) ## Build or refresh .venv from the lock

train: $(STAMP) ## Train, judge and register a model (SETTINGS=file.yaml; default: the demo world)
	@$(RUN) train $(OPTIONS)

predict: $(STAMP) ## Score every eligible entity with the champion (AS_OF=2024-06-01 SETTINGS=file.yaml)
	@$(RUN) predict $(OPTIONS) $(if $(AS_OF),--as-of "$(AS_OF)")

ui: $(STAMP) ## Open MLflow's UI on the local store
	@$(RUN) ui $(OPTIONS)

test: check unit ## Everything CI runs: lint, types, layers, tests

check: $(STAMP) ## Lint, types and layers
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

unit: $(STAMP) ## Tests only
	@$(PY) -m pytest -m "not slow" -n 2 --dist loadgroup

SPARK_STAMP := .venv-spark/.installed
$(SPARK_STAMP): requirements.lock requirements-spark.lock pyproject.toml
	@echo "Building .venv-spark (once, a few minutes)"
	@$(PYTHON) -m venv .venv-spark
	@.venv-spark/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@.venv-spark/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-spark.lock
	@.venv-spark/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

spark-test: $(SPARK_STAMP) ## Compare the Spark engine with the local one (needs Java 17; 4 minutes)
	@.venv-spark/bin/python -m pytest -n0 -m "not slow" tests/spark pipeline/spark features/part.py

docs: $(STAMP) ## Write docs/features.md again from the demo company's settings
	@$(RUN) features --markdown docs/features.md

lock: ## Resolve requirements.lock again (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements.lock
	echo 'pyspark>=4.1,<5' > requirements-spark.in
	uv pip compile requirements-spark.in -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o requirements-spark.lock
	rm requirements-spark.in

clean: ## Remove the environment and caches, keep data and models
	rm -rf $(VENV) .venv-spark .pytest_cache .mypy_cache .ruff_cache .hypothesis
