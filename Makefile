# Every command a person or CI runs. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PROTO := proto
UI := webui/ui
UI_SOURCES := $(shell find $(UI) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
BUF := tools/node_modules/.bin/buf
REDOCLY := tools/node_modules/.bin/redocly

.PHONY: help
help: ## List the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9_-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- run ---------------------------------------------------------------------------------------------------------

.PHONY: run
run: ui ## Build everything and run the whole system on embedded SQLite at http://localhost:8000
	cargo build --release --locked
	exec target/release/banyan up

.PHONY: ui
ui: $(UI)/dist/app/index.html ## Build the browser app

$(UI)/node_modules/.package-lock.json: $(UI)/package-lock.json
	cd $(UI) && npm ci --no-audit --no-fund --loglevel=error

$(UI)/dist/app/index.html: $(UI)/node_modules/.package-lock.json $(UI_SOURCES)
	cd $(UI) && npm run --silent build
	touch $@

# ---- check -------------------------------------------------------------------------------------------------------

.PHONY: test
test: setup lint test-ui test-rust test-browser test-k8s ## Everything that CI checks; installs what it needs

.PHONY: setup
setup: ## Install what the tests need (Debian packages, as root)
	scripts/setup.sh

.PHONY: lint
lint: lint-rust lint-arrows lint-proto lint-openapi lint-ui ## Formatting, clippy, who imports whom, contracts, types

.PHONY: lint-rust
lint-rust: ui
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features kafka --locked -- -D warnings

.PHONY: lint-arrows
lint-arrows: ui
	cargo test --workspace --features kafka --locked --quiet --test it architecture::

.PHONY: lint-proto
lint-proto: $(BUF)
	cd $(PROTO) && ../$(BUF) lint && ../$(BUF) format --diff --exit-code
	cd $(PROTO) && ../$(BUF) breaking --against baseline.binpb

.PHONY: proto-baseline
proto-baseline: $(BUF) ## Accept today's contracts as the ones that must not break
	cd $(PROTO) && ../$(BUF) build -o baseline.binpb

$(BUF) $(REDOCLY) &: tools/package-lock.json
	cd tools && npm ci --no-audit --no-fund --loglevel=error
	touch $(BUF) $(REDOCLY)

.PHONY: lint-openapi
lint-openapi: bins $(REDOCLY) $(UI)/node_modules/.package-lock.json
	scripts/openapi.sh check

.PHONY: openapi-client
openapi-client: bins $(REDOCLY) $(UI)/node_modules/.package-lock.json ## Renew the UI's types from the gateway's OpenAPI documents
	scripts/openapi.sh write

.PHONY: lint-ui
lint-ui: $(UI)/node_modules/.package-lock.json
	cd $(UI) && npm run --silent check

.PHONY: test-ui
test-ui: $(UI)/node_modules/.package-lock.json
	cd $(UI) && npm test --silent

.PHONY: test-rust
# Not nextest: one process a test would start one PostgreSQL a test.
test-rust: bins
	cargo test --workspace --features kafka --locked --no-fail-fast

.PHONY: test-browser
test-browser: bins
	scripts/test-browser.sh

# One set of features for all checks: another would compile half of the dependencies again.
.PHONY: bins
bins: ui
	cargo build --workspace --bins --features kafka --locked

# kubectl is in no package registry that setup could use: without it CI fails and people are told.
.PHONY: test-k8s
test-k8s:
	@if command -v kubectl >/dev/null || [ -n "$${CI:-}" ]; then \
		$(MAKE) k8s; \
	else \
		echo "kubectl is not installed: the manifests are not checked here, CI checks them"; \
	fi

.PHONY: k8s
k8s: ## Render every overlay and component combination and validate each offline
	kustomize/tests/render.sh

# ---- measure -----------------------------------------------------------------------------------------------------
# bench-run, bench-holds and bench-gateway measure what images carry, the profile `dist`: anew from nothing it takes about
# 16 minutes of one core to build. One set of packages for all of them: another would compile half of it again.

.PHONY: dist
dist: ui
	cargo build --profile dist --locked --package banyan --package banyan-load --package banyan-edge-bench

.PHONY: bench-run
bench-run: dist ## Time to ready, idle memory and first request of `banyan up`
	scripts/bench-run.mjs

.PHONY: conformance
conformance: ## The codec of the gateway against the protobuf conformance suite
	cargo build --package banyan-transcode --example conformance --locked
	scripts/conformance.mjs

SECONDS ?= 60

# bash counts in a variable of that name: it must not inherit this one.
unexport SECONDS

.PHONY: fuzz
fuzz: ## Feed every parser of the gateway with what may break it, each for a while: SECONDS=60
	scripts/fuzz.mjs $(SECONDS)

.PHONY: simulate
simulate: ## Ten thousand simulated rollouts: how often equal sides are rolled back, how soon bad releases are
	cargo build --release --package banyan-rollout --example simulate --locked
	scripts/simulate.mjs $(if $(QUICK),--quick)

.PHONY: bench-holds
bench-holds: setup dist ## Holds a second, beside row locks and beside SQL alone (about 20 minutes)
	scripts/bench-holds.mjs $(if $(QUICK),--quick)

.PHONY: bench-gateway
bench-gateway: setup dist ## What a request costs the gateway, beside nginx, haproxy and Envoy (about 8 minutes)
	scripts/bench-gateway.mjs $(if $(QUICK),--quick)

.PHONY: chaos
chaos: setup ui ## Break everything under load and prove that nothing was lost: SCENARIO=reservation|migration, SEED=1
	cargo build --release --locked --package banyan --package banyan-chaos --package legacy-monolith
	target/release/banyan-chaos $(SCENARIO) --page docs/benchmarks.md

.PHONY: clean
clean: ## Remove what was built (not ./data)
	cargo clean
	rm -rf $(UI)/dist/* $(UI)/node_modules tools/node_modules tools/conformance/node_modules
