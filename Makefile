# `make help` lists what there is. Needs a POSIX shell, GNU make 3.81 or later, Python 3.11 or later.

VENV := .venv
PY := $(VENV)/bin/python
export VENV

# Taken as written and passed on in the environment, so that quotes and dollars in it are only text.
override PROMPT := $(value PROMPT)
export PROMPT

.DEFAULT_GOAL := help
.PHONY: help chat test format check bench bench-peers crash-test security-test docs setup lock

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

chat: $(VENV)/.run ## talk to Victor in this folder; PROMPT="..." for one turn
	@if [ -n "$$PROMPT" ]; then exec $(PY) -m victor chat -- "$$PROMPT"; else exec $(PY) -m victor chat; fi

test: $(VENV)/.dev ## every test: the unit suite, then servers, processes and the real model
	@rm -f .coverage .coverage.*
	$(PY) -m coverage run -m pytest -m "not slow and not model"
	@.ci/slow-tests
	@$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

format: $(VENV)/.dev ## write the code as it should look
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format .

check: $(VENV)/.dev ## format, lint, types, import contracts
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/.dev ## what a turn costs, against a bare loop
	$(PY) -m benchmarks

bench-peers: $(VENV)/.dev ## the same beside other frameworks, installed into build/peers
	@.ci/peers
	build/peers/bin/python -m benchmarks

crash-test: $(VENV)/.dev ## kill 500 processes at every moment, and count what is lost
	$(PY) -m tests.crash

security-test: build/security/.done ## play AgentDojo's attacks, with a model that obeys each
	build/security/bin/python -m tests.injection.dojo

docs: $(VENV)/.dev ## write the generated pages
	$(PY) -m victor.config.reference docs/settings.md
	$(PY) -m tests.docs.reference

setup: $(VENV)/.dev ## only install

lock: $(VENV)/.dev ## resolve the pinned requirements anew
	@.ci/lock

$(VENV)/.run: pyproject.toml requirements/run.txt requirements/local.txt .ci/setup
	@if [ -e $(VENV)/.dev ]; then .ci/setup dev && touch $@; else .ci/setup run; fi

$(VENV)/.dev: pyproject.toml requirements/dev.txt requirements/data.txt requirements/local.txt .ci/setup
	@.ci/setup dev
	@touch $(VENV)/.run

build/security/.done: requirements/security.txt .ci/security | $(VENV)/.dev
	@.ci/security
