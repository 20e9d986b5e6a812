# `make train` and `make test` are all a new checkout needs; `make help` lists the rest.

PYTHON ?= python3
# A requirement for pip, and options if need be: TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
RANKS ?= 2
TRAIN_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
ROWS ?=
EFFORT ?=

BIN := $(CURDIR)/.venv/bin
PIP_INSTALL := $(BIN)/pip install --disable-pip-version-check
NATIVE := $(MAKE) --no-print-directory -C csrc -j$(shell nproc) PYTHON='$(BIN)/python'
CPP_FILES = $(shell find csrc bench/cpp -name '*.[ch]pp')

# Programs of .venv (mpirun, torchrun) are the ones that tests and examples find.
export PATH := $(BIN):$(PATH)
# Without these two mpirun refuses to start as root, as which most containers run.
export OMPI_ALLOW_RUN_AS_ROOT := 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM := 1

.DEFAULT_GOAL := help
.PHONY: help train test test-torch lint format sanitize sanitize-address sanitize-thread bench targets build native clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
	@echo '  variables: TORCH="$(TORCH)" PYTHON=$(PYTHON) RANKS=$(RANKS) TRAIN_ARGS TEST_ARGS BENCH_ARGS ROWS EFFORT'

train: build ## set up what is missing and train the example language model on RANKS ranks
	mpirun -n $(RANKS) --map-by :OVERSUBSCRIBE --bind-to none $(BIN)/python examples/train_lm.py $(TRAIN_ARGS)

test: build .venv/dev.stamp ## set up what is missing and run the tests
	$(BIN)/pytest -q $(TEST_ARGS)

test-torch: build .venv/dev.stamp ## torch's own distributed tests on Gloo and on allred, side by side: docs/torch-suite.md
	$(BIN)/python tests/torch_suite/compare.py --output docs/torch-suite.md $(TEST_ARGS)

lint: .venv/dev.stamp ## ruff, mypy, clang-format, codespell, the layer rule
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(CPP_FILES)
	$(BIN)/codespell
	$(BIN)/pytest -q --noconftest tests/test_layers.py

format: .venv/dev.stamp ## rewrite the sources as lint wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(CPP_FILES)

sanitize: sanitize-address sanitize-thread ## the core's tests under AddressSanitizer and UBSan, then ThreadSanitizer

bench: build .venv/dev.stamp ## the microbenchmarks
	$(BIN)/pytest -q -o timeout=0 bench $(BENCH_ARGS)

targets: build .venv/dev.stamp ## measure all targets into README's table; some: ROWS="dtypes groups"; EFFORT=quick or full
	PYTHONPATH=$(CURDIR)/bench $(BIN)/python -m targets $(ROWS) $(EFFORT:%=--%)

build: native .venv/install.stamp ## compile what changed

clean: ## remove what was built; .venv stays
	rm -rf build dist allred.egg-info allred/*.so
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# ---- set-up: each stamp is newer than what it was made from ----

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "allred needs Python 3.10 or newer: PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements/run.txt .venv/torch.args | .venv/bin/python
	$(PIP_INSTALL) -r requirements/run.txt $(foreach word,$(TORCH),'$(word)')
	@touch $@

.venv/dev.stamp: requirements/dev.txt .venv/run.stamp
	$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

native: .venv/run.stamp
	@$(NATIVE)

# After the libraries, so that a compiler's complaint is not buried in pip's.
.venv/install.stamp: pyproject.toml setup.py .venv/run.stamp | native
	$(PIP_INSTALL) --quiet --no-build-isolation --no-deps --editable .
	@touch $@

# Rewritten only when TORCH differs from last time, so that only then torch is installed anew.
.venv/torch.args: .FORCE | .venv/bin/python
	@echo "$(TORCH)" | cmp -s - $@ || echo "$(TORCH)" >$@
.PHONY: .FORCE

# ---- sanitizers: instrumented libraries beside links to the Python sources, in build/NAME/allred ----

# Tests in which ranks are threads, and which need neither torch nor another process.
CORE_TESTS := $(wildcard tests/reduce tests/schedule tests/transport tests/spec tests/faults tests/bucketing tests/engine)

# The run-time library has to come first in the process; with libstdc++ it finds the function that throws exceptions.
preload = $(shell $(CXX) -print-file-name=$(1).so):$(shell $(CXX) -print-file-name=libstdc++.so)
# The run-time libraries of older compilers fail where addresses are randomised over many bits.
FIXED_ADDRESSES := $(shell setarch -R true 2>/dev/null && echo setarch -R)

# Python frees little of what it allocates at exit, so leaks are not looked for.
export ASAN_OPTIONS := detect_leaks=0
export UBSAN_OPTIONS := print_stacktrace=1
export TSAN_OPTIONS := halt_on_error=1 second_deadlock_stack=1

sanitize-address: PRELOAD = $(call preload,libasan)
sanitize-address: SANITIZED_TESTS = $(CORE_TESTS)
sanitize-thread: PRELOAD = $(call preload,libtsan)
sanitize-thread: SANITIZED_TESTS = $(filter-out tests/reduce tests/schedule tests/bucketing,$(CORE_TESTS))# those have one thread
sanitize-address sanitize-thread: sanitize-%: build .venv/dev.stamp
	@$(NATIVE) SANITIZE=$*
	@ln -sfn $(filter-out %.so %/__pycache__,$(wildcard $(CURDIR)/allred/*)) build/$*/allred/
	PYTHONPATH=$(CURDIR)/build/$* $(FIXED_ADDRESSES) env LD_PRELOAD=$(PRELOAD) \
	    $(BIN)/pytest -q -p no:cacheprovider $(SANITIZED_TESTS) $(TEST_ARGS)
