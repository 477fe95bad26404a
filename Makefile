# make help lists what there is. `pip install -r requirements.txt`, `jupyter-book build .` and
# `pytest` do the same by hand: nothing here is known to this file alone.
PYTHON ?= python3
PORT   ?= 8000
TORCH  ?=

BIN   := .venv/bin
STAMP := .venv/.installed$(if $(TORCH),-$(TORCH))
BUILD := $(BIN)/jupyter-book build . -n -W --keep-going
HTML  := _build/html/index.html
TESTS := $(BIN)/python -m pytest -n logical --maxprocesses 4

ifeq ($(TORCH),cpu)
PIP_OPTIONS := --extra-index-url https://download.pytorch.org/whl/cpu
TORCH_FIRST := torch==$$(sed -n 's/^torch==//p' requirements.txt)+cpu torchvision==$$(sed -n 's/^torchvision==//p' requirements.txt)+cpu
else ifneq ($(TORCH),)
$(error TORCH=$(TORCH) is not known: leave it out, or say TORCH=cpu)
endif

.DEFAULT_GOAL := help
.PHONY: help env book check test test-all pdf serve lab clean distclean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  options: PYTHON=python3.12 (which Python), TORCH=cpu (PyTorch's CPU wheels), PORT=8000"

env: $(STAMP) ## create .venv and install what requirements.txt names

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { echo "The environment .venv could not be made (on Debian: apt install python3-venv)." >&2; exit 1; }
	$(if $(TORCH_FIRST),$(BIN)/python -m pip install -q $(PIP_OPTIONS) $(TORCH_FIRST))
	$(BIN)/python -m pip install -q $(PIP_OPTIONS) -r requirements.txt
	@rm -f .venv/.installed* && touch $@

book: $(STAMP) ## execute every notebook and build the site
	$(BUILD)
	@echo && echo "The book is built. Open  file://$(CURDIR)/$(HTML)  or run  make serve"

check: $(STAMP) ## in under a minute, without building: style, types, form of the notebooks, the library
	$(TESTS) -q -m "not slow" tests/unit tests/notebooks/test_hygiene.py tests/notebooks/test_tidy.py

test: book ## build the book, then run every test: unit, notebook, site and browser
	$(TESTS)

test-all: book ## that, and what takes long: other versions, ten runs in a row, two builds, links to other hosts
	$(TESTS) book tests

pdf: book ## build the book, then print it as one PDF; needs Chromium
	$(BIN)/python scripts/make_pdf.py _build/html _build/from-autoencoders-to-vaes.pdf

serve: book ## build the book and serve it at http://localhost:8000
	@$(BIN)/python site/book_server.py _build/html $(PORT)

lab: $(STAMP) ## open the landing page's notebook in JupyterLab, which asks for no news
	$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/book/intro.ipynb --LabApp.app_settings_dir="$(CURDIR)/site/jupyterlab"

clean: ## remove what was built
	rm -rf _build

distclean: clean ## remove the environment as well
	rm -rf .venv *.egg-info
