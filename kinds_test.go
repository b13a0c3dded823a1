package datafs

import (
	"context"
	"errors"
	"testing"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
)

// ownKinds are an authority and a manager that only this program has.
func ownKinds(auth remote.Authority, db config.Database) []config.Kind {
	return []config.Kind{
		{Name: "TapeFS", Schemes: []string{"tape"}, Authority: func(context.Context, config.Service, func(string) string) (remote.Authority, error) {
			return auth, nil
		}},
		{Name: "LedgerManager", Schemes: []string{"ledger"}, Manager: true, Database: func(context.Context, config.Manager) (config.Database, error) {
			return db, nil
		}},
	}
}

func TestAProgramsOwnKindsCanBeConfigured(t *testing.T) {
	for _, text := range []string{
		"authorities: {team: {service: TapeFS, args: [7]}}\nmanager: {class: LedgerManager}\n",
		"authorities: {team: 'tape://7'}\nmanager: 'ledger://host/book'\n",
	} {
		opts := configured(t.TempDir(), text)
		if _, err := Open(t.Context(), opts); err == nil {
			t.Errorf("a program without these kinds opens %s", text)
		}
		opts = configured(t.TempDir(), text)
		auth, db := &remote.Mem{}, &ward{}
		opts.Kinds = ownKinds(auth, db)
		api := openChecked(t, opts)
		site, err := api.site(t.Context(), "team")
		noError(t, err)
		if _, err := site.Found(t.Context()); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		for info, err := range auth.List(t.Context(), "") {
			noError(t, err)
			equal(t, "what lies in the authority", info.Name != "", true)
		}
		got, err := api.database(t.Context())
		noError(t, err)
		equal(t, "the database", got.String(), db.String())
	}
}

// TestAnUnknownManagerChangesNothingHere holds for all that would change, or list, what
// is the team's: this program was built without the manager.
func TestAnUnknownManagerChangesNothingHere(t *testing.T) {
	text := "a text"
	for name, do := range map[string]func(context.Context, *API) error{
		"CreateTable": func(ctx context.Context, a *API) error { return a.CreateTable(ctx, "new") },
		"DeleteTable": func(ctx context.Context, a *API) error { return a.DeleteTable(ctx, "things") },
		"Tables":      func(ctx context.Context, a *API) error { _, err := a.Tables(ctx); return err },
		"RequireMetadata": func(ctx context.Context, a *API) error {
			return a.RequireMetadata(ctx, map[string]*string{"key": &text})
		},
		"RequireUserConfig": func(ctx context.Context, a *API) error {
			return a.RequireUserConfig(ctx, map[string]*string{"key": &text})
		},
		"RequirePatterns": func(ctx context.Context, a *API) error { return a.RequirePatterns(ctx, []string{"^a"}, nil) },
	} {
		for _, manager := range []string{"{class: MongoDBManager, kwargs: {database_name: d}}", "'dynamodb://things'"} {
			api := openChecked(t, configured(t.TempDir(), "manager: "+manager+"\n"))
			before, err := api.bolt.Tables(t.Context())
			noError(t, err)
			if err := do(t.Context(), api); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s with %s: got %v, want that this program was built without it", name, manager, err)
			}
			after, err := api.bolt.Tables(t.Context())
			noError(t, err)
			equal(t, "tables", after, before)
			spec, err := api.Spec(t.Context())
			noError(t, err)
			if len(spec.Metadata)+len(spec.UserConfig)+len(spec.Patterns) > 0 {
				t.Errorf("%s with %s: %v is required here", name, manager, spec)
			}
		}
	}
}
