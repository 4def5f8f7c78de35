# `make serve` and `make test` need Python 3.10+ and make, nothing else: they install what is
# missing into .venv. A stamp file in there stands for each set of extras, so that a command starts
# at once when nothing has changed.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

# The same encoding and the same order of sorting on every machine.
export LC_ALL := C.UTF-8

.PHONY: serve test lint types check test-all clean
.PHONY: bench bench-quick bench-instructions bench-served
# Two targets at once would install into one .venv at the same time.
.NOTPARALLEL:

serve: .venv/.serve
	$(BIN)/pserve development.ini

# The whole suite. The coverage gate is closed where everything is installed: without a browser
# its tests are skipped, and then no line of theirs runs.
test: .venv/.test
	$(BIN)/pytest --cov --cov-fail-under=$(if $(CI),100,0) $(ARGS)

lint: .venv/.lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.lint
	$(BIN)/mypy

check: lint types test

# What takes longer: all interpreters and servers that this machine has, and the second engines.
# On Debian, for all of it: apt-get install firefox-esr webkit2gtk-driver xvfb xauth apache2
# libapache2-mod-wsgi-py3
test-all: test .venv/.all
	$(BIN)/pytest -m "second_engine or slow_server or container"
	$(BIN)/tox

# What the filters cost; all but bench-quick write benchmarks/RESULTS.md. About a minute; the second
# and third take minutes, and need Debian's valgrind and wrk.
bench: .venv-bench/.bench
	.venv-bench/bin/python -m benchmarks.in_process

bench-instructions: .venv-bench/.bench
	.venv-bench/bin/python -m benchmarks.instructions
	.venv-bench/bin/python -m benchmarks.served --instructions

bench-served: .venv-bench/.bench
	.venv-bench/bin/python -m benchmarks.served

bench-quick: .venv-bench/.bench
	.venv-bench/bin/python -m benchmarks.in_process --quick

clean:
	rm -rf .venv .venv-bench .tox .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.* htmlcov
	rm -rf build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.serve: EXTRAS := demo
.venv/.test: EXTRAS := demo,json,origins,test
.venv/.lint: EXTRAS := demo,json,origins,test,lint
.venv/.all: EXTRAS := demo,json,origins,test,lint,servers
.venv/.serve .venv/.test .venv/.lint .venv/.all: setup.py pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --disable-pip-version-check -q -e ".[$(EXTRAS)]"
	touch $@

# An environment of its own: what it has beside the package are the peers and all they need.
.venv-bench/.bench: setup.py benchmarks/requirements.txt | .venv-bench/bin/pip
	.venv-bench/bin/python -m pip install --disable-pip-version-check -q \
	    -e . -r benchmarks/requirements.txt
	touch $@

# pip comes last: where it is missing, the environment is half made, and is made anew.
$(BIN)/pip .venv-bench/bin/pip:
	$(PYTHON) -m venv --clear $(@:/bin/pip=)
