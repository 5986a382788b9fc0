# What one needs day by day; `make` alone lists it.

PACKAGES := chromium chromium-driver
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: help setup parts run test check bench fmt

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the Debian packages the tests need, if any is missing
	@missing=""; \
	for package in $(PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then echo "setup: $(PACKAGES) are there"; exit 0; fi; \
	echo "setup: installing$$missing"; \
	$(SUDO) apt-get update -q && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing

# Only looks: `make test` installs nothing behind anyone's back.
parts:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		{ echo "The browser tests need chromium and chromedriver on the path: make setup" >&2; exit 1; }

run: ## build and serve on http://127.0.0.1:8080/
	cargo run --release --locked

test: parts ## run every test
	cargo test --locked

check: ## formatting, lints and documentation, as strict as it gets
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

bench: ## measure what one event costs
	cargo bench --locked --bench '*'

fmt: ## format all code
	cargo fmt
