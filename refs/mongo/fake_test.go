package mongo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// fake is a server that says what a test wants it to.
type fake struct {
	l      net.Listener
	hello  bson.D                                  // in addition to what each server says
	answer func(name string, command bson.Raw) any // bson.D; nil: as one who has a table; hangUp, silent

	mu   sync.Mutex
	seen map[string][]bson.Raw // mu guards the commands, by name
}

type behaviour int

const (
	hangUp behaviour = iota
	silent
)

func newFake(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{l: l, seen: map[string][]bson.Raw{}}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.connection(c)
		}
	}()
	return f
}

func (f *fake) options() *Options {
	return &Options{URI: "mongodb://" + f.l.Addr().String() + "/?serverSelectionTimeoutMS=300", Database: "db", Table: "team"}
}

func (f *fake) connection(c net.Conn) {
	defer c.Close()
	for {
		head := make([]byte, 16)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head)-16)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		old := binary.LittleEndian.Uint32(head[12:]) == 2004 // a greeting of the old kind
		command := bson.Raw(body[5:])
		if old {
			command = body[4+bytes.IndexByte(body[4:], 0)+1+8:]
		}
		command = command[:binary.LittleEndian.Uint32(command)]
		answer := f.say(command)
		if answer == hangUp {
			return
		}
		if answer != silent {
			c.Write(reply(head[4:8], old, answer))
		}
	}
}

func reply(to []byte, old bool, answer any) []byte {
	doc, _ := bson.Marshal(answer)
	front, kind := make([]byte, 5), uint32(2013)
	if old {
		front, kind = make([]byte, 20), 1
		front[16] = 1
	}
	m := make([]byte, 16, 16+len(front)+len(doc))
	binary.LittleEndian.PutUint32(m, uint32(cap(m)))
	copy(m[8:], to)
	binary.LittleEndian.PutUint32(m[12:], kind)
	return append(append(m, front...), doc...)
}

func ok(more ...bson.E) bson.D { return append(bson.D{{Key: "ok", Value: 1.0}}, more...) }

func found(docs ...any) bson.D {
	cursor := bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "db.team"}, {Key: "firstBatch", Value: append(bson.A{}, docs...)}}
	return ok(bson.E{Key: "cursor", Value: cursor})
}

func refusal(code int, name string) bson.D {
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: code}, {Key: "codeName", Value: name}, {Key: "errmsg", Value: "because\nof " + name}}
}

func writeError(code int) bson.D {
	e := bson.D{{Key: "index", Value: 0}, {Key: "code", Value: code}, {Key: "errmsg", Value: "no"}}
	return ok(bson.E{Key: "n", Value: 0}, bson.E{Key: "writeErrors", Value: bson.A{e}})
}

func (f *fake) say(command bson.Raw) any {
	first, _ := command.IndexErr(0)
	name := first.Key()
	f.mu.Lock()
	f.seen[name] = append(f.seen[name], command)
	f.mu.Unlock()
	switch name {
	case "hello", "isMaster", "ismaster":
		return append(ok(bson.E{Key: "isWritablePrimary", Value: true}, bson.E{Key: "ismaster", Value: true},
			bson.E{Key: "minWireVersion", Value: 0}, bson.E{Key: "maxWireVersion", Value: 21}, bson.E{Key: "maxBsonObjectSize", Value: 16 << 20},
			bson.E{Key: "maxMessageSizeBytes", Value: 48000000}, bson.E{Key: "maxWriteBatchSize", Value: 100000}, bson.E{Key: "helloOk", Value: true},
			bson.E{Key: "logicalSessionTimeoutMinutes", Value: 30}), f.hello...)
	case "endSessions":
		return ok()
	}
	if f.answer != nil {
		if a := f.answer(name, command); a != nil {
			return a
		}
	}
	if name == "find" && command.Lookup("find").StringValue() == "team.log" {
		return found(bson.D{{Key: "_id", Value: int64(0)}, {Key: "format", Value: tableFormat}})
	}
	if name == "find" {
		return found()
	}
	return ok(bson.E{Key: "n", Value: 1})
}

// fakeStore gives the Store over a fake that answers one command so.
func fakeStore(t *testing.T, o *Options) *store {
	t.Helper()
	return &store{d: connect(t, o), table: "team"}
}

