# Short names for what is done here. Python and make are all it takes: each environment is made when it is
# first needed, and again when setup.cfg or pyproject.toml changes. For another interpreter:
#     make clean test PYTHON=python3.13

PYTHON ?= python3
FACTS = setup.cfg pyproject.toml
NOX = .venv-nox/bin/python -m nox

.PHONY: help demo test lint docs coverage check bench fuzz soak clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## */\1\t/p' Makefile

demo: .venv-demo/ready  ## by hand and with session.auth, side by side, while tokens die
	@.venv-demo/bin/python examples/demo.py

test: .venv/ready  ## all tests, on this interpreter
	.venv/bin/python $(MEASURE) -m pytest -n 3 --dist worksteal $(ARGS)

lint: .venv-nox/ready  ## ruff, mypy, pyright and the layers of the package
	$(NOX) -s lint types imports

docs: .venv-nox/ready  ## the documentation, in docs/_build
	$(NOX) -s docs

coverage: .venv/ready  ## all tests, every branch of the package measured
	.venv/bin/python -m coverage erase
	$(MAKE) test MEASURE="-m coverage run"
	.venv/bin/python -m coverage combine --quiet
	.venv/bin/python -m coverage report

check: .venv-nox/ready  ## every gate of noxfile.py
	$(NOX)

bench: .venv-nox/ready  ## how fast; ARGS=--quick for a short run
	$(NOX) -s bench -- $(ARGS)

fuzz: .venv-nox/ready  ## fuzz tests
	$(NOX) -s fuzz -- $(ARGS)

soak: .venv-nox/ready  ## long-running tests
	$(NOX) -s torture -- -k minutes $(ARGS)

clean:  ## back to a fresh clone
	rm -rf .venv .venv-demo .venv-nox .nox .hypothesis .coverage .coverage.* .*_cache build dist docs/_build *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/ready: $(FACTS) .ci/redis_server.py
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'  # the first that knows --group
	.venv/bin/python -m pip install --quiet --editable '.[all]' --group test
	.venv/bin/python .ci/redis_server.py
	@touch $@

.venv-demo/ready: $(FACTS)
	$(PYTHON) -m venv --clear .venv-demo
	.venv-demo/bin/python -m pip install --quiet --editable '.[sandbox]'
	@touch $@

.venv-nox/ready:
	$(PYTHON) -m venv --clear .venv-nox
	.venv-nox/bin/python -m pip install --quiet 'nox>=2026.10'
	@touch $@
