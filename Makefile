# Two targets are for everybody: `make reports` and `make test`. The rest is for developers.
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
RUN := $(BIN)/python
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install model reports test test-real test-statistics test-decisions test-faults test-security lint format types unit notebooks provider-table example house docs lock lab bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 18

$(INSTALLED): requirements.lock requirements-uv.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'llmbench needs Python 3.11 or newer; set PYTHON=/path/to/python3.11')"
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	VIRTUAL_ENV=$(VENV) $(RUN) -m uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	VIRTUAL_ENV=$(VENV) $(RUN) -m uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(INSTALLED)

install: $(INSTALLED) ## everything into .venv

model: $(INSTALLED) ## the embedded model, into the user's cache
	$(RUN) -m llmbench models pull smollm2-135m

reports: model ## run the notebooks on the embedded model; ends with the path of reports/index.html
	$(RUN) -m llmbench report all --jobs 2

test: model lint types unit notebooks ## every test that needs only Python

test-real: model ## the tests against real servers; installs them into .real/ (vLLM: 3 GB; needs node)
	$(RUN) tests/real/install.py
	$(RUN) -m pytest tests/real

test-statistics: $(INSTALLED) ## the gates of the A/B statistics: error rates and coverage, in full
	$(RUN) -m pytest -m statistics tests/statistics

test-decisions: $(INSTALLED) ## how often the decision of a migration errs, on 28,000 simulated ones
	$(RUN) -m pytest -m decisions tests/decisions

test-faults: $(INSTALLED) ## kill -9 of every command 20 times, full disks, damage, bad networks (an hour)
	LLMBENCH_FAULT_ROUNDS=20 $(RUN) -m pytest -m "faults or not faults" tests/faults

test-security: $(INSTALLED) ## hostile answers and files, fuzzed at length; pip-audit where it is installed
	LLMBENCH_SECURITY_EXAMPLES=300 $(RUN) -m pytest -m "security or not security" tests/security

lint: $(INSTALLED)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(BIN)/lint-imports

format: $(INSTALLED) ## put the code in form
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

types: $(INSTALLED)
	$(RUN) -m mypy

unit: $(INSTALLED)
	$(RUN) -m pytest -n auto --dist loadfile

notebooks: $(INSTALLED)
	$(RUN) -m pytest -n auto --dist loadfile --nbval-lax --nbval-current-env -p no:cacheprovider notebooks

provider-table: $(INSTALLED) ## docs/providers.md, from the results of the conformance suite
	LLMBENCH_WRITE_PROVIDER_TABLE=1 $(RUN) -m pytest -q tests/providers/test_conformance.py

example: model ## the committed example of a report, made again: make example REPORT=ab_test
	rm -rf build/example && mkdir -p build
	$(if $(filter migration_memo,$(REPORT)),cp -R reports/examples build/example && rm -r build/example/$(REPORT))
	$(RUN) -m llmbench report $(or $(REPORT),$(error which report? make example REPORT=ab_test)) --out build/example
	rm -rf build/example/$(REPORT)/runs reports/examples/$(REPORT)
	mv build/example/$(REPORT) reports/examples/$(REPORT)

house: $(INSTALLED) ## the picture and the map of docs/architecture.md, from the code's imports
	$(RUN) docs/tools/house.py --write

$(VENV)/.docs: $(INSTALLED)
	VIRTUAL_ENV=$(VENV) $(RUN) -m uv pip install --quiet -r pyproject.toml --extra docs
	touch $@

docs: $(VENV)/.docs ## the documents as a site: site/index.html; a broken link fails (the first time needs the network)
	$(RUN) docs/tools/build.py

lab: model ## JupyterLab at the desk: the reports there are, and a form to run one
	$(RUN) -m llmbench lab

bench: $(INSTALLED) ## speed beside the peers, installed into .bench/ (4 GB); writes docs/benchmarks.md. PARTS="calls matrix": only those
	$(RUN) benchmarks $(PARTS)

lock: ## make requirements.lock again (needs the network)
	$(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-header --no-emit-package llmbench --extra all --extra dev --upgrade pyproject.toml -o requirements.lock
	printf 'uv\n' | $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header - -o requirements-uv.lock

clean: ## remove .venv and what the tools left
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build dist site
