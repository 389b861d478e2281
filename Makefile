# `make demo` and `make test` set everything up by themselves; nothing else is needed but Python.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint docs benchmark fuzz clean

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e . "matplotlib>=3.8"
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

demo: $(VENV)/.demo
	$(BIN)/sofinet demo -o demo

test: $(VENV)/.test
	tests/on-a-screen $(BIN)

lint: $(VENV)/.test
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy

docs: $(VENV)/.test
	docs/make $(BIN)

benchmark: $(VENV)/.test
	$(BIN)/python benchmarks/sofi_speed.py

# make fuzz N=500 SEED=7 KIND="tiff recipe"; every kind of file without KIND
fuzz: $(VENV)/.test
	cd tests && OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(abspath $(BIN))/python -m fuzz $(KIND) \
	    -n $(or $(N),100) --seed $(or $(SEED),1)

clean:
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache
