# Loss functions for image restoration: `make help` lists what can be done.
PYTHON ?= python3
BIN := .venv/bin
HYDRA = $(if $(DATA),data=$(DATA)) $(if $(BUDGET),budget=$(BUDGET)) \
	$(if $(TRAIN),"data.train='$(TRAIN)'") $(if $(TEST),"data.test='$(TEST)'") $(ARGS)
RUN = $(if $(GPUS),$(BIN)/torchrun --standalone --nproc-per-node $(GPUS) -m,$(BIN)/python -m)
STUDIED = $(if $(DATA),"only.data='$(DATA)'") $(if $(BUDGET),"only.variant='$(BUDGET)'")
ONLY = $(if $(TASK),only.task=$(TASK)) $(if $(LOSS),only.loss=$(LOSS)) $(STUDIED)

READY = $(BIN)/.ready $(if $(filter fivek,$(DATA)),$(BIN)/.ready-fivek) $(if $(LAUNCHER),$(BIN)/.ready-cluster)

.DEFAULT_GOAL := help
.PHONY: help setup data train eval study report publish raw figure tensorboard restore bench recipe lint test

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20
	@echo; echo "  TASK: $(notdir $(basename $(wildcard configs/task/*)))"
	@echo "  LOSS: $(notdir $(basename $(wildcard configs/loss/*)))"
	@echo "  DATA: $(notdir $(basename $(wildcard configs/data/*)))   BUDGET: $(notdir $(basename $(wildcard configs/budget/*)))"
	@echo '  TRAIN, TEST: with DATA=folder: folders of photographs, lists of files or "patterns/**/*.png"'
	@echo '  GPUS: how many of this machine train one network together'
	@echo '  EXPERIMENT: what a study trains: $(notdir $(basename $(wildcard configs/experiment/*)))'
	@echo '  LAUNCHER: every run of a study as a job: $(notdir $(basename $(wildcard configs/hydra/launcher/*)))'
	@echo '  ARGS: any configuration value, as in make train ARGS="seed=1 budget.batch=32"'

setup: $(BIN)/.ready ## make or refresh .venv (every other target does so by itself)

data: $(READY) ## download and decode a data set, say what it holds, draw it: DATA= [TRAIN= TEST= ARGS=]
	@$(BIN)/python -m scripts.prepare_data $(HYDRA)

train: $(READY) ## train one network, or go on with it, and score it: TASK= LOSS= [DATA= BUDGET= SEED= GPUS= ARGS=]
	@$(RUN) scripts.train $(if $(TASK),task=$(TASK)) $(if $(LOSS),loss=$(LOSS)) $(if $(SEED),seed=$(SEED)) $(HYDRA)

eval: $(BIN)/.ready ## score trained runs again, write their tables: [TASK= LOSS= DATA=its name BUDGET= ARGS=]
	@$(BIN)/python -m scripts.eval $(ONLY) $(ARGS)

study: $(READY) ## train every loss x task not yet trained, write all tables: [TASK=sr,jpeg LOSS= SEED= EXPERIMENT= BUDGET= DATA= LAUNCHER= ARGS=]
	$(if $(GPUS),$(error a study trains each network by itself: GPUS= goes with make train, LAUNCHER=slurm with a study))
	@$(BIN)/python -m scripts.study $(if $(EXPERIMENT),experiment=$(EXPERIMENT)) $(if $(LAUNCHER),hydra/launcher=$(LAUNCHER)) \
		$(if $(TASK),"tasks=[$(TASK)]") $(if $(LOSS),"losses=[$(LOSS)]") $(if $(SEED),"seeds=[$(SEED)]") $(HYDRA)

report: $(BIN)/.ready ## everything a study found as one page, results/report/index.html: [DATA=its name BUDGET=its name, or STUDY=results/studies/photos-long, ARGS=]
	@$(BIN)/python -m scripts.report $(if $(STUDY),"study='$(STUDY)'") $(STUDIED) $(ARGS)

raw: $(BIN)/.ready-fivek ## the demosaicking networks beside BM3D on real raw files: RAW=a file or a folder [DATA=its name BUDGET=its name ARGS=]
	@$(BIN)/python -m scripts.raw $(if $(RAW),"raw='$(RAW)'") $(STUDIED) $(ARGS)

publish: $(BIN)/.ready ## keep a study in results/studies/, its networks in results/weights/: [DATA=its name BUDGET=its name ARGS=]
	@$(BIN)/python -m scripts.publish $(STUDIED) $(ARGS)

figure: $(BIN)/.ready ## crops of a test photograph after every trained network: [TASK= LOSS= DATA= BUDGET= ARGS=drawn_on=sample]
	@$(BIN)/python -m scripts.figure $(ONLY) $(ARGS)

tensorboard: $(BIN)/.ready ## the curves of all runs, in a browser
	@$(BIN)/tensorboard --logdir results/runs

restore: $(BIN)/.ready $(if $(filter demosaic,$(TASK))$(findstring /demosaic/,$(NETWORK)),$(BIN)/.ready-fivek) ## restore your own files by a shipped network, as new PNG files: TASK= FILES="a.jpg 'my b.jpg'" [LOSS= OUT=folder NETWORK=a run's folder]
	@$(BIN)/python -m scripts.restore $(if $(NETWORK),--network "$(NETWORK)") $(if $(TASK),--task $(TASK)) $(if $(LOSS),--loss $(LOSS)) $(if $(OUT),--out "$(OUT)") -- $(FILES)

bench: $(BIN)/.ready-dev ## speed beside the machine's and other libraries': [BENCH=step, losses, pipeline, evaluation, growth, data or full]
	@set -e; for part in $(if $(BENCH),$(BENCH:full=step losses pipeline evaluation growth data),step losses pipeline evaluation); do \
		$(BIN)/python -m scripts.bench_$$part $(ARGS); done

recipe: $(READY) ## train candidates for optimiser, batch and schedule side by side: [TASK= LOSS= SEED= DATA= BUDGET= ARGS="--config-name precision"]
	@$(BIN)/python -m scripts.recipe $(if $(TASK),task=$(TASK)) $(if $(LOSS),loss=$(LOSS)) $(if $(SEED),seed=$(SEED)) $(HYDRA)

lint: $(BIN)/.ready-dev ## style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright

test: $(BIN)/.ready-dev ## all tests
	@$(BIN)/python -m pytest $(ARGS)

$(BIN)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another with make PYTHON=...")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "installing PyTorch and the rest into .venv: some minutes, once"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(BIN)/.ready-%: $(BIN)/.ready
	@echo "installing what $* needs into .venv"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
	@touch $@
