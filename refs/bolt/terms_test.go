package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// forgetTerms makes of a repository one that an older program has changed last.
func forgetTerms(t *testing.T, b *Manager) {
	t.Helper()
	must(t, b.db.Update(t.Context(), func(tx *index.Tx) error {
		m, err := loadMark(tx)
		m.Terms = 0
		return errors.Join(err, m.store(tx))
	}))
}

func hasAllTerms(t *testing.T, b *Manager) (complete bool) {
	t.Helper()
	must(t, b.View(t.Context(), func(tx *index.Tx) (err error) {
		complete, err = allTermsOf(tx, b.table)
		return err
	}))
	return complete
}

func listed(t *testing.T, list iter.Seq2[string, error]) (names []string) {
	t.Helper()
	for name, err := range list {
		must(t, err)
		names = append(names, name)
	}
	return names
}

// compareTerms compares what the lists of terms say with what the records say.
func compareTerms(t *testing.T, b *Manager, tags, names []string) {
	t.Helper()
	d := refs.New(b, nil)
	for i, tag := range tags {
		for _, want := range [][]string{{tag}, {tag, tags[(i+1)%len(tags)]}, {tags[(i+2)%len(tags)], tag, tags[(i+1)%len(tags)]}} {
			for _, prefix := range []string{"", "a", "a/x"} {
				var scanned []string
				for a, err := range d.Archives(t.Context(), prefix) {
					if must(t, err); !slices.ContainsFunc(want, func(tag string) bool { return !slices.Contains(a.Tags, tag) }) {
						scanned = append(scanned, a.Name)
					}
				}
				if got := listed(t, d.Search(t.Context(), prefix, want)); !slices.Equal(got, scanned) {
					t.Fatalf("archives below %q with %q: got %q, want %q", prefix, want, got, scanned)
				}
			}
		}
	}
	for _, name := range names {
		var scanned []string
		for a, err := range d.Archives(t.Context(), "") {
			if must(t, err); refs.SimilarName(a.Name, name) {
				scanned = append(scanned, a.Name)
			}
		}
		got, err := d.Similar(t.Context(), name)
		if must(t, err); !slices.Equal(slices.Sorted(slices.Values(got[name])), scanned) {
			t.Fatalf("archives similar to %q: got %q, want %q", name, got[name], scanned)
		}
	}
}

// TestTermsFollowEveryChange makes changes at random, some as an older program,
// and as a pull would make them.
func TestTermsFollowEveryChange(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 28))
	tags := []string{"foo", "bar", "foobar", "größe", "f\u00ad"}
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("a/x%d", i), fmt.Sprintf("A/X%d", i), fmt.Sprintf("b/ä%d", i), fmt.Sprintf("b/a\u0308%d", i))
	}
	b := openAt(t, t.TempDir())
	b.termsStep = 7
	d := refs.New(b, nil)
	complete := 0
	for step := range 600 {
		name, tag := names[r.IntN(len(names))], tags[r.IntN(len(tags))]
		var err error
		switch r.IntN(9) {
		case 0, 1, 2:
			_, err = d.Create(t.Context(), refs.Archive{Name: name, Tags: []string{tag, strings.ToUpper(tags[r.IntN(len(tags))])}}, nil)
		case 3:
			err = d.AddTags(t.Context(), name, tag)
		case 4:
			err = d.DeleteTags(t.Context(), name, tag)
		case 5:
			err = d.Delete(t.Context(), name)
		case 6: // a record of somebody else's
			err = put(b, refs.ArchiveKey(name), fmt.Sprintf(`{"format":1,"name":%q,"tags":["Foo",%q,%q]}`, name, "bar", "bar"))
		case 7:
			if r.IntN(5) == 0 {
				forgetTerms(t, b)
			}
		case 8:
			if r.IntN(10) == 0 {
				must(t, b.Rebuild(t.Context()))
			}
		}
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if step%20 == 0 {
			compareTerms(t, b, tags, names[step/20:step/20+4])
			must(t, b.Check(t.Context()))
		}
		if hasAllTerms(t, b) {
			complete++
		}
	}
	if complete < 100 || complete == 600 {
		t.Errorf("the lists were complete after %d changes of 600", complete)
	}
}

func TestAnOlderRepositoryGetsItsTermsBitByBit(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	b.termsStep = 10
	d := refs.New(b, nil)
	for i := range 35 {
		_, err := d.Create(t.Context(), refs.Archive{Name: fmt.Sprintf("a/%02d", i), Tags: []string{"all", fmt.Sprint(i % 3)}}, nil)
		must(t, err)
	}
	if !hasAllTerms(t, b) {
		t.Fatal("a new repository has no lists of terms")
	}
	forgetTerms(t, b)
	for i := range 4 {
		if hasAllTerms(t, b) {
			t.Errorf("the lists are complete after %d changes", i)
		}
		must(t, b.Check(t.Context()), put(b, "spec/x", "{}"), d.AddTags(t.Context(), fmt.Sprintf("a/%02d", i*11), "new"))
		compareTerms(t, b, []string{"all", "0", "1", "2", "new"}, nil)
	}
	if !hasAllTerms(t, b) {
		t.Error("the lists are not complete after all")
	}
	must(t, b.Check(t.Context()))
}

