# The project's tasks. Each makes the virtual environment .venv first, unless VENV names another.
VENV ?= .venv
PYTHON ?= python3
RUN = $(VENV)/bin/python
INSTALLED = $(VENV)/.installed
PEERS = $(VENV)/.peers

TUNED_CORES = cortex-a72 neoverse-n1
TUNED_MODELS = shufflenet-1.0x-g3 shufflenet-0.25x-g3 shufflenet-0.5x-g3 shufflenet-1.5x-g3 \
  shufflenet-2.0x-g3 shufflenet-1.0x-g1 shufflenet-1.0x-g2 shufflenet-1.0x-g4 shufflenet-1.0x-g8 \
  mobilenet-1.0
comma = ,
TUNED = $(foreach core,$(TUNED_CORES),$(TUNED_MODELS:%=$(core)$(comma)%$(comma)float32)) \
  neoverse-n1,shufflenet-1.0x-g3,float16 neoverse-n1,shufflenet-1.0x-g3,int8 \
  neoverse-n1,shufflenet-0.5x-g3,int8
NEW_LOGS = build/tuning_logs

SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help build bench test tuning-logs tuning-logs-here tuning-logs-avx2 fuzz soak check

help:  ## list the tasks
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --editable '.[dev]'
	touch $@

build: $(INSTALLED)  ## build, verify and time ShuffleNet 1x g3 for an ARM Cortex-A72
	$(RUN) compile/build.py --target arm_cpu

$(PEERS): $(INSTALLED)
	$(RUN) -m pip install --quiet --editable '.[peers,plots]'
	touch $@

bench: $(PEERS)  ## the short form of all suites on this machine, and a page of them, in build/bench
	$(RUN) bench/all_suites.py --out build/bench

test: $(INSTALLED)  ## all tests
	$(RUN) -m pytest -n auto --dist worksteal

tuning-logs: $(INSTALLED)  ## the shipped tuning logs anew, on modelled cores: more than an hour on two cores
	rm -rf $(NEW_LOGS)
	for each in $(TUNED); do IFS=,; set -- $$each; unset IFS; \
	  $(RUN) compile/tune.py --target $$1 --model $$2 --dtype $$3 --trials 300 \
	    --tuning-logs $(NEW_LOGS) || exit; done
	for log in $(NEW_LOGS)/*/*.jsonl; do $(RUN) compile/tune.py --prune $$log || exit; done
	for log in $(NEW_LOGS)/*/*.jsonl; do mv $$log tuning_logs/$${log#$(NEW_LOGS)/} || exit; done

define measured-logs
rm -rf $(NEW_LOGS)
for model in $(TUNED_MODELS); do \
  $(RUN) compile/tune.py --target '$(MEASURED_TARGET)' --board local --model $$model --trials 60 \
    --tuning-logs $(NEW_LOGS) || exit; done
for log in $(NEW_LOGS)/*/*.jsonl; do $(RUN) compile/tune.py --prune $$log || exit; done
for log in $(NEW_LOGS)/*/*.jsonl; do to=tuning_logs/$${log#$(NEW_LOGS)/}; \
  mkdir -p $${to%/*} && mv $$log $$to || exit; done
endef

tuning-logs-here: MEASURED_TARGET = host
tuning-logs-here: $(INSTALLED)  ## the same of this machine's own core, measured: 20 minutes in which nothing else runs
	$(measured-logs)

tuning-logs-avx2: MEASURED_TARGET = {"kind": "llvm", "mcpu": "x86-64-v3"}
tuning-logs-avx2: $(INSTALLED)  ## the same of AVX2 code for any x86 core that has it, measured on this machine
	$(measured-logs)

fuzz: $(INSTALLED)  ## every parser of untrusted input for a minute: SECONDS=600 for longer
	$(RUN) -m tests.fuzz --seconds $(SECONDS)

soak: $(INSTALLED)  ## 10,000 inferences on four threads, faults of boards and of searches, an hour of tuning
	$(RUN) -m tests.soak inference
	$(RUN) -m tests.soak deployment
	$(RUN) -m tests.soak searches
	$(RUN) -m tests.soak tuning --minutes 60

check: $(INSTALLED)  ## lint and format, in seconds
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
