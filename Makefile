# No logic here: each target names the command that does the work.
.PHONY: demo test check bench format lock clean setup

setup:
	@sh scripts/setup.sh

demo: setup
	@.venv/bin/orion demo

test: setup
	.venv/bin/python -m pytest

check: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: setup
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: setup
	.venv/bin/python -m bench

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
