package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

func at(srv *servers.S3Server, bucket string) *Options {
	return &Options{Bucket: bucket, Endpoint: srv.Endpoint, AccessKey: srv.AccessKey, SecretKey: srv.SecretKey}
}

func TestServerSuite(t *testing.T) {
	srv := servers.S3(t)
	for name, prefix := range map[string]string{"a bucket": "", "a prefix": "deep/Pre fix+ü%2f"} {
		t.Run(name, func(t *testing.T) {
			remotetest.Run(t, func(t *testing.T) remote.Authority {
				o := at(srv, srv.NewBucket(t))
				o.Prefix = prefix
				a, err := Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				return a
			})
		})
	}
}

func TestServerListsMoreThanAPage(t *testing.T) {
	srv := servers.S3(t)
	bucket := srv.NewBucket(t)
	const n = 2345
	for i := range n { // as objects of others would come to be there
		path := srv.File(bucket, "p/many/"+strings.Repeat("0", i%7)+string(rune('a'+i%26))+"/"+time.Duration(i).String())
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, foreign := range []string{"p/Big Name", "pp/x", "p/.tmp/x", "p/od\x01d"} {
		os.MkdirAll(filepath.Dir(srv.File(bucket, foreign)), 0o755)
		os.WriteFile(srv.File(bucket, foreign), nil, 0o644)
	}
	o := at(srv, bucket)
	o.Prefix = "p"
	a, seen := open(t, o), map[string]bool{}
	for info, err := range a.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if seen[info.Name] || info.Size != 1 || !strings.HasPrefix(info.Name, "many/") {
			t.Fatalf("got %+v, which is another's or comes twice", info)
		}
		seen[info.Name] = true
	}
	if len(seen) == 0 || len(seen) > n {
		t.Errorf("got %d names", len(seen))
	}
	var want int
	filepath.WalkDir(srv.File(bucket, "p/many"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && remote.CheckName(d.Name()) == nil {
			want++
		}
		return err
	})
	if len(seen) != want {
		t.Errorf("got %d names, want %d", len(seen), want)
	}
}

func TestServerRefusesCredentials(t *testing.T) {
	srv := servers.S3(t)
	awsFiles(t, "", "[wrong]\naws_access_key_id = "+srv.AccessKey+"\naws_secret_access_key = s3cr3t\n[unknown]\naws_access_key_id = NOBODY\naws_secret_access_key = s3cr3t\n")
	bucket := srv.NewBucket(t)
	for profile, want := range map[string]string{
		"wrong":   `the secret key of profile "wrong" is not the one of its access key`,
		"unknown": `the server does not know the access key of profile "unknown"`,
	} {
		for call, err := range calls(t.Context(), open(t, &Options{Bucket: bucket, Endpoint: srv.Endpoint, Profile: profile})) {
			checkError(t, call, err, fs.ErrPermission, want)
		}
	}
}

func TestServerWithoutTheBucket(t *testing.T) {
	srv := servers.S3(t)
	for call, err := range calls(t.Context(), open(t, at(srv, "none"))) {
		checkError(t, call, err, remote.ErrNoStorage, `bucket "none" is not there at `+srv.Endpoint)
	}
}

func TestServerThatGoesAndComesBack(t *testing.T) {
	srv := servers.S3(t)
	bucket := srv.NewBucket(t)
	a := open(t, at(srv, bucket))
	if err := a.Put(t.Context(), "packs/x", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	_, err := a.Get(t.Context(), "packs/x", 0, -1)
	checkError(t, "get", err, remote.ErrUnavailable, "connection refused")
	srv.Restart(t)
	if got := read(t, a, "packs/x"); string(got) != "content" {
		t.Errorf("got %q", got)
	}
	if err := os.Remove(srv.File(bucket, "packs/x")); err != nil {
		t.Fatal(err)
	}
	_, err = a.Get(t.Context(), "packs/x", 0, -1)
	checkError(t, "get", err, fs.ErrNotExist, "get packs/x")
}

func read(t *testing.T, a *authority, name string) []byte {
	t.Helper()
	r, err := a.Get(t.Context(), name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestServerTakesParts(t *testing.T) {
	srv := servers.S3(t)
	bucket := srv.NewBucket(t)
	want := make([]byte, 17<<20+5)
	rand.NewChaCha8([32]byte{}).Read(want)
	for name, checksums := range map[string]bool{"plain": false, "checksums": true} {
		a := open(t, at(srv, bucket))
		a.maxSingle, a.minPart = 5<<20, 5<<20
		if checksums { // as for AWS
			c, err := a.connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			o := c.Options()
			o.RequestChecksumCalculation, o.ResponseChecksumValidation = aws.RequestChecksumCalculationWhenSupported, aws.ResponseChecksumValidationWhenSupported
			c.Client = s3.New(o)
		}
		for kind, r := range map[string]io.ReadSeeker{"at": bytes.NewReader(want), "one-after-another": plain{bytes.NewReader(want)}} {
			key := "packs/" + name + "-" + kind
			r.Seek(5, io.SeekStart)
			if err := a.Put(t.Context(), key, r); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if got := read(t, a, key); !bytes.Equal(got, want[5:]) {
				t.Errorf("%s: got %d bytes that differ from the %d put", key, len(got), len(want)-5)
			}
		}
		if err := a.PutNew(t.Context(), "catalog/"+name, strings.NewReader("x")); err != nil {
			t.Errorf("PutNew: %v", err)
		}
	}
}

// TestServerSpeed shows how fast 64 MiB go to a server and back, and what memory
// that takes.
func TestServerSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 64 MiB several times")
	}
	srv := servers.S3(t)
	a := open(t, at(srv, srv.NewBucket(t)))
	const size = 64 << 20
	f, err := os.Create(filepath.Join(t.TempDir(), "pack"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{}), size); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	measured(t, "put", size, func(ctx context.Context) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return a.Put(ctx, "packs/x", f)
	})
	measured(t, "get", size, func(ctx context.Context) error {
		r, err := a.Get(ctx, "packs/x", 0, -1)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		return errors.Join(err, r.Close())
	})
	runtime.ReadMemStats(&after)
	t.Logf("allocated in all: %d KiB", (after.TotalAlloc-before.TotalAlloc)>>10)
	if got := after.TotalAlloc - before.TotalAlloc; got > size/2 {
		t.Errorf("got %d bytes allocated for moving %d six times", got, size)
	}
}

func measured(t *testing.T, what string, size int64, f func(context.Context) error) {
	t.Helper()
	for range 3 {
		start := time.Now()
		if err := f(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.0f MB/s", what, float64(size)/1e6/time.Since(start).Seconds())
	}
}
