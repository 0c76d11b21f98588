# revcycle. `make help` explains every target; none needs anything installed but Python 3.11 or newer.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
MEMBERS := $(sort $(dir $(wildcard libs/*/pyproject.toml services/*/pyproject.toml simulators/*/pyproject.toml tools/*/pyproject.toml)))
SOURCES := $(addsuffix src,$(MEMBERS))
COMPILED := $(wildcard libs/*/hatch_build.py libs/*/src/*/*/*.c)
READY := .venv/.ready
comma := ,
# Some machines forbid Python to keep what it compiles; a stack's dozen processes would each compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Say what each target does
	@echo "revcycle: from the documented encounter to the last cent. First: make demo"
	@echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  Settings go behind the target: make demo SEED=7 ENCOUNTERS=3000 INSTANCES=2 KEEP=1 SOURCE=file.jsonl STACK=compose"

$(READY): requirements.lock requirements-uv.lock $(addsuffix pyproject.toml,$(MEMBERS)) $(COMPILED) scripts/bootstrap
	@PYTHON="$(PYTHON)" scripts/bootstrap $(MEMBERS)
	@touch $@

.PHONY: setup
setup: $(READY) ## Install everything into .venv (every other target does this by itself)

.PHONY: demo
demo: $(READY) ## 300 encounters from note to posted remittance over real Kafka and PostgreSQL
	@$(BIN)/revcycle demo $(if $(SEED),--seed $(SEED)) $(if $(ENCOUNTERS),--encounters $(ENCOUNTERS)) $(if $(INSTANCES),--instances $(INSTANCES)) $(if $(SOURCE),--source "$(SOURCE)") $(if $(filter 1,$(KEEP)),--keep) $(if $(STACK),--stack $(STACK)) $(DEMO_FLAGS)

.PHONY: up
up: $(READY) ## Start PostgreSQL, Kafka and the five services and stay in the foreground (Ctrl-C stops them)
	@$(BIN)/revcycle up $(if $(INSTANCES),--instances $(INSTANCES)) $(if $(filter 1,$(DETACH)),--detach)

.PHONY: down
down: $(READY) ## Stop whatever runs from this checkout, leaving no process
	@$(BIN)/revcycle down

.PHONY: status
status: $(READY) ## Say what runs, where, and how it is
	@$(BIN)/revcycle status

.PHONY: check
check: $(READY) ## Format, lint, types, architecture rules and unit tests, in under a minute
	@scripts/check

.PHONY: test
test: $(READY) ## Everything: make check, then the component, integration and fault tests on real infrastructure
	@scripts/test

.PHONY: docs
docs: $(READY) ## Write the generated contracts (fails when they had drifted) and build the site under docs/_site/html
	@drift=0; $(BIN)/python scripts/generate_docs.py || drift=$$?; $(BIN)/python scripts/build_site.py && exit $$drift

.PHONY: fuzz-rest
fuzz-rest: $(READY) ## Fuzz every REST operation for long: EXAMPLES=100 per operation, SEED=7
	@REVCYCLE_FUZZ_EXAMPLES=$(or $(EXAMPLES),100) REVCYCLE_FUZZ_SEED=$(or $(SEED),7) $(BIN)/pytest -q -s -p no:cacheprovider tests/contracts/test_rest_fuzz.py

.PHONY: compatibility
compatibility: $(READY) ## Code of the last release on today's schema, and today's code on the last release's: some minutes
	@$(BIN)/pytest -q -m long tests/migrations -p no:cacheprovider

.PHONY: manifests
manifests: $(READY) ## Write the generated parts of deploy/kubernetes, render every overlay, validate against real schemas
	@$(BIN)/python scripts/generate_manifests.py
	@$(BIN)/python scripts/validate_manifests.py

.PHONY: bench
bench: $(READY) ## Speed against floors of this machine (ROUNDS=5 ONLY=relay,consume); figures under .revcycle/bench/
	@$(BIN)/revcycle bench $(subst $(comma), ,$(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: chaos
chaos: $(READY) ## Kill, freeze and cut off everything for MINUTES=10 under traffic; compare with a calm run of SEED (BROKERS=3)
	@$(BIN)/python tests/chaos/run.py $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(BROKERS),--brokers $(BROKERS)) $(if $(ENCOUNTERS),--encounters $(ENCOUNTERS))

.PHONY: simulate
simulate: $(READY) ## Seeded simulation of the chassis: SEEDS=2000; a failing seed prints its history, SEED=n runs it again
	@$(BIN)/python tests/simulation/run.py $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(filter 1,$(BUGS)),--bugs)

.PHONY: sabotage
sabotage: $(READY) ## Break one promise at a time in a copy of the code; every break must make its test fail
	@$(BIN)/python tests/sabotage/run.py $(if $(ONLY),--only $(ONLY))

.PHONY: oracles
oracles: $(READY) ## What pyx12 and linuxforhealth-x12 say of our X12, each in an environment of its own (MUTATIONS=2000)
	@$(BIN)/python libs/edi/tests/oracles/edi_witnesses.py $(if $(MUTATIONS),--mutations $(MUTATIONS)) $(if $(SEED),--seed $(SEED))

.PHONY: fuzz
fuzz: $(READY) ## Fuzz the X12, HL7 and MLLP readers, EXECUTIONS=2000000 each; a stopped run is taken up again (LIMIT=240, FRESH=1)
	@$(BIN)/python libs/edi/fuzz/run.py readers $(if $(EXECUTIONS),--executions $(EXECUTIONS)) $(if $(LIMIT),--seconds $(LIMIT)) $(if $(filter 1,$(FRESH)),--fresh)

.PHONY: lock
lock: $(READY) ## Resolve the members' requirements again and write requirements.lock
	@$(BIN)/python scripts/third_party_requirements.py > .venv/requirements.in
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url $(LOCK_FLAGS) .venv/requirements.in -o requirements.lock --quiet
	@$(BIN)/python -m scripts.image_requirements

.PHONY: format
format: $(READY) ## Put the code into the house format
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix --quiet .

.PHONY: clean
clean: ## Remove the virtual environment and all state of this checkout
	@test ! -x $(BIN)/revcycle || $(BIN)/revcycle down || true
	@rm -rf .venv .revcycle
