package refs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/datafs/datafs/index"
)

// Archive is what is known of an archive apart from its versions.
type Archive struct {
	Name       string            // normalised; the key
	Authority  string            // where its content belongs
	Versioned  bool              // false: contents are replaced in place
	Metadata   map[string]string // never nil when it comes from this package
	Tags       []string          // lower case, in order of addition, none twice
	UserConfig map[string]string // of the creator
	Created    time.Time         // UTC
}

// String is the form in which an archive is printed everywhere.
func (a Archive) String() string {
	return fmt.Sprintf("<DataArchive %s://%s>", a.Authority, a.Name)
}

// Dependencies map names of archives to the printed version, or to nil where
// none is pinned. Nothing is validated: neither need exist.
type Dependencies map[string]*string

// Update is one line of the history of a version.
type Update struct {
	Message      *string
	Dependencies Dependencies
	Resolved     map[string]string // the versions that dependencies without a number stood for then, where they were known
	UserConfig   map[string]string
	Time         time.Time // UTC
	Bump         string    // what was asked for: "", "patch", "minor", "major"
	Prerelease   string    // what was asked for: "", "alpha", "beta"
}

// VersionRecord is one version of an archive. All but Updates and Yanks stays as
// it was written; Place is filled in by the first push.
type VersionRecord struct {
	Archive   string
	Version   Version           // zero for an unversioned archive
	Number    int               // 1, 2, ... for an unversioned archive, 0 for a versioned one
	Tree      index.ID          // of the content
	Hash      index.ID          // BLAKE3 of the content
	Size      int64             // bytes
	Files     int64             // how many files
	Dir       bool              // a directory tree, not a single file
	Checksums map[string]string // further checksums in hex, by algorithm: "md5", "sha256"
	Place     string            // where at the authority the tree begins, as package remote writes it; "": never pushed
	Updates   []Update          // first the write, then each change of the dependencies
	Yanks     []Yank            // in order of time; the last one counts
}

// Yank marks a version that turned out wrong, or takes that back.
type Yank struct {
	Reason     string
	Undo       bool // the version is good after all
	UserConfig map[string]string
	Time       time.Time // UTC
}

// Yanked is the mark on a version that turned out wrong, nil where there is none.
func (v VersionRecord) Yanked() *Yank {
	if n := len(v.Yanks); n > 0 && !v.Yanks[n-1].Undo {
		return &v.Yanks[n-1]
	}
	return nil
}

// Last is the update that counts for message, dependencies and time.
func (v VersionRecord) Last() Update {
	if len(v.Updates) == 0 {
		return Update{}
	}
	return v.Updates[len(v.Updates)-1]
}

// Label is the printed version, or the number of an unversioned archive.
func (v VersionRecord) Label() string {
	if v.Number > 0 {
		return fmt.Sprint(v.Number)
	}
	return v.Version.String()
}

// HistoryEntry is one record of an archive's history: an update of a version.
type HistoryEntry struct {
	VersionRecord // whose Updates are left out
	Update
}

// The records as JSON. Fields stand in byte order of their names and maps are
// sorted, so equal records are equal bytes. Format is 1; a record of a higher
// format is refused, unknown fields of the same format are left out.
const recordFormat = 1

type archiveJSON struct {
	Authority  string            `json:"authority"`
	Created    time.Time         `json:"created"`
	Deleting   bool              `json:"deleting,omitempty"`
	Format     int               `json:"format"`
	Metadata   map[string]string `json:"metadata"`
	Name       string            `json:"name"`
	Tags       []string          `json:"tags"`
	UserConfig map[string]string `json:"user_config"`
	Versioned  bool              `json:"versioned"`
}

type updateJSON struct {
	Bump         string            `json:"bump"`
	Dependencies Dependencies      `json:"dependencies"`
	Message      *string           `json:"message"`
	Prerelease   string            `json:"prerelease"`
	Resolved     map[string]string `json:"resolved,omitempty"`
	Time         time.Time         `json:"time"`
	UserConfig   map[string]string `json:"user_config"`
}

type yankJSON struct {
	Reason     string            `json:"reason"`
	Time       time.Time         `json:"time"`
	Undo       bool              `json:"undo"`
	UserConfig map[string]string `json:"user_config"`
}

type versionJSON struct {
	Archive   string            `json:"archive"`
	Checksums map[string]string `json:"checksums"`
	Dir       bool              `json:"dir"`
	Files     int64             `json:"files"`
	Format    int               `json:"format"`
	Hash      index.ID          `json:"hash"`
	Number    int               `json:"number"`
	Place     string            `json:"place,omitempty"`
	Size      int64             `json:"size"`
	Tree      index.ID          `json:"tree"`
	Updates   []updateJSON      `json:"updates"`
	Version   Version           `json:"version"`
	Yanks     []yankJSON        `json:"yanks,omitempty"`
}

// EncodeArchive returns the value of an archive's record.
func EncodeArchive(a Archive) ([]byte, error) { return encodeArchive(a, false) }

