# Two commands are enough: `make demo` and `make test`. Each makes its environment first, if that is missing or out of date.
# STACK=openmmlab uses the original OpenMMLab packages in an environment of their own instead of the maintained fork.
STACK ?= onedl
ifeq ($(STACK),openmmlab)
VENV ?= .venv-openmmlab
REQUIREMENTS := requirements/openmmlab.txt
else
VENV ?= .venv
REQUIREMENTS := requirements.txt
endif
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := mmlmseg mmlmseg_command.py tests tools configs docs/conf.py docs/_ext setup.py

.PHONY: help install demo docs test test-slow bench soak lint format clean

help:
	@echo "make demo [DATA=dir1,dir2,...]   train, evaluate and predict on three small clashing datasets (minutes, no GPU needed)"
	@echo "make test                        fast tests          make test-slow   slow tests"
	@echo "make bench                       speed beside mmseg and others, a JSON line a claim (about 10 minutes on a quiet machine)"
	@echo "make soak                        50 kills of a small training at random moments; nothing may be lost (a quarter of an hour)"
	@echo "make docs                        the docs site, in docs/_build/html (Python 3.11 or newer)"
	@echo "make lint                        ruff and mypy       make format      let ruff reformat"
	@echo "make install                     only the environment ($(VENV))"
	@echo "STACK=openmmlab                  the same with the original OpenMMLab packages"

install: $(STAMP)

# The stamp is newer than everything the environment is made from, or the environment is completed.
$(STAMP): requirements.txt requirements/base.txt requirements/openmmlab.txt requirements/dev.txt requirements/install.sh setup.py setup.cfg pyproject.toml
	@PYTHON="$(PYTHON)" sh requirements/install.sh $(VENV) $(REQUIREMENTS) requirements/dev.txt
	@touch $@

demo: $(STAMP)
	$(BIN)/python tools/demo.py $(if $(DATA),--data '$(subst ','\'',$(DATA))')

$(VENV)/.docs-installed: $(STAMP) requirements/docs.txt
	$(BIN)/python -m pip install --quiet -r requirements/docs.txt
	@touch $@

# A warning is an error: a link that leads nowhere, a page that no list names.
docs: $(VENV)/.docs-installed
	rm -rf docs/_build
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

test-slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m slow $(ARGS)

# The quick ones of docs/performance.md, a JSON line each.
soak: $(STAMP)
	$(BIN)/python tools/soak.py $(ARGS)

bench: $(STAMP)
	for name in "training_step.py lmseg --rounds 1" optimizer_step.py learned_prompt.py start_up.py many_classes.py panoptic_quality.py \
		instance_ap.py iou.py; do $(BIN)/python tools/benchmarks/$$name $(ARGS) || exit 1; done

lint: $(STAMP)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

clean:
	rm -rf .venv .venv-openmmlab .pytest_cache .ruff_cache .mypy_cache *.egg-info build dist docs/_build