// requests are those of a Store, and the command that each is.
var requests = map[string]func(context.Context, *store) error{
	"find": func(ctx context.Context, s *store) error { _, err := s.Commits(ctx, docdb.Records, 1, 2); return err },
	"insert": func(ctx context.Context, s *store) error {
		return s.Add(ctx, docdb.Records, docdb.Commit{N: 1, Data: []byte("x")})
	},
	"update": func(ctx context.Context, s *store) error {
		return s.bulk(ctx, "team", []driver.WriteModel{driver.NewReplaceOneModel().SetFilter(before("archive/a", 2)).SetReplacement(bson.D{})})
	},
	"delete": func(ctx context.Context, s *store) error { return s.MayDelete(ctx, docdb.Records) },
}

func TestErrorsAreOfTheKindThatTheirCodeSays(t *testing.T) {
	concern := ok(bson.E{Key: "n", Value: 1}, bson.E{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 13}, {Key: "errmsg", Value: "x"}}})
	open := []error{refs.ErrUnavailable}
	cases := []struct {
		name, command string
		answer        any
		want          []error // one of kinds
		text          string
	}{
		{"who may not read", "find", refusal(13, "Unauthorized"), []error{fs.ErrPermission}, `may not read collection "team.log" of mongodb://`},
		{"who may not create", "insert", refusal(13, "Unauthorized"), []error{fs.ErrPermission}, `may not insert into collection "team.log" of mongodb://`},
		{"who may not change", "update", refusal(13, "Unauthorized"), []error{fs.ErrPermission}, `may not update collection "team"`},
		{"who may not delete, at Atlas", "delete", refusal(8000, "AtlasError"), []error{fs.ErrPermission}, `may not delete from collection "team"`},
		{"one that is there", "insert", writeError(11000), []error{fs.ErrExist}, ""},
		{"one that is too large", "insert", writeError(10334), []error{fs.ErrInvalid}, ""},
		{"one that another's unique index forbids", "update", writeError(11000), []error{fs.ErrInvalid}, ""},
		{"another is primary", "update", refusal(10107, "NotWritablePrimary"), open, "did not update collection"},
		{"the server goes", "find", refusal(91, "ShutdownInProgress"), open, ""},
		{"time is up", "find", refusal(50, "MaxTimeMSExpired"), open, ""},
		{"written to too few", "delete", concern, open, ""},
		{"inserted at too few", "insert", concern, open, ""},
		{"no space", "insert", writeError(14031), []error{syscall.ENOSPC}, ""},
		{"one of which nothing is known", "find", refusal(9999, "Odd"), nil, "because of Odd"},
		{"the connection breaks", "delete", hangUp, open, "does not answer"},
	}
	kinds := []error{fs.ErrPermission, fs.ErrExist, fs.ErrInvalid, fs.ErrNotExist, refs.ErrConflict, refs.ErrUnavailable, syscall.ENOSPC}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			s := fakeStore(t, f.options())
			if err := s.check(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.answer = func(name string, _ bson.Raw) any {
				if name == c.command {
					return c.answer
				}
				return nil
			}
			err := requests[c.command](t.Context(), s)
			for _, kind := range kinds {
				if got, want := errors.Is(err, kind), len(c.want) > 0 && c.want[0] == kind; got != want {
					t.Errorf("%v: is %v: %v, want %v", err, kind, got, want)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want %q", err, c.text)
			}
		})
	}
}

