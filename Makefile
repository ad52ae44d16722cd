# Thin: each target builds the environments it needs and calls one command.
PYTHON ?= python3
CORES ?= all
ENVIRONMENTS = $(PYTHON) workflow/bin/environments.py
RUN = workflow/bin/run --cores $(CORES)
DEV = .venvs/dev/bin

.PHONY: help setup demo chr22 status test lint format schemas clean

help: ## list the targets
	@grep -E '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

setup: ## build every environment (snakemake, base, torch, tensorflow)
	@$(ENVIRONMENTS) snakemake base torch tensorflow

demo: ## run the benchmark on a simulated cohort, offline, in minutes
	@$(ENVIRONMENTS) snakemake base
	@$(RUN)

chr22: ## run the benchmark on 358 real people, one region (data: PEXBENCH_MIRROR)
	@$(ENVIRONMENTS) snakemake base torch tensorflow
	@$(RUN) --configfile config/geuvadis-chr22.yaml

status: ## say how far each run is
	@workflow/bin/pexbench base status

test: ## pass all tests; says which were skipped and why
	@$(ENVIRONMENTS) dev snakemake base torch tensorflow kipoi
	@$(DEV)/python -m pytest -n 2 --dist loadfile

lint: ## snakefmt, snakemake --lint, ruff, mypy
	@$(ENVIRONMENTS) dev snakemake
	@$(DEV)/snakefmt --check Snakefile workflow
	@.venvs/snakemake/bin/snakemake --lint
	@$(DEV)/ruff check .
	@$(DEV)/ruff format --check .
	@$(DEV)/mypy

format: ## put code into shape
	@$(ENVIRONMENTS) dev
	@$(DEV)/snakefmt Snakefile workflow
	@$(DEV)/ruff check --fix .
	@$(DEV)/ruff format .

schemas: ## write the configuration's schema and table of keys from the typed settings
	@$(ENVIRONMENTS) dev
	@$(DEV)/python -m pexbench write_schemas

clean: ## remove results of all runs; fetched resources and environments stay
	rm -rf results/*/ .snakemake
