# Relief's commands. They need Python >= 3.11 with venv, and make; everything else is installed
# inside the project, from the two lock files. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The Python that the environments are made with. Brownie's pinned packages have wheels for
# 3.11 to 3.13; with a newer python3 name an older one in CONTRACTS_PYTHON.
PYTHON ?= python3
CONTRACTS_PYTHON ?= $(PYTHON)
# More arguments for pytest, such as PYTEST_ARGS='-x -k ledger'.
PYTEST_ARGS ?=

UV := .uv/bin/uv
RUN := .venv/bin/python
# A process a core; the tests of a file stay together, on one chain and one database server.
PYTEST := $(RUN) -m pytest --numprocesses auto --dist loadfile
BROWNIE := $(RUN) scripts/brownie.py
# How many histories `make reorg-fuzz` lives; half an hour on two cores.
REORG_RUNS ?= 1000
# How many seeds `make audit-fuzz` lives, and the first: half an hour on one core.
AUDIT_RUNS ?= 1000
AUDIT_SEED ?= 1000
# More arguments for forge, such as FORGE_ARGS='--match-test accrued -vvv'.
FORGE_ARGS ?=
# What of it to try, such as MUTATE_ARGS='--only BenefitToken.commit --all'.
MUTATE_ARGS ?=
# More arguments for `relief bench replay`, such as BENCH_ARGS='--count 100000'.
BENCH_ARGS ?=
# More arguments for Halmos, such as HALMOS_ARGS='--contract VestingCheck -v'.
HALMOS_ARGS ?=
FORGE := HOME=$(CURDIR)/.home node_modules/.bin/forge
# Each a node and the hardfork whose rules it runs by.
EVM_CHAINS ?= anvil:osaka ethereumjs:osaka anvil:prague ethereumjs:prague py-evm:prague \
    hardhat:osaka hardhat:prague
# What pays and who may: the core of the contracts' tests.
EVM_TESTS ?= $(addprefix tests/contracts/, \
    $(addprefix AllowanceVault/test_, approveBatch.py approveBatch_signatures.py \
        approveBatch_tiers.py executeChunk.py largest_chunks.py openStreams.py retryPayout.py \
        withdraw.py withdrawChunk.py cancelBatch.py cancelStreams.py) \
    $(addprefix BenefitToken/test_, authorizations.py holders_signatures.py minters.py permit.py \
        redeem.py transfer.py) \
    $(addprefix EmergencyLane/test_, countersign.py grant.py grant_caps.py) \
    OfficerRegistry/test_signer_types.py)
SOURCES := $(sort $(shell find contracts -type f -name '*.sol' 2>/dev/null))

# Only the interpreter named above and the locked packages; never another environment's.
export UV_PYTHON_DOWNLOADS := never
export UV_PREVIEW_FEATURES := package-conflicts
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME UV_PROJECT_ENVIRONMENT

.PHONY: help setup compile demo up test test-fast test-contracts test-evms test-forge test-service \
        test-spark prove reorg-fuzz audit-fuzz campaign campaign-processes campaign-broken crash-matrix mutate bench-gas \
        bench-gas-snapshot bench-replay lint slither halmos format clean distclean FORCE

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

# ---- Setting up: each step has a stamp, so that a second run does nothing --------------------
# What stands after `|` must be there first but, when it changes, repeats nothing.

setup: .stamps/service .stamps/contracts .stamps/brownie .stamps/node  ## install everything inside the project (other targets do it)

