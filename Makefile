# The verbs of the project, the same for people and CI. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# An environment of its own: amqtt asks for an older websockets than the node's (docs/decisions/0008-embedded-broker.md).
BROKER := .venv-broker
KEEP ?=
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo broker test test-long check fix bench clean tools

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## take a service from the cloud to a curl, checking each step (KEEP=1 leaves it running)
	@PATH="$$PATH:/usr/sbin"; command -v mosquitto >/dev/null || $(MAKE) --no-print-directory $(BROKER)/.installed
	@EDGECORE_BROKER_PYTHON="$${EDGECORE_BROKER_PYTHON:-$(CURDIR)/$(BROKER)/bin/python}" $(BIN)/edgecore demo $(if $(KEEP),--keep)

test: $(VENV)/.installed-dev $(BROKER)/.installed ## run the tests (about 11 minutes on two cores; a fixed share of each fuzz and sweep)
	@EDGECORE_TESTS=short $(BIN)/python -m pytest -n $(WORKERS)

test-long: $(VENV)/.installed-dev $(BROKER)/.installed ## run the tests with the whole counts
	@EDGECORE_TESTS=long $(BIN)/python -m pytest -n $(WORKERS) --timeout 1800

check: $(VENV)/.installed-dev ## ruff, mypy --strict, and the tests of the house (layers, docs, clock)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/meta

fix: $(VENV)/.installed-dev ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-dev ## print what the hot paths cost, beside a peer in the same run
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

broker: $(BROKER)/.installed ## make the environment of the embedded MQTT broker (mqttMode 0 and 1)
	@echo "EDGECORE_BROKER_PYTHON=$(CURDIR)/$(BROKER)/bin/python"

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) $(BROKER) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.installed: pyproject.toml | tools
	@echo "installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | tools
	@echo "installing into $(VENV), with the development tools ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --editable '.[dev]'
	@touch $(VENV)/.installed $@

$(BROKER)/.installed: Makefile | tools
	@echo "installing amqtt into $(BROKER) ..."
	@$(PYTHON) -m venv $(BROKER)
	@$(BROKER)/bin/python -m pip --quiet --disable-pip-version-check install 'amqtt==0.12.*'
	@touch $@

# Says what is missing, and how Debian installs it, before anything else fails less clearly.
tools:
	@command -v $(PYTHON) >/dev/null || { \
		echo "make: $(PYTHON) is missing; on Debian: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: the venv module is missing; on Debian: sudo apt install python3-venv" >&2; exit 1; }
	@command -v git >/dev/null || { \
		echo "make: git is missing; on Debian: sudo apt install git" >&2; exit 1; }
