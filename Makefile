# The work is done by scripts/, which CI and people may call directly.
.DEFAULT_GOAL := help
.PHONY: help setup test coverage demo install-modules bench fuzz soak lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\): ## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-24s%s\n", $$1, $$2 }'

setup: ## make .venv with the locked packages and this project
	@scripts/setup

test: ## run all checks and tests
	@scripts/test

coverage: ## see that the tests of goplugin.core, which open no socket, reach every branch of it
	@scripts/coverage

demo: ## run a JavaScript tour through the six example plugins
	@scripts/demo

install-modules: ## install the six examples (DEFAULT_PLUGIN_DIR, default ~/.go-go-goja/plugins/examples)
	@scripts/setup
	@.venv/bin/python scripts/install_modules.py

bench: ## compare with other stacks and write docs/benchmarks.md (QUICK=1, SUITES=NAME, JSON=FILE: see scripts/bench)
	@QUICK='$(QUICK)' SUITES='$(SUITES)' JSON='$(JSON)' scripts/bench

fuzz: ## fuzz the protocol machines, a minute each (FUZZ_SECONDS: see scripts/fuzz)
	@scripts/fuzz

soak: ## run plugins a thousand times and see that nothing is left open (SOAK_RUNS: see scripts/soak)
	@scripts/soak

lock: ## write the locks of the packages anew: requirements*.txt
	@scripts/lock

clean: ## remove everything the other targets have made in the tree
	@scripts/clean
