PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help ensure run sandbox test test-engines bench bench-peers bench-smoke check format docs clean

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

ensure: $(VENV)/.run ## install what is needed to run, into .venv

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "smsd needs Python 3.11 or newer; name one: make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)

# Editable, but in the old way: the new one hides the plugin from twistd.
$(VENV)/.run: setup.py | $(BIN)/python
	@echo "Installing smsd into $(VENV) (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -e .
	@touch $@

$(VENV)/.dev: setup.py | $(BIN)/python
	@echo "Installing smsd and its development tools into $(VENV) (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -e '.[dev]'
	@touch $@ $(VENV)/.run

run: $(VENV)/.run ## start the daemon (and, without a provider's key, the sandbox) on localhost:5000
	@mkdir -p var
	@$(if $(shell grep -s "^spool" smsd.toml),,SMSD_SPOOL=$${SMSD_SPOOL:-sqlite:///var/smsd.db}) exec $(BIN)/twistd --nodaemon --pidfile= smsd

sandbox: $(VENV)/.run ## start only the sandbox MessageBird, on localhost:5001
	@exec $(BIN)/python -m smsd.sandbox

# Most tests wait more than they reckon, so four at a time suit two cores.
test: $(VENV)/.dev ## run all tests
	@$(BIN)/pytest -q -n 4 --dist worksteal -m 'not engines and not timed'
	@$(BIN)/pytest -q -m 'timed and not engines'

# They wait for servers nearly all the time; a file has its own. Others' servers are late once in a while on a busy
# machine: what fails is tried once more, and counted as such.
test-engines: $(VENV)/.dev ## run the tests that need more than pip brings, which .ci/install installs
	@.ci/install
	@$(BIN)/pytest -q -n 2 --dist loadfile --reruns 1 -m engines

bench: $(VENV)/.dev ## measure how fast it is, and write docs/performance.md; some five minutes, best on a quiet machine
	@$(BIN)/python -m tests.bench

# Jasmin wants older packages than smsd, so it has a place of its own. Whoever lacks it measures the others.
.venv-jasmin/.jasmin:
	@$(PYTHON) -m venv .venv-jasmin
	@.venv-jasmin/bin/pip install --quiet --disable-pip-version-check jasmin==0.11.1 && touch $@ || echo "Jasmin does not install"

bench-peers: $(VENV)/.dev .venv-jasmin/.jasmin ## measure accepts beside others' (apt-get install kannel rabbitmq-server redis-server)
	@$(BIN)/python -m tests.bench.peers

bench-smoke: $(VENV)/.dev ## only see that every benchmark runs
	@$(BIN)/python -m tests.bench --smoke

check: $(VENV)/.dev ## format, lint, types, import contract, stale files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m smsd.settings.example --check smsd.toml.example
	@$(BIN)/python -m smsd.settings.manual --check docs/settings.md
	@$(BIN)/python docs/draw.py --check docs/lifecycle.md

format: $(VENV)/.dev ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Not --quiet: mkdocs counts only the warnings that it shows, and would pass every broken link.
docs: $(VENV)/.dev ## write what is generated in docs and smsd.toml.example, and the documentation as a site into site/
	@$(BIN)/python -m smsd.settings.example > smsd.toml.example
	@$(BIN)/python -m smsd.settings.manual > docs/settings.md
	@$(BIN)/python -m smsd.cli.manpage > docs/smsctl.1
	@$(BIN)/python docs/draw.py docs/lifecycle.md
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

clean: ## remove what was built, but not the data in var/
	@rm -rf $(VENV) .venv-jasmin build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
