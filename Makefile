# Every target checks what it needs and says how to get what is missing.
#
# One cargo profile and one set of features, or the AWS SDK (minutes) is compiled again: so always
# the whole workspace, and always --all-targets, because tests ask more of some crates than programs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

target_folder := $(abspath $(or $(CARGO_TARGET_DIR),target))
programs := $(target_folder)/debug
cargo_build := cargo build --workspace --all-targets --locked
build_control_plane := tests/cluster/controlplane/build
build_others := tests/karpenter/build tests/packaging/helm/build tests/promtool/build tests/gitops/health/build tests/gitops/flux/build

.PHONY: help
help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Watch Amity at work: a real API server, a simulated EC2 (KEEP=1 leaves it running)
	@$(call require,cargo go cc)
	@$(build_both)
	@export KUBEBUILDER_ASSETS="$$($(build_control_plane))" && exec $(programs)/demo

.PHONY: test
test: ## Run all tests: plans, simulations, a real control plane, other people's EC2 clients and Flux
	@$(call require,cargo go cc python git)
	@$(build_both)
	@for build in $(build_others); do "$$build" >/dev/null; done
	KUBEBUILDER_ASSETS="$$($(build_control_plane))" cargo test --workspace --locked --no-fail-fast
	EC2SIM=$(programs)/ec2sim tests/clients/run

.PHONY: simulate
simulate: ## Tell SEEDS=1000 stories in which everything goes wrong (FROM=500), or that of SEED=17
	@$(call require,cargo cc)
	$(cargo_build)
	$(if $(SEED),SEED=$(SEED),FROM=$(or $(FROM),0) SEEDS=$(or $(SEEDS),1000)) cargo test --workspace --locked --test simulation -- --nocapture --exact \
		story::whatever_happens_ec2_matches_in_the_end_and_nothing_is_lost_or_doubled

.PHONY: kill-test
kill-test: ## Kill or stop the leader N times in the middle of roll-outs (N=200; SEED=... repeats a run)
	@$(call require,cargo go cc)
	@$(build_both)
	AMITY_KILLS="$(or $(N),200)" AMITY_KILLS_SEED="$(SEED)" KUBEBUILDER_ASSETS="$$($(build_control_plane))" \
		cargo test --workspace --locked --test cluster -- --nocapture kills:: outages::

.PHONY: bench
bench: ## Measure speed, EC2 calls, memory and processor time beside their targets (ONLY=rest: some of them)
	@$(call require,cargo cc)
	$(cargo_build)
	ONLY="$(ONLY)" cargo test --workspace --locked --test simulation -- --ignored --nocapture --exact \
		bench::figures

.PHONY: lint
lint: ## Check format, warnings, generated files, and dependencies (where cargo-deny is installed)
	@$(call require,cargo cc)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(cargo_build)
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	$(programs)/amity crds --directory "$$fresh" && \
	{ diff -ru --exclude=Kustomization crds "$$fresh" && diff -ru deploy/helm/amity/files/crds "$$fresh" || { echo 'lint: crds/, or the copy in the chart, is not what the source says; run: make crds' >&2; exit 1; }; }
	@if cargo deny --version >/dev/null 2>&1; then \
		echo 'cargo deny check'; cargo deny --workspace --locked check; \
	else \
		echo 'lint: SKIPPED the check of licences and advisories (get it: cargo install --locked cargo-deny)' >&2; \
	fi

.PHONY: docs
docs: ## Build the book of docs/ in target/book, and follow its links
	@$(call require,cargo cc)
	@tests/docs/book

.PHONY: crds
crds: ## Write the custom resource definitions to crds/ and into the chart
	@$(call require,cargo cc)
	$(cargo_build)
	@mkdir -p crds deploy/helm/amity/files/crds
	$(programs)/amity crds --directory crds
	$(programs)/amity crds --directory deploy/helm/amity/files/crds

.PHONY: controlplane
controlplane: ## Build etcd, kube-apiserver, kube-controller-manager, kubectl; print their folder
	@$(call require,go)
	@$(build_control_plane)

# Cargo is on one core for minutes while it compiles the SDK, so Go builds beside it. Together they
# take up to 12 GB; with less, one after the other.
at_once := $(shell awk '/^MemAvailable:/ { enough = $$2 > 12 * 1024 * 1024 } END { print enough ? 2 : 1 }' /proc/meminfo 2>/dev/null || echo 1)
build_both = $(MAKE) --jobs=$(at_once) build-control-plane build-workspace

.PHONY: build-control-plane
build-control-plane:
	@$(build_control_plane) >/dev/null

.PHONY: build-workspace
build-workspace:
	$(cargo_build)

# $(call require,cargo go cc python): names everything that is missing, at once.
require = missing=(); $(foreach need,$(1),$(need_$(need)) || missing+=('$(get_$(need))'); ) \
	(( $${\#missing[@]} == 0 )) || { printf 'make: missing: %s\n' "$${missing[@]}" >&2; exit 1; }

need_cargo := cargo --version >/dev/null 2>&1
get_cargo := cargo (Rust; the version in rust-toolchain.toml comes by itself): https://rustup.rs
# Asked where go.mod states its version: a newer Go than the one installed may come by itself.
need_go := [[ -n $${KUBEBUILDER_ASSETS:-} ]] || (cd tests/cluster/controlplane && go env GOVERSION) >/dev/null 2>&1
get_go := go, 1.26 or newer: https://go.dev/dl (or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager, kubectl)
need_cc := command -v "$${CC:-cc}" >/dev/null
get_cc := a C compiler, cc: apt-get install build-essential (Debian), dnf install gcc (Fedora), xcode-select --install (macOS)
need_git := [[ -x $$(git --exec-path)/git-http-backend ]] 2>/dev/null
get_git := git, with git http-backend: apt-get install git (Debian), dnf install git-core (Fedora), xcode-select --install (macOS)
need_python := python3 -c "import venv, ensurepip" >/dev/null 2>&1
get_python := python3 with venv: apt-get install python3 python3-venv (Debian), dnf install python3 (Fedora)
