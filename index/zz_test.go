package index
import ("testing";"os";"path/filepath";"fmt")
func TestZZ(t *testing.T) {
	image, qs := specimen(t)
		db := openDB(t, filepath.Join(t.TempDir(), "index.db"), nil)
		os.WriteFile(db.path, image, 0o600)
		writes["delete"](db, ctx)
		after := answers(t, db, qs)
	for _, p := range pointers(t, image) {
		for to := range uint64(len(image)/4096+2) {
		b := append([]byte{}, image...)
		native.PutUint64(b[p.at:], to)
		os.WriteFile(db.path, b, 0o600)
		before :=  db.Check(ctx)
		if writes["delete"](db, ctx) != nil { continue }
		for i, q := range qs {
			got, qerr := q.ask(db)
			if !matches(got, after[i], qerr) {
				for _, p := range pointers(t, image) { fmt.Println(p.what, native.Uint64(image[p.at:])) }
				fmt.Println("PATCH", p.what, to, before)
				fmt.Println("after", db.Check(ctx))
				fmt.Println(q.name, qerr)
				if g, ok := got.(map[string]string); ok { for k, v := range g { if w := after[i].(map[string]string)[k]; w != v { fmt.Printf("%.20q got %.60q want %.60q\n", k, v, w) } } }
				s, _ := openSnapshot(db.path)
				tx := newTx(s, false)
				bb, err := tx.bucket("big")
				fmt.Println("root", bb.base.root, err)
				var show func(id uint64, d int)
				show = func(id uint64, d int) { p, err := s.read(id); if err != nil { fmt.Println(id, err); return }; if p.leaf {fmt.Printf("%*sleaf %d: %d %.9q..%.9q\n", d, "", id, p.n, p.key(0), p.key(p.n-1)); return};
					for i := range p.n { fmt.Printf("%*sbranch %d.%d %.9q ->%d\n", d, "", id, i, p.key(i), p.child(i)); show(p.child(i), d+2) } }
				show(bb.base.root, 0)
				return
			}
		}
		}
	}
}
