# Two commands matter: `make demo` and `make test`. Everything they need is installed into .venv by hash.
# The system's Python first, if it can make an environment: distributions build theirs with profile-guided optimisation, and it takes
# in a webhook with a tenth less CPU than one compiled without (docs/benchmarks/ingest.md).
PYTHON ?= $(shell for python in /usr/bin/python3.11 python3.11 python3; do \
	$$python -c 'import ensurepip, venv' 2> /dev/null && command -v $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
export PYTHONWARNINGS =
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help demo test pure warm check format screens browser clean

help: ## Show what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo: $(VENV)/.demo ## Run the whole bridge on sample webhooks: PostgreSQL, simulator, console, worker
	@$(BIN)/bridge demo

test: $(VENV)/.dev browser ## Run every check and every test
	@$(MAKE) --no-print-directory --jobs 2 check warm
	$(BIN)/pytest -n 4 --dist worksteal --durations 15

pure: $(VENV)/.dev ## Run the tests that need no PostgreSQL: seconds, for while you write
	$(BIN)/pytest -n 0 -m pure -q

# Beside the checks, which use one core: what each test process would compile for itself in a fresh checkout is compiled once.
warm: $(VENV)/.dev
	@$(BIN)/python -m compileall -q bridge alembic
	@$(BIN)/pytest -n 0 --collect-only -q > /dev/null || true

check: $(VENV)/.dev ## Run lint, types, import contracts, and the config's check and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/bridge check config
	$(BIN)/bridge test config

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screens: $(VENV)/.dev browser ## Take the pictures of docs/console anew
	BRIDGE_SCREENS=1 $(BIN)/pytest -n 0 tests/console/test_browser.py -k every_screen

browser: ## Install Chromium for the browser tests where a package manager may; tests skip where there is none
	@tests/install-browser

clean: ## Remove the environment and the demo's data
	rm -rf $(VENV) .bridge

$(VENV)/.demo: requirements/runtime.txt requirements/demo.txt requirements/build.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt -r requirements/demo.txt -r requirements/build.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
