# One set of commands for people and for CI. Each does its own set-up under .venv, pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# hnswlib builds from source; without this its binary runs only on the kind of processor it was built on.
export HNSWLIB_NO_NATIVE := 1
# Tests start hundreds of interpreters; each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

COMPUTING := $(addprefix tests/graphrec/,channels evaluation fusion index ranking recallers sparse) \
    tests/contracts tests/serve tests/pipelines/evaluation tests/pipelines/jobs/test_train.py tests/test_kernels.py

.PHONY: help setup demo test test-slow test-kernels lint type format bench clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

setup: $(VENV)/.ready  ## make the virtual environment

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup  ## train, measure and publish a bundle on the bundled books; the result is in demo-out/
	$(BIN)/graphrec demo --out demo-out

test: setup  ## run all tests
	$(BIN)/pytest -n auto

test-slow: setup  ## inject faults for minutes (kills, signals, hostile files, threads), and print what came of it
	$(BIN)/pytest -m slow -s

test-kernels: setup  ## run the tests that compute once more, with older kernels of BLAS and NumPy where there are any
	@kernels="$$($(BIN)/python -m tests.kernels)" || exit 1; \
	if [ -z "$$kernels" ]; then echo "this processor has no other kernels to test with"; exit 0; fi; \
	echo "$$kernels"; env $$kernels $(BIN)/pytest -n auto $(COMPUTING)

lint: setup  ## style, import arrows, and known weaknesses
	$(BIN)/ruff check . graphrec/kg graphrec/pipelines graphrec/serve
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive graphrec kg pipelines serve

type: setup  ## mypy --strict on packages, tests and benchmarks
	$(BIN)/mypy

format: setup  ## rewrite files in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: export OPENBLAS_NUM_THREADS := 1
bench: setup  ## run the benchmarks that take minutes, and write benchmarks/results/*.json
	$(BIN)/python -m benchmarks.imports --json benchmarks/results/imports.json
	$(BIN)/python -m benchmarks.walks --json benchmarks/results/walks.json
	$(BIN)/python -m benchmarks.graph_scaling --json benchmarks/results/graph_scaling.json
	$(BIN)/python -m benchmarks.ann --json benchmarks/results/ann.json
	$(BIN)/python -m benchmarks.rdf_load --json benchmarks/results/rdf_load.json
	$(BIN)/python -m benchmarks.goodbooks --json benchmarks/results/goodbooks.json
	$(BIN)/python -m benchmarks.goodbooks --config all-channels --splits ratio --json benchmarks/results/goodbooks_all.json
	$(BIN)/python -m benchmarks.fusion --json benchmarks/results/fusion.json
	$(BIN)/python -m benchmarks.engine --json benchmarks/results/engine.json
	$(BIN)/python -m benchmarks.scaling --limit 100 --json benchmarks/results/scaling.json --plot docs/images/scaling.svg

clean:  ## remove the environment and every cache
	rm -rf $(VENV) demo-out build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
