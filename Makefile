# make demo | test | lint | clean. Python >= 3.11 and make are all that a machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Numba's cache does not notice an edited helper in another file: one cache folder per state of physics/.
export NUMBA_CACHE_DIR := $(CURDIR)/.numba_cache/$(shell cat physics/*.py physics/*/*.py envs/*.py envs/*/*.py | cksum | cut -d' ' -f1)
export NUMBA_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

.PHONY: demo test slow lint clean

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[agents,dev]"
	touch $@

demo: $(VENV)/installed
	$(BIN)/mattergym benchmark --suite quick --out runs/demo
	$(BIN)/mattergym report --results runs/demo --out runs/demo/report.html

test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

slow: $(VENV)/installed
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/installed  # mypy does not see through an editable install
	$(BIN)/python -m pip install --quiet --no-deps --target build/installed .
	MYPYPATH=build/installed $(BIN)/mypy -p mattergym

clean:
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info .numba_cache .pytest_cache .mypy_cache .ruff_cache runs
