# The two commands of the README: `make quickstart` and `make test`. PIP_ARGS reaches pip.
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
KERNELS := $(VENV)/.compiled

unexport PYTHONDONTWRITEBYTECODE  # nothing is compiled in advance: without bytecode every process would compile it all

.PHONY: quickstart test check lint kills bench clean

quickstart: $(KERNELS)
	$(BIN)/dq quickstart

test: check

# mypy and the compiler of kernels use a core each, for a minute; tests begin when the kernels are there.
check: $(STAMP)
	$(MAKE) --jobs=2 lint tests

.PHONY: tests
tests: $(KERNELS)
	$(BIN)/pytest -n logical --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# 220 points where commands are killed; `check` tries three of them.
kills: $(STAMP)
	$(BIN)/pytest tests/test_kills.py -m 'slow or not slow' -n logical --dist loadscope

bench: $(STAMP)
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

# The stamp is written last, so an interrupted installation is repeated; it depends on the pins. Older pips than ours take
# a minute to look through all versions there are. Python compiles what it imports: all at once takes another minute.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) --quiet --constraint constraints.txt --upgrade pip
	$(BIN)/python -m pip install $(PIP_ARGS) --quiet --no-compile --constraint constraints.txt --editable '.[all,dev]'
	touch $@

$(KERNELS): $(STAMP)
	$(BIN)/python -c 'import dq; from dq.training.trial import compile_kernels; compile_kernels(); dq.score(["compile"]); words = " ".join(map(str, range(60))); dq.deduplicate([words, words + " end"])'
	touch $@

clean:
	rm -rf $(VENV) build dist
