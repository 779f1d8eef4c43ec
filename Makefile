# The commands of this project; `make help` lists them.

# The development profile: its arithmetic is optimised, it builds in a third of the time of a release build, and
# `make test` then finds most of it built.
PROGRAMS = cargo build --locked -p service -p cli -p card-emulator -p card-interface -p softsdf -p token-interface --lib --bins

# Tests at a time: two for each core, as they wait more than they work. With one a core they take half as long again.
TEST_THREADS ?= $(shell expr 2 \* $$(nproc))

.PHONY: help setup demo test interop lint fmt bench growth fuzz

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: ## install what the demo and the tests need
	@scripts/setup

demo: setup ## play a visit step by step; ONCE=1 ends with it, LANG_UI=en speaks English
	$(PROGRAMS)
	@WITH_PCSC_PID=target/demo.pid scripts/with-pcsc target/debug/healthcardd demo $(if $(ONCE),--once)

test: setup lint ## everything that must hold: lints, documentation, and all tests
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
	$(PROGRAMS)
	RUST_TEST_THREADS=$(TEST_THREADS) cargo test --workspace --locked
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check bans licenses sources; \
	else echo 'cargo-deny is not installed; tests/tests/dependencies.rs kept its rules'; fi

# A workspace of its own, so that nobody waits for OpenSSL and Tongsuo to be built who did not ask for it.
interop: ## national TLS with OpenSSL 4 and Tongsuo, which are built from source first
	@scripts/setup interop
	cargo fmt --all --check --manifest-path tests/interop-tls/Cargo.toml
	cargo test --locked --manifest-path tests/interop-tls/Cargo.toml --target-dir target/interop

lint: ## format and clippy, warnings being errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

fmt: ## format the code
	cargo fmt --all

bench: setup ## the figures of speed and size, on a release build
	cargo build --locked --release -p service -p cli -p card-emulator --bins
	target/release/healthcardd bench tokens ends decisions pairs staff status national log size seats
	scripts/with-pcsc target/release/healthcardd bench desk
	scripts/with-pcsc --no-daemon target/release/healthcardd bench recovery --rounds 1000
	cargo bench --locked -p hsm -p ca -p audit -p access-token
	cargo bench --locked -p tests --bench issue

# Its database is under target/, on the disk that is measured; of 10,000,000 entries it takes 15 GB and the better part of an hour.
growth: ## how the log fares as it grows: make growth ENTRIES=10000000
	cargo build --locked --release -p service -p cli -p card-emulator --bins
	target/release/healthcardd bench log --entries $(or $(ENTRIES),1000000) --dir target/growth

fuzz: ## feed one parser arbitrary bytes: make fuzz T=certificate SECONDS=60
	@scripts/fuzz $(T) $(or $(SECONDS),60)
