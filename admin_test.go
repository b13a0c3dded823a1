package datafs

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

const helpText = "Use helper=True or the --helper flag for assistance."

func TestRequiredMetadata(t *testing.T) {
	api := newAPI(t)
	old := newArchive(t, api, "old")
	noError(t, api.RequireMetadata(t.Context(), map[string]*string{"b": new("B please"), "a": new("A please")}))
	_, err := api.Create(t.Context(), "x", &CreateOptions{Metadata: map[string]string{"b": "1"}})
	wantError(t, err, `Required value "a" not found. `+helpText, fs.ErrInvalid)
	put(t, old, "an archive from before is left alone")

	asked := ""
	helper := func(key, prompt string) (string, error) {
		asked += key + ": " + prompt + "\n"
		return "answer " + key, nil
	}
	h := must(api.Create(t.Context(), "x", &CreateOptions{Metadata: map[string]string{"b": "1"}, Helper: helper}))(t)
	equal(t, "asked", asked, "a: A please\n")
	equal(t, "metadata", must(h.Metadata(t.Context()))(t), map[string]string{"a": "answer a", "b": "1"})
	asked = ""
	must(api.Create(t.Context(), "y", &CreateOptions{Helper: helper}))(t)
	equal(t, "asked", asked, "a: A please\nb: B please\n")

	_, err = api.Create(t.Context(), "z", &CreateOptions{Helper: func(string, string) (string, error) { return "", errors.New("no terminal") }})
	wantError(t, err, "no terminal", nil)
	noError(t, api.RequireMetadata(t.Context(), map[string]*string{"a": nil, "none": nil}))
	equal(t, "required", must(api.Spec(t.Context()))(t).Metadata, map[string]string{"b": "B please"})
	must(api.Create(t.Context(), "z", &CreateOptions{Metadata: map[string]string{"b": "1"}}))(t)
}

func TestRequiredUserConfig(t *testing.T) {
	dir := t.TempDir()
	api := openChecked(t, configured(dir, "api: {user_config: {username: Me}}"))
	h := newArchive(t, api, "x")
	noError(t, api.RequireUserConfig(t.Context(), map[string]*string{"username": new("your name"), "contact": new("your address")}))
	const want = `Required value "contact" not found. ` + helpText
	wantError(t, second(api.Create(t.Context(), "y", nil)), want, fs.ErrInvalid)
	wantError(t, second(h.UpdateFrom(t.Context(), strings.NewReader("text"), nil)), want, fs.ErrInvalid)
	wantError(t, second(api.Import(t.Context(), t.TempDir(), nil)), want, fs.ErrInvalid)
	equal(t, "missing", must(api.MissingUserConfig(t.Context(), nil))(t), []Prompt{{Key: "contact", Text: "your address"}})
	equal(t, "missing beside what is given", len(must(api.MissingUserConfig(t.Context(), map[string]string{"contact": "me"}))(t)), 0)

	other := openOnly(t, configured(dir, "api: {user_config: {username: Me, contact: me@x.org}}"))
	put(t, must(other.Archive(t.Context(), "x", nil))(t), "text")
	user := other.UserConfig()
	user["contact"] = "somebody else"
	equal(t, "user config", other.UserConfig(), map[string]string{"username": "Me", "contact": "me@x.org"})
	noError(t, api.RequireUserConfig(t.Context(), map[string]*string{"contact": nil}))
	newArchive(t, api, "y")
}

func TestRequiredPatterns(t *testing.T) {
	api := newAPI(t)
	ctx := t.Context()
	noError(t, api.RequirePatterns(ctx, []string{`^team/`, `\.(nc|csv)$`}, nil))
	noError(t, api.RequirePatterns(ctx, []string{`^team/`}, nil))
	equal(t, "patterns", must(api.Spec(ctx))(t).Patterns, []string{`^team/`, `\.(nc|csv)$`})
	wantError(t, second(api.Create(ctx, "team/x.txt", nil)), `archive name does not match pattern '\.(nc|csv)$'`, fs.ErrInvalid)
	wantError(t, second(api.Create(ctx, "x.nc", nil)), `archive name does not match pattern '^team/'`, fs.ErrInvalid)
	newArchive(t, api, "local:///team/x.nc") // the normalised name is what counts

	err := api.RequirePatterns(ctx, []string{"ok", "("}, []string{`^team/`})
	if !errors.Is(err, fs.ErrInvalid) || !strings.HasPrefix(err.Error(), `pattern "(": `) {
		t.Errorf("a broken pattern: got %v", err)
	}
	equal(t, "patterns", len(must(api.Spec(ctx))(t).Patterns), 2)
	noError(t, api.RequirePatterns(ctx, nil, []string{`^team/`, `\.(nc|csv)$`}))
	newArchive(t, api, "anything")
}

func TestTables(t *testing.T) {
	dir := t.TempDir()
	api := openChecked(t, testOptions(dir))
	ctx := t.Context()
	equal(t, "table", api.Table(), "datafs")
	newArchive(t, api, "in the default table")
	noError(t, api.CreateTable(ctx, "other"))
	wantError(t, api.CreateTable(ctx, "other"), `Table "other" already exists`, fs.ErrExist)
	wantError(t, api.CreateTable(ctx, ""), `"" not a valid table name`, fs.ErrInvalid)
	wantError(t, api.DeleteTable(ctx, "none"), `Table "none" not found`, fs.ErrNotExist)
	equal(t, "tables", must(api.Tables(ctx))(t), []string{"datafs", "other"})

	second := openOnly(t, configured(dir, "manager: {class: MongoDBManager, kwargs: {database_name: d, table_name: other}}"))
	equal(t, "table", second.Table(), "other")
	put(t, newArchive(t, second, "in the other table"), "text")
	equal(t, "names there", collect(t, second.Filter(ctx, nil)), []string{"in the other table"})
	equal(t, "names here", collect(t, api.Filter(ctx, nil)), []string{"in the default table"})

	noError(t, api.DeleteTable(ctx, "other"))
	_, err := second.Create(ctx, "x", nil)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `Table "other" not found`) {
		t.Errorf("in a table that is gone: got %v", err)
	}
	equal(t, "tables", must(api.Tables(ctx))(t), []string{"datafs"})
}
