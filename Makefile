# make demo: the comparison, from nothing but Python 3.11.   make test: the test suite, likewise.
PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: install demo test lint check-all

install: $(VENV)/.installed

demo: install
	$(BIN)/heatmap-demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

comma := ,
names = $(subst $(eval ) ,$(comma),$(basename $(notdir $(wildcard conf/$(1)/*.yaml))))

# Every head with every target and loss, each with all decoders that can read it (about 20 minutes).
check-all: install
	OMP_NUM_THREADS=1 $(BIN)/heatmap-check -m head=$(call names,head) target=$(call names,target) \
	  loss=$(call names,loss) > check-all.txt
	OMP_NUM_THREADS=1 $(BIN)/heatmap-check -m arm=mse_2d,simcc,regression \
	  loss=$(call names,loss) decoder=$(call names,decoder) >> check-all.txt
	@grep -c ^ok check-all.txt; grep -c ^refused check-all.txt
	@! grep -v -e '^ok ' -e '^refused: ' check-all.txt

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (torch is large: a minute or more) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	@touch $@
