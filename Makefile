# The verbs of the project, the same for people and CI. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# An environment of its own: amqtt asks for an older websockets than the node's (docs/decisions/0008-embedded-broker.md).
BROKER := .venv-broker
AUDIT := .venv-audit
MINIMUM := .venv-minimum
# What tells most of whether a library does what is expected of it, and waits for little.
MINIMUM_TESTS := tests/unit $(addprefix tests/integration/,cloudhub_stub control edged edgehub observe recording servicebus store)
KEEP ?=
PAGE ?= build/bench.md
SECONDS ?= 60
TARGET ?=
SOAK ?=
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo broker test test-long check fix bench docs test-minimum audit reference fuzz soak clean tools

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## take a service from the cloud to a curl, checking each step (KEEP=1 leaves it running)
	@PATH="$$PATH:/usr/sbin"; command -v mosquitto >/dev/null || $(MAKE) --no-print-directory $(BROKER)/.installed
	@EDGECORE_BROKER_PYTHON="$${EDGECORE_BROKER_PYTHON:-$(CURDIR)/$(BROKER)/bin/python}" $(BIN)/edgecore demo $(if $(KEEP),--keep)

test: $(VENV)/.installed-dev $(BROKER)/.installed ## run the tests (about 11 minutes on two cores; a fixed share of each fuzz and sweep)
	@EDGECORE_TESTS=short $(BIN)/python -m pytest -n $(WORKERS)

test-long: $(VENV)/.installed-dev $(BROKER)/.installed ## run the tests with the whole counts
	@EDGECORE_TESTS=long $(BIN)/python -m pytest -n $(WORKERS) --timeout 1800

test-minimum: $(MINIMUM)/.installed $(BROKER)/.installed ## run the unit tests and some more with the lowest versions of all libraries
	@EDGECORE_TESTS=short $(MINIMUM)/bin/python -m pytest -n $(WORKERS) $(MINIMUM_TESTS)

audit: $(VENV)/.installed $(AUDIT)/.installed ## ask whether a library has a known vulnerability (needs the network)
	@$(AUDIT)/bin/python -m tools.audit "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

check: $(VENV)/.installed-dev ## ruff, mypy --strict, the tests of the house (layers, docs, clock), and the site
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/meta
	@$(MAKE) --no-print-directory docs

fix: $(VENV)/.installed-dev ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

soak: $(VENV)/.installed-dev $(BROKER)/.installed ## a whole node under load, cuts and restarts: 30 virtual minutes, then 5 real ones (SOAK='--seed N')
	@PYTHONPATH=tests/support EDGECORE_BROKER_PYTHON="$${EDGECORE_BROKER_PYTHON:-$(CURDIR)/$(BROKER)/bin/python}" \
		$(BIN)/python -m soak $(SOAK)

bench: $(VENV)/.installed-dev ## measure every area beside its peer: tables, JSON, a page (QUICK=1, AREAS="dns proxy", ROUNDS=9, PAGE=FILE)
	@$(BIN)/python benchmarks --page $(PAGE) $(if $(QUICK),--quick) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(AREAS),--areas $(AREAS))

docs: $(VENV)/.installed-docs ## make the documentation a site, in build/site; a link that leads nowhere fails
	@$(BIN)/python -m sphinx -q -W --keep-going -j auto -c docs -d build/doctrees . build/site
	@echo "build/site/index.html"

reference: $(VENV)/.installed-dev ## write the pages of docs/reference and the manual pages that come from the code
	@$(BIN)/python -m tools.reference

fuzz: $(VENV)/.installed-dev ## look for inputs that break a parser (SECONDS=60 for all together, TARGET='dns-packet ...')
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip --quiet --disable-pip-version-check install '.[fuzz]' || true
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGET)

broker: $(BROKER)/.installed ## make the environment of the embedded MQTT broker (mqttMode 0 and 1)
	@echo "EDGECORE_BROKER_PYTHON=$(CURDIR)/$(BROKER)/bin/python"

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) $(BROKER) $(AUDIT) $(MINIMUM) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .fuzz

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

$(VENV)/.installed-docs: pyproject.toml | tools
	@echo "installing into $(VENV), with what makes the site ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --editable '.[docs]'
	@touch $(VENV)/.installed $@

$(BROKER)/.installed: Makefile | tools
	@echo "installing amqtt into $(BROKER) ..."
	@$(PYTHON) -m venv $(BROKER)
	@$(BROKER)/bin/python -m pip --quiet --disable-pip-version-check install 'amqtt==0.12.*'
	@touch $@

$(AUDIT)/.installed: pyproject.toml | tools
	@echo "installing pip-audit into $(AUDIT) ..."
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip --quiet --disable-pip-version-check install 'pip-audit>=2.9'
	@touch $@

$(MINIMUM)/.installed: pyproject.toml constraints-minimum.txt | tools
	@echo "installing the lowest versions into $(MINIMUM) ..."
	@$(PYTHON) -m venv $(MINIMUM)
	@$(MINIMUM)/bin/python -m pip --quiet --disable-pip-version-check install -c constraints-minimum.txt --editable '.[dev]'
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
