# Makefile - how everything is built and tested. One build, no second system; GNU make.
#
#   make              build/kopilka, build/libkopilka.a and an archive for each folder of src/
#   make check        the inner loop, under a minute
#   make test         the gate: everything (what ./dev test runs)
#   make unit ONLY=base/test_text      one unit test; ONLY is a piece of the program's path
#   make V=1 ...      shows the whole command lines
#
# A variant is the same rules with other variables, in a tree of its own:
#   make BUILD=build/asan SAN=address,undefined unit
#
# A folder without .c files yet gives an empty archive; a new .c file is found by itself.

BUILD ?= build
SAN   ?=
V     ?=
ONLY  ?=
FUZZ_SECONDS ?= 10
JOBS  ?= 2

ifeq ($(origin CC),default)
CC := gcc
endif

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tests check test unit contract sim mutants stories quick-stories kills kill-programs \
        bench demo asan tsan fuzz fuzz-programs wasm purity tidy format analyse \
        selftest clean torture help FORCE
all:

Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-5s %s\n' $1 $2)

# ---------------------------------------------------------------------------------- folders
# The layers, left to right. after_X lists X and what it may use, as the linker wants it:
# users first. A test of X links these archives only, so a broken folder to the right of X
# does not stop the work on X. tools/layers.txt says the same for includes.

CORE   := base core engine ledger flow
EMBED  := embed
HOSTED := store service http jobs cli
LAYERS := $(CORE) $(EMBED) $(HOSTED)

after_base    := base
after_core    := core $(after_base)
after_engine  := engine $(after_core)
after_ledger  := ledger $(after_core)
after_flow    := flow engine ledger $(after_core)
after_embed   := embed $(after_flow)
after_store   := store $(after_flow)
after_service := service $(after_store)
after_http    := http $(after_service)
after_jobs    := jobs $(after_service)
after_cli     := cli http jobs embed $(after_service)

