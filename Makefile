# The front door. Each target is a line or two; what they need beyond Rust, Python 3 and a C compiler they bring along.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
BACKING = $(CARGO) run --quiet --package callboard-backing --
BUF = $(BACKING) tool buf --

.PHONY: help
help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: needs
needs:
	@scripts/needs

.PHONY: run
run: needs ## Start the platform on a Postgres and a NATS of its own; Ctrl-C stops it. CALLBOARD_HOME: where data lives
	@echo "Building (the first time takes some minutes) …" >&2
	@$(CARGO) build --package callboard-standalone
	@exec target/debug/callboard-standalone serve

.PHONY: demo
demo: needs ## Play the life of a ticket through the running gateway, call by call and event by event
	@$(CARGO) build --quiet --package callboard-standalone
	@exec target/debug/callboard-standalone demo

.PHONY: test
test: needs lint proto-check unit e2e ## Everything a submission must pass

.PHONY: lint
lint: needs ## Format, clippy, architecture rules
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --locked --package callboard-arch-tests

.PHONY: proto-check
proto-check: needs ## buf lint, and nothing breaks the released contracts
	$(BUF) lint proto
	$(BUF) breaking proto --against proto/baseline.binpb

.PHONY: unit
unit: needs ## Tests of every crate, on real servers
	$(BACKING) with-servers -- $(CARGO) test --workspace --locked --exclude callboard-arch-tests --exclude callboard-e2e-tests --exclude callboard-browser-tests

# The crash tests run among the others, two at once on two cores: what they need to wait for is their own, and the load is
# what brings faults to light.
.PHONY: e2e
e2e: needs ## The life of a ticket and the crash test, over separate processes
	$(CARGO) build --workspace --bins --locked
	$(BACKING) with-servers -- $(CARGO) test --locked --package callboard-e2e-tests

# One after the other: each has two browsers that encode and decode video without hardware.
.PHONY: browser
browser: needs ## Calls between two real browsers; installs a Chromium where there is none
	@chromium=$$(scripts/browser) && $(CARGO) build --workspace --bins --locked && \
	CALLBOARD_CHROMIUM=$$chromium $(BACKING) with-servers -- $(CARGO) test --locked --package callboard-browser-tests -- --test-threads=1

.PHONY: bench
bench: needs ## How fast it is, as ratios, to target/bench/latest.json. ROWS=create,view chooses; docs/benchmarks.md
	@echo "Building for release (the first time takes many minutes) …" >&2
	@$(CARGO) build --release --workspace --bins --locked
	@exec target/release/callboard-load

.PHONY: proto
proto: ## Generate code and docs/events.md from proto/
	$(CARGO) run --quiet --package callboard-proto --example generate

.PHONY: proto-baseline
proto-baseline: ## At a release: what later protos may not break
	$(BUF) build proto --output proto/baseline.binpb

.PHONY: fmt
fmt: ## Format
	$(CARGO) fmt --all
