# Copyright (C) the ngx_http_conflict_module authors
#
#   make build     build/ngx_http_conflict_module.so for the installed nginx
#   make install   puts it where that nginx looks for modules; make uninstall
#   make deb       build/deb/libnginx-mod-http-conflict_*.deb, for this Debian
#
#   make demo      two devices edit a document offline, in a browser
#   make demo-text the same as a story of requests
#   make test      all tests
#   make bench     the numbers of docs/performance.md, measured here
#   make debug     the module for a debugger, and a configuration to run it with
#
#   make t FILES="t/version.t t/lock.t"       some files of tests, alone
#   make redis FILES=t/version.t              the same, with versions in Redis
#
#   make check-asan      the tests under AddressSanitizer and UBSan
#   make check-valgrind  the tests under memcheck
#   make check-trixie    the tests in a separate Debian 13
#
# Each but "install" installs missing Debian packages.

SHELL = /bin/bash

# for an nginx that is not Debian's: the source of the same version

NGINX_SRC = /usr/share/nginx/src
NGINX := $(shell PATH=$$PATH:/usr/sbin:/usr/local/sbin nginx -v 2>&1 \
	| sed -n 's!^nginx version: \([^ ]*\).*!\1!p' | tr / -)
B = $(CURDIR)/build
MODULE = $(B)/ngx_http_conflict_module.so
TEST_MODULE = $(B)/test/ngx_http_conflict_module.so
BROKEN_MODULES := $(patsubst %,$(B)/broken/%/ngx_http_conflict_module.so, \
	$(shell grep -rhoP 'CONFLICT_BROKEN == \K\d+' src | sort -u))
FUZZ_MODULE = $(B)/objs-fuzz/ngx_http_conflict_module.so
DEBUG_MODULE = $(B)/debug/ngx_http_conflict_module.so
LIMIT_MODULE = $(B)/ngx_http_bench_limit_module.so

CC_OPT = -g -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
	-Wformat -Werror=format-security \
	-Wall -Wextra -Wno-unused-parameter -Wdeclaration-after-statement \
	-Wshadow -Wstrict-prototypes -Werror
FUZZ_OPT = -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize=nonnull-attribute -fno-sanitize-recover=all
LD_OPT = -Wl,-z,relro -Wl,-z,now -Wl,--as-needed

DEB = libnginx-mod-http-conflict
VERSION = $(firstword $(shell grep -m 1 '^[0-9]' CHANGES))

# "make build TEXT=yes" for the rule "text" of conflict_field

TEXT =

BUILD_PACKAGES = gcc make $(NGINX_PACKAGES) libhiredis-dev libjansson-dev \
	libxxhash-dev \
	$(if $(filter yes,$(TEXT)),libgit2-dev)
NGINX_PACKAGES = $(if $(filter /usr/share/nginx/src,$(NGINX_SRC)), \
	nginx nginx-dev,libpcre2-dev libssl-dev zlib1g-dev)
DEB_PACKAGES = $(BUILD_PACKAGES) build-essential debhelper perl
DEMO_PACKAGES = $(BUILD_PACKAGES) curl python3
NPM = $(if $(shell command -v npm),,nodejs npm)
TEST_PACKAGES = $(DEMO_PACKAGES) clang libclang-rt-dev libcmocka-dev \
	libtest-base-perl perl python3 python3-yaml nghttp2-client \
	netcat-openbsd openssl \
	redis-server libgit2-dev chromium logrotate faketime \
	libnginx-mod-http-echo libnginx-mod-http-lua \
	libnginx-mod-http-subs-filter lua-cjson $(NPM)
FILE_PACKAGES = $(DEMO_PACKAGES) libgit2-dev libtest-base-perl perl python3 \
	$(if $(filter redis,$(MAKECMDGOALS)),redis-server) \
	$(if $(filter %/node_modules,$(needs)),$(NPM))
CLIENT_PACKAGES = apache2-bin libnginx-mod-http-dav-ext litmus radicale \
	vdirsyncer
LANGUAGE_PACKAGES = php-cli php-guzzlehttp-guzzle php-illuminate-http \
	python3-djangorestframework python3-requests ruby-faraday
