# The commands for this checkout. `make` alone lists them. Variables such as ROWS and SEEDS reach the commands both from
# the environment and from the command line: make demo ROWS=100000
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# All Swift files including new ones, except those that protoc wrote. If no file is found, that is an error.
SWIFT_FILES := git ls-files -z -co --exclude-standard --deduplicate '*.swift' | grep -zv '\.pb\.swift$$'

.PHONY: help install build test test-lab simulate replay bench demo demo-cluster clean-demo lint format

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## install missing system packages (nothing to do: says nothing)
	@Cluster/local/install.sh

# The commit for `coord --version`. It is a number for the linker, so that a new commit recompiles nothing. It is empty
# if this is not a checkout of its own. Sources/CBuild/shim.h explains the bits.
commit = $(shell if [[ -z "$$(git rev-parse --show-prefix 2>&1)" ]] && hash=$$(git rev-parse --verify -q HEAD); then \
	dirty=0; [[ -z "$$(git status --porcelain 2>/dev/null | head -n 1)" ]] || dirty=1; \
	printf -- '-Xlinker --defsym=coord_commit=0x%x' $$((0x$${hash::7} | dirty << 28 | 1 << 29)); fi)

# The Swift runtime is linked in: so a worker needs less memory, and the binary also runs where no toolchain is
# installed. lld is the toolchain's own linker.
build: install ## build the release: .build/release/coord
	swift build -c release --static-swift-stdlib -Xswiftc -use-ld=lld $(call commit) --product coord

test: ## run all tests on a private PostgreSQL; ARGS="--filter X" for some
	@Cluster/local/test.sh $(ARGS)

test-lab: ## test the lab: hosts on this machine, cut off and healed; as root
	@Cluster/lab/test.sh

simulate: install ## simulate faults; SEEDS=n for how many seeds
	swift test --filter Simulation

replay: install ## simulate one seed again: make replay SEED=n
	@test -n "$(SEED)" || { echo "make replay SEED=n" >&2; exit 64; }
	swift test --filter Simulation

bench: build ## measure: rows/s and memory, against other ways
	@Tests/Benchmarks/run.sh

demo: build ## a table of a million rows (ROWS=n), changed and checked
	@Cluster/local/demo.sh

demo-cluster: build ## the same on three hosts, of which one is cut off; as root
	@Cluster/lab/demo.sh

clean-demo: ## remove all that the demo made
	@Cluster/local/postgres.sh remove
	@rmdir .coord 2>/dev/null || true

lint: ## check the format of all Swift files, and all of Cluster/
	@$(SWIFT_FILES) | xargs -0 swift format lint --strict
	@Cluster/check.sh

format: ## format all Swift files
	@$(SWIFT_FILES) | xargs -0 swift format --in-place
