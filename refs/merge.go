package refs

import (
	"bytes"
	"maps"
	"slices"
)

// KeyConflict is a metadata key that two sides have changed differently. A nil
// value is an absent key.
type KeyConflict struct {
	Key                string
	Mine, Theirs, Base *string
}

// MergeArchives merges two records of one archive against what they had in
// common, nil for nothing: metadata key by key, tags as sets. A key that both
// changed differently keeps mine, and is given as a conflict, by key. All else
// is theirs, but for an authority that only mine has changed.
func MergeArchives(base *Archive, mine, theirs Archive) (merged Archive, conflicts []KeyConflict) {
	merged = theirs
	if base != nil && theirs.Authority == base.Authority {
		merged.Authority = mine.Authority
	}
	var baseMeta map[string]string
	var baseTags []string
	if base != nil {
		baseMeta, baseTags = base.Metadata, base.Tags
	}
	merged.Metadata, conflicts = mergeMetadata(baseMeta, mine.Metadata, theirs.Metadata)
	merged.Tags = MergeTags(baseTags, mine.Tags, theirs.Tags)
	return merged, conflicts
}

func mergeMetadata(base, mine, theirs map[string]string) (map[string]string, []KeyConflict) {
	merged := map[string]string{}
	var conflicts []KeyConflict
	keys := map[string]bool{}
	for _, m := range []map[string]string{base, mine, theirs} {
		for k := range m {
			keys[k] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		b, m, t := MetadataValue(base, k), MetadataValue(mine, k), MetadataValue(theirs, k)
		value, clash := mergeValue(b, m, t)
		if clash {
			conflicts = append(conflicts, KeyConflict{k, m, t, b})
		}
		if value != nil {
			merged[k] = *value
		}
	}
	return merged, conflicts
}

// mergeValue merges one value; nil is an absent one.
func mergeValue(base, mine, theirs *string) (merged *string, clash bool) {
	switch {
	case SameValue(mine, theirs), SameValue(theirs, base):
		return mine, false
	case SameValue(mine, base):
		return theirs, false
	}
	return mine, true
}

// MetadataValue gives the value of a metadata key, nil if there is none.
func MetadataValue(m map[string]string, k string) *string {
	if v, ok := m[k]; ok {
		return &v
	}
	return nil
}

// SameValue says whether two values are the same, or are both absent (nil).
func SameValue(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// MergeTags merges tags as sets: what either side added is in, what either side
// removed of base is out. Theirs come first, in their order.
func MergeTags(base, mine, theirs []string) []string {
	merged := []string{}
	for _, tag := range append(slices.Clone(theirs), mine...) {
		removed := slices.Contains(base, tag) && !(slices.Contains(mine, tag) && slices.Contains(theirs, tag))
		if !removed {
			merged = appendNew(merged, tag)
		}
	}
	return merged
}

// SameVersion says whether two records are of one version, which was written
// once: they may differ in what is added later, that is in the place at the
// authority, in further updates and in yanks.
func SameVersion(v, w VersionRecord) bool {
	a, err := EncodeVersion(v.asWritten())
	b, errB := EncodeVersion(w.asWritten())
	return err == nil && errB == nil && bytes.Equal(a, b)
}

func (v VersionRecord) asWritten() VersionRecord {
	v.Place, v.Updates, v.Yanks = "", v.Updates[:min(len(v.Updates), 1)], nil
	return v
}

// MergeVersions merges two records of one version (SameVersion): all updates and
// all yanks of both, in order of time, and their place, if it has one.
func MergeVersions(mine, theirs VersionRecord) VersionRecord {
	merged := theirs
	if merged.Place == "" {
		merged.Place = mine.Place
	}
	merged.Yanks = mergeYanks(mine.Yanks, theirs.Yanks)
	merged.Updates = slices.Clone(theirs.Updates)
	for i, u := range mine.Updates {
		if !slices.ContainsFunc(theirs.Updates, u.equal) && i > 0 {
			merged.Updates = append(merged.Updates, u)
		}
	}
	if len(merged.Updates) > 1 { // the first is the write, whatever the clocks said
		slices.SortStableFunc(merged.Updates[1:], func(a, b Update) int { return a.Time.Compare(b.Time) })
	}
	return merged
}

func (u Update) equal(w Update) bool {
	return u.Time.Equal(w.Time) && u.Bump == w.Bump && u.Prerelease == w.Prerelease && SameValue(u.Message, w.Message) &&
		maps.Equal(u.UserConfig, w.UserConfig) && maps.EqualFunc(u.Dependencies, w.Dependencies, SameValue) && maps.Equal(u.Resolved, w.Resolved)
}
