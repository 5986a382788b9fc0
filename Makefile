# What one needs day by day; `make` alone lists it.

# A node or python3 from elsewhere does as well.
NODE := $(if $(shell command -v node 2>/dev/null),,nodejs) $(if $(shell command -v npm 2>/dev/null),,npm)
PYTHON := $(if $(shell python3 -c 'import ensurepip' 2>/dev/null && echo yes),,python3 python3-venv)
PACKAGES := $(strip chromium chromium-driver redis-server postgresql pgbouncer nginx openssl curl poppler-utils tesseract-ocr tesseract-ocr-eng $(NODE) $(PYTHON))
CLIENTS := tests/clients/node_modules/.package-lock.json tests/clients/venv/installed
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: help setup parts run demo-upstash fuzz test check package internals bench bench-frames bench-plots soak bench-commands fmt

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the tests need and is missing: Debian packages, official clients
	@missing=""; \
	for package in $(PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then echo "setup: $(PACKAGES) are there"; exit 0; fi; \
	echo "setup: installing$$missing"; \
	$(SUDO) apt-get update -q && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing
	@$(MAKE) --no-print-directory $(CLIENTS)

tests/clients/node_modules/.package-lock.json: tests/clients/package-lock.json
	npm ci --prefix tests/clients --ignore-scripts --no-audit --no-fund

tests/clients/venv/installed: tests/clients/requirements.txt
	python3 -m venv --clear tests/clients/venv
	tests/clients/venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r tests/clients/requirements.txt
	touch $@

# Only looks: `make test` installs nothing behind anyone's back.
parts:
	@for program in chromium chromedriver redis-server openssl curl setpriv node python3 pdftoppm pdfinfo tesseract; do \
		command -v $$program >/dev/null || \
			{ echo "The tests need $$program on the path: make setup" >&2; exit 1; }; \
	done
	@ls /usr/lib/postgresql/*/bin/initdb /usr/sbin/pgbouncer /usr/sbin/nginx >/dev/null 2>&1 || \
		{ echo "The tests need PostgreSQL, PgBouncer and nginx: make setup" >&2; exit 1; }

run: ## build and serve on http://127.0.0.1:8080/
	cargo run --release --locked

demo-upstash: ## serve with Redis REST, a queue and OCR on this machine, without accounts
	@examples/demo_upstash.sh

fuzz: ## spoil what comes from outside, for some minutes; what breaks is kept in fixtures/fuzz
	FUZZ_CASES=100000 cargo test --locked --test it fuzz:: -- --nocapture

test: parts ## run every test
	cargo test --locked

check: ## formatting, lints, documentation, licences and sources of dependencies, as strict as it gets
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib
	RUSTDOCFLAGS="-D warnings --cfg internals" cargo doc --locked --no-deps --document-private-items
	cargo test --locked --test supply -- --nocapture
	@if ! command -v cargo-deny >/dev/null; then \
		echo "check: NOT looked at: advisories (they need cargo-deny, and its database from GitHub)"; \
	elif ! timeout 60 cargo deny fetch db; then \
		echo "check: NOT looked at: advisories (their database cannot be reached)"; \
		cargo deny --locked check bans licenses sources; \
	else cargo deny --locked check; fi

package: ## pack the library and build it from its package, as whoever depends on it does (four minutes)
	cargo package --locked --allow-dirty --target-dir target

# The server is built first and kept apart: built with the benches it has in it what only tests need.
bench: ## load over real sockets beside two references, then micro benches (an hour); ONLY=idle,storm RUNS=1 for less
	cargo build --release --locked --bin tidings
	mkdir -p target/bench && cp target/release/tidings target/bench/tidings
	cargo bench --locked --bench streams -- --server target/bench/tidings --runs $(or $(RUNS),3) $(if $(ONLY),--only $(ONLY))
	$(if $(ONLY),,$(MAKE) --no-print-directory bench-frames)

bench-frames: ## measure what one event costs, step by step
	cargo bench --locked --bench frames

bench-plots: ## draw what `make bench` measured, for docs/performance.md
	cargo bench --locked --bench streams -- plot

soak: ## ten minutes of streams that come and go: memory, open files and tasks stay flat
	cargo bench --locked --bench streams -- soak

bench-commands: parts ## count what Redis is asked for: the budget table of docs/cost.md (ten minutes)
	cargo bench --locked --profile dev --bench commands

internals: ## document the library with all that is public for this project alone, or not at all
	RUSTDOCFLAGS="--cfg internals" cargo doc --locked --no-deps --document-private-items

fmt: ## format all code
	cargo fmt