func TestAWrongPasswordIsARefusalThatDoesNotShowIt(t *testing.T) {
	f := newFake(t)
	f.answer = func(name string, _ bson.Raw) any {
		if name == "saslStart" {
			return refusal(18, "AuthenticationFailed")
		}
		return nil
	}
	o := f.options()
	o.Username, o.Password = "ann@lab", "s3/cr:et"
	err := requests["find"](t.Context(), fakeStore(t, o))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), `does not accept user "ann@lab"`) || strings.Contains(err.Error(), "cr") {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatIsSilentIsUnavailableAfterTheTime(t *testing.T) {
	f := newFake(t)
	s := fakeStore(t, f.options())
	if err := s.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.answer = func(string, bson.Raw) any { return silent }
	s.d.o.Timeout = 50 * time.Millisecond
	for name, ask := range requests {
		if err := ask(t.Context(), s); !errors.Is(err, refs.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough"))
		if err := ask(ctx, s); err == nil || err.Error() != "enough" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARequestEndsWithItsContext(t *testing.T) {
	f := newFake(t)
	s := fakeStore(t, f.options())
	if err := s.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	f.answer = func(string, bson.Raw) any {
		cancel(errors.New("enough"))
		return silent
	}
	if err := requests["update"](ctx, s); err == nil || err.Error() != "enough" {
		t.Errorf("got %v", err)
	}
}

func TestATableOfALaterFormatIsNotRead(t *testing.T) {
	f := newFake(t)
	f.answer = func(name string, _ bson.Raw) any {
		return found(bson.D{{Key: "_id", Value: int64(0)}, {Key: "format", Value: tableFormat + 1}})
	}
	err := requests["find"](t.Context(), fakeStore(t, f.options()))
	if err == nil || !strings.Contains(err.Error(), "has format 2") {
		t.Errorf("got %v", err)
	}
}

func TestCommitsOfOthersAreDamage(t *testing.T) {
	header := bson.D{{Key: "_id", Value: int64(0)}, {Key: "format", Value: tableFormat}}
	for _, doc := range []bson.D{
		{{Key: "_id", Value: commitID(1)}},
		{{Key: "_id", Value: commitID(1)}, {Key: "n", Value: int64(2)}, {Key: "commit", Value: []byte("x")}},
		{{Key: "_id", Value: commitID(1)}, {Key: "n", Value: "1"}, {Key: "commit", Value: []byte("x")}},
		{{Key: "_id", Value: commitID(1)}, {Key: "n", Value: int64(1)}, {Key: "commit", Value: int64(1)}},
	} {
		f := newFake(t)
		f.answer = func(string, bson.Raw) any { return found(header, doc) }
		if err := requests["find"](t.Context(), fakeStore(t, f.options())); !errors.Is(err, refs.ErrCorrupt) {
			t.Errorf("%v: got %v", doc, err)
		}
	}
}

// last gives the last command of a name.
func (f *fake) last(t *testing.T, name string) bson.Raw {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.seen[name]) == 0 {
		t.Fatalf("no %s was sent", name)
	}
	return f.seen[name][len(f.seen[name])-1]
}

func TestAReplicaSetIsAskedForWhatTheMajorityHas(t *testing.T) {
	f := newFake(t)
	f.hello = bson.D{{Key: "setName", Value: "rs0"}, {Key: "hosts", Value: bson.A{f.l.Addr().String()}}, {Key: "me", Value: f.l.Addr().String()}}
	now := bson.Timestamp{T: 100, I: 1}
	f.answer = func(name string, _ bson.Raw) any {
		if name == "update" {
			return ok(bson.E{Key: "n", Value: 1}, bson.E{Key: "operationTime", Value: now})
		}
		return nil
	}
	s := fakeStore(t, f.options())
	for _, name := range []string{"find", "update", "find"} {
		if err := requests[name](t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	concern := f.last(t, "find").Lookup("readConcern").Document()
	if got := concern.Lookup("level").StringValue(); got != "majority" {
		t.Errorf("read concern is %v", concern)
	}
	if at, i := concern.Lookup("afterClusterTime").Timestamp(); at != now.T || i != now.I {
		t.Errorf("what is read may be older than what was written: %v", concern)
	}
	wantMajority(t, f)
}

func wantMajority(t *testing.T, f *fake) {
	t.Helper()
	concern := f.last(t, "update").Lookup("writeConcern").Document()
	if concern.Lookup("w").StringValue() != "majority" || !concern.Lookup("j").Boolean() {
		t.Errorf("write concern is %v", concern)
	}
}

func TestAServerAloneIsNotAskedForAMajorityOfReads(t *testing.T) {
	f := newFake(t)
	s := fakeStore(t, f.options())
	for _, name := range []string{"find", "update"} {
		if err := requests[name](t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if concern, err := f.last(t, "find").LookupErr("readConcern"); err == nil {
		t.Errorf("read concern is %v", concern)
	}
	wantMajority(t, f)
}
