# Every goal begins by saying what is missing and which command brings it.

CARGO ?= cargo
export PATH := $(HOME)/.cargo/bin:$(PATH):/usr/local/go/bin

.PHONY: help demo run build test soak crash-test check bench clean

help:
	@echo "make demo     install what is missing, build, record two test publishers, check the file"
	@echo "make run      install what is missing, build, start the server"
	@echo "make build    build the server"
	@echo "make test     all tests, against real servers (about 50 minutes from nothing on 2 cores)"
	@echo "make soak     the strict and long tests"
	@echo "make crash-test N=200   that many processes killed while rooms are recorded"
	@echo "make check    format, lints, licences, docs"
	@echo "make bench    what a recording and its upload cost on this machine"

demo: build
	exec $(CARGO) run --quiet --release --locked --bin tapedeck -- demo

run: build
	exec $(CARGO) run --quiet --release --locked --bin tapedeck -- serve

build:
	@scripts/prerequisites run --install
	$(CARGO) build --release --locked --bin tapedeck

# Real-time tests share two cores badly, so all tests run one at a time.
test:
	@scripts/prerequisites test --install
	@scripts/test-dependencies
	$(CARGO) build --workspace --locked
	@CARGO="$(CARGO)" scripts/run-tests

soak:
	@scripts/prerequisites test --install
	@scripts/test-dependencies
	$(CARGO) build --workspace --locked
	$(CARGO) test --workspace --locked --test soak -- --ignored --test-threads=1 --nocapture
	$(CARGO) test --workspace --locked --lib ten_hours -- --ignored --nocapture
	$(CARGO) test --workspace --locked --test capture_process --test livekit_gone --test agora_source --test webhooks -- --ignored --test-threads=1
	$(CARGO) test --workspace --locked --test s3 --test interface --test control_load -- --ignored --test-threads=1 --nocapture
	TAPEDECK_FUZZ_SECONDS=120 $(CARGO) test --workspace --locked --test log_fuzz -- --nocapture
	PROPTEST_CASES=20000 $(CARGO) test --workspace --locked --lib --bins --test message_fuzz -- sdp stun fuzz bytes_of_anybody

# CRASH_SEED=… repeats a run.
N ?= 200
crash-test:
	@scripts/prerequisites test --install
	@scripts/test-dependencies
	$(CARGO) build --workspace --locked
	CRASH_KILLS=$(N) $(CARGO) test --workspace --locked --test crash -- --test-threads=1 --nocapture

check:
	@scripts/prerequisites check --install
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --document-private-items
	@scripts/check-dependencies

bench:
	@scripts/prerequisites bench --install
	@scripts/test-dependencies
	$(CARGO) build --release --locked --bin tapedeck
	$(CARGO) run --release --locked -p tapedeck-bench
	$(CARGO) run --release --locked -p tapedeck-bench -- --publishers 2 --wav 0 --camera-rate 30 --json target/bench-30.json
	$(CARGO) run --release --locked -p tapedeck-bench --bin upload
	$(CARGO) run --release --locked -p tapedeck-bench --bin agora

clean:
	$(CARGO) clean
