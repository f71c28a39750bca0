# Two commands matter: `make run` and `make test`. `make help` lists the rest.

TOOL := go tool -modfile=tools/go.mod
ENGINE := bin/deskbell-temporal
FUZZTIME ?= 30s
# The compiler and the linters collect less garbage: a sixth less CPU, and the engine's link needs its 2 GB either way.
SPARE := GOGC=400
# What nobody uses here and the compiler would spend a quarter of its time on: MessagePack in gin,
# Kubernetes in Temporal's scaled workers, gRPC's xDS in Google's storage client.
export GOFLAGS += -tags=nomsgpack,release,disable_grpc_modules
# Desks wait more than they compute: four of them keep two cores busy.
E2E := go test -race -vet=off -count 1 -timeout 20m -parallel 4 ./e2e

.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)$$/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

run: deps build ## everything on this machine: desk, engine, database, chat and phones
	@bin/deskbell dev $(ARGS)

test: deps-test build lint ## every check and test
	# Without vet: lint has vetted all of it but the engine, where it takes minutes for 1,800 packages.
	go -C devstack/temporal test -vet=off ./...
	go test -race -vet=off -p 3 ./workflows ./gateway/im $$(go list ./... | grep -v /e2e) # the longest first; many wait more than they compute
	$(E2E) # alone: it runs whole desks; never from the cache, which does not see the program

e2e: deps-test build ## whole desks on real servers, with phones, chats and a browser
	$(E2E) -v

dialogues: deps-test build ## every dialogue of DIALOGUES (a file), by default our own, on real servers
	@summary=$$(mktemp); DIALOGUES="$(abspath $(DIALOGUES))" DIALOGUE_SUMMARY=$$summary DESKBELL_BIN=$(abspath bin/deskbell) \
		go test -count 1 -timeout 60m -v -run '^TestDialogues$$' ./e2e; status=$$?; cat $$summary; rm -f $$summary; exit $$status

bench: deps build ## lives of tickets per second, beside a bare workflow; CPU, latencies, events
	@bin/deskbell bench $(ARGS)

soak: deps-test build ## every fault in full length under traffic, then the auditor
	DESKBELL_SOAK=1 go test -count 1 -timeout 60m -v -run TestPunctual ./e2e # alone: it is about a second
	DESKBELL_SOAK=1 go test -race -count 1 -v -run 'TestChaos|TestEjabberd' ./gateway/im
	DESKBELL_SOAK=1 go test -count 1 -timeout 60m -v ./gateway/sms/chaos
	DESKBELL_SOAK=1 go test -count 1 -timeout 60m -v -run 'TestFaults|TestServe' ./e2e

deps: ## what the system must provide; installs it where it may
	@scripts/deps.sh

deps-test:
	@scripts/deps.sh test

build: bin/deskbell $(ENGINE) ## bin/deskbell and the embedded engine beside it

bin/deskbell: FORCE
	@test -e $@ || echo "building deskbell; the first time takes a minute or two"
	@$(SPARE) go build -o $@ ./cmd/deskbell

$(ENGINE): $(wildcard devstack/temporal/*.go) devstack/temporal/go.mod devstack/temporal/go.sum
	@echo "building the embedded Temporal server; the first time takes some minutes"
	@$(SPARE) go -C devstack/temporal build -ldflags "-s -w" -o ../../$@ . # linked without what only a debugger reads
	@touch $@

lint: ## formatting, vet, staticcheck, workflow determinism
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	$(SPARE) go vet ./...
	$(SPARE) $(TOOL) staticcheck ./...
	$(SPARE) $(TOOL) workflowcheck -config workflows/workflowcheck.yaml ./workflows/...

generate: ## the code that sqlc writes from store/queries
	$(TOOL) sqlc generate -f store/sqlc.yaml

fuzz: ## every fuzz target for FUZZTIME (30s)
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func / /' | while read -r file name; do \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; \
	done

.PHONY: help run test e2e dialogues bench soak deps deps-test build lint generate fuzz FORCE
