package datafs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A room is a package, and what it may import of this module. Limits that are not
// zero are exceptions, with a reason in the comment.
type room struct {
	name    string // below the module
	imports string // rooms, separated by spaces; "*": all that stand above it in the table, ".": the root
	files   int    // at most so many that are no tests
	lines   int    // at most so many
	knot    int    // at most so many files that all need each other
}

// The limits of a room, where the table has no other.
const (
	maxFiles = 20
	maxLines = 3200
	maxKnot  = 8
)

// rooms are the packages of the house, from the ground up.
var rooms = []room{
	// What every room needs and the standard library lacks.
	{name: "index/leaf"},
	// Chunk places and records in one file. To be split into runs and records.
	{name: "index", imports: "index/leaf", files: 32, lines: 4700, knot: 16},
	// Which names a file of an archive may have on which system.
	{name: "objects/names"},
	// Bytes cut into chunks; chunks compressed, and back.
	{name: "objects/codec", imports: "index"},
	// The files of packs, and where in a repository they lie.
	{name: "objects/pack", imports: "index index/leaf objects/codec"},
	// Chunks, packs, trees. Taking in, trees, gc and repairs are to leave it.
	{name: "objects", imports: "index index/leaf objects/codec objects/names objects/pack", files: 44, lines: 6900, knot: 17},
	// Versions written into a directory as files, and compared with them.
	{name: "objects/checkout", imports: "index index/leaf objects objects/codec objects/names"},
	// Names, versions, rules.
	{name: "refs", imports: "index index/leaf objects/names", files: 25, lines: 3300},
	// Records in the index and a journal beside it. One transaction ties its files.
	{name: "refs/bolt", imports: "index index/leaf refs", lines: 3400},
	// Requirements, and the versions that satisfy them.
	{name: "refs/solve", imports: "index index/leaf refs"},
	// The format of locks.
	{name: "refs/lockfile", imports: "index/leaf objects refs refs/solve"},
	// What was recorded of dependencies: graphs, what is stale, what should not be used.
	{name: "refs/graph", imports: "refs refs/lockfile refs/solve"},
	// The cases that every manager passes.
	{name: "refs/refstest", imports: "refs"},
	// A manager in a log of commits, wherever that is.
	{name: "refs/commitlog", imports: "index index/leaf refs"},
	// A log in a database of documents, whichever that is.
	{name: "refs/docdb", imports: "index index/leaf refs refs/commitlog"},
	// MongoDB.
	{name: "refs/mongo", imports: "index index/leaf refs refs/docdb"},
	// DynamoDB.
	{name: "refs/dynamo", imports: "index index/leaf refs refs/docdb"},
	// Authorities, and what all of them share.
	{name: "remote", imports: "index/leaf objects refs"},
	// The cases that every authority passes, and one that fails by plan.
	{name: "remote/remotetest", imports: "remote"},
	// The records of a team beside those of a repository. One transaction ties its files.
	{name: "remote/team", imports: "index index/leaf refs refs/bolt remote", knot: 9},
	// A log of commits in an authority.
	{name: "remote/catalog", imports: "index index/leaf refs refs/commitlog remote"},
	// Content, to an authority and back.
	{name: "remote/transfer", imports: "index index/leaf objects objects/codec remote"},
	// Directories of this machine.
	{name: "remote/dir", imports: "index/leaf remote"},
	// Zip files.
	{name: "remote/zip", imports: "index/leaf remote"},
	// HTTP, WebDAV, XML-RPC.
	{name: "remote/web", imports: "index/leaf remote"},
	// Amazon S3 and its like.
	{name: "remote/s3", imports: "index/leaf remote"},
	// SFTP.
	{name: "remote/sftp", imports: "index/leaf remote"},
	// FTP.
	{name: "remote/ftp", imports: "index/leaf remote"},
	// Where the configuration is, what it says, whether it is trusted, and what it can name.
	{name: "remote/config", imports: "index index/leaf objects refs refs/solve remote remote/dir remote/web remote/zip"},
	// Every kind of authority and manager, for one import.
	{name: "remote/all", imports: "index index/leaf refs refs/dynamo refs/mongo remote remote/config remote/ftp remote/s3 remote/sftp"},
	// The public library. Doctor is to leave it.
	{name: "", imports: "index index/leaf objects objects/checkout objects/codec objects/names refs refs/bolt refs/graph refs/lockfile refs/solve remote remote/catalog remote/config remote/team remote/transfer", files: 58, lines: 9200, knot: 39},
	// A command line in the order that urfave/cli understands.
	{name: "cli/args"},
	// Values as people and programs read them.
	{name: "cli/render", imports: "objects/names"},
	// Archives of the original DataFS. An ordinary user of the public library.
	{name: "cli/migrate", imports: ". index/leaf objects objects/names refs"},
	// The command line: a file for each command, tied by their session.
	{name: "cli", imports: "*", files: 43, lines: 6000, knot: 30},
	// The program.
	{name: "cli/datafs", imports: "cli"},
}

const module = "github.com/datafs/datafs"

