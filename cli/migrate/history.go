package migrate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/refs"
)

// history reads the records of an archive. One that has a version, contents and
// all of an earlier one is a change of the dependencies.
func (r *seedReader) history(v any) {
	list, ok := seedList(v)
	if !ok && v != nil {
		r.broken("", "its history is no list")
	}
	for i, x := range list {
		rec, ok := seedMap(x)
		if !ok {
			r.broken("", fmt.Sprintf("record %d of its history is none", i+1))
			continue
		}
		r.record(rec)
	}
	slices.SortStableFunc(r.versions, func(v, w seedVersion) int { return v.version.Compare(w.version) })
	r.bumps()
	if !r.Versioned && len(r.versions) > 0 {
		v := &r.versions[0]
		v.number = len(v.contents)
		r.replaced = v.number - 1
	}
}

func (r *seedReader) record(rec map[string]any) {
	label, version, err := r.recordVersion(rec["version"])
	if err != nil {
		r.broken(label, err.Error())
		return
	}
	c := seedContent{algorithm: "md5"}
	if text, ok := rec["algorithm"].(string); ok && text != "" {
		c.algorithm = strings.ToLower(text)
	}
	text, _ := rec["checksum"].(string)
	if c.checksum = strings.ToLower(text); c.checksum == "" {
		r.broken(label, "there is no checksum in its record")
		return
	}
	c.updates = []refs.Update{r.update(label, rec)}
	at := slices.IndexFunc(r.versions, func(v seedVersion) bool { return v.version == version })
	if at < 0 {
		r.versions = append(r.versions, seedVersion{labels: []string{label}, version: version, contents: []seedContent{c}})
		return
	}
	v := &r.versions[at]
	if !slices.Contains(v.labels, label) {
		v.labels = append(v.labels, label)
	}
	v.record(c, r.Versioned)
}

// record adds what was recorded of a version that has records already.
func (v *seedVersion) record(c seedContent, versioned bool) {
	same := func(d seedContent) bool { return d.algorithm == c.algorithm && d.checksum == c.checksum }
	at := slices.IndexFunc(v.contents, same)
	if last := len(v.contents) - 1; !versioned && at >= 0 {
		at = last // contents that come back are written anew
		if !same(v.contents[last]) {
			at = -1
		}
	}
	if at < 0 {
		v.contents = append(v.contents, c)
		return
	}
	v.contents[at].updates = append(v.contents[at].updates, c.updates...)
}

// recordVersion reads the version of a record; that of an unversioned archive is
// None, and zero here.
func (r *seedReader) recordVersion(v any) (label string, version refs.Version, err error) {
	label, _ = seedText(v)
	if !r.Versioned {
		return "", refs.Version{}, nil
	}
	if version, err = refs.ParseVersion(label); err == nil && version.IsZero() {
		err = fmt.Errorf("no version can have this number")
	}
	return label, version, err
}

func (r *seedReader) update(label string, rec map[string]any) refs.Update {
	u := refs.Update{UserConfig: r.texts(label, "user config", rec["user_config"]), Dependencies: r.dependencies(label, rec["dependencies"])}
	if m := rec["message"]; m != nil {
		text, exact := seedText(m)
		if u.Message = &text; !exact {
			r.changed(label, "its message was no text")
		}
	}
	var ok bool
	if u.Time, ok = readSeedTime(rec["updated"]); !ok {
		r.changed(label, fmt.Sprintf("its time %.40q cannot be read", fmt.Sprint(rec["updated"])))
		u.Time = r.lastTime()
	}
	return u
}

// lastTime is that of the record before, or of the archive.
func (r *seedReader) lastTime() time.Time {
	last := r.Created
	for _, v := range r.versions {
		for _, c := range v.contents {
			if t := c.updates[len(c.updates)-1].Time; t.After(last) {
				last = t
			}
		}
	}
	return last
}

func (r *seedReader) dependencies(label string, v any) datafs.Dependencies {
	m, ok := seedMap(v)
	if !ok && v != nil {
		r.changed(label, "its dependencies are no dict, and left out")
	}
	deps := datafs.Dependencies{}
	for _, name := range sortedKeys(m) {
		key, exact := seedText(name)
		if _, normal, err := refs.ParseName(key); err == nil {
			key = normal
		}
		deps[key] = nil
		if m[name] != nil {
			text, same := seedText(m[name])
			if v, err := refs.ParseVersion(text); err == nil {
				text = v.String()
			}
			deps[key], exact = &text, exact && same
		}
		if !exact {
			r.changed(label, fmt.Sprintf("its dependency %.200q was no text", key))
		}
	}
	return deps
}

// bumps finds out which bump each version was: the original did not record it,
// and a version that must be renumbered is bumped in the same way.
func (r *seedReader) bumps() {
	var before refs.Version
	for _, v := range r.versions {
		bump, pre := bumpBetween(before, v.version)
		for _, c := range v.contents {
			for i := range c.updates {
				c.updates[i].Bump, c.updates[i].Prerelease = bump, pre
			}
		}
		before = v.version
	}
}

func bumpBetween(from, to refs.Version) (bump, prerelease string) {
	for _, pre := range []string{"", "alpha", "beta"} {
		for _, kind := range []string{"", "patch", "minor", "major"} {
			if kind == "" && pre == "" {
				continue
			}
			if v, err := from.Bump(kind, pre); err == nil && v == to {
				return kind, pre
			}
		}
	}
	return "patch", ""
}
