# Python 3.10 or newer and make are enough: what else a target needs is installed into .venv first.
# Stamp files in there stand for the interpreter and for each set of extras, so that a command starts
# at once when nothing has changed.

.DEFAULT_GOAL := help

PYTHON ?= python3
# Empty: development.ini's.
PORT ?=
ARGS ?=
BIN := .venv/bin

# The same encoding and the same sort order on every machine.
export LC_ALL := C.UTF-8

.PHONY: help serve test lint types check docs dist test-all clean
.PHONY: bench bench-quick bench-instructions bench-served
.PHONY: soak fuzz linear mutants peers
# Two targets at once would install into one .venv at the same time.
.NOTPARALLEL:

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'With any target: PYTHON=python3.13 makes .venv with another interpreter.'
	@$(if $(INTERPRETER),,echo '$(TOO_OLD)' >&2; exit 1)

serve: .venv/.serve ## serve the playground on http://localhost:6543; on another port: PORT=6544
	$(if $(IS_DRY),,$(eval REASON := $(WHY_NOT)))
	$(if $(REASON),$(error $(REASON); choose another port with make serve PORT=NUMBER))
	$(BIN)/pserve $(if $(PORT),--server-name port development.ini PORT=$(PORT),development.ini)

# The coverage gate is closed where everything is installed. Without a browser its tests are skipped,
# and then none of their lines runs.
test: .venv/.test ## run the tests; ARGS=-x goes to pytest
	$(BIN)/pytest --cov --cov-fail-under=$(if $(CI),100,0) $(ARGS)

lint: .venv/.lint ## look for mistakes and for what is not formatted
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/zizmor --offline --quiet --persona=pedantic .github

types: .venv/.lint ## check the types
	$(BIN)/mypy

check: lint types test ## lint, types and test: run it before you submit a change

# A warning is an error. -E: what is generated from the code is never out of date.
docs: .venv/.docs ## build the documentation, into docs/_build
	$(BIN)/sphinx-build -n -T -W -E -q docs docs/_build

# A commit always gives the same files, whatever the machine's umask and time zone are. The wheel
# names the setuptools that made it, so that is always the same, too.
dist: export SOURCE_DATE_EPOCH = $(shell git log -1 --pretty=%ct)
dist: export PIP_CONSTRAINT = .ci/constraints.txt
dist: .venv/.lint ## build what is released, twice, and compare
	rm -rf dist build/again
	$(BIN)/python -m build --outdir dist .
	umask 077; TZ=Asia/Kathmandu $(BIN)/python -m build --outdir build/again .
	diff -r dist build/again
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

# What takes longer: all interpreters and servers that this machine has, and the second engines.
# On Debian, for all of it: apt-get install firefox-esr webkit2gtk-driver xvfb xauth apache2
# libapache2-mod-wsgi-py3
test-all: test .venv/.all ## also test every Python, browser and server that this machine has
	$(BIN)/pytest -m "second_engine or slow_server or container"
	$(BIN)/tox

# All of them but bench-quick write benchmarks/RESULTS.md. The second and the third need Debian's
# valgrind and wrk.
bench: .venv-bench/.bench ## measure what the filters cost, in about a minute
	.venv-bench/bin/python -m benchmarks.in_process

bench-instructions: .venv-bench/.bench ## count what the filters cost in instructions, in minutes
	.venv-bench/bin/python -m benchmarks.instructions
	.venv-bench/bin/python -m benchmarks.served --instructions

bench-served: .venv-bench/.bench ## measure it behind real servers, in minutes
	.venv-bench/bin/python -m benchmarks.served

bench-quick: .venv-bench/.bench ## measure it roughly, and write nothing down
	.venv-bench/bin/python -m benchmarks.in_process --quick

# A million requests to each of three servers take the better part of an hour.
soak: .venv/.test ## put real servers under load; for less of it: ARGS="--requests 30000"
	$(BIN)/python -m proof.soak $(ARGS)

fuzz: .venv/.proof ## look for inputs that break a promise, a minute each; ARGS="--seconds 10 origin"
	$(BIN)/python -m proof.fuzz $(ARGS)

linear: .venv/.test ## measure how time grows with the size of what is sent or configured
	$(BIN)/python -m proof.linear $(ARGS)

# It keeps what it has found out, so it can be stopped and started again. All of it takes an hour.
mutants: .venv/.proof ## ask whether the tests would notice a small mistake; ARGS="cors origins"
	$(BIN)/python -m proof.mutants $(ARGS)

peers: .venv-peers/.peers ## run the tests of other projects behind the filters; ARGS=WebOb for one
	.venv-peers/bin/python -m proof.peers $(ARGS)

clean: ## remove everything that make has made
	rm -rf .venv .venv-bench .venv-peers .tox .mypy_cache .pytest_cache .ruff_cache
	rm -rf .coverage .coverage.* htmlcov build dist docs/_build *.egg-info
	rm -rf .fuzz .mutants .peers
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Why the port cannot be listened on; empty if it can.
WHY_NOT = $(shell $(BIN)/python -c \
    'import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1])))' $(SERVED) 2>&1 \
    | sed -nE 's/\.?( .while.*)?$$//; s/^[A-Za-z]+Error: (\[.*\] )?/port $(SERVED): /p')
SERVED = $(or $(PORT),$(shell sed -nE 's/^port = ([0-9]+)$$/\1/p' development.ini))
# make --dry-run only prints the command, and does not need the port.
IS_DRY = $(findstring n,$(firstword -$(MAKEFLAGS)))

# Version and place of the interpreter, as part of a file name; empty if it is too old or missing.
INTERPRETER := $(shell $(PYTHON) -c 'import re, sys; sys.version_info < (3, 10) and sys.exit(); \
    print(re.sub(r"\W+", "-", sys.version.split()[0] + sys.base_prefix))')
TOO_OLD := Python 3.10 or newer is needed, but $(PYTHON) is older or missing; choose another: \
    make PYTHON=python3.13
STAMP := .python-$(INTERPRETER)

.venv/.serve: EXTRAS := demo
.venv/.docs: EXTRAS := docs
.venv/.test: EXTRAS := demo,docs,json,origins,test
.venv/.lint: EXTRAS := demo,docs,json,origins,test,lint
.venv/.all: EXTRAS := demo,docs,json,origins,test,lint,servers
.venv/.serve .venv/.docs .venv/.test .venv/.lint .venv/.all: .venv/$(STAMP) setup.py pyproject.toml
	$(BIN)/python -m pip install --disable-pip-version-check -q -e ".[$(EXTRAS)]"
	touch $@

.venv/.proof: .venv/.test proof/requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q -r proof/requirements.txt
	touch $@

# An environment of its own: besides the package it has the peers and all that these need.
.venv-bench/.bench: .venv-bench/$(STAMP) setup.py benchmarks/requirements.txt
	.venv-bench/bin/python -m pip install --disable-pip-version-check -q \
	    -e . -r benchmarks/requirements.txt
	touch $@

.venv-peers/.peers: .venv-peers/$(STAMP) setup.py proof/peers-requirements.txt
	.venv-peers/bin/python -m pip install --disable-pip-version-check -q \
	    -e . -r proof/peers-requirements.txt
	touch $@

# Another interpreter has another stamp, so the environment is made again.
.venv/$(STAMP) .venv-bench/$(STAMP) .venv-peers/$(STAMP):
	$(if $(INTERPRETER),,$(error $(TOO_OLD)))
	$(PYTHON) -m venv --clear $(@D)
	touch $@
