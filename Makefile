# Every target makes what it needs. The plain commands stand in README.md.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: demo test check lock clean benchmark faults soak peers dist newcomer

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

# What takes too long for every change, and the long tests of `make test` at their full length.
soak: .venv/test.stamp
	SOAK=1 $(BIN)/python -m pytest -m soak $(ARGS)
	SOAK=1 $(BIN)/python -m pytest tests/unit/domain/test_order.py tests/browser/test_reading_steps.py \
		tests/browser/test_hostile_text.py \
		tests/browser/test_accessibility.py tests/integration/test_kills.py tests/integration/test_skew.py \
		tests/integration/test_worker_away.py tests/unit/web/test_openapi_cases.py tests/unit/web/test_bad_requests.py \
		tests/unit/database/test_queue_twins.py tests/unit/database/test_every_upgrade.py tests/faults/test_quick_peers.py tests/faults/test_durability.py \
		tests/unit/web/test_every_page.py tests/unit/web/test_sign_in.py tests/unit/web/test_closer.py tests/unit/services/test_identity.py tests/unit/imaging/test_pyramid.py \
		tests/unit/imaging/test_preprocess.py tests/unit/dimse/test_commitment_data_set.py tests/unit/web/test_analytics.py tests/integration/test_dicom_tls.py tests/integration/test_store.py tests/integration/test_soak.py $(ARGS)

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

# An empty Debian, then README.md word for word, with the minutes. Needs root and debootstrap.
newcomer:
	tests/newcomer.sh

# A wheel and an sdist with network, templates and sample films inside.
dist: .venv/test.stamp
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -d dist

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