object     = $(patsubst %.c,$(BUILD)/obj/%.o,$1)
objects_of = $(call object,$(filter-out src/cli/main.c,$(wildcard src/$1/*.c)))
archive    = $(patsubst %,$(BUILD)/lib%.a,$1)

# ------------------------------------------------------------------------------------ flags
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
INCLUDES := -Isrc -Iinclude
OPTIMISE := -O2
HARDEN   := -fstack-protector-strong
FORTIFY  := -D_FORTIFY_SOURCE=2
LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed

ifneq ($(SAN),)
# Sanitizers see more at -O1; fortified libc calls would hide theirs.
OPTIMISE := -O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
OPTIMISE += -Wno-maybe-uninitialized
HARDEN   :=
FORTIFY  :=
LDFLAGS  += -fsanitize=$(SAN)
ifneq ($(findstring clang,$(CC)),)
OPTIMISE += -Wno-unknown-warning-option
endif
endif

CFLAGS := -std=c17 $(OPTIMISE) -g $(WARNINGS) $(HARDEN) $(INCLUDES) $(EXTRA)

# The pure core may land in anybody's shared library, so it is position independent, and hidden
# so that this costs nothing. It knows no libc, hence no fortify and no _GNU_SOURCE.
CORE_FLAGS   := -fPIC -fvisibility=hidden
LIBPQ_FLAGS  := $(shell pkg-config --cflags libpq 2>/dev/null)
HOSTED_FLAGS := -fPIE -D_GNU_SOURCE $(FORTIFY) $(LIBPQ_FLAGS)
TEST_FLAGS   := $(HOSTED_FLAGS) -Itests -Itests/unit

LIBS      := -lsqlite3 -lcrypto -lz -lpq -lpthread
TEST_LIBS := -lcmocka -ljansson $(LIBS)

# ------------------------------------------------------------------------ objects and archives
# $(layer_flags) looks at the source's path: src/<core folder>/..., tests/..., the rest.
core_places := $(foreach f,$(CORE) $(EMBED),src/$f/%)
layer_flags  = $(if $(filter $(core_places),$1),$(CORE_FLAGS),$\
               $(if $(filter tests/% bench/%,$1),$(TEST_FLAGS),$(HOSTED_FLAGS)))

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) $(call layer_flags,$<) -MMD -MP -c $< -o $@

# A list of members is rewritten only when it changes: a deleted .c leaves its archive too.
$(BUILD)/lists/%: FORCE
	@mkdir -p $(@D)
	@echo '$(call objects_of,$*)' | cmp -s - $@ || echo '$(call objects_of,$*)' > $@

define archive_rule
$(call archive,$1): $(call objects_of,$1) $(BUILD)/lists/$1
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcsD $$@ $(call objects_of,$1)
endef
$(foreach layer,$(LAYERS),$(eval $(call archive_rule,$(layer))))

# ---------------------------------------------------------------------------------- the library
# One object of the whole core whose only global names begin with kop_, so that a till's own
# names never collide with ours.
library_objects := $(strip $(foreach f,$(CORE) $(EMBED),$(call objects_of,$f)))

$(BUILD)/libkopilka.a: $(library_objects) $(foreach f,$(CORE) $(EMBED),$(BUILD)/lists/$f)
	$(call say,LIB,$@)
	$(Q)rm -f $@ $(BUILD)/kopilka.o
ifneq ($(library_objects),)
	$(Q)ld -r -o $(BUILD)/kopilka.o $(library_objects)
	$(Q)objcopy --wildcard --keep-global-symbol='kop_*' $(BUILD)/kopilka.o
	$(Q)ar rcsD $@ $(BUILD)/kopilka.o
else
	$(Q)ar rcsD $@
endif

# ---------------------------------------------------------------------------------- the program
main_source := $(wildcard src/cli/main.c)
program     := $(if $(main_source),$(BUILD)/kopilka)

$(BUILD)/kopilka: $(call object,src/cli/main.c) $(call archive,$(after_cli))
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@.$$$$ $^ $(LIBS) && mv -f $@.$$$$ $@

all: $(call archive,$(LAYERS)) $(BUILD)/libkopilka.a $(program)

# ---------------------------------------------------------------------------------------- tests
# tests/unit/<folder>/test_x.c becomes build/tests/<folder>/test_x, linked with <folder> and what
# is left of it. In every folder of tests/ (and bench/) a .c file that is not itself a program is
# a helper of the programs beside it; those of tests/unit/ (host.c) help everybody.

unit_sources     := $(wildcard tests/unit/*/test_*.c)
contract_sources := $(wildcard tests/contract/test_*.c)
fuzz_sources     := $(wildcard tests/fuzz/fuzz_*.c)
has_main          = $(if $1,$(shell grep -lE '^(int )?main\b' $1))
sim_sources      := $(call has_main,$(wildcard tests/sim/*.c))
bench_sources    := $(call has_main,$(wildcard bench/*.c))
program_sources  := $(unit_sources) $(contract_sources) $(fuzz_sources) $(sim_sources) \
                    $(bench_sources)

only          = $(if $(ONLY),$(foreach p,$1,$(if $(findstring $(ONLY),$p),$p)),$1)
unit_programs     := $(call only,$(unit_sources:tests/unit/%.c=$(BUILD)/tests/%))
contract_programs := $(call only,$(contract_sources:%.c=$(BUILD)/%))
sim_programs      := $(call only,$(sim_sources:%.c=$(BUILD)/%))
fuzz_programs     := $(call only,$(fuzz_sources:%.c=$(BUILD)/%))
bench_programs    := $(call only,$(bench_sources:%.c=$(BUILD)/%))

host_objects := $(call object,$(wildcard tests/unit/*.c))
helpers_of    = $(call object,$(filter-out $(program_sources),$(wildcard $(dir $1)*.c)))

# $1 source, $2 program, $3 folders to link, $4 libraries
define program_rule
$2: $(call object,$1) $(call helpers_of,$1) $(host_objects) $(call archive,$3)
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) $5 -o $$@ $$^ $4
endef
folder_of = $(patsubst tests/unit/%/,%,$(dir $1))
$(foreach s,$(unit_sources),$(eval $(call program_rule,$s,\
    $(s:tests/unit/%.c=$(BUILD)/tests/%),$(after_$(call folder_of,$s)),$(TEST_LIBS))))
$(foreach s,$(contract_sources) $(sim_sources) $(bench_sources),$(eval $(call program_rule,$s,\
    $(s:%.c=$(BUILD)/%),$(after_cli),$(TEST_LIBS))))
$(foreach s,$(fuzz_sources),$(eval $(call program_rule,$s,\
    $(s:%.c=$(BUILD)/%),$(after_cli),$(LIBS),-fsanitize=fuzzer)))

# What drives the program from outside (tests/kill/, some stories) stands alone: it links nothing
# of ours. point.so goes into the server's process and kills it at a named point.
# later is the program with more migrations than it has.
kill_programs := $(BUILD)/tests/kill/tills $(BUILD)/tests/kill/point.so \
                 $(BUILD)/tests/schema/later

$(BUILD)/tests/kill/tills: tests/kill/tills.c Makefile
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(HOSTED_FLAGS) $(LDFLAGS) -o $@ $<

$(BUILD)/tests/kill/point.so: tests/kill/point.c Makefile
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -std=c17 -O2 -g $(WARNINGS) -D_GNU_SOURCE -shared -fPIC -o $@ $<

$(BUILD)/tests/schema/later: $(call object,src/cli/main.c tests/schema/later.c) \
                             $(call archive,$(after_cli))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -Wl,--wrap=migrations -o $@.$$$$ $^ $(LIBS) && mv -f $@.$$$$ $@

kill-programs: $(kill_programs)

tests: $(unit_programs) $(contract_programs) $(sim_programs) $(kill_programs)

unit: $(unit_programs)
	@tools/run -j$(JOBS) -l $(BUILD)/logs/unit $^

contract: $(contract_programs)
	@tools/run -j$(JOBS) -l $(BUILD)/logs/contract $^

# Without the two that wait for databases to die, and for every order of two operations.
quick-contract: $(filter-out %/test_isolation %/test_servers,$(contract_programs))
	@tools/run -j$(JOBS) -l $(BUILD)/logs/contract $^
.PHONY: quick-contract

sim: $(sim_programs)
	@tools/run -l $(BUILD)/logs/sim -t 1800 $^

# Each planted fault of tests/sim/mutants/ is compiled apart; the simulation must find it.
mutants: $(sim_programs)
	@BUILD=$(BUILD) tools/run -l $(BUILD)/logs/mutants -t 1800 tests/sim/run-mutants

# A story is an executable script that drives the built program from outside; it finds it in
# $KOPILKA. A story with a line "# quick" belongs to make check.
story_scripts := $(call only,$(shell find tests/stories -maxdepth 1 -type f -perm -u+x 2>/dev/null | sort))
hash := \#
quick_scripts := $(if $(story_scripts),$(shell grep -l '^$(hash) quick' $(story_scripts)))

stories: $(program) $(kill_programs)
	@KOPILKA=$(BUILD)/kopilka tools/run -l $(BUILD)/logs/stories -t 900 $(story_scripts)

quick-stories: $(program) $(kill_programs)
	@KOPILKA=$(BUILD)/kopilka tools/run -l $(BUILD)/logs/stories $(quick_scripts)

# Stories whose book is opened by tests/stories/lib/book.py, told over PostgreSQL as well.
POSTGRES_STORIES := awn races repeats refusals orphans backup
postgres-stories: $(program) $(kill_programs)
	@KOPILKA=$(BUILD)/kopilka STORY_STORE=postgresql RACES_ROUNDS=20 tools/run \
	    -l $(BUILD)/logs/postgres-stories -t 900 $(POSTGRES_STORIES:%=tests/stories/%)
.PHONY: postgres-stories

# kill -9 under load: KILL_CYCLES of them (default 300), two books at once.
kills: $(program) $(kill_programs)
	@KOPILKA=$(BUILD)/kopilka tools/run -l $(BUILD)/logs/kills -t 7200 tests/kill/cycles

# The same over PostgreSQL; there the database is killed as well.
postgres-kills: $(program) $(kill_programs)
	@KOPILKA=$(BUILD)/kopilka STORY_STORE=postgresql KILL_CYCLES=30 KILL_BOOKS=1 tools/run \
	    -l $(BUILD)/logs/postgres-kills -t 1800 tests/kill/cycles
.PHONY: postgres-kills

# High availability: the primary of a Patroni cluster is killed under load, twenty times. Packages:
# tools/setup ha. ha-short: two kills with a short lease.
ha: $(program)
	@KOPILKA=$(BUILD)/kopilka HA_KILLS=20 tools/run -l $(BUILD)/logs/ha -t 3600 tests/ha/failover
	@tail -n 12 $(BUILD)/logs/ha/tests-ha-failover.log
ha-short: $(program)
	@KOPILKA=$(BUILD)/kopilka HA_KILLS=2 HA_TTL=5 tools/run -l $(BUILD)/logs/ha-short -t 600 \
	    tests/ha/failover
.PHONY: ha ha-short

# ------------------------------------------------------------------------------------- variants
asan:
	@$(MAKE) BUILD=build/asan -k SAN=address,undefined unit $(if $(contract_sources),contract)

# Threads meet in the store's runner, the HTTP loop and the job pool only.
TSAN_FOLDERS := store service http jobs
# The thread sanitizer wants the classic layout of addresses, where the system lets it ask.
plain_layout := $(shell setarch -R true 2>/dev/null && echo setarch -R)
tsan:
	@$(MAKE) BUILD=build/tsan SAN=thread tsan-run
tsan-run: $(foreach f,$(TSAN_FOLDERS),$(filter $(BUILD)/tests/$f/%,$(unit_programs))) \
          $(contract_programs)
	@$(plain_layout) tools/run -l $(BUILD)/logs/tsan $^
.PHONY: tsan-run

# Stories on a sanitized server: bad requests and their like under ASan and UBSan, the races (fewer
# rounds: it is slow) under TSan. What the sanitizer says ends the server, and so fails the story.
ASAN_STORIES := awn refusals scopes openapi privacy
asan-stories:
	@$(MAKE) BUILD=build/asan SAN=address,undefined build/asan/kopilka
	@KOPILKA=build/asan/kopilka tools/run -l build/logs/asan-stories -t 900 \
	    $(ASAN_STORIES:%=tests/stories/%)
tsan-stories: kill-programs
	@$(MAKE) BUILD=build/tsan SAN=thread build/tsan/kopilka
	@KOPILKA=build/tsan/kopilka KOPILKA_TILLS=$(BUILD)/tests/kill/tills RACES_ROUNDS=30 \
	    $(plain_layout) tools/run \
	    -l build/logs/tsan-stories -t 900 tests/stories/races
.PHONY: asan-stories tsan-stories

# Coverage-guided fuzzing, FUZZ_SECONDS for each target; the corpus of fuzz_x is
# tests/fuzz/corpus/x/, and what is found lands in build/fuzz/found/x/.
fuzz:
	@$(MAKE) BUILD=build/fuzz CC=clang SAN=fuzzer-no-link,address,undefined fuzz-programs
	@tools/fuzz $(FUZZ_SECONDS) $(fuzz_sources:%.c=build/fuzz/%)
fuzz-programs: $(fuzz_programs)

# --------------------------------------------------------------------------------------- purity
# The core once for WebAssembly and once plainly for this machine; tools/purity then reads what
# the objects still ask of their host. No stack protector here: it would ask libc.
pure_sources := $(foreach f,$(CORE) $(EMBED),$(wildcard src/$f/*.c))
wasm_objects := $(pure_sources:%.c=$(BUILD)/wasm/%.o)
pure_objects := $(pure_sources:%.c=$(BUILD)/purity/%.o)
PURE_FLAGS   := -std=c17 -O2 -Wall -Wextra -Werror -ffreestanding $(INCLUDES)

$(BUILD)/wasm/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,WASM,$<)
	$(Q)clang --target=wasm32 -nostdlibinc $(PURE_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/purity/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,PURE,$<)
	$(Q)gcc $(PURE_FLAGS) -fno-stack-protector -fno-pie -fno-pic -MMD -MP -c $< -o $@

wasm: $(wasm_objects)
purity: $(wasm_objects) $(pure_objects)
	@tools/purity $(BUILD)

# --------------------------------------------------------------------------------- house keeping
tidy:
	@tools/tidy

selftest:
	@tools/selftest

format:
	@command -v clang-format >/dev/null || { echo 'clang-format is not installed' >&2; exit 1; }
	clang-format -i $(if $(ONLY),$(ONLY),$(shell git diff --name-only --diff-filter=d HEAD -- \
	    '*.c' '*.h'))

check:
	@tools/gate tools/check-parts.txt

test:
	@tools/gate tools/gate-parts.txt

# The compiler's own analyser, by night: slow, and its word is not always right.
analyse:
	@$(MAKE) BUILD=build/analyse EXTRA=-fanalyzer all

torture:
	@tools/gate tools/torture-parts.txt

# One table: name value unit ratio. The first run makes a book of two million members and keeps it.
bench: $(bench_programs) $(program)
	@bench/table $(BUILD)
# Its part over PostgreSQL alone, beside pgbench.
bench-postgres: $(BUILD)/bench/load $(program)
	@bench/table $(BUILD) postgres
.PHONY: bench-postgres

demo: all
	@$(BUILD)/kopilka demo

clean:
	rm -rf build

help:
	@sed -n '2,13s/^# \{0,1\}//p' Makefile

-include $(shell find $(BUILD)/obj $(BUILD)/wasm $(BUILD)/purity -name '*.d' 2>/dev/null)
