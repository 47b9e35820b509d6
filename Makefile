# midge: build, run, test, measure, install. Everything a fresh machine needs beside cargo is fetched by these targets.

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: all build run test lint unit reference clients fuzz perf perf-quick install clean

all: build

build:
	$(CARGO) build --release

run:
	$(CARGO) run --release --bin midge

# Everything: formatting and lints, unit and integration tests, a short run of the fuzz targets, the transcripts against
# the official server too, and real clients of four languages.
test: lint unit fuzz reference clients

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps
	cd perf && $(CARGO) fmt --check && $(CARGO) clippy --all-targets -- -D warnings
	cd tests/fuzz && $(CARGO) fmt --check

unit:
	$(CARGO) test
	cd perf && $(CARGO) test

fuzz:
	tests/fuzz/run

# The same transcripts against the official server, where its package can be had: this proves the expectations.
reference:
	tests/reference

clients: build
	tests/clients/run target/release/midge

perf: build
	perf/run

perf-quick: build
	perf/run --quick

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 target/release/midge $(DESTDIR)$(PREFIX)/bin/midge
	install -m 644 man/midge.8 $(DESTDIR)$(PREFIX)/share/man/man8/midge.8
	install -m 644 man/midge.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/midge.conf.5

clean:
	$(CARGO) clean
	cd perf && $(CARGO) clean
	cd tests/fuzz && $(CARGO) clean
	rm -rf tests/.env perf/cache