// listed is what go list tells of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles, Imports        []string
}

// listOnce lists the packages of this module and all that they need.
var listOnce = sync.OnceValues(func() (map[string]listed, error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Imports", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	all := map[string]listed{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[p.ImportPath] = p
	}
})

func listDeps(t *testing.T) map[string]listed {
	t.Helper()
	all, err := listOnce()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// within returns the name of a package of this module.
func within(path string) (name string, ok bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestEveryRoomIsInTheTable(t *testing.T) {
	for path := range listDeps(t) {
		name, ours := within(path)
		if !ours || strings.HasPrefix(name, "fixtures") || strings.HasPrefix(name, "examples") {
			continue
		}
		if !slices.ContainsFunc(rooms, func(r room) bool { return r.name == name }) {
			t.Errorf("package %q is not in the table", name)
		}
	}
}

func TestRoomsImportWhatTheyMay(t *testing.T) {
	all := listDeps(t)
	for i, r := range rooms {
		may := strings.Fields(r.imports)
		if at := slices.Index(may, "."); at >= 0 {
			may[at] = ""
		}
		if slices.Contains(may, "*") {
			for _, above := range rooms[:i] {
				may = append(may, above.name)
			}
		}
		pkg, ok := all[path.Join(module, r.name)]
		if !ok {
			t.Errorf("there is no package %q", r.name)
		}
		for _, imported := range pkg.Imports {
			if name, ours := within(imported); ours && !slices.Contains(may, name) {
				t.Errorf("package %q imports %q, and may not", r.name, name)
			}
		}
		for _, name := range may {
			at := slices.IndexFunc(rooms[:i], func(r room) bool { return r.name == name })
			if name != "*" && (at < 0 || !slices.Contains(strings.Fields(r.imports), "*") && !slices.Contains(pkg.Imports, path.Join(module, name))) {
				t.Errorf("package %q may import %q, which it does not, or which does not stand above it", r.name, name)
			}
		}
	}
}

func TestRoomsAreSmall(t *testing.T) {
	all := listDeps(t)
	for _, r := range rooms {
		pkg := all[path.Join(module, r.name)]
		lines := 0
		for _, f := range pkg.GoFiles {
			text, err := os.ReadFile(filepath.Join(pkg.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			lines += bytes.Count(text, []byte("\n"))
		}
		knot := largestKnot(t, all, pkg)
		for _, m := range []struct {
			what           string
			got, most, max int
		}{{"files", len(pkg.GoFiles), maxFiles, r.files}, {"lines", lines, maxLines, r.lines}, {"files in a knot", len(knot), maxKnot, r.knot}} {
			if most := max(m.most, m.max); m.got > most {
				t.Errorf("package %q has %d %s, and may have %d %v", r.name, m.got, m.what, most, knot)
			} else if m.max > 0 && m.got <= m.most {
				t.Errorf("package %q needs no exception for its %d %s", r.name, m.got, m.what)
			}
		}
	}
}

// largestKnot returns the largest set of files of a package that all need each other.
func largestKnot(t *testing.T, all map[string]listed, pkg listed) []string {
	t.Helper()
	uses := fileUses(t, all, pkg)
	// Tarjan, Depth-First Search and Linear Graph Algorithms, 1972.
	index, low, on := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack, largest []string
	var visit func(f string)
	visit = func(f string) {
		index[f], low[f], on[f] = len(index)+1, len(index)+1, true
		stack = append(stack, f)
		for g := range uses[f] {
			if index[g] == 0 {
				visit(g)
				low[f] = min(low[f], low[g])
			} else if on[g] {
				low[f] = min(low[f], index[g])
			}
		}
		if low[f] != index[f] {
			return
		}
		at := slices.Index(stack, f)
		knot := slices.Clone(stack[at:])
		stack = stack[:at]
		for _, g := range knot {
			on[g] = false
		}
		if len(knot) > len(largest) {
			largest = knot
		}
	}
	for _, f := range pkg.GoFiles {
		if index[f] == 0 {
			visit(f)
		}
	}
	slices.Sort(largest)
	return largest
}

// fileUses returns which files of a package use which others.
func fileUses(t *testing.T, all map[string]listed, pkg listed) map[string]map[string]bool {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	lookup := func(path string) (io.ReadCloser, error) {
		if p, ok := all[path]; ok {
			return os.Open(p.Export)
		}
		return nil, fmt.Errorf("no package %s", path)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	checked, err := conf.Check(pkg.ImportPath, fset, files, info)
	if err != nil {
		t.Fatal(err)
	}
	uses := map[string]map[string]bool{}
	for id, obj := range info.Uses {
		if obj.Pkg() != checked || obj.Pos() == token.NoPos {
			continue
		}
		from, to := filepath.Base(fset.Position(id.Pos()).Filename), filepath.Base(fset.Position(obj.Pos()).Filename)
		if from != to {
			if uses[from] == nil {
				uses[from] = map[string]bool{}
			}
			uses[from][to] = true
		}
	}
	return uses
}
