# make demo: the comparison, from nothing but Python 3.11.   make test: the test suite, likewise.
# One target a habit: CONTRIBUTING.md says when each is due.
PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: install demo test lint docs notebooks answers-check check-all faults planted kills mutants writers strangers absent load

install: $(VENV)/.installed

demo: install
	$(BIN)/heatmap-demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation site, in site/; a broken link or reference is an error.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Runs the notebooks where they are, after training what two of them read (3 minutes of two cores).
notebooks: $(VENV)/.installed-dev outputs/notebooks/.trained
	printf '%s\n' notebooks/*.ipynb | OMP_NUM_THREADS=1 xargs -P 2 -n 1 $(BIN)/jupyter execute --inplace
	$(BIN)/nbstripout --keep-output --extra-keys metadata.language_info notebooks/*.ipynb

trained = conf src -name '*.yaml' -o -name '*.py' -not -path '*/analysis/*'
# The runs of one arm, and where the error of the first comes from.
study = $(BIN)/heatmap-train -m experiment=notebooks arm=$(1) hydra.sweep.dir=$(2)/$(1) && \
  $(BIN)/heatmap-budget run=$$(ls -d $(2)/$(1)/sigma_2-seed_0-*)

outputs/notebooks/.trained: export OMP_NUM_THREADS = 1
outputs/notebooks/.trained: $(shell find $(trained)) | $(VENV)/.installed-dev
	rm -rf $(@D)
	($(call study,ce_2d,$(@D))) & other=$$!; ($(call study,simcc,$(@D))); mine=$$?; \
	  wait $$other && exit $$mine
	@touch $@

# Recomputes what the READMEs of experiments/ state from the cells.parquet beside each.
answers-check: install
	$(BIN)/python experiments/answers.py

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

# What machines, disks and strangers do to runs, on two cores at once.
faults: $(VENV)/.installed-dev
	$(MAKE) --jobs 2 --output-sync=target writers kills mutants strangers absent

# Plants mistakes, one at a time, in a copy of the source, and lists the tests that notice each.
planted: $(VENV)/.installed-dev
	$(BIN)/python tests/faults/run.py

# Stops and kills runs in the middle of what they do, and says what was left of each.
kills: $(VENV)/.installed-dev
	$(BIN)/python -W ignore tests/faults/kills.py

# Reads thousands of annotations, boxes and pictures with something wrong in them (3 minutes).
mutants: $(VENV)/.installed-dev
	$(BIN)/python -W ignore tests/faults/mutants.py

# Has every command write on a disk that is full, and on one that is only read; needs root on Linux.
writers: $(VENV)/.installed-dev
	$(BIN)/python -W ignore tests/faults/writers.py

# Hands every command what a stranger might send: code, bombs, markup, formulas (3 minutes).
strangers: $(VENV)/.installed-dev
	$(BIN)/python -W ignore tests/faults/strangers.py

# Has commands run without a network, a home, memory, devices, packages, ...; partly needs root
# (3 minutes).
absent: $(VENV)/.installed-dev
	$(BIN)/python -W ignore tests/faults/absent.py

# 200 jobs, 5,000 records, 100,000 steps, and what is left of each (about half an hour).
load: $(VENV)/.installed-dev
	$(BIN)/python -W ignore tests/faults/load.py

# Bytecode is compiled at once: where the environment forbids Python to write any, as
# PYTHONDONTWRITEBYTECODE does, each command would compile its 4,000 modules anew.
pip = $(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --compile-bytecode

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (torch is large: a minute or more) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(pip) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(pip) --editable '.[dev,docs]'
	@touch $@