BENCH_PACKAGES = $(BUILD_PACKAGES) libnginx-mod-http-lua lua-cjson \
	lua-nginx-redis python3 redis-server

# each of FILES names its requirements at its top, "# Needs: ...": packages of
# Debian and files of build/

FILES =
needs := $(if $(FILES),$(sort $(shell sed -n 's/^\# Needs: //p' $(FILES))))

install = @t/lib/install

.PHONY: build install uninstall deb demo demo-text debug test bench clean \
	style unit fuzz t redis stress history mutants soak test-tools file-tools \
	check-asan check-static check-valgrind check-trixie

build:
	$(install) $(BUILD_PACKAGES)
	@$(MAKE) -j$$(nproc) --no-print-directory $(MODULE)
	@echo "built $(MODULE:$(CURDIR)/%=%)"

install: $(MODULE)
	@$(modules_path) && install -D -m 644 $(MODULE) $(DESTDIR)$$file \
		&& printf '%s\n' "installed $(DESTDIR)$$file" \
			"At the top of $$conf:" '' "    load_module $$file;" '' \
			'Then "nginx -t", and restart nginx: a reload keeps a' \
			'module that is loaded.  See docs/install.md.'

uninstall:
	@$(modules_path) && rm -f $(DESTDIR)$$file \
		&& printf '%s\n' "removed $(DESTDIR)$$file" \
			"nginx does not start as long as $$conf loads it."

# in a copy, so that nothing is written outside of build/

deb:
	$(install) $(DEB_PACKAGES)
	@rm -rf $(B)/deb
	@mkdir -p $(B)/deb/$(DEB)
	@tar -c --exclude=./build --exclude=./.git --exclude=__pycache__ . \
		| tar -x -C $(B)/deb/$(DEB)
	@tar -cJf $(B)/deb/$(DEB)_$(VERSION).orig.tar.xz -C $(B)/deb \
		--exclude=$(DEB)/debian $(DEB)
	@echo "building $(DEB) $(VERSION) for $$(nginx -v 2>&1):" \
		"this takes some minutes"
	@cd $(B)/deb/$(DEB) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage \
		-us -uc $(if $(filter yes,$(TEXT)),-Ppkg.$(DEB).text) \
		> $(B)/deb/log 2>&1 || { tail -40 $(B)/deb/log; exit 1; }
	@cd $(B)/deb && printf '%s\n' "$$(ls $(DEB)_*.deb)" '' \
		"    sudo apt install ./build/deb/$$(ls $(DEB)_*.deb)"

demo demo-text:
	$(install) $(DEMO_PACKAGES)
	@$(MAKE) -j$$(nproc) --no-print-directory $(MODULE)
	@demo/run $(patsubst demo-%,%,$(filter demo-%,$@))

debug:
	$(install) $(BUILD_PACKAGES)
	@$(MAKE) -j$$(nproc) --no-print-directory $(DEBUG_MODULE)
	@demo/debug

test: test-tools
	@t/run

style:
	@t/run style

unit fuzz stress history mutants soak: test-tools
	@t/run $@

t redis: $(if $(FILES),file-tools,test-tools)
	@$(if $(FILES),TEST_FILES='$(FILES)') t/run $@

# a test whose clients cannot be installed is skipped with a message

test-tools:
	$(install) $(TEST_PACKAGES)
	$(install) $(CLIENT_PACKAGES) || true
	$(install) $(LANGUAGE_PACKAGES) || true
	@$(MAKE) -j$$(nproc) --no-print-directory -s $(MODULE) $(TEST_MODULE) \
		$(BROKEN_MODULES) $(B)/promtool $(B)/page/node_modules \
		$(B)/clients/node_modules $(B)/docs/node_modules \
		$(B)/install/node_modules $(B)/grafana/node_modules

# a file whose packages cannot be installed is skipped with a message

file-tools:
	$(install) $(FILE_PACKAGES)
	$(install) $(filter-out build/%,$(needs)) || true
	@$(MAKE) --no-print-directory -s $(TEST_MODULE) \
		$(patsubst build/%,$(B)/%,$(filter build/%,$(needs)))

check-asan: test-tools
	@t/check asan

check-static: test-tools
	@t/check static