func TestCheckFindsAWrongListOfTerms(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	d := refs.New(b, nil)
	for _, name := range []string{"a", "B"} {
		_, err := d.Create(t.Context(), refs.Archive{Name: name, Tags: []string{"foo"}}, nil)
		must(t, err)
	}
	foo, bar, similar := tagTerm("foo"), tagTerm("bar"), similarTerm("b")
	bucket := termsPrefix + b.table
	for what, break_ := range map[string]func(*index.Tx) error{
		"an archive too many": func(tx *index.Tx) error { return tx.Put(bucket, string(bar[:])+"a", nil) },
		"an archive too few":  func(tx *index.Tx) error { return tx.Delete(bucket, string(foo[:])+"a") },
		"one instead of others": func(tx *index.Tx) error {
			return errors.Join(tx.Delete(bucket, string(foo[:])+"a"), tx.Put(bucket, string(foo[:])+"c", nil))
		},
		"a similar name that is missing": func(tx *index.Tx) error { return tx.Delete(bucket, string(similar[:])+"B") },
		"a beginning only":               func(tx *index.Tx) error { return tx.Put(metaBucket, termsUpTo+b.table, []byte("A")) },
	} {
		t.Run(what, func(t *testing.T) {
			must(t, b.Check(t.Context()), b.db.Update(t.Context(), break_))
			if err := b.Check(t.Context()); !errors.Is(err, index.ErrCorrupt) || !strings.Contains(err.Error(), "lists of tags") {
				t.Errorf("check: %v", err)
			}
			must(t, b.Rebuild(t.Context()), b.Check(t.Context()))
		})
	}
}

func TestATagMayBeLongerThanAKey(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	d := refs.New(b, nil)
	long := strings.Repeat("long", index.MaxKey)
	// An older program took tags with control characters.
	must(t, put(b, refs.ArchiveKey("a"), fmt.Sprintf(`{"format":1,"name":"a","tags":[%q,"two\nlines"]}`, long)), b.Check(t.Context()))
	for _, tag := range []string{long, "two\nlines"} {
		if got := listed(t, d.Search(t.Context(), "", []string{tag})); !slices.Equal(got, []string{"a"}) {
			t.Errorf("archives with %.9q: got %q", tag, got)
		}
	}
}

// TestASearchGoesOnBehindItsPage, and may be left and cancelled.
func TestASearchGoesOnBehindItsPage(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	d := refs.New(b, nil)
	var want []string
	must(t, b.Atomic(t.Context(), func(m refs.Manager) error {
		for i := range 50 {
			a := refs.Archive{Name: fmt.Sprintf("n%02d", i), Tags: []string{"all", fmt.Sprint("of", i%2)}}
			value, err := refs.EncodeArchive(a)
			must(t, err)
			if _, err := m.Put(t.Context(), refs.ArchiveKey(a.Name), value, refs.Absent); err != nil {
				return err
			}
			if i%2 == 1 {
				want = append(want, a.Name)
			}
		}
		return nil
	}))
	terms := []term{tagTerm("all"), tagTerm("of1")}
	var got []string
	must(t, b.View(t.Context(), func(tx *index.Tx) error {
		after := ""
		for more := true; more; {
			var page []string
			var err error
			if page, more, err = withTerms(tx, b.table, "n", after, terms, 4); err != nil {
				return err
			}
			if got = append(got, page...); len(page) > 0 {
				after = page[len(page)-1]
			}
		}
		return nil
	}))
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for range d.Search(t.Context(), "", []string{"all"}) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range d.Search(ctx, "", []string{"all"}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

func TestADeletedTableLeavesNoTermsBehind(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	d := refs.New(b, nil)
	_, err := d.Create(t.Context(), refs.Archive{Name: "A", Tags: []string{"foo"}}, nil)
	must(t, err, b.DeleteTable(t.Context(), b.table), b.Check(t.Context()))
	_, err = d.Create(t.Context(), refs.Archive{Name: "b", Tags: []string{"bar"}}, nil)
	must(t, err, b.Check(t.Context()))
	if got := listed(t, d.Search(t.Context(), "", []string{"foo"})); len(got) != 0 {
		t.Errorf("archives with a tag of a table that was deleted: got %q", got)
	}
	compareTerms(t, b, []string{"foo", "bar"}, []string{"a", "b"})
}
