package datafs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// seedNames is every class, method, attribute and function of the chapter
// "DataFS API" of the documentation of DataFS 0.7.
var seedNames = map[string]string{
	"": "PermissionError ProfileNotFoundError",
	"DataAPI": "DefaultAuthorityName attach_authority attach_cache attach_manager batch_get_archive cache close create default_authority " +
		"default_authority_name default_versions delete_archive filter get_archive hash_file listdir lock_authorities lock_manager " +
		"manager remove remove_dir search",
	"DataArchive": "add_tags archive_path authority authority_name cache delete delete_tags desc download exists get_default_version " +
		"get_dependencies get_history get_latest_hash get_latest_version get_local_path get_metadata get_tags get_version_hash " +
		"get_version_path get_versions getinfo getmeta hasmeta is_cached isfile log open remove_from_cache set_dependencies update " +
		"update_metadata versioned",
	"data_file":      "get_local_path open_file",
	"ConfigFile":     "edit_config_file get_config_from_api get_profile_config parse_configfile_contents read_config write_config write_config_from_api",
	"APIConstructor": "attach_cache_from_config attach_manager_from_config attach_services_from_config generate_api_from_config",
	"helpers":        "check_requirements get_api to_config_file",
	"BaseDataManager": "TimestampFormat add_tags batch_get_archive create_archive create_archive_table create_timestamp " +
		"delete_archive_record delete_table delete_tags get_archive get_latest_hash get_metadata get_tags get_version_history " +
		"required_archive_metadata required_archive_patterns required_user_config search set_required_archive_metadata " +
		"set_required_archive_patterns set_required_user_config table_names update update_metadata update_spec_config",
	"DynamoDBManager": "config",
	"MongoDBManager":  "collection config database_name db spec_collection table_name",
	"DataService":     "upload",
}

const libraryDoc = "docs/library.md"

// docRows gives the first two columns of the tables of docs/library.md.
func docRows(t *testing.T) (rows [][2]string) {
	t.Helper()
	text, err := os.ReadFile(libraryDoc)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.TrimSpace(line), "|"); len(cells) == 5 && !strings.Contains(cells[1], "---") && cells[1] != " 0.7 " {
			rows = append(rows, [2]string{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])})
		}
	}
	return rows
}

func TestTheLibraryDocMapsEveryNameOf07(t *testing.T) {
	mapped := map[string]bool{}
	for _, row := range docRows(t) {
		name, _, _ := strings.Cut(strings.Trim(row[0], "`"), "(")
		if mapped[name] && strings.Contains(name, ".") {
			t.Errorf("%s is there twice", name)
		}
		mapped[name] = true
		if row[1] == "" {
			t.Errorf("%s has no counterpart and no dash", name)
		}
	}
	for class, names := range seedNames {
		for _, name := range strings.Fields(names) {
			if class != "" {
				name = class + "." + name
			}
			if !mapped[name] {
				t.Errorf("%s is not in %s", name, libraryDoc)
			}
		}
	}
}

func TestTheLibraryDocNamesWhatThereIs(t *testing.T) {
	packages := map[string]declarations{"": declared(t, "."), "refs": declared(t, "refs"), "objects": declared(t, "objects"), "config": declared(t, "remote/config"), "all": declared(t, "remote/all")}
	found := 0
	for _, row := range docRows(t) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			found++
			if !exists(packages, name[1]) {
				t.Errorf("%s: there is no %s", row[0], name[1])
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d names found: has the table's form changed?", found)
	}
}

// declarations are a package's exported declarations: "Func", "Type", "Type.Method",
// "Type.Field". The value of an alias is what it stands for.
type declarations map[string]string

func exists(packages map[string]declarations, name string) bool {
	pkg, rest := "", name
	if first, more, ok := strings.Cut(name, "."); ok && packages[first] != nil {
		pkg, rest = first, more
	}
	if _, ok := packages[pkg][rest]; ok {
		return true
	}
	typ, member, _ := strings.Cut(rest, ".")
	alias := packages[pkg][typ]
	return alias != "" && exists(packages, alias+"."+member)
}

func declared(t *testing.T, dir string) declarations {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := declarations{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			found.add(d)
		}
	}
	return found
}

func (n declarations) add(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			typ := d.Recv.List[0].Type
			if star, ok := typ.(*ast.StarExpr); ok {
				typ = star.X
			}
			name = typ.(*ast.Ident).Name + "." + name
		}
		n[name] = ""
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				for _, id := range s.Names {
					n[id.Name] = ""
				}
			case *ast.TypeSpec:
				n.addType(s)
			}
		}
	}
}

func (n declarations) addType(s *ast.TypeSpec) {
	n[s.Name.Name] = ""
	switch typ := s.Type.(type) {
	case *ast.SelectorExpr:
		n[s.Name.Name] = typ.X.(*ast.Ident).Name + "." + typ.Sel.Name
	case *ast.StructType:
		for _, f := range typ.Fields.List {
			for _, id := range f.Names {
				n[s.Name.Name+"."+id.Name] = ""
			}
		}
	}
}

// The program in the documentation must be one.
func TestTheLibraryDocsProgramCompiles(t *testing.T) {
	text, err := os.ReadFile(libraryDoc)
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(text), "```go\n")
	program, _, _ = strings.Cut(program, "```")
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

// A method that the page does not name is easily overlooked.
func TestEveryMethodOfTheAPIIsInTheLibraryDoc(t *testing.T) {
	text, err := os.ReadFile(libraryDoc)
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for name := range declared(t, ".") {
		typ, member, _ := strings.Cut(name, ".")
		if (typ == "API" || typ == "Archive") && ast.IsExported(member) && !strings.Contains(string(text), "`"+name+"`") {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("not in %s: %s", libraryDoc, strings.Join(missing, " "))
	}
}
