# Loss functions for image restoration: `make help` lists what can be done.
PYTHON ?= python3
BIN := .venv/bin
RUN = @$(BIN)/python scripts/make.py run $@

# The names that were typed. Their values are literal: a $ is no variable of make.
TYPED := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
$(foreach name,$(TYPED),$(eval override $(name) := $$(value $(name))))
export TYPED TASK LOSS SEED GPUS DATA TRAIN TEST BUDGET VARIANT EXPERIMENT LAUNCHER STUDY RAW NETWORK FILES OUT BENCH ARGS

FOR_RAW = $(filter fivek,$(DATA))$(filter demosaic,$(TASK))$(findstring /demosaic/,$(NETWORK))
READY = $(BIN)/.ready $(if $(FOR_RAW),$(BIN)/.ready-fivek) $(if $(LAUNCHER),$(BIN)/.ready-cluster)

.DEFAULT_GOAL := help
.PHONY: help check setup data train calibrate eval recipe study report publish raw figure tensorboard restore bench lint test

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20
	@echo; for name in task loss data budget experiment launcher; do \
		printf '  %s: %s\n' $$(echo $$name | tr a-z A-Z) "$$(cd configs/$$name && ls | sed 's/.yaml//' | xargs)"; done
	@echo '  TRAIN, TEST: with DATA=folder: folders of photographs, lists of files or "patterns/**/*.png"'
	@echo '  GPUS: how many of this machine train one network together'
	@echo '  ARGS: values of the configuration, as in make train ARGS="compile=true budget.batch=32"'
	@echo '  VARIANT: a name of your own for runs that differ from their budget, in commands that train and that read runs'
	@echo '  Commands that read runs take DATA and BUDGET or VARIANT as in results/runs/DATA/VARIANT/TASK/LOSS/seedN'

setup: $(BIN)/.ready ## make or refresh .venv; every other target does so by itself

data: $(READY) ## download and decode a data set, draw it: DATA= [TRAIN= TEST=]
	$(RUN)

train: $(READY) ## train one network, or go on with it, and score it: TASK= LOSS= [DATA= BUDGET= SEED= GPUS=]
	$(RUN)

study: $(READY) ## train all that is not trained yet, write the tables: [TASK=sr,jpeg LOSS= SEED= DATA= BUDGET= EXPERIMENT= LAUNCHER=]
	$(RUN)

recipe: $(READY) ## compare optimizers, rates, batches, schedules by validation: [TASK=demosaic LOSS=l1 SEED= DATA= BUDGET= LAUNCHER=]
	$(RUN)

calibrate: $(READY) ## weights of a sum of losses by their shares of the gradient: LOSS="l1:50,lpips:30,edge:20" [TASK= DATA= SEED=]
	$(RUN)

eval: $(READY) ## score trained runs again, write their tables: [TASK= LOSS= DATA= BUDGET=]
	$(RUN)

report: $(READY) ## a study as one page, results/report/index.html: [DATA= BUDGET=, or STUDY=results/studies/photos-long]
	$(RUN)

raw: $(BIN)/.ready-fivek ## the demosaicking networks beside BM3D on real raw files: RAW=a file or a folder [DATA= BUDGET=]
	$(RUN)

publish: $(READY) ## keep a study in results/studies/, its networks in results/weights/: [DATA= BUDGET=]
	$(RUN)

figure: $(READY) ## crops of a test photograph after every trained network: [TASK= LOSS= DATA= BUDGET=]
	$(RUN)

tensorboard: $(READY) ## curves in a browser: [TASK= LOSS= DATA= BUDGET=]
	$(RUN)

restore: $(READY) ## restore files of yours, as new files: FILES="a.jpg 'my b.jpg'" [TASK= LOSS= OUT= ARGS=--force], or NETWORK=a run's folder
	$(RUN)

bench: $(BIN)/.ready-dev ## speed beside the machine's and other libraries': [BENCH=step,losses,pipeline,evaluation TASK= LOSS=]
	$(RUN)

lint: $(BIN)/.ready-dev ## style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright

test: $(BIN)/.ready-dev ## all tests, or some: [ARGS="tests/losses -k mix"]
	$(RUN)

check:
	@$(firstword $(wildcard $(BIN)/python) $(PYTHON)) scripts/make.py check $(MAKECMDGOALS)

$(BIN)/.ready: pyproject.toml constraints.txt | check
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another with make PYTHON=...")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "installing PyTorch and the rest into .venv: some minutes, once"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(BIN)/.ready-%: $(BIN)/.ready
	@echo "installing what $* needs into .venv"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
	@touch $@