.stamps/uv: scripts/toolchain/uv-requirements.txt
	@echo "[setup] uv, the installer of the locked Python packages"
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Relief needs Python 3.11 or newer")'
	@rm -rf .uv && $(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	    --requirement $<
	@mkdir -p $(@D) && touch $@

.stamps/service: .stamps/uv pyproject.toml uv.lock
	@echo "[setup] .venv, the service and its tools"
	@$(UV) sync --locked --quiet --extra server --python $(PYTHON)
	@touch $@

.stamps/contracts: .stamps/uv uv.lock
	@echo "[setup] .venv-contracts, Brownie"
	@UV_PROJECT_ENVIRONMENT=.venv-contracts \
	    $(UV) sync --locked --quiet --only-group contracts --python $(CONTRACTS_PYTHON)
	@touch $@

.stamps/slither: .stamps/uv uv.lock
	@echo "[setup] .venv-slither, Slither"
	@UV_PROJECT_ENVIRONMENT=.venv-slither \
	    $(UV) sync --locked --quiet --only-group slither --python $(PYTHON)
	@touch $@

.stamps/halmos: .stamps/uv uv.lock
	@echo "[setup] .venv-halmos, Halmos and its solvers"
	@UV_PROJECT_ENVIRONMENT=.venv-halmos \
	    $(UV) sync --locked --quiet --only-group halmos --python $(PYTHON)
	@touch $@

.stamps/node: package.json package-lock.json .npmrc | .stamps/service
	@echo "[setup] node_modules, the compiler, the development chain and the contract libraries"
	@.venv/bin/npm ci --ignore-scripts --no-progress --loglevel=error > /dev/null
	@touch $@

# Not part of `setup`: only bench-gas needs them, and one of them is 150 MB.
.stamps/gas-peers: tests/gas/peers/package.json tests/gas/peers/package-lock.json .npmrc \
    | .stamps/service
	@echo "[setup] tests/gas/peers, the contracts that gas is measured beside"
	@cd tests/gas/peers && ../../../.venv/bin/npm ci --ignore-scripts --no-progress \
	    --loglevel=error > /dev/null
	@touch $@

# Not part of `setup` either: only test-evms needs these two.
.stamps/evms: tests/evms/package.json tests/evms/package-lock.json .npmrc | .stamps/service
	@echo "[setup] tests/evms, Hardhat's node and EthereumJS's EVM"
	@cd tests/evms && ../../.venv/bin/npm ci --ignore-scripts --no-progress --loglevel=error > /dev/null
	@touch $@

.stamps/py-evm: .stamps/uv uv.lock
	@echo "[setup] .venv-py-evm, Python's EVM"
	@UV_PROJECT_ENVIRONMENT=.venv-py-evm \
	    $(UV) sync --locked --quiet --only-group py-evm --python $(PYTHON)
	@touch $@

# Nor this one: only test-spark needs it. PySpark comes as a source of half a gigabyte.
.stamps/spark: .stamps/uv uv.lock scripts/toolchain/java.sh
	@echo "[setup] .venv-spark, Spark and a Java runtime"
	@UV_PROJECT_ENVIRONMENT=.venv-spark $(UV) sync --locked --quiet --no-cache --no-default-groups \
	    --extra spark --group spark --python $(PYTHON)
	@mkdir -p .venv-spark/java/bin && install scripts/toolchain/java.sh .venv-spark/java/bin/java
	@touch $@

# Not part of `setup`: other readers of a chain, which only bench-replay needs.
.stamps/ethereum-etl .stamps/cryo: .stamps/%: scripts/toolchain/%-requirements.txt .stamps/uv
	@echo "[setup] .venv-$*, to be measured beside"
	@$(UV) venv --quiet --clear --python $(PYTHON) .venv-$*
	@$(UV) pip install --quiet --no-deps --require-hashes --python .venv-$*/bin/python --requirement $<
	@touch $@

.stamps/brownie: scripts/brownie.py | .stamps/service .stamps/contracts
	@echo "[setup] .home, Brownie's networks"
	@$(BROWNIE) --version > /dev/null
	@touch $@

# ---- Contracts -------------------------------------------------------------------------------

compile: .stamps/compile  ## compile the contracts into build/contracts

# Rewritten only when a contract came or went, which the other prerequisites cannot show.
.stamps/sources: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(SOURCES) | cmp --silent - $@ || printf '%s\n' $(SOURCES) > $@

# Brownie does not notice each changed setting, so a changed configuration compiles everything.
.stamps/compile: $(SOURCES) brownie-config.yaml .stamps/sources .stamps/node \
    | .stamps/service .stamps/brownie
	@echo "[compile] contracts, with $$(ls scripts/toolchain | grep '^solc-v')"
	@$(BROWNIE) compile $(if $(filter brownie-config.yaml .stamps/node,$?),--all) \
	    > .stamps/compile.log 2>&1 || { cat .stamps/compile.log; exit 1; }
	@sed -n '/[Ww]arning/,/^$$/p' .stamps/compile.log
	@touch $@

# ---- Using it --------------------------------------------------------------------------------

demo: .stamps/compile  ## run the main job once, on an embedded chain and SQLite
	@$(RUN) -m scripts.demo

up: .stamps/compile  ## run the service with its embedded chain until interrupted
	@$(RUN) -m scripts.up

# ---- Checking it -----------------------------------------------------------------------------

test: .stamps/compile  ## run all tests: contracts, then the service on real parts, then the fast ones
	@$(MAKE) --no-print-directory test-contracts
	@$(MAKE) --no-print-directory test-service
	@$(MAKE) --no-print-directory test-fast

test-fast: .stamps/compile  ## run the tests that need no chain, no PostgreSQL, no browser: seconds
	@echo "[test-fast] tests, without chain, PostgreSQL and browser"
	@$(PYTEST) -m 'not chain and not postgres and not browser' $(PYTEST_ARGS)

test-contracts: .stamps/compile  ## run the contracts' tests with Brownie, on a chain of their own
	@echo "[test-contracts] tests/contracts, with Brownie on anvil"
	@$(BROWNIE) test $(PYTEST_ARGS)

# Hardhat's clock runs, so that what its transactions did is nobody else's to the byte.
test-evms: .stamps/compile .stamps/evms .stamps/py-evm  ## run the core of them on other nodes, other EVMs, other rules: long
	@rm -rf build/evms && mkdir -p build/evms
	@for chain in $(EVM_CHAINS); do \
	    echo "[test-evms] $$chain"; \
	    case $$chain in hardhat:*) keep= ;; *) keep=--transcript=build/evms/$$chain.jsonl ;; esac; \
	    RELIEF_TEST_CHAIN=$$chain $(BROWNIE) test $(EVM_TESTS) $$keep $(PYTEST_ARGS); \
	done
	@$(RUN) -m tests.evms.compare build/evms

