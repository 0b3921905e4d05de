# The whole contributor interface. PYTHON picks the interpreter that makes .venv; QUICK=1 shortens the demo.
PYTHON ?= python3
BIN := .venv/bin
# Threads that spin while they wait cost more than they give on small models and shared machines.
export OMP_WAIT_POLICY ?= PASSIVE
export KMP_BLOCKTIME ?= 0
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: setup demo test test-live test-slow golden check fix bench bench-full docs families clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	$(BIN)/blindpo demo $(if $(QUICK),--quick)

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term

test-live: setup
	$(BIN)/python -m pytest -m live

test-slow: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m slow

golden: setup
	$(BIN)/python -m tests.golden

check: setup
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/lint-imports
	$(BIN)/mypy

fix: setup
	$(BIN)/ruff check --fix src tests bench
	$(BIN)/ruff format src tests bench

bench: setup
	$(BIN)/python bench/reference.py
	$(BIN)/python bench/evaluate.py
	$(BIN)/python bench/forecast.py
	$(BIN)/python bench/trainer.py
	$(BIN)/python bench/build.py --sizes 4000

bench-full: setup
	$(BIN)/python bench/trainer.py --full
	$(BIN)/python bench/build.py

docs: setup
	$(BIN)/python docs/make_help.py

families: setup
	$(BIN)/python docs/make_families.py

clean:
	rm -rf .venv build dist runs/demo bench/out .coverage
