# Everything from a bare Debian machine: `make start` runs ghostd, `make test` passes its tests.
# Both set up what they need; nothing is asked.

VENV   := .venv
PYTHON := $(VENV)/bin/python
READY  := $(VENV)/.ready

.PHONY: start test lint bench soak interop exports gpu wheel clean engine

start: $(READY)
	@deploy/bootstrap sandbox
	$(VENV)/bin/ghostd start

test: $(READY) lint
	@deploy/bootstrap engine
	@deploy/bootstrap compiler
	@deploy/bootstrap datasets
	$(PYTHON) -m trainer.ops.cuda.gate --brief --architectures 90
	$(PYTHON) -m pytest -n 2 --dist loadgroup --max-worker-restart 0 --durations 30 -m "not soak"

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(READY)
	@deploy/bootstrap engine
	$(PYTHON) bench/sandbox.py
	$(PYTHON) bench/teacher_client.py
	$(PYTHON) bench/export.py
	$(PYTHON) bench/audit.py
	$(PYTHON) bench/reverification.py
	$(PYTHON) bench/dedup.py
	$(PYTHON) bench/decontamination.py
	$(PYTHON) bench/campaign.py

soak: $(READY)
	@deploy/bootstrap engine
	$(PYTHON) -m pytest -m soak -s

interop: $(READY)
	$(PYTHON) bench/interop.py

exports: $(READY)
	$(PYTHON) bench/exports.py

gpu: $(READY)
	$(PYTHON) -m bench.gpu

wheel: $(READY)
	$(PYTHON) -m trainer.ops.cuda.package
	$(VENV)/bin/pip wheel --no-deps --wheel-dir dist .

engine: $(READY)
	@deploy/bootstrap engine

$(READY): requirements.lock pyproject.toml deploy/bootstrap
	@deploy/bootstrap venv

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis bench/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
