package zip

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzZipDirectory opens any bytes as an authority in a zip file: what it lists can
// be asked for, and gives no more bytes than were asked for.
func FuzzZipDirectory(f *testing.F) {
	path := filepath.Join(f.TempDir(), "data.zip")
	foreignZip(&testing.T{}, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[len(whole)/2:])
	f.Add([]byte("PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Open(&Options{Path: path})
		if err != nil {
			return
		}
		defer a.Close()
		var names []string
		for info, err := range a.List(t.Context(), "") {
			if err != nil || info.Size < 0 || len(names) == 100 {
				break
			}
			names = append(names, info.Name)
		}
		for _, name := range append(names, "packs/deflated") {
			if r, err := a.Get(t.Context(), name, 3, 1000); err == nil {
				if n, _ := io.Copy(io.Discard, r); n > 1000 {
					t.Errorf("%q: got %d bytes, asked for 1000", name, n)
				}
				r.Close()
			}
		}
	})
}
