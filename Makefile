# The front door. `make help` says what there is. Needs git, make and Python 3.11 to 3.13; everything else is put into
# .venv, by uv when it is there, else by venv and pip. Inside the conda environment of environment.yml, that one is used.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help figures redraw describe check-data lab test bench doctor clean environment

PROFILE ?=
DATA ?=
IMAGENET ?=
PHOTOGRAPHS ?=
MONODEPTH2 ?=
OFFICIAL ?=
WEIGHTS ?=
CORES ?= $(shell workflow/cores)
RUNS ?= runs
FIGURES ?= figures
EXECUTOR ?= local
GPUS ?= all
JOBS_PER_GPU ?= 4
TRIALS ?= 0
PRETRAININGS ?= 0
DRY ?=
FORCE ?=
PYTHON ?= python3

# The plugin for a cluster slows every start of Snakemake down, so it is installed when it is first asked for.
ready := ready$(if $(filter slurm,$(EXECUTOR)),-slurm)
ifeq ($(CONDA_DEFAULT_ENV),depthseg)
BIN := $(CONDA_PREFIX)/bin
READY :=
else
BIN := .venv/bin
READY := .venv/$(ready)
endif

# What was given, as one word of the shell, whatever signs are in it.
given = '$(subst ','\'',$(value $(1)))'

ASKED = --profile $(call given,PROFILE) --data $(call given,DATA) --photographs $(call given,PHOTOGRAPHS) \
        --imagenet $(call given,IMAGENET) --monodepth2 $(call given,MONODEPTH2) --weights $(call given,WEIGHTS) \
        --cores $(CORES) --runs $(call given,RUNS) --figures $(call given,FIGURES) --executor $(call given,EXECUTOR) \
        --gpus $(call given,GPUS) --jobs-per-gpu $(JOBS_PER_GPU) \
        --trials $(call given,TRIALS) --pretrainings $(call given,PRETRAININGS)

help:
	@echo 'make figures   the whole study: every run, then every figure and table, under figures/'
	@echo 'make redraw    every figure again from stored results, without training'
	@echo 'make describe  write a dataset.json for your own images, labels and video in DATA (FORCE=1: once more)'
	@echo 'make check-data  look into the data of PROFILE in DATA: what is there, what is wrong, pictures, disk, hours'
	@echo 'make lab       JupyterLab on notebooks/'
	@echo 'make test      all tests, with the smallest profile of the whole study'
	@echo 'make bench     what training costs here, beside plainer ways of the same (OFFICIAL=a clone of Monodepth2: beside it)'
	@echo 'make doctor    versions, device, kernel, folders: can it run here?'
	@echo 'make clean     remove the environment and build leftovers; runs/, figures/ and the cache stay'
	@echo
	@echo 'Variables: PROFILE=laptop|gpu|kitti|nyu|cityscapes|cityscapes-as-kitti|folder|smoke (default: laptop, or gpu with CUDA)'
	@echo '  DATA=folder of real sets   PHOTOGRAPHS=folder of photographs by class   IMAGENET=folder of weights, or download'
	@echo '  MONODEPTH2=folder of checkpoints   WEIGHTS=moco-v2=file,dino=file'
	@echo '  TRIALS=8 or 12 repetitions of the study: the further ones are added   PRETRAININGS=1 shares one among all'
	@echo '  CORES=jobs side by side   DRY=1 only says what would run'
	@echo '  EXECUTOR=slurm   GPUS=0,1 or none   JOBS_PER_GPU=4   RUNS=runs   FIGURES=figures   PYTHON=python3'
	@echo 'The cache is $${DEPTHSEG_CACHE:-~/.cache/depthseg}. Ctrl-C is safe: the same command goes on.'

figures: $(READY)
	@$(BIN)/python -m depthseg_lib.commands.figures $(ASKED) $(if $(DRY),--dry)

redraw: $(READY)
	@$(BIN)/python -m depthseg_lib.commands.figures $(ASKED) --redraw

describe: $(READY)
	@$(BIN)/python -m depthseg_lib.commands.describe $(call given,DATA) $(if $(FORCE),--force)

check-data: $(READY)
	@$(BIN)/python -m depthseg_lib.commands.check_data $(if $(PROFILE),--profile $(call given,PROFILE)) \
	    --data $(call given,DATA) --runs $(call given,RUNS) --imagenet $(call given,IMAGENET) \
	    --photographs $(call given,PHOTOGRAPHS)

lab: $(READY)
	@$(BIN)/python -m depthseg_lib.commands.lab

test: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder

bench: $(READY)
	@$(BIN)/python benchmarks/training.py $(if $(OFFICIAL),--monodepth2 $(call given,OFFICIAL))

doctor: $(READY)
	@$(BIN)/python -m depthseg_lib.commands.doctor

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache
	find depthseg_lib tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Compiled modules halve the start of every job; the others would bring modules that are not the project's.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH PYTHONOPTIMIZE PYTHONSTARTUP
export PYTHONNOUSERSITE := 1
export PYTHONUTF8 := 1

environment: $(READY)

# The marker appears last and by rename, and goes first: an environment that was left half-made is made anew.
.venv/ready: pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" workflow/environment test

.venv/ready-slurm: pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" workflow/environment test,slurm
