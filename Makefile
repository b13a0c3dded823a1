# make demo   see what DataFS does, on real data, in a temporary directory
# make test   every test that needs nothing but Go

GO ?= go
BIN := bin/datafs
SOURCES := $(shell find . -name '*.go' -not -name '*_test.go') go.mod go.sum
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: all demo test race lint check fuzz bench install clean

all: $(BIN)

$(BIN): $(SOURCES)
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cli/datafs

demo: $(BIN)
	@sh fixtures/demo.sh $(BIN)

test:
	$(GO) test ./...

race:
	$(GO) test -race ./...

lint:
	@test -z "$$(gofmt -l .)" || { echo 'not formatted:'; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

check: lint test race

# Each fuzz test for FUZZTIME.
FUZZTIME ?= 20s
fuzz:
	@sh fixtures/fuzz.sh $(FUZZTIME)

# How much memory and time large files take; see docs/performance.md.
bench: $(BIN)
	@sh fixtures/bench.sh $(BIN)

install:
	$(GO) install ./cli/datafs

clean:
	rm -rf bin
