# What a developer does here, one target each; `make` alone lists them.
# All paths are relative, so that the checkout may lie anywhere, spaces included.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check install

.PHONY: help
help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Kernelway needs Python 3.11 or later; set PYTHON=… to name one."; exit 1; }
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; \
		echo "This Python cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }

.venv/run.stamp: requirements-run.lock pyproject.toml | .venv/bin/python
	@echo "Setting up .venv (once; half a minute or so) …"
	@$(PIP) --require-hashes -r requirements-run.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test.stamp: requirements.lock .venv/run.stamp
	@echo "Setting up what the tests need (once; a minute or so) …"
	@$(PIP) --require-hashes -r requirements.lock
	@touch $@

.PHONY: run
run: .venv/run.stamp ## Set up, and run examples/hello.py on a kernel of its own.
	@$(BIN)/kernelway run examples/hello.py
	@echo
	@echo "Change examples/hello.py and run it again. What next, each with --help:"
	@echo "  $(BIN)/kernelway serve                     serve kernels here to editors and notebooks anywhere"
	@echo "  $(BIN)/kernelway gateways add NAME URL     remember a gateway, then: kernelway run FILE --on NAME"
	@echo "  docs/how-to/connect.md                        connect an editor or a notebook"

# Files come in their order: the last ones are short, so no processor waits for a long one at the end.
.PHONY: test
test: .venv/test.stamp ## Set up, and run every test.
	@tests/install-debian-packages
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --reruns 1 --max-suite-reruns 5 --rerun-show-tracebacks

.PHONY: check
check: .venv/test.stamp ## Lint and type-check.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: bench
bench: .venv/test.stamp ## Measure beside peers and bare ZeroMQ, and write the pages (ONLY=stream,start: no pages; JSON=file).
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY),--pages docs) $(if $(JSON),--json "$(JSON)")

.PHONY: faults
faults: .venv/test.stamp ## Break links, gateways, hosts and disks at length, and print what that cost (as root: all of it).
	@tests/install-debian-packages
	@$(BIN)/python -m pytest tests/faults --long

.PHONY: lock
lock: ## Pin the dependencies anew (needs uv).
	uv pip compile --quiet --upgrade --generate-hashes --no-header --universal --python-version 3.11 \
		--all-extras --group dev pyproject.toml -o requirements.lock
	uv pip compile --quiet --generate-hashes --no-header --universal --python-version 3.11 \
		--group build --constraint requirements.lock pyproject.toml -o requirements-run.lock
	uv pip compile --quiet --upgrade --generate-hashes --no-header --universal --python-version 3.11 \
		benchmarks/peers.in -o benchmarks/peers.lock

.PHONY: clean
clean: ## Remove everything that the other targets made.
	rm -rf .venv .venv-peers .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name node_modules -prune -exec rm -rf {} +
