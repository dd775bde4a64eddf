# wacrm: make [all|daemon|module|web|unit|test|check|install|uninstall|
#              clean] [B=release]
#
#   B=release  gcc -O2, the default
#   B=asan     gcc with AddressSanitizer and UBSan
#   B=tsan     gcc with ThreadSanitizer, for the daemon; then
#              WACRM_BUILD=$PWD/build/tsan prove -I t/lib t/race.t
#   B=clang    clang -O2
#   B=fuzz     clang with libFuzzer, for scripts/fuzz
#
# Sources are found by room; a new file needs no line here.

B      ?= release
PREFIX ?= /usr/local
DESTDIR ?=
datadir ?= $(PREFIX)/share
# Where Debian's nginx has its modules.
MODULES ?= /usr/lib/nginx/modules
# Where its configuration lies, which `uninstall' looks into.
NGINX ?= /etc/nginx
out    := build/$(B)

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all daemon module web lib tools unit-programs banned cppcheck \
        format-check unit test check install uninstall \
        clean FORCE

warnings := -Wall -Wextra -Wshadow
harden   := -fstack-protector-strong
cc       := gcc
optimise := -O2 -g

# The sanitizers make gcc see what is not there: warnings are no errors then.
ifeq ($(B),release)
warnings += -Werror
harden   += -D_FORTIFY_SOURCE=2
else ifeq ($(B),clang)
cc       := clang
warnings += -Werror
harden   += -D_FORTIFY_SOURCE=2
else ifeq ($(B),asan)
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=undefined
optimise := -O1 -g -fno-omit-frame-pointer
else ifeq ($(B),tsan)
sanitize := -fsanitize=thread
optimise := -O1 -g -fno-omit-frame-pointer
else ifeq ($(B),fuzz)
cc       := clang
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=undefined
optimise := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link
else
$(error B=$(B): release, asan, tsan, clang or fuzz)
endif

packages := jansson sqlite3 libcurl libmicrohttpd lmdb libjwt inih libcrypt \
            libcrypto
CPPFLAGS := -D_GNU_SOURCE -I. -Idaemon -Ingx_wacrm_module -I$(out)/gen \
            $(shell pkg-config --cflags $(packages))
CFLAGS   := -std=gnu17 $(optimise) $(warnings) $(harden) $(sanitize) -pthread
LDFLAGS  := $(sanitize) -pthread -Wl,-z,relro,-z,now
LDLIBS   := $(shell pkg-config --libs $(packages)) -lmsgpackc -lcsv -lwslay -lm

mains := daemon/main.c daemon/ctl.c
srcs  := $(wildcard spool/*.c ngx_wacrm_module/edge/*.c) \
         $(filter-out $(mains),$(wildcard daemon/*.c daemon/*/*.c \
                                          daemon/*/*/*.c))
tests := $(wildcard t/unit/test_*.c)

