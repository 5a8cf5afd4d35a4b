# Thin: every target is a verb of `cargo xtask`, where the work is written and tested.

XTASK = cargo run --quiet --locked --package xtask --

.DEFAULT_GOAL := help
.PHONY: help up build test bench tidy gen machine

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: machine ## install what is missing, build, start everything
	@$(XTASK) up $(ARGS)

build: machine ## build the release binary as bin/aegis
	@$(XTASK) build

test: machine ## install what the tests need and run all of them
	@$(XTASK) test $(ARGS)

bench: machine ## run the benchmarks; one of them with ARGS=NAME
	@$(XTASK) bench $(ARGS)

tidy: machine ## check the house rules
	@$(XTASK) tidy

gen: machine ## write the generated files
	@$(XTASK) gen $(ARGS)

# What must be there before the first line of Rust can be built.
machine:
	@xtask/machine.sh
