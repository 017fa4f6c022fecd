# make run: install, and benchmark the quickstart.  make test: install, and run everything that checks this project.

PYTHON ?= python3
VENV := .venv
OLD_VENV := .venv-tflite-runtime
DOCS_VENV := .venv-docs
BIN := $(VENV)/bin
MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard core/pyproject.toml libraries/*/pyproject.toml plugins/*/pyproject.toml tasks/*/pyproject.toml))
OLD_MEMBERS := core libraries/images libraries/tflite_model plugins/backend_tflite plugins/fetch tasks/image_classification
PROJECTS := $(addsuffix /pyproject.toml,$(MEMBERS))
WORKERS ?= 6
PIP_FLAGS := --disable-pip-version-check --no-input --quiet

unexport PYTHONDONTWRITEBYTECODE # hundreds of processes start: none may compile what it imports again

.PHONY: run test thorough collect runner install lint check-types unit properties old-runtime coverage interpreters wheels docs lock clean help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

run: install ## Install, run the quickstart benchmark, show the result
	$(BIN)/mlperf-mobile run

test: install ## Install, run everything: style, layers, types, both runtimes, the suite
	$(MAKE) --jobs 3 collect runner lint check-types old-runtime
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

collect: install ## Collect the tests once: pytest's workers then find them compiled
	$(BIN)/python -m pytest --collect-only --quiet --quiet >.venv/collected || { cat .venv/collected; exit 1; }

thorough: ## The same, with all cases of tests that `make test` samples
	$(MAKE) test TESTS=--thorough

runner: install ## Compile the native runner for this machine, if it has a C++ compiler
	$(BIN)/python libraries/runner/tools/build.py --if-possible

install: $(VENV)/.installed ## Make .venv with the command mlperf-mobile

$(VENV)/.installed: requirements/main.txt pyproject.toml $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	-$(BIN)/python -m pip install $(PIP_FLAGS) --upgrade pip # which is faster than the one that comes with Python
	$(BIN)/python -m pip install $(PIP_FLAGS) --no-compile --require-hashes -r requirements/main.txt
	printf -- '-e ./%s\n' $(MEMBERS) | xargs -P 2 -L 17 $(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation
	$(BIN)/python -m compileall -q $(wildcard core/src libraries/*/src plugins/*/src tasks/*/src)
	@touch $@

lint: install ## Style, spelling, and the rules between layers
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --no-cache --check .
	$(BIN)/codespell
	$(BIN)/lint-imports

CHECKED ?= $(addsuffix /src,$(MEMBERS)) tools benchmarks

check-types: install ## mypy --strict
	MYPYPATH=$$(echo $(addsuffix /src,$(MEMBERS)) | tr ' ' ':') $(BIN)/mypy $(CHECKED)

unit: install ## The fast tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not slow'

properties: install ## Property tests with examples that are new each time
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m hypothesis --hypothesis-profile random

old-runtime: $(OLD_VENV)/.installed ## The tests of backend_tflite on tflite-runtime, where it exists (Python 3.11)
	@if [ -x $(OLD_VENV)/bin/pytest ]; then $(OLD_VENV)/bin/python -m pytest plugins/backend_tflite; \
	else echo "tflite-runtime has no wheel for this Python: its tests are left out"; fi

$(OLD_VENV)/.installed: $(VENV)/.installed requirements/tflite-runtime.txt pyproject.toml $(PROJECTS)
	@mkdir -p $(OLD_VENV)
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
	$(PYTHON) -m venv --without-pip $(OLD_VENV) && \
	$(BIN)/python -m pip --python $(OLD_VENV) install $(PIP_FLAGS) --no-compile --require-hashes -r requirements/tflite-runtime.txt && \
	$(BIN)/python -m pip --python $(OLD_VENV) install $(PIP_FLAGS) --no-deps --no-build-isolation $(addprefix -e ./,$(OLD_MEMBERS)); fi
	@touch $@

interpreters: install ## Install all wheels into a clean environment of each supported Python that is here, and run them
	$(BIN)/python tools/interpreters.py $(INTERPRETERS)

coverage: install ## Share of the lines that the fast tests of the core and of the rounds execute
	@mkdir -p .coverage
	$(BIN)/coverage run -m pytest --quiet -m 'not slow' core/tests plugins/rounds/tests
	$(BIN)/coverage report --include='core/src/*,plugins/rounds/src/*' --sort=cover --skip-covered

wheels: install ## Build an sdist of every member, and a wheel from it, into dist/
	for member in $(MEMBERS); do $(BIN)/python -m build --no-isolation --outdir dist $$member || exit 1; done

docs: $(DOCS_VENV)/.installed ## Build the documentation site into dist/site; a warning or an undocumented public name is an error
	$(DOCS_VENV)/bin/python tools/site.py

$(DOCS_VENV)/.installed: requirements/docs.txt
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/docs.txt
	@touch $@

LOCK := --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade --quiet

lock: ## Pin anew (needs uv): newest versions that the ranges in the packages allow
	$(PYTHON) tools/requirements.py --extra testing --extra litert --extra qnn --extra pandas --extra parquet --group dev \
		| uv pip compile - $(LOCK) --universal -c requirements/limits.txt -o requirements/main.txt
	$(PYTHON) tools/requirements.py --extra testing --extra tflite-runtime --without ai-edge-litert --group test $(addprefix --member ,$(OLD_MEMBERS)) \
		| uv pip compile - $(LOCK) -o requirements/tflite-runtime.txt
	$(PYTHON) tools/requirements.py \
		| uv pip compile - $(LOCK) --universal -c requirements/limits.txt -c requirements/main.txt -o requirements/run.txt
	printf 'zensical>=0.0.73\nmkdocstrings[python]>=1\n' | uv pip compile - $(LOCK) --universal -c requirements/main.txt -o requirements/docs.txt

clean: ## Remove environments and caches
	rm -rf $(VENV) $(OLD_VENV) $(DOCS_VENV) dist .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