check-valgrind: test-tools
	$(install) valgrind
	@t/check valgrind

check-trixie:
	$(install) debootstrap
	@t/trixie

# extracted from its package, so that no server is installed

$(B)/promtool:
	@mkdir -p $(B)/prometheus
	@cd $(B)/prometheus && rm -rf * && { apt-get download promtool \
			|| apt-get download prometheus \
			|| { $(CURDIR)/t/lib/install -u && { apt-get download promtool \
				|| apt-get download prometheus; }; }; } > log 2>&1 \
		&& dpkg -x *.deb . && cp usr/bin/promtool $@ || { cat log; exit 1; }
	@rm -rf $(B)/prometheus

$(B)/%/node_modules: t/%/package-lock.json
	@mkdir -p $(B)/$*
	@cp t/$*/package*.json $(B)/$*
	@cd $(B)/$* && npm ci --no-fund --no-audit > $(B)/npm-$*.log 2>&1 \
		|| { cat $(B)/npm-$*.log; exit 1; }
	@touch $@

bench:
	$(install) $(BENCH_PACKAGES)
	@bench/run

clean:
	rm -rf build

# where the installed nginx looks for modules, and its configuration

define modules_path
{ options=$$(PATH=$$PATH:/usr/sbin:/usr/local/sbin nginx -V 2>&1) || { \
	echo "$$options"; exit 1; }; \
option() { sed -n "s/.* --$$1=\\([^ ]*\\).*/\\1/p" <<< "$$options"; }; \
prefix=$$(option prefix); prefix=$${prefix:-/usr/local/nginx}; \
file=$$(option modules-path); file=$${file:-modules}/$(notdir $(MODULE)); \
conf=$$(option conf-path); conf=$${conf:-conf/nginx.conf}; \
[ $${file::1} = / ] || file=$$prefix/$$file; \
[ $${conf::1} = / ] || conf=$$prefix/$$conf; }
endef

# configure takes half a minute, so it runs once for each kind of build; the
# makefile that it generates decides what to compile

.PHONY: $(MODULE) $(TEST_MODULE) $(BROKEN_MODULES) $(FUZZ_MODULE) \
	$(DEBUG_MODULE) $(LIMIT_MODULE)

$(MODULE): $(B)/objs/Makefile
	@$(MAKE) --no-print-directory -s -C $(B)/src \
		-f $(B)/objs/Makefile modules
	@cmp -s $(B)/objs/$(@F) $@ || cp --remove-destination $(B)/objs/$(@F) $@

$(TEST_MODULE): $(B)/objs-test/Makefile
	@$(MAKE) --no-print-directory -s -C $(B)/src \
		-f $(B)/objs-test/Makefile modules
	@mkdir -p $(@D)
	@for so in $(B)/objs-test/*.so; do \
		cmp -s $$so $(@D)/$${so##*/} || cp --remove-destination $$so $(@D); done

# builds without one safeguard each, by its number in the source: the tests
# must detect the loss; only the files with this number are compiled again

$(BROKEN_MODULES): $(B)/broken/%/ngx_http_conflict_module.so: $(TEST_MODULE)
	@rm -rf $(B)/objs-broken-$*
	@cp -rp $(B)/objs-test $(B)/objs-broken-$*
	@cd $(B)/objs-broken-$* && rm -f *.so \
		&& rm $$(cd $(CURDIR) && grep -rl 'CONFLICT_BROKEN == $*)' src \
			| sed -e 's|.*\(/[^/]*/[^/]*\)\.c$$|addon\1.o|' \
				-e 's|^src/\([^/]*\)\.c$$|addon/src/\1.o|') \
		&& sed -i -e 's|build/objs-test|build/objs-broken-$*|g' \
			-e 's|FAILPOINTS=1|& -DCONFLICT_BROKEN=$*|' Makefile
	@$(MAKE) --no-print-directory -s -C $(B)/src \
		-f $(B)/objs-broken-$*/Makefile modules
	@mkdir -p $(@D)
	@cp --remove-destination $(B)/objs-broken-$*/$(@F) $@
	@rm -rf $(B)/objs-broken-$*

# instrumented for the fuzzer and the sanitizers, which takes twice as long with
# -O2; t/run builds it