test-forge: .stamps/node  ## run the property tests of the contracts with Foundry, a short run
	@echo "[test-forge] tests/forge, with forge"
	@$(FORGE) test $(FORGE_ARGS)

prove: .stamps/node  ## the same, a thousand sequences of a hundred actions: an hour
	@echo "[prove] tests/forge, with forge, the long run"
	@FOUNDRY_PROFILE=prove $(FORGE) test $(FORGE_ARGS)

test-service: .stamps/compile  ## run the tests on a real chain, SQLite and PostgreSQL, a browser
	@echo "[test-service] tests, on anvil, SQLite and PostgreSQL"
	@$(PYTEST) -m 'chain or postgres or browser' $(PYTEST_ARGS)

test-spark: .stamps/compile .stamps/spark  ## replay archives with Spark too, on this machine alone
	@echo "[test-spark] tests/audit/archive, with Spark"
	@$(PYTEST) tests/audit/archive/test_spark.py $(PYTEST_ARGS)

reorg-fuzz: .stamps/compile  ## live random histories with re-orgs and compare with a replay: REORG_RUNS of them
	@echo "[reorg-fuzz] tests/confirmations/reorg_fuzz.py, on anvil"
	@$(RUN) -m tests.confirmations.reorg_fuzz --runs $(REORG_RUNS)

audit-fuzz: .stamps/compile  ## drive everything that the contracts can do, from AUDIT_RUNS seeds, and replay each: half an hour
	@echo "[audit-fuzz] tests/audit/audit_fuzz.py, on anvil"
	@$(RUN) -m tests.audit.audit_fuzz --runs $(AUDIT_RUNS) --seed $(AUDIT_SEED)

# The seed of each is printed; `--seed S --only R` replays one run. docs/engine.md, "Campaigns".
campaign: .stamps/compile  ## disturb the payout engine in process, a thousand drawn runs: twenty minutes
	@echo "[campaign] tests/faults, in process"
	@$(RUN) -m tests.faults.campaign $(CAMPAIGN_ARGS)

