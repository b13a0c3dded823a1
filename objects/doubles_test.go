package objects

import (
	"slices"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
)

// twice makes a store whose chunks of one content lie in two packs: the index
// was lost between two writers.
func twice(t *testing.T, s *Store) (first, second Result) {
	t.Helper()
	a := samples.Random(1, 1<<20)
	first = takeBytes(t, s, a)
	if err := s.index.DropSpace(t.Context(), localSpace); err != nil {
		t.Fatal(err)
	}
	return first, takeBytes(t, s, slices.Concat(a, samples.Random(2, 1<<20)))
}

func gcWith(t *testing.T, s *Store, trees ...ID) GCReport {
	t.Helper()
	rep, err := gcNow(s, t.Context(), false, func(m *Marks) error {
		for _, id := range trees {
			if err := m.Mark(t.Context(), s, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestGCKeepsAChunkThatLiesInTwoPacks(t *testing.T) {
	for _, rebuilt := range []bool{false, true} {
		s := newStore(t)
		first, second := twice(t, s)
		live := []ID{second.Tree}
		if rebuilt {
			if err := rebuild(t, s, func(p Problem) { t.Error(p.What) }); err != nil {
				t.Fatal(err)
			}
			live = append(live, first.Tree)
		}
		gcWith(t, s, live...)
		for _, id := range live {
			if err := s.CheckTree(t.Context(), id, &Marks{}); err != nil {
				t.Errorf("rebuilt %v: %v", rebuilt, err)
			}
		}
	}
}

func TestAPackThatNoIndexKnowsIsTakenInAndGoesWithGC(t *testing.T) {
	s := newStore(t)
	_, second := twice(t, s)
	rep, problems := checkPacks(t, s, true)
	if rep.TakenIn != 1 || len(problems) > 0 {
		t.Errorf("got %+v, %q", rep, problems)
	}
	gcWith(t, s, second.Tree)
	if n := len(packPaths(t, s)); n != 1 {
		t.Errorf("after gc: %d packs", n)
	}
	checkFile(t, s, second.Tree, slices.Concat(samples.Random(1, 1<<20), samples.Random(2, 1<<20)))
}
