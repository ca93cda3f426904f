# Everything here works on a fresh machine with Python 3.11 (or newer), pip and make.
PYTHON ?= python3
BIN := .venv/bin
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
endif

# Environments with the original libraries; others that have them can be named instead: make parity PARITY=... PARITY4=...
PARITY ?= .venv-parity
PARITY4 ?= .venv-parity4
MADE := out/parity

.PHONY: run test check bench soak floors parity clean

run: .venv/installed
	$(BIN)/python examples/first_look.py

test: .venv/installed-test
	scripts/browser
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=html:out/coverage

check: .venv/installed-test
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

# SEESAY_DATA=folder with the evaluation sets (docs/benchmarks.md); without it the example photos are used.
bench: .venv/installed-test
	$(BIN)/python benchmarks/report.py

# tests/reliability at full length: a hundred kills, ten thousand damaged pictures, two minutes of load (docs/reliability.md).
soak: .venv/installed-test
	$(BIN)/python -m pytest tests/reliability --soak -s

# The suite with the lowest versions that pyproject.toml allows.
floors: requirements-dev.txt
	$(PYTHON) -m venv .venv-floors
	scripts/floors > .venv-floors/floors.txt
	.venv-floors/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -c .venv-floors/floors.txt \
		-r requirements-dev.txt -r .venv-floors/floors.txt -e .
	.venv-floors/bin/python -m pytest -n 2 --dist loadfile

# The original libraries beside SeeSay (tests/parity/README.md). Linux or macOS, 8 GB of environments, 10 GB of memory, half an hour.
parity: $(PARITY)/installed-parity $(PARITY4)/installed-parity
	rm -rf $(MADE)
	$(PARITY)/bin/python -W ignore -m tests.parity.fixtures $(MADE)
	$(PARITY4)/bin/python -W ignore -m tests.parity.fixtures $(MADE)
	$(PARITY)/bin/python -m tests.parity.compare $(MADE)
	PYTHONPATH=src $(PARITY4)/bin/python -W ignore -m tests.parity.generators
	PYTHONPATH=src $(PARITY4)/bin/python -W ignore -m tests.parity.prompts
	PYTHONPATH=src $(PARITY4)/bin/python -W ignore -m tests.parity.pipelines
	PYTHONPATH=src $(PARITY)/bin/python -W ignore -m tests.parity.pipelines
	PYTHONPATH=src $(PARITY)/bin/python -W ignore -m tests.parity.make_graphs $(MADE)-graphs
	GRAPHS=$(MADE)-graphs $(PARITY)/bin/python -m pytest tests/parity/test_graphs.py
	$(PARITY)/bin/python -W ignore -m tests.parity.by_name
	$(PARITY4)/bin/python -W ignore -m tests.parity.by_name
	$(PARITY)/bin/python -W ignore -m tests.parity.timm_towers
	$(PARITY)/bin/python -W ignore -m tests.parity.written
	$(PARITY4)/bin/python -W ignore -m tests.parity.written
	PYTHONPATH=src $(PARITY4)/bin/python -W ignore -m tests.parity.peft_adapters
	$(PARITY)/bin/python -W ignore -m tests.parity.tokenizers
	$(PARITY)/bin/python -W ignore -m tests.parity.siglip_tokenizers
	$(PARITY)/bin/python -W ignore -m tests.parity.preprocessing
	$(PARITY)/bin/python -W ignore -m tests.parity.open_clip_losses
	$(PARITY)/bin/python -W ignore -m tests.parity.short_inputs
	$(PARITY)/bin/python -W ignore -m tests.parity.clip_benchmark
	$(PARITY)/bin/python -W ignore -m tests.parity.training
	$(PARITY)/bin/python -W ignore -m tests.parity.full_size
	PYTHONPATH=src $(PARITY)/bin/python -W ignore -m tests.parity.finder_sizes
	PYTHONPATH=src $(PARITY4)/bin/python -W ignore -m tests.parity.finder_pictures
	$(PARITY4)/bin/python -W ignore -m tests.parity.generated_scores
	$(PARITY)/bin/python -m pytest tests/parity tests/models/test_timm_tower.py

.venv/bin-made:
	$(PYTHON) -m venv .venv
	@touch $@

# The base install, as a user gets it: no torch.
.venv/installed: .venv/bin-made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/installed-test: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	@touch $@

$(PARITY)/installed-parity: requirements-parity.txt pyproject.toml
	$(PYTHON) -m venv $(PARITY)
	$(PARITY)/bin/python -m pip install --quiet --disable-pip-version-check -r $< -e .
	@touch $@

$(PARITY4)/installed-parity: requirements-parity-transformers4.txt pyproject.toml
	$(PYTHON) -m venv $(PARITY4)
	$(PARITY4)/bin/python -m pip install --quiet --disable-pip-version-check -r $< -e .
	@touch $@

clean:
	rm -rf .venv .venv-floors .venv-parity .venv-parity4 out
