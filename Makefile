# The work is done by scripts/, which CI and people may call directly.
.DEFAULT_GOAL := help
.PHONY: help setup test demo install-modules bench fuzz lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\): ## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-24s%s\n", $$1, $$2 }'

setup: ## make .venv with the locked packages and this project
	@scripts/setup

test: ## run all checks and tests
	@scripts/test

demo: ## run a JavaScript tour through the six example plugins
	@scripts/demo

install-modules: ## install the six examples (DEFAULT_PLUGIN_DIR, default ~/.go-go-goja/plugins/examples)
	@scripts/setup
	@.venv/bin/python scripts/install_modules.py

bench: ## compare with other stacks and write docs/benchmarks.md (QUICK=1, JSON=FILE: see scripts/bench)
	@QUICK='$(QUICK)' JSON='$(JSON)' scripts/bench

fuzz: ## fuzz the protocol machines, a minute each (FUZZ_SECONDS: see scripts/fuzz)
	@scripts/fuzz

lock: ## write the locks of the packages anew: requirements*.txt
	@scripts/lock

clean: ## remove everything the other targets have made in the tree
	@scripts/clean
