# Every target makes what it needs. The plain commands stand in README.md.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: demo test check lock clean benchmark faults soak peers dist newcomer postgres sbom audit

demo: .venv/run.stamp
	$(BIN)/triage demo $(ARGS)

test: .venv/test.stamp
	$(BIN)/python -m tests $(ARGS)

check: .venv/test.stamp
	$(BIN)/python -m tests --only-checks

benchmark: .venv/test.stamp
	$(BIN)/python -m tests.benchmark $(ARGS)

faults: .venv/test.stamp
	$(BIN)/python -m tests.faults $(ARGS)

# The whole service again, each with a database of its own on a PostgreSQL that the tests start.
postgres: .venv/test.stamp
	TRIAGE_TEST_DATABASE=postgresql $(BIN)/python -m pytest -n 2 --dist loadfile tests/integration tests/region $(ARGS)

# What takes too long for every change, and the long tests of `make test` at their full length.
soak: .venv/test.stamp
	SOAK=1 $(BIN)/python -m pytest -m soak $(ARGS)
	SOAK=1 $(BIN)/python -m pytest $$(grep -rl --include="test_*.py" "^from tests.size import" tests) $(ARGS)

# What ours is measured against by ARGS=pixels; in an environment of its own, so that nothing of ours can use it.
peers: tests/benchmark/peers.lock
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --require-hashes -r tests/benchmark/peers.lock

.venv/run.stamp: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

.venv/test.stamp: requirements-test.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-test.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@ .venv/run.stamp

# The lock files name versions and hashes, never an index. Needs uv (pip install uv).
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-annotate --no-header --group build pyproject.toml
PEERS := $(subst --group build pyproject.toml,,$(LOCK))
lock:
	$(LOCK) --extra oidc --extra postgres -o requirements.lock
	$(LOCK) -c requirements.lock --extra oidc --extra postgres --extra training --extra test -o requirements-test.lock
	$(PEERS) tests/benchmark/peers.in -o tests/benchmark/peers.lock
	$(PEERS) deploy/supply/tools.in -o deploy/supply/tools.lock

# A bill of materials of what requirements.lock installs, and an audit of it; the tools in an environment of their own.
SUPPLY := .venv-supply
$(SUPPLY)/run.stamp: requirements.lock deploy/supply/tools.lock
	$(PYTHON) -m venv $(SUPPLY)/run
	$(SUPPLY)/run/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	$(PYTHON) -m venv $(SUPPLY)/tools
	$(SUPPLY)/tools/bin/python -m pip install --quiet --require-hashes -r deploy/supply/tools.lock
	touch $@

sbom: $(SUPPLY)/run.stamp .venv/test.stamp
	mkdir -p dist
	$(SUPPLY)/tools/bin/cyclonedx-py environment --output-reproducible --of JSON -o dist/sbom.cdx.json $(SUPPLY)/run/bin/python
	$(BIN)/python -m tests.supply sbom dist/sbom.cdx.json

# Exit 1, too, when the service that knows the holes does not answer, or looked at fewer packages than are installed.
audit: $(SUPPLY)/run.stamp .venv/test.stamp
	mkdir -p dist
	rm -f dist/audit.json
	-$(SUPPLY)/tools/bin/pip-audit --path $(SUPPLY)/run/lib/python3.*/site-packages --format json --output dist/audit.json
	@test -s dist/audit.json || { echo "audit: nothing was audited; is the vulnerability service reachable?" >&2; exit 1; }
	$(BIN)/python -m tests.supply audit dist/audit.json

# An empty Debian, then README.md word for word, with the minutes. Needs root and debootstrap.
newcomer:
	tests/newcomer.sh

# A wheel and an sdist with network, templates and sample films inside.
dist: .venv/test.stamp
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -d dist

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
