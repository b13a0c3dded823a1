package migrate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/refs"
)

// seedTime is how the original wrote times, in UTC.
const seedTime = "20060102-150405"

// seedFields are those of a document that are not of its creator.
var seedFields = []string{"_id", "authority_name", "archive_path", "versioned", "version_history", "archive_metadata", "tags", "creation_date"}

// seedArchive is a document of the original, as far as it makes sense. Created
// may be zero.
type seedArchive struct {
	refs.Archive
	source   string // its name there
	path     string // of its file, or of the directory of its versions
	versions []seedVersion
	replaced int // contents of an unversioned archive that the original has replaced
}

// seedVersion is a version with all contents that were recorded for it: several
// where two people wrote at once, and of an unversioned archive all that it ever
// had. The last one whose checksum is that of the file counts.
type seedVersion struct {
	labels   []string // how the number was written; the file has one of these names
	version  refs.Version
	number   int
	contents []seedContent
}

// label names the version in messages.
func (v *seedVersion) label() string {
	if v.number > 0 {
		return ""
	}
	return v.labels[0]
}

type seedContent struct {
	algorithm, checksum string // in lower case
	updates             []refs.Update
}

// seedReader reads one document, and collects what is odd about it.
type seedReader struct {
	seedArchive
	odd []Item
}

// readSeedArchive reads a document. An archive without a name cannot be taken
// over; odd says why.
func readSeedArchive(doc map[string]any) (seedArchive, []Item) {
	r := &seedReader{}
	r.name(doc)
	if r.Name == "" {
		return r.seedArchive, r.odd
	}
	if path, ok := doc["archive_path"].(string); ok && path != "" {
		r.path = path
	}
	r.Authority, _ = doc["authority_name"].(string)
	r.Versioned = true
	if b, ok := doc["versioned"].(bool); ok {
		r.Versioned = b
	} else if doc["versioned"] != nil {
		r.changed("", "it is taken for versioned, as that field is no boolean")
	}
	r.Metadata = r.texts("", "metadata", doc["archive_metadata"])
	r.tags(doc["tags"])
	r.UserConfig = r.creator(doc)
	if when, ok := doc["creation_date"]; ok {
		r.Created, ok = readSeedTime(when)
		if !ok {
			r.changed("", fmt.Sprintf("its creation date %.40q cannot be read", fmt.Sprint(when)))
		}
	}
	r.history(doc["version_history"])
	if r.Created.IsZero() {
		r.Created = r.firstTime()
	}
	return r.seedArchive, r.odd
}

func (r *seedReader) name(doc map[string]any) {
	id, ok := doc["_id"].(string)
	r.source, r.path = id, id
	if !ok || id == "" {
		r.source = fmt.Sprint(doc["_id"])
		r.broken("", "its name is no text")
		return
	}
	_, name, err := refs.ParseName(id)
	if err == nil {
		err = refs.CheckNewName(name)
	}
	if err != nil {
		r.broken("", err.Error())
		return
	}
	if r.Name = name; name != id {
		r.changed("", fmt.Sprintf("it was called %.200q", id))
	}
}

func (r *seedReader) report(version string, status Status, why string) {
	name := r.Name
	if name == "" {
		name = r.source
	}
	r.odd = append(r.odd, Item{Archive: name, Version: version, Status: status, Why: why})
}

func (r *seedReader) changed(version, why string) { r.report(version, Changed, why) }
func (r *seedReader) broken(version, why string)  { r.report(version, Broken, why) }

// texts reads a dict of texts. A value of None is one that is not there.
func (r *seedReader) texts(version, what string, v any) map[string]string {
	if v == nil {
		return map[string]string{}
	}
	m, ok := seedMap(v)
	if !ok {
		r.changed(version, fmt.Sprintf("its %s is no dict, and left out", what))
	}
	out := map[string]string{}
	for _, k := range sortedKeys(m) {
		key, exact := seedText(k)
		text, same := seedText(m[k])
		if m[k] != nil {
			out[key] = text
		}
		if !exact || !same {
			r.changed(version, fmt.Sprintf("its %s %.40q was no text", what, key))
		}
	}
	return out
}

func (r *seedReader) tags(v any) {
	list, ok := seedList(v)
	if !ok && v != nil {
		r.changed("", "its tags are no list, and left out")
	}
	for _, t := range list {
		text, exact := seedText(t)
		if !exact {
			r.changed("", fmt.Sprintf("its tag %.40q was no text", text))
		}
		if names.HasControl(text) {
			r.changed("", fmt.Sprintf("its tag %.40q has control characters, and is left out", text))
			continue
		}
		r.Tags = append(r.Tags, text)
	}
}

// creator is the user config of who made the archive: all fields that have no
// other meaning.
func (r *seedReader) creator(doc map[string]any) map[string]string {
	m := map[string]any{}
	for k, v := range doc {
		if !slices.Contains(seedFields, k) {
			m[k] = v
		}
	}
	return r.texts("", "user config", m)
}

// firstTime is that of the first record, for an archive whose own is not known.
func (r *seedReader) firstTime() (first time.Time) {
	for _, v := range r.versions {
		for _, c := range v.contents {
			if t := c.updates[0].Time; first.IsZero() || !t.IsZero() && t.Before(first) {
				first = t
			}
		}
	}
	return first
}

// readSeedTime gives zero and false for what is no time.
func readSeedTime(v any) (time.Time, bool) {
	if t, ok := v.(time.Time); ok {
		return t.UTC(), true
	}
	text, _ := v.(string)
	for _, layout := range []string{seedTime, time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil && t.Year() > 0 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
