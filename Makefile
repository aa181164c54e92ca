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
.PHONY: help install train predict ui test check unit proof spark-test consumer-test airflow-test nightly-test docs lock clean

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
	@# Two workers' threads that wait for each other in loops take three times as long.
	@OPENBLAS_NUM_THREADS=1 GOMP_SPINCOUNT=3000 $(PY) -m pytest -m "not slow" -n 2 --dist loadgroup

SPARK_STAMP := .venv-spark/.installed
$(SPARK_STAMP): requirements.lock requirements-spark.lock pyproject.toml
	@echo "Building .venv-spark (once, a few minutes)"
	@$(PYTHON) -m venv .venv-spark
	@.venv-spark/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@.venv-spark/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-spark.lock
	@.venv-spark/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

proof: $(STAMP) ## Long proofs, one after another (an hour)
	@$(PY) -m pytest -m "slow and not airflow and not spark" -n0

spark-test: $(SPARK_STAMP) ## Compare the Spark engine with the local one (needs Java 17; 4 minutes)
	@.venv-spark/bin/python -m pytest -n0 -m "not slow" tests/spark pipeline/spark features/part.py tests/consumer/test_spark.py

nightly-test: $(STAMP) ## Kill nightly runs at 50 random moments, and all tests of ledger, freshness, backfill, monitor
	@$(PY) -m pytest -n0 tests/nightly tests/pipeline/test_ledger.py tests/pipeline/test_freshness.py tests/pipeline/test_backfill.py tests/pipeline/test_tier_history.py tests/pipeline/test_monitor.py tests/pipeline/test_programme.py

CONSUMER_STAMP := .venv-consumer/.installed
$(CONSUMER_STAMP): tests/consumer/requirements.lock
	@echo "Building .venv-consumer (once, a minute)"
	@$(PYTHON) -m venv .venv-consumer
	@.venv-consumer/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r tests/consumer/requirements.lock
	@touch $@

consumer-test: $(STAMP) $(CONSUMER_STAMP) ## What programs get of a registered model, where this project is not installed
	@$(PY) -m pytest -n0 -m "not spark" tests/consumer tests/pipeline/test_registry.py tests/pipeline/test_features_for.py tests/pipeline/test_model_card.py

AIRFLOW_STAMP := .venv-airflow/.installed
$(AIRFLOW_STAMP): requirements-airflow.lock
	@echo "Building .venv-airflow (once, two minutes, 412 MB)"
	@$(PYTHON) -m venv .venv-airflow
	@.venv-airflow/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-airflow.lock
	@touch $@

airflow-test: $(STAMP) $(AIRFLOW_STAMP) ## Run every schedule, the DAGs under Airflow 3
	@$(PY) -m pytest -n0 tests/schedules

docs: $(STAMP) ## Write the generated pages again and build docs/_build/html
	@test -f data/demo/settings.yaml || $(RUN) simulate
	@$(RUN) features --settings data/demo/settings.yaml --markdown docs/features.md
	@$(PY) -m pipeline.settings_reference docs/settings.md
	@$(PY) -m pipeline.cli_reference docs/cli.md
	@$(VENV)/bin/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

lock: ## Resolve requirements.lock again (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements.lock
	echo 'pyspark>=4.1,<5' > requirements-spark.in
	uv pip compile requirements-spark.in -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o requirements-spark.lock
	rm requirements-spark.in
	uv pip compile tests/consumer/requirements.in -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o tests/consumer/requirements.lock
	printf 'apache-airflow>=3.1,<4\ncheck-jsonschema>=0.30\nkubernetes-validate>=1.31\n' > requirements-airflow.in
	uv pip compile requirements-airflow.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o requirements-airflow.lock
	rm requirements-airflow.in

clean: ## Remove the environment and caches, keep data and models
	rm -rf $(VENV) .venv-spark .venv-consumer .venv-airflow .pytest_cache .mypy_cache .ruff_cache .hypothesis docs/_build