objs      := $(srcs:%.c=$(out)/obj/%.o) $(out)/obj/gen/schema.o
main_objs := $(mains:%.c=$(out)/obj/%.o)
test_objs := $(tests:%.c=$(out)/obj/%.o)
tools     := $(wildcard t/tools/*.c t/bench/*.c)
tool_bins := $(foreach t,$(tools),$(out)/tools/$(basename $(notdir $(t))))
test_bins := $(tests:t/unit/%.c=$(out)/unit/%)
schema    := $(sort $(wildcard daemon/db/schema/*.sql))

module_dir := $(if $(filter release,$(B)),build/module,$(out)/module)

all: module daemon

daemon: $(out)/wacrmd $(out)/wacrmctl

module:
	@CC=$(cc) scripts/build-module $(module_dir)

# The desk in the browser; apart from `all', as it needs Node.js and npm to be
# built, and nothing of them to be served.
web: web/dist/index.html

web_srcs := $(shell find web \( -name node_modules -o -name 'dist*' \) \
                         -prune -o -type f -print 2> /dev/null)
web/dist/index.html: $(web_srcs) scripts/build-web
	@echo "  WEB     web/dist"
	@scripts/build-web

lib: $(out)/libwacrm.a

# Compiles again when the options have changed.
flags := $(cc) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS)
$(out)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(flags)' | cmp -s - $@ || echo '$(flags)' > $@

$(out)/obj/%.o: %.c $(out)/flags
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(cc) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(out)/obj/gen/schema.o: $(out)/gen/schema.c $(out)/flags
	@mkdir -p $(@D)
	@$(cc) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(out)/gen/schema.c: scripts/embed-schema $(schema)
	@mkdir -p $(@D)
	@scripts/embed-schema $(schema) > $@

# The archive is for the tests, which take what they need; the programs and
# test_plan take every object, so that no DB_QUERY is left out.
$(out)/libwacrm.a: $(objs)
	@echo "  AR      $@"
	@rm -f $@
	@ar rcs $@ $(objs)

$(out)/wacrmd: $(out)/obj/daemon/main.o $(objs)
	@echo "  LD      $@"
	@$(cc) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(out)/wacrmctl: $(out)/obj/daemon/ctl.o $(objs)
	@echo "  LD      $@"
	@$(cc) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(out)/unit/test_plan: $(out)/obj/t/unit/test_plan.o $(objs)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(cc) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

$(out)/unit/%: $(out)/obj/t/unit/%.o $(out)/libwacrm.a
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(cc) $(LDFLAGS) -o $@ $< $(out)/libwacrm.a -lcmocka $(LDLIBS)

# Helpers of the tests and benches.
tools: $(tool_bins)

$(out)/tools/search: $(out)/obj/t/bench/search/history.o

define tool_rule
$(out)/tools/$(basename $(notdir $(1))): $(1:%.c=$(out)/obj/%.o) \
                                         $(out)/libwacrm.a
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	@$$(cc) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach t,$(tools),$(eval $(call tool_rule,$(t))))

# What a power cut may leave: the recorder, and the programs that check.
crash_bins := $(patsubst t/fault/%.c,$(out)/tools/%,\
                         $(wildcard t/fault/crash_*.c))
# Preloaded by the fault tests; never sanitized, as they stand below libc.
preload := $(out)/unit/shim.so \
           $(addprefix $(out)/tools/,record.so clock.so live.so)
tools: $(crash_bins) $(preload)

$(out)/tools/crash_%: $(out)/obj/t/fault/crash_%.o \
                      $(out)/obj/t/fault/crash/log.o $(out)/libwacrm.a
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(cc) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Every test runs, then the failed ones are told; T=buf runs one of them.
unit-programs: $(test_bins) $(out)/unit/shim.so

$(out)/unit/shim.so: t/fault/shim.c
$(out)/tools/clock.so: t/fault/clock.c
$(out)/tools/live.so: t/fault/live.c
$(out)/tools/record.so: t/fault/record.c t/fault/crash/log.h
$(preload): t/fault/real.h $(out)/flags
	@mkdir -p $(@D)
	@$(cc) -D_GNU_SOURCE -I. -std=gnu17 -O2 $(warnings) -fPIC -shared \
	    -o $@ $(filter %.c,$^) -ldl

# What scripts/fuzz runs.
$(out)/fuzz/%: $(out)/obj/t/fuzz/%.o $(out)/libwacrm.a
	@mkdir -p $(@D)
	@$(cc) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LDLIBS)

unit: $(out)/unit/shim.so
unit: $(if $(T),$(out)/unit/test_$(T),$(test_bins))
	@failed=; n=0; \
	for t in $(filter-out %.so,$^); do \
	    n=$$((n + 1)); \
	    if "$$t" > "$$t.log" 2>&1; then \
	        echo "ok $$t"; \
	    else \
	        echo "not ok $$t"; cat "$$t.log"; failed="$$failed $$t"; \
	    fi; \
	done; \
	if [ -n "$$failed" ]; then echo "unit: failed:$$failed"; exit 1; fi; \
	echo "unit: $$n test programs, all passed"

test: all unit
	prove -I t/lib t t/security t/fault

check: banned cppcheck format-check

# Functions that nobody needs and many have regretted.
banned:
	@! grep -nE '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|gets|alloca|system)\(' \
	    $$(find daemon spool ngx_wacrm_module t -name '*.[ch]')

# The module's glue sees nginx's headers only at compile time: it is checked
# by the compilers, here go its pure parts.
cppcheck:
	cppcheck -q --std=c11 --enable=warning,portability,performance \
	    --inline-suppr --error-exitcode=1 -D_GNU_SOURCE -I. -Idaemon \
	    -Ingx_wacrm_module --suppress=missingIncludeSystem \
	    daemon spool ngx_wacrm_module/edge

format_files = $(shell find daemon spool ngx_wacrm_module/edge t -name '*.[ch]')
format-check:
	@echo "  FORMAT  $(words $(format_files)) files"
	@clang-format --dry-run --Werror $(format_files)

# Programs, module, units and examples below DESTDIR; then, where that is this
# machine, wacrm-setup: user, directories, configuration, secrets. Paths of
# the examples are those of this installation. The desk goes along if it was
# built here or copied to web/dist.
share := $(DESTDIR)$(datadir)/wacrm
units := $(DESTDIR)$(PREFIX)/lib/systemd/system
place  = sed -e 's|/usr/local/sbin/|$(PREFIX)/sbin/|g' \
             -e 's|/usr/local/share/|$(datadir)/|g' \
             -e 's|/usr/lib/nginx/modules|$(MODULES)|g'
setup := $(DESTDIR)$(PREFIX)/sbin/wacrm-setup
built := build/module/ngx_wacrm_module.so
installed := $(DESTDIR)$(MODULES)/ngx_wacrm_module.so
etc_examples := conf/nginx.conf conf/nginx-tls.conf conf/nginx-redirect.conf \
                conf/wacrmd.conf
unit_files := conf/wacrmd.service conf/wacrm-backup.service \
              conf/wacrm-backup.timer
share_files := conf/wacrm.sysusers conf/wacrm.tmpfiles conf/wacrm.logrotate \
               $(wildcard conf/grafana/*.json conf/prometheus/*.yml)

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(MODULES) $(units) \
	    $(share)/example $(DESTDIR)$(datadir)/doc/wacrm
	install -m 755 $(out)/wacrmd $(out)/wacrmctl scripts/wacrm-backup \
	    $(DESTDIR)$(PREFIX)/sbin
	@$(place) scripts/wacrm-setup > $(setup) && chmod 755 $(setup)
	install -m 644 $(share_files) $(share)
	install -m 644 docs/*.md docs/openapi.yaml \
	    $(DESTDIR)$(datadir)/doc/wacrm
	@set -e; for f in $(unit_files); do \
	    $(place) $$f > $(units)/$${f##*/}; chmod 644 $(units)/$${f##*/}; \
	done; \
	for f in $(etc_examples); do \
	    $(place) $$f > $(share)/example/$${f##*/}; \
	    chmod 644 $(share)/example/$${f##*/}; \
	done
	@if [ -e web/dist/index.html ]; then \
	    scripts/install-web $(share)/web; \
	else \
	    echo "install: without the desk, as web/dist is not built:" \
	         "make web, or copy it there"; \
	fi
	@if [ -z "$(DESTDIR)" ]; then \
	    $(PREFIX)/sbin/wacrm-setup; \
	else \
	    echo "install: then, as root: $(PREFIX)/sbin/wacrm-setup"; \
	fi
	@[ ! -e $(installed) ] || cmp -s $(built) $(installed) || \
	    echo "install: the module has changed: restart nginx as well as" \
	         "wacrmd (nginx -t && systemctl restart nginx)"
	install -m 644 $(built) $(installed)

# What `install' has copied. State, configuration, secrets, backups and the
# user stay. Refused while this machine uses it: nginx would not start again,
# nor what else it serves. The examples in $(NGINX)/wacrm are not read by nginx.
loads  = grep -RlE --include='*.conf' --exclude-dir=wacrm \
             '^[^\#]*load_module[^\#]*ngx_wacrm_module' $(NGINX) 2> /dev/null
wacrm_units := wacrmd.service wacrm-backup.timer
uninstall:
	@[ -z "$(DESTDIR)" ] || exit 0; \
	if systemctl -q is-active $(wacrm_units) 2> /dev/null || \
	   systemctl -q is-enabled $(wacrm_units) 2> /dev/null; then \
	    echo "uninstall: wacrmd is running or enabled: first" \
	         "systemctl disable --now wacrmd wacrm-backup.timer" >&2; \
	    exit 1; \
	fi; \
	files=$$($(loads)); \
	if [ -n "$$files" ]; then \
	    echo "uninstall: nginx loads the module: first take load_module and" \
	         "all of wacrm out of" $$files "(the nginx.conf of before), then" \
	         "nginx -t && systemctl restart nginx" >&2; \
	    exit 1; \
	fi
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/sbin/,wacrmd wacrmctl \
	    wacrm-backup wacrm-setup) \
	    $(addprefix $(units)/,$(notdir $(unit_files))) \
	    $(installed)
	rm -rf $(share) $(DESTDIR)$(datadir)/doc/wacrm
	@[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || \
	    systemctl daemon-reload || \
	    echo "uninstall: all is gone, but systemctl daemon-reload failed" >&2

clean:
	rm -rf build/release build/asan build/tsan build/clang build/module \
	    web/dist

-include $(tools:%.c=$(out)/obj/%.d) $(objs:.o=.d) $(main_objs:.o=.d) $(test_objs:.o=.d) \
    $(wildcard $(out)/obj/t/fuzz/*.d $(out)/obj/t/fault/*.d \
        $(out)/obj/t/fault/crash/*.d)
