#   make              build bin/datafs
#   make demo         see what DataFS does, on real data, in a temporary directory
#   make test         every test that needs nothing but Go
#   make test-times   the same, and the slowest tests
#   make race         the same under the race detector
#   make lint         format, vet, staticcheck
#   make update       write the files that tests compare with
#   make servers      install what the tests against real servers need
#   make servers-test run them
#   make bench        speed and memory beside other programs; bench-guard holds them against bounds
#   make torture      kills, faults, power losses: MINUTES=10 TORTURE='-seed 7'
#   make fuzz         each fuzz test for FUZZTIME=20s
#   make vuln         known vulnerabilities of what is used

GO ?= go
BIN := bin/datafs
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go') go.mod go.sum
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: all help demo test test-times update race lint check servers servers-test fuzz bench bench-guard bench-bounds bench-stages bench-remote torture vuln install clean

all: $(BIN)

help:
	@sed -n 's/^#   //p' Makefile

$(BIN): $(SOURCES)
	CGO_ENABLED=0 $(GO) build -trimpath -tags urfave_cli_no_docs -ldflags '-s -w' -o $@ ./cli/datafs

demo: $(BIN)
	@sh fixtures/demo.sh $(BIN)

test:
	$(GO) test ./...

# A line for each package as it ends, then the slowest tests, in seconds.
test-times:
	@out=$$(mktemp) && { $(GO) test -v ./... >$$out; code=$$?; grep -E '^(ok|FAIL|---.* FAIL)' $$out; \
	grep -Eo '^--- [A-Z]+: [^ ]+ \([0-9.]+s\)' $$out | sed 's/.*: \([^ ]*\) (\(.*\)s)/\2 \1/' | sort -rn | head -20; rm $$out; exit $$code; }

update:
	$(GO) test ./cli -run 'Script|Reference|Docs' -update

race:
	$(GO) test -race -timeout 20m ./...

lint:
	@test -z "$$(gofmt -l .)" || { echo 'not formatted:'; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

check: lint test race

# The tests against real servers: S3, SFTP, FTP, HTTP, XML-RPC, MongoDB (FerretDB)
# and DynamoDB (Amazon's, local). One that is missing fails them; "make servers" installs what is. Elsewhere these tests are
# skipped.
SERVERS := s3,sftp,ftp,http,xmlrpc,mongo,dynamo
servers:
	sh fixtures/servers/install.sh

servers-test:
	DATAFS_TEST_REQUIRE=$(SERVERS) $(GO) test -race -run TestServer ./remote/... ./refs/...
	DATAFS_TEST_REQUIRE=$(SERVERS) $(GO) test -timeout 20m -run TestServer ./cli

# Each fuzz test for FUZZTIME.
FUZZTIME ?= 20s
fuzz:
	@sh fixtures/fuzz.sh $(FUZZTIME)

# Speed, memory and bytes stored, beside what the machine needs for the same bytes and
# beside other programs; see docs/performance.md. BENCH takes options: make bench BENCH='-size 64MiB -only grid'.
BENCH ?=
bench: $(BIN) bin/bench
	@bin/bench -bin $(BIN) $(BENCH)

bin/bench: $(SOURCES)
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./fixtures/bench ./fixtures/bench/nothing

# Holds a small measurement against fixtures/bench/bounds; bench-bounds moves them.
BOUNDS := fixtures/bench/bounds
bench-guard: $(BIN) bin/bench
	@bin/bench -bin $(BIN) -guard $(BOUNDS) $(BENCH)

bench-bounds: $(BIN) bin/bench
	@bin/bench -bin $(BIN) -guard $(BOUNDS) -update-bounds $(BENCH)

# Each stage on its own, COUNT times, for benchstat: make bench-stages >old; ...; benchstat old new
STAGES ?= Chunker|Hash|Encode|Decode|Shuffle|PackWrite|Locate|AddPack|Update|Stream|ReadAt|Extract
COUNT ?= 6
bench-stages:
	@$(GO) test -run '^$$' -bench '^Benchmark($(STAGES))' -benchtime 100ms -count $(COUNT) ./objects ./index

# How fast push and pull are beside rclone; see docs/performance.md.
bench-remote: $(BIN)
	@sh fixtures/bench-remote.sh $(BIN)
	DATAFS_TEST_LARGE=1 DATAFS_TEST_REQUIRE=s3 $(GO) test -count 1 -v -run "TestServerReadsAndPushes|TestServerPullCosts" ./remote/s3

# Kills, faults, power losses, flipped bits, gc beside everything and a model of a
# team, for MINUTES; see docs/guarantees.md. TORTURE takes options:
# make torture TORTURE='-seed 7 -only kills -event 123'.
MINUTES ?= 10
TORTURE ?=
torture: $(BIN) bin/torture
	@bin/torture -bin $(BIN) -minutes $(MINUTES) $(TORTURE)

bin/torture: $(SOURCES)
	$(GO) build -trimpath -o $@ ./fixtures/torture

# Known vulnerabilities of what is used, where their database can be reached.
GOVULNCHECK := v1.9.0
vuln:
	@GO=$(GO) sh fixtures/vuln.sh $(GOVULNCHECK)

install:
	$(GO) install ./cli/datafs

clean:
	rm -rf bin
