# Six verbs. PYTHON and VENV may be given: make setup PYTHON=python3.13
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: setup check test docs bench demo

setup:  ## a virtual environment with everything, the package editable
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -c constraints.txt -e '.[test,dev]'

check:  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test:  ## all tests
	$(BIN)/pytest

docs:  ## regenerate the tables of README.md and docs/ from the code and the committed results
	$(BIN)/python docs/make_tables.py

bench:  ## the comparison on the bundled purchases
	$(BIN)/fedrec bench quick --out runs/quick --report report.html

demo:  ## train, then recommend for a person and for somebody new
	$(BIN)/fedrec train slist --data quickstart --out runs/demo
	$(BIN)/fedrec recommend runs/demo --user 17
	$(BIN)/fedrec recommend runs/demo --items 95,12,13