func encodeArchive(a Archive, deleting bool) ([]byte, error) {
	return encodeJSON(archiveJSON{
		Authority: a.Authority, Created: a.Created.UTC(), Deleting: deleting, Format: recordFormat,
		Metadata: filled(a.Metadata), Name: a.Name, Tags: append([]string{}, a.Tags...),
		UserConfig: filled(a.UserConfig), Versioned: a.Versioned,
	})
}

// DecodeArchive reads an archive's record; deleting means that the archive is on its
// way out and counts as gone. Errors wrap ErrCorrupt, except for what a newer program
// has written.
func DecodeArchive(r Record) (a Archive, deleting bool, err error) {
	var j archiveJSON
	if err := decodeJSON(r, &j, &j.Format); err != nil {
		return Archive{}, false, err
	}
	if ArchiveKey(j.Name) != r.Key {
		return Archive{}, false, fmt.Errorf("record %q names archive %q: %w", r.Key, j.Name, ErrCorrupt)
	}
	return Archive{
		Name: j.Name, Authority: j.Authority, Versioned: j.Versioned, Metadata: filled(j.Metadata),
		Tags: j.Tags, UserConfig: filled(j.UserConfig), Created: j.Created,
	}, j.Deleting, nil
}

// EncodeVersion returns the value of a version's record.
func EncodeVersion(v VersionRecord) ([]byte, error) {
	updates := make([]updateJSON, len(v.Updates))
	for i, u := range v.Updates {
		updates[i] = updateJSON{u.Bump, filled(u.Dependencies), u.Message, u.Prerelease, u.Resolved, u.Time.UTC(), filled(u.UserConfig)}
	}
	var yanks []yankJSON
	for _, y := range v.Yanks {
		yanks = append(yanks, yankJSON{y.Reason, y.Time.UTC(), y.Undo, filled(y.UserConfig)})
	}
	return encodeJSON(versionJSON{
		Archive: v.Archive, Checksums: filled(v.Checksums), Dir: v.Dir, Files: v.Files, Format: recordFormat,
		Hash: v.Hash, Number: v.Number, Place: v.Place, Size: v.Size, Tree: v.Tree, Updates: updates, Version: v.Version, Yanks: yanks,
	})
}

// DecodeVersion reads a version's record. Errors are those of DecodeArchive.
func DecodeVersion(r Record) (VersionRecord, error) {
	var j versionJSON
	if err := decodeJSON(r, &j, &j.Format); err != nil {
		return VersionRecord{}, err
	}
	v := VersionRecord{
		Archive: j.Archive, Version: j.Version, Number: j.Number, Tree: j.Tree, Hash: j.Hash, Size: j.Size,
		Files: j.Files, Dir: j.Dir, Checksums: filled(j.Checksums), Place: j.Place, Updates: make([]Update, len(j.Updates)),
	}
	for i, u := range j.Updates {
		v.Updates[i] = Update{u.Message, filled(u.Dependencies), u.Resolved, filled(u.UserConfig), u.Time, u.Bump, u.Prerelease}
	}
	for _, y := range j.Yanks {
		v.Yanks = append(v.Yanks, Yank{y.Reason, y.Undo, filled(y.UserConfig), y.Time})
	}
	if v.Key() != r.Key {
		return VersionRecord{}, fmt.Errorf("record %q names version %q: %w", r.Key, v.Key(), ErrCorrupt)
	}
	return v, nil
}

func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding a record: %w", err)
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(out) > MaxValue {
		return nil, invalid("record too large: %d bytes, at most %d", len(out), MaxValue)
	}
	return out, nil
}

// decodeJSON decodes r into v, whose format field is at format.
func decodeJSON(r Record, v any, format *int) error {
	if err := json.Unmarshal(r.Value, v); err != nil {
		return fmt.Errorf("record %q: %w: %w", r.Key, ErrCorrupt, err)
	}
	if *format != recordFormat {
		return fmt.Errorf("record %q has format %d, this program knows %d: use a newer one", r.Key, *format, recordFormat)
	}
	return nil
}

// filled gives a copy that is never nil.
func filled[M ~map[string]V, V any](m M) M {
	if m == nil {
		return M{}
	}
	return maps.Clone(m)
}

// cleanTags lowers tags and drops the ones that were there before.
func cleanTags(tags []string) []string {
	clean := make([]string, 0, len(tags))
	for _, tag := range tags {
		if tag = strings.ToLower(tag); tag != "" && !slices.Contains(clean, tag) {
			clean = append(clean, tag)
		}
	}
	return clean
}

// checkText refuses what JSON cannot keep byte for byte.
func checkText(what string, texts ...string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return invalid(`%s is not valid UTF-8: "%s"`, what, Printable(s))
		}
	}
	return nil
}

func checkMap(what string, m map[string]string) error {
	for k, v := range m {
		if err := checkText(what, k, v); err != nil {
			return err
		}
	}
	return nil
}
