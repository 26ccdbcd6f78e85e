# The two commands of the README: `make quickstart` and `make test`. PIP_ARGS reaches pip.
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: quickstart test check kills bench clean

quickstart: $(STAMP)
	$(BIN)/dq quickstart

test: check

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n logical --dist loadfile

# 220 points where commands are killed; `check` tries three of them.
kills: $(STAMP)
	$(BIN)/pytest tests/test_kills.py -m 'slow or not slow' -n logical --dist loadscope

bench: $(STAMP)
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

# The stamp is written last, so an interrupted installation is repeated; it depends on the pins.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_ARGS) --quiet --constraint constraints.txt --editable '.[all,dev]'
	$(BIN)/python -c 'import dq; dq.score(["compile"]); dq.deduplicate(["the kernels", "once"])'
	touch $@

clean:
	rm -rf $(VENV) build dist
