# midge: build, run, test, measure, install, package. Everything a fresh machine needs beside cargo is fetched by these
# targets.

CARGO ?= cargo

# Where things are installed. BIN is what is installed as the program: a static one as well.
# INIT=procd installs the init script of OpenWrt instead of systemd's units.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
DESTDIR ?=
INIT ?= systemd
BIN ?= target/release/midge
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
EXAMPLEDIR = $(PREFIX)/share/doc/midge/examples
CONFIG = $(SYSCONFDIR)/midge.conf

# The machine of static builds and packages: x86_64, aarch64, armv7 or mipsel.
TARGET ?= x86_64

.PHONY: all build run test lint unit reference clients browser prometheus systemd fuzz perf perf-quick startup
.PHONY: install uninstall clean
.PHONY: static static-check static-test size dist deb image packaging

all: build

build:
	$(CARGO) build --release

run:
	$(CARGO) run --release --bin midge

# Everything: formatting and lints, unit and integration tests, a short run of the fuzz targets, the transcripts against
# the official server too, real clients of four languages, a browser and Prometheus for what monitoring shows, the static
# program, what is installed and packaged, and the service below systemd.
test: lint unit fuzz reference clients browser prometheus static-check packaging systemd

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) clippy --all-targets --no-default-features -- -D warnings
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

# The status page in Chromium. Its pictures are put into target/browser; those in man are for the README.
browser: build
	tests/browser/run target/release/midge

prometheus: build
	tests/prometheus/run target/release/midge

perf: build
	perf/run

perf-quick: build
	perf/run --quick

# The unit below a real systemd, as root where that is possible.
systemd: build
	tests/systemd/run target/release/midge

# How long the start takes and how much memory is used then, beside the official server.
startup: build static
	perf/startup

# One file that needs nothing else, for a machine of any of four kinds.
static:
	packaging/static $(TARGET)

# The tests that need a process, with the static program; and its size against the limits.
static-check: static
	MIDGE_BIN=$(CURDIR)/target/static/x86_64/midge $(CARGO) test --no-fail-fast --test transcripts --test config \
		--test faults
	packaging/size --check

# Static programs of the other machines, each serving a client in an emulator.
static-test:
	tests/packaging/emulated

size: build
	packaging/size

# Packages, all with the static program, in target/dist.
dist:
	packaging/dist $(TARGET)

deb:
	packaging/deb $(TARGET)

image:
	packaging/image $(TARGET)

packaging: build
	tests/packaging/run

install:
	[ "$(BIN)" != target/release/midge ] || $(MAKE) build
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(EXAMPLEDIR) \
		$(DESTDIR)$(SYSCONFDIR)
	install -m 755 $(BIN) $(DESTDIR)$(BINDIR)/midge
	install -m 644 man/midge.8 $(DESTDIR)$(MANDIR)/man8/midge.8
	install -m 644 man/midge.conf.5 $(DESTDIR)$(MANDIR)/man5/midge.conf.5
	install -m 644 etc/server.conf etc/router.conf $(DESTDIR)$(EXAMPLEDIR)
	$(MAKE) install-$(INIT)

# What names the program or its configuration names them where they are installed.
PLACE = sed -e 's|/usr/\(local/\)\{0,1\}bin/midge|$(BINDIR)/midge|g' -e 's|/etc/midge\.conf|$(CONFIG)|g'

.PHONY: install-systemd install-procd
install-systemd:
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/logrotate.d
	$(PLACE) etc/midge.service > $(DESTDIR)$(UNITDIR)/midge.service
	$(PLACE) etc/midge.socket > $(DESTDIR)$(UNITDIR)/midge.socket
	$(PLACE) etc/logrotate > $(DESTDIR)$(SYSCONFDIR)/logrotate.d/midge
	$(PLACE) etc/midge.init > $(DESTDIR)$(EXAMPLEDIR)/midge.init
	chmod 644 $(DESTDIR)$(UNITDIR)/midge.service $(DESTDIR)$(UNITDIR)/midge.socket \
		$(DESTDIR)$(SYSCONFDIR)/logrotate.d/midge $(DESTDIR)$(EXAMPLEDIR)/midge.init
	[ -e $(DESTDIR)$(CONFIG) ] || install -m 644 etc/server.conf $(DESTDIR)$(CONFIG)

install-procd:
	install -d $(DESTDIR)$(SYSCONFDIR)/init.d
	$(PLACE) etc/midge.init > $(DESTDIR)$(SYSCONFDIR)/init.d/midge
	chmod 755 $(DESTDIR)$(SYSCONFDIR)/init.d/midge
	[ -e $(DESTDIR)$(CONFIG) ] || install -m 644 etc/router.conf $(DESTDIR)$(CONFIG)

# The configuration stays.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/midge $(DESTDIR)$(MANDIR)/man8/midge.8 $(DESTDIR)$(MANDIR)/man5/midge.conf.5
	rm -f $(DESTDIR)$(UNITDIR)/midge.service $(DESTDIR)$(UNITDIR)/midge.socket
	rm -f $(DESTDIR)$(SYSCONFDIR)/logrotate.d/midge $(DESTDIR)$(SYSCONFDIR)/init.d/midge
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/midge

clean:
	$(CARGO) clean
	cd perf && $(CARGO) clean
	cd tests/fuzz && $(CARGO) clean
	rm -rf tests/.env perf/cache
