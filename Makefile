# `make demo` and `make test` need Python (3.11 to 3.13) and make; they set up everything else themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test setup lint lock bench clean

demo: $(READY)  ## set up, build the fictional county's warehouse, and say where to look
	@$(BIN)/crisis demo

test: $(READY)  ## set up and run the tests
	@$(BIN)/python -m pytest

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11 to 3.13 is needed; say which with: make PYTHON=python3.12 demo"; exit 1; }
	@echo "setting up $(VENV): about 200 packages, a minute or two"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m orchestration.layers.dbt
	@touch $(READY)

lint: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/sqlfluff lint --processes 0 dbt_project/models

lock:  ## resolve the lock file anew; needs uv
	uv pip compile pyproject.toml --extra dev --extra evaluate --extra semantic --extra staffing --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-strip-extras --no-annotate --output-file requirements.lock

bench: $(READY)
	@$(BIN)/python benchmarks/road.py

clean:
	rm -rf $(VENV) .crisis
