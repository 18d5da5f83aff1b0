.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
ARGS ?=
RUN_SECONDS ?= 600
# Commands that tests start would compile the whole package each time.
export PYTHONDONTWRITEBYTECODE :=
# Two a core: tests that wait for a lease to run out, or for a server, leave theirs idle.
WORKERS ?= 4
CROWD := --accounts 500 --interval 300s --intervals 1.2 --lookups 1 --slow 0.2

# --no-deps: the lock is the whole answer. A resolving pip prefers a release newer than the lock for coverage[toml].
.venv/ready: requirements.lock pyproject.toml
	test -x $(PY) || python3 -m venv .venv
	$(PIP) install --quiet --no-deps --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	$(PIP) check
	touch $@

.PHONY: help setup demo test alerts coverage lint format soak mutants bench lock sbom clean

help: ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: .venv/ready ## make .venv from requirements.lock

demo: .venv/ready ## a simulator, the daemon and a page to look at; ARGS="--seconds 20" ends by itself
	$(PY) -m stocksync demo $(ARGS)

test: .venv/ready ## run the tests; ARGS="-k name" narrows
	$(PY) -m pytest -n $(WORKERS) --dist loadgroup -m "not soak" $(ARGS)

# Not part of `test`: it waits most of its time, and is not to be disturbed.
alerts: .venv/ready ## let everything go wrong under a real Prometheus and Alertmanager (4 minutes)
	$(PY) -m pytest -m soak tests/system/test_alerts.py $(ARGS)

# Not part of `test`: noting each line costs a third of its time.
coverage: .venv/ready ## run the tests and show which branches none of them takes
	$(PY) -m pytest -n $(WORKERS) --dist loadgroup -m "not soak" --cov --cov-report=term $(ARGS)

lint: .venv/ready ## ruff, mypy --strict, import-linter
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: .venv/ready ## let ruff format and mend what it can
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

soak: .venv/ready ## the slow tests, RUN_SECONDS=600 of them; 500 accounts for an hour; mutants
	STOCKSYNC_SOAK_SECONDS=$(RUN_SECONDS) $(PY) -m pytest -m soak --timeout=0 $(ARGS)
	$(PY) benchmarks/accounts.py $(CROWD) --steady 12
	$(PY) benchmarks/mutants.py

mutants: .venv/ready ## change the code in one place after another: does a test notice? ARGS="stocksync.core.guards*" narrows
	$(PY) benchmarks/mutants.py $(ARGS)

bench: .venv/ready ## measure a cycle against fetching alone, and without ARGS 500 accounts for a quarter of an hour
	$(PY) benchmarks/cycle.py $(ARGS)
	$(if $(ARGS),,$(PY) benchmarks/accounts.py $(CROWD) --steady 1)

lock: ## resolve requirements.lock anew
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	  --no-emit-find-links --all-extras --group build --no-annotate --no-header --output-file requirements.lock pyproject.toml
	$(MAKE) sbom

sbom: .venv/ready ## write what follows from requirements.lock: the image's part of it, the bill of materials, the licences
	$(PY) deploy/supply_chain.py

clean: ## remove what the targets made
	rm -rf .venv .demo .mutants .coverage* dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
