# The project's tasks. Each makes the virtual environment .venv first, unless VENV names another.
VENV ?= .venv
PYTHON ?= python3
RUN = $(VENV)/bin/python
INSTALLED = $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help build bench test check

help:  ## list the tasks
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --editable '.[dev]'
	touch $@

build: $(INSTALLED)  ## build, verify and time ShuffleNet 1x g3 for an ARM Cortex-A72
	$(RUN) compile/build.py --target arm_cpu

bench: $(INSTALLED)  ## the ladder of levels on this machine, as a JSON report
	$(RUN) bench/run.py fusion --target host --json build/fusion.json

test: $(INSTALLED)  ## all tests
	$(RUN) -m pytest -n auto

check: $(INSTALLED)  ## lint and format, in seconds
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
