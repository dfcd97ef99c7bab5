# multipop: build, demonstrate, test, install.
#
#   make            the shared library and multipop-host, optimised, in target/release
#   make demo       the whole journey with mock servers: no network, no root
#   make test       everything, real servers included; installs what the tests need (see tests/real/install)
#   make check      formatting, lints, documentation
#   make install    library, headers, pkg-config file and multipop-host below PREFIX (DESTDIR is honoured)

CARGO   ?= cargo
INSTALL ?= install
STRIP   ?= strip

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DOCDIR     ?= $(PREFIX)/share/doc/multipop

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
MAJOR   := $(firstword $(subst ., ,$(VERSION)))
SONAME  := libmultipop.so.$(MAJOR)
REAL    := libmultipop.so.$(VERSION)

# CARGO_TARGET_DIR, or what cargo takes without it.
TARGET := $(or $(CARGO_TARGET_DIR),target)
LIB    := $(TARGET)/release/libmultipop.so
HOST   := $(TARGET)/release/multipop-host

.PHONY: all lib host demo test test-needs check install install-strip uninstall clean

all: lib host

# --crate-type: with two crate types cargo drops link-time optimisation without a word.
lib:
	$(CARGO) rustc --locked --release --lib --crate-type cdylib

host:
	$(CARGO) build --locked --release --package multipop-host

demo: all
	$(HOST) demo --library $(LIB)

test-needs:
	tests/real/install

test: test-needs
	CARGO=$(CARGO) tests/real/run

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

install: all
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 755 $(LIB) $(DESTDIR)$(LIBDIR)/$(REAL)
	ln -sf $(REAL) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmultipop.so
	$(INSTALL) -m 644 include/multipop.h include/multipop.hpp $(DESTDIR)$(INCLUDEDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' multipop.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/multipop.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/multipop.pc
	$(INSTALL) -m 755 $(HOST) $(DESTDIR)$(BINDIR)/multipop-host
	$(INSTALL) -m 644 README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE include/ABI-HISTORY.md \
	    include/config.schema.json $(DESTDIR)$(DOCDIR)

# Only local names go: what the library exports stays.
install-strip: install
	$(STRIP) --strip-unneeded $(DESTDIR)$(LIBDIR)/$(REAL)
	$(STRIP) $(DESTDIR)$(BINDIR)/multipop-host

uninstall:
	rm -f $(DESTDIR)$(LIBDIR)/$(REAL) $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libmultipop.so \
	    $(DESTDIR)$(LIBDIR)/pkgconfig/multipop.pc $(DESTDIR)$(BINDIR)/multipop-host \
	    $(DESTDIR)$(INCLUDEDIR)/multipop.h $(DESTDIR)$(INCLUDEDIR)/multipop.hpp
	rm -rf $(DESTDIR)$(DOCDIR)

clean:
	$(CARGO) clean