$(FUZZ_MODULE): $(B)/objs-fuzz/Makefile
	@$(MAKE) --no-print-directory -s -C $(B)/src \
		-f $(B)/objs-fuzz/Makefile CC='clang $(FUZZ_OPT)' modules

$(DEBUG_MODULE): $(B)/objs-debug/Makefile
	@$(MAKE) --no-print-directory -s -C $(B)/src \
		-f $(B)/objs-debug/Makefile modules
	@mkdir -p $(@D)
	@cmp -s $(B)/objs-debug/$(@F) $@ \
		|| cp --remove-destination $(B)/objs-debug/$(@F) $@

# a tool of the benchmark

$(LIMIT_MODULE): $(B)/objs-limit/Makefile
	@$(MAKE) --no-print-directory -s -C $(B)/src \
		-f $(B)/objs-limit/Makefile modules
	@cmp -s $(B)/objs-limit/$(@F) $@ \
		|| cp --remove-destination $(B)/objs-limit/$(@F) $@

$(B)/objs/Makefile: config config.make Makefile $(B)/for-$(NGINX) \
		$(B)/text-$(TEXT)
	$(call configure,objs,,,$(TEXT))

$(B)/objs-test/Makefile: config config.make Makefile $(B)/for-$(NGINX) \
		t/module/config
	$(call configure,objs-test,-DNGX_HTTP_CONFLICT_FAILPOINTS=1, \
		--add-dynamic-module=$(CURDIR)/t/module,yes)

$(B)/objs-fuzz/Makefile: export CONFLICT_DIRECT = no
$(B)/objs-fuzz/Makefile: config config.make Makefile $(B)/for-$(NGINX)
	$(call configure,objs-fuzz,-O0 -U_FORTIFY_SOURCE,,yes)

$(B)/objs-debug/Makefile: config config.make Makefile $(B)/for-$(NGINX) \
		$(B)/text-$(TEXT)
	$(call configure,objs-debug,-O0 -U_FORTIFY_SOURCE,,$(TEXT))

$(B)/objs-limit/Makefile: bench/limit/config Makefile $(B)/for-$(NGINX)
	$(call configure,objs-limit,,,,$(CURDIR)/bench/limit)

# replaced when TEXT changes

$(B)/text-$(TEXT):
	@mkdir -p $(B)
	@rm -f $(B)/text-*
	@touch $@

# The source, with the version that it is for, such as "nginx-1.22.1".  Patched
# builds of nginx have another name, and other structures.

$(B)/for-$(NGINX):
	@source=$$(gcc -E -P -include $(NGINX_SRC)/src/core/nginx.h - \
			<<< NGINX_VER | tail -1 | tr -d '" '); \
	[ "$${source/\//-}" = $(NGINX) ] || { \
		echo "NGINX_SRC, $(NGINX_SRC), is the source of $$source," \
			"the installed nginx is $(NGINX)"; exit 1; }
	@rm -rf $(B)/for-* $(B)/src
	@mkdir -p $(B)
	@cp -r $(NGINX_SRC) $(B)/src
	@touch $@

# those of an nginx that has no conf_flags, without its other modules

define flags_of_nginx
eval "NGX_CONF_FLAGS=($$(nginx -V 2>&1 \
	| sed -n 's/^configure arguments://p' \
	| sed -E 's/ --(add-(dynamic-)?module=|with-\w+=dynamic)\S*//g'))"
endef

define configure
	@echo "building for $(NGINX:nginx-%=nginx %), in build/$(1): this takes" \
		"some minutes"
	@. $(NGINX_SRC)/conf_flags 2> /dev/null || $(flags_of_nginx); \
		cd $(B)/src && CONFLICT_TEXT=$(4) \
			./configure "$${NGX_CONF_FLAGS[@]}" \
			--with-cc-opt='$(CC_OPT) $(2)' --with-ld-opt='$(LD_OPT)' \
			--add-dynamic-module=$(or $(5),$(CURDIR)) $(3) \
			--builddir=$(B)/$(1) > $(B)/$(1).log \
		|| { cat $(B)/$(1).log; rm -f $(B)/$(1)/Makefile; exit 1; }
endef
