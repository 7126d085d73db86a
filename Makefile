SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# uv lives in a venv of its own, so that syncing .venv does not take it away from under our feet.
.uv/bin/uv: requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Locum needs Python 3.11 or newer; set PYTHON=…")'
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/pyvenv.cfg: .uv/bin/uv
	.uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) .venv
	@touch $@

.venv/.locum: requirements/locum.txt requirements/build.txt pyproject.toml .venv/pyvenv.cfg
	@test -f .venv/.dev || .uv/bin/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements/locum.txt requirements/build.txt
	@test -f .venv/.dev || .uv/bin/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	@# Where PYTHONDONTWRITEBYTECODE is set, every start would compile everything again.
	@$(BIN)/python -m compileall -q bot agents approvals tools
	@touch $@

.venv/.dev: requirements/dev.txt pyproject.toml .venv/pyvenv.cfg
	.uv/bin/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements/dev.txt
	.uv/bin/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	@# Where PYTHONDONTWRITEBYTECODE is set, every start would compile everything again.
	@$(BIN)/python -m compileall -q bot agents approvals tools
	@touch $@

.PHONY: setup demo up test test-cluster check format lint types imports docs bench bench-redaction mutants attack pins helm
setup: .venv/.dev ## set up .venv with everything for development

demo: .venv/.locum ## set up, then show Locum at work in the browser: no account, cluster or key needed
	$(BIN)/locum demo

test: setup ## set up, then run the tests
	$(BIN)/pytest -q

test-cluster: setup ## build a real kube-apiserver once (Debian 12, about four minutes) and run the Kubernetes tests on it
	tests/cluster/build
	$(BIN)/pytest -q tests/kubernetes

check: lint types imports docs ## everything that needs no server

format: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup ## style and spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell

types: setup ## pyright, strict
	$(BIN)/pyright

imports: setup ## the layers, and who may import which client library
	$(BIN)/lint-imports

docs: setup ## write the generated documents again
	$(BIN)/python -m agents.causes > docs/causes.md

attack: setup ## attack the gate as it ships, at full length (about 20 minutes); the last line counts
	$(BIN)/python -m tests.attack

bench: setup ## measure speed and memory; the last line is one JSON object
	$(BIN)/python -m benchmarks

bench-redaction: setup ## measure what redaction finds, leaves alone and costs; the last line is one JSON object
	$(BIN)/python -m benchmarks.redaction $(OPTIONS)

mutants: setup ## how many small mistakes the tests notice (about 35 minutes; OPTIONS=--all takes hours); the last line is one JSON object
	$(BIN)/python -m tests.mutants $(OPTIONS)

pins: .uv/bin/uv ## resolve the pinned requirements again
	.uv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header --group dev pyproject.toml -o requirements/dev.txt
	.uv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header -c requirements/dev.txt pyproject.toml -o requirements/locum.txt
	echo hatchling | .uv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header -c requirements/dev.txt - -o requirements/build.txt
	echo uv | .uv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header -c requirements/dev.txt - -o requirements/uv.txt
