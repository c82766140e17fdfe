# No logic here: each target names the command that does the work.
.PHONY: demo test test-both check bench bench-api bench-store faults fuzz format lock clean setup

HALVED = tests/conformance tests/flows tests/orion tests/security

setup:
	@sh scripts/setup.sh

demo: setup
	@.venv/bin/orion demo

test: setup
	.venv/bin/python -m pytest --numprocesses auto --no-loadscope-reorder

# what runs on one of the two databases there runs on the other one here
test-both: test
	.venv/bin/python -m pytest --numprocesses auto --no-loadscope-reorder --other-database $(HALVED)

check: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/bandit --quiet --recursive --configfile pyproject.toml .
	.venv/bin/python scripts/audit.py

format: setup
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: setup
	.venv/bin/python -m bench

bench-api: setup
	.venv/bin/python -m bench.api

bench-store: setup
	.venv/bin/python -m bench.store

faults: setup
	.venv/bin/python -m tests.faults

fuzz: setup
	.venv/bin/python -m tests.fuzzing

# a week's cooldown: a fresh release is where a poisoned package would be found
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--exclude-newer "7 days" --group dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/node/node_modules
