# Needs python3 (3.11 or later) and make; what else is missing is unpacked, never installed.
#
#   make test    the suite, on real servers         make lint   format, style and types
#   make demo    a whole maintenance window         make lock   new versions of what we use
#   make wide    the slow tests, which CI runs too  make clean  delete what was made here
#   make setup   only .venv, with all that this program needs

VENV ?= .venv
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,\
  $(shell $(name) -c 'import sys; sys.version_info < (3, 11) or print("$(name)")' 2>/dev/null)))
RUN = $(VENV)/bin/python -m
READY = $(VENV)/.ready
ARGS ?=

.PHONY: setup test wide demo lint lock clean

setup: $(READY)

test: $(READY)
	@$(RUN) pytest -n auto --maxprocesses 4 -m "not wide" $(ARGS)

wide: $(READY)
	@$(RUN) pytest -n auto --maxprocesses 4 -m wide $(ARGS)

demo: $(READY)
	@$(RUN) sandbox.demo

lint: $(READY)
	@$(RUN) ruff format --check
	@$(RUN) ruff check
	@$(RUN) mypy

$(READY): requirements.lock
	@$(if $(PYTHON),,echo "needs Python 3.11 or later; found: $$(python3 --version 2>&1)" >&2; exit 1)
	@$(PYTHON) -m sandbox.bootstrap $(VENV) requirements.lock
	@touch $@

# uv resolves for every platform and Python at once; it is used here only.
lock:
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(PYTHON) -m venv "$$folder" && "$$folder/bin/pip" install --quiet uv && \
	compile() { "$$folder/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" "$$@"; } && \
	compile --group dev --output-file requirements.lock pyproject.toml && \
	compile --group pyproject.toml:node --output-file sandbox/node.lock

clean:
	@[ ! -e .sandbox ] || $(PYTHON) -m sandbox.guard .sandbox < /dev/null
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