campaign-processes: .stamps/compile  ## the same with real workers and kill -9, three hundred runs: hours
	@echo "[campaign] tests/faults, with processes"
	@$(RUN) -m tests.faults.processes $(CAMPAIGN_ARGS)

campaign-broken: .stamps/compile  ## break the engine on purpose in many ways and see that the campaign notices
	@echo "[campaign] tests/faults, broken engines"
	@$(RUN) -m tests.faults.breaks $(CAMPAIGN_ARGS)

crash-matrix: .stamps/compile  ## end a worker at each commit and request, on both databases: an hour
	@echo "[crash-matrix] tests/faults"
	@$(RUN) -m tests.faults.matrix $(CAMPAIGN_ARGS)

mutate: .stamps/compile  ## change the contracts in small ways and see that their tests notice: hours
	@echo "[mutate] contracts, with forge and with Brownie on anvil"
	@$(RUN) -m scripts.mutation.run $(MUTATE_ARGS)

bench-gas: .stamps/compile .stamps/gas-peers  ## measure the contracts' gas beside every peer's: a minute
	@echo "[bench-gas] tests/gas, on anvil"
	@$(RUN) -m tests.gas.bench

bench-gas-snapshot: .stamps/compile .stamps/gas-peers  ## agree to the contracts' gas as it is now: tests/gas/snapshot.json
	@$(RUN) -m tests.gas.bench --snapshot

bench-replay: .stamps/compile .stamps/ethereum-etl .stamps/cryo  ## replay a million payouts beside other readers: var/bench/replay.json, half an hour
	@echo "[bench-replay] on anvil"
	@.venv/bin/relief bench replay $(BENCH_ARGS)

lint: .stamps/service  ## check style, types and the direction of imports
	@echo "[lint] ruff"
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --check --quiet .
	@echo "[lint] mypy"
	@$(RUN) -m mypy --strict service scripts
	@echo "[lint] imports"
	@.venv/bin/lint-imports

# Made anew each time: Slither reads every build that it finds in the folder.
.stamps/slither-build: $(SOURCES) foundry.toml .stamps/sources .stamps/node
	@echo "[slither] compiling"
	@rm -rf build/slither
	@FOUNDRY_OUT=build/slither/out FOUNDRY_CACHE_PATH=build/slither/cache \
	    $(FORGE) build --build-info --skip './tests/forge/**' > .stamps/slither-build.log 2>&1 \
	    || { cat .stamps/slither-build.log; exit 1; }
	@touch $@

slither: .stamps/slither .stamps/slither-build  ## look for known weaknesses in the contracts
	@echo "[slither] contracts"
	@$(RUN) scripts/slither.py

halmos: .stamps/halmos .stamps/node .stamps/service  ## prove what tests/forge/symbolic states of the contracts, for all inputs
	@echo "[halmos] tests/forge/symbolic"
	@$(RUN) scripts/halmos.py $(HALMOS_ARGS)

format: .stamps/service  ## rewrite the Python files in the house style
	@$(RUN) -m ruff check --quiet --fix-only .
	@$(RUN) -m ruff format .

# ---- Cleaning --------------------------------------------------------------------------------

clean:  ## remove what compiling and testing made; the record of deployments stays
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
	@rm -f .stamps/compile .stamps/compile.log .stamps/sources
	@rm -f .stamps/slither-build .stamps/slither-build.log
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name deployments -exec rm -rf {} +; fi
	@find . -name __pycache__ -not -path './.venv*' -not -path './node_modules/*' \
	    -not -path './.uv/*' -prune -exec rm -rf {} +

distclean: clean  ## remove the installed environments too; accounts and networks in .home stay
	@rm -rf .venv .venv-contracts .venv-slither .venv-halmos .venv-py-evm .venv-spark \
	    .venv-ethereum-etl .venv-cryo .uv .stamps node_modules \
	    tests/gas/peers/node_modules tests/evms/node_modules .home/test-runs
