package config

import (
	"errors"
	"fmt"
	"testing"
)

// TestEveryKindCanBeConfigured by its name and by each of its schemes, and is opened
// here or said to need another package.
func TestEveryKindCanBeConfigured(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range builtin {
		key, name := "authorities: {a: %s}\n", "{service: %s, args: [x]}"
		if k.Manager {
			key, name = "manager: %s\n", "{class: %s}"
		}
		texts := []string{fmt.Sprintf(key, fmt.Sprintf(name, k.Name))}
		for _, scheme := range k.Schemes {
			texts = append(texts, fmt.Sprintf(key, fmt.Sprintf("'%s://host/path'", scheme)))
		}
		for _, text := range texts {
			c, err := Parse([]byte(text), "", nil)
			must(err)
			profile, err := c.Profile("")
			must(err)
			if k.Manager {
				if _, err = With(nil).OpenDatabase(t.Context(), *profile.Manager); !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%s: opened, %v", text, err)
				}
				continue
			}
			a, err := With(nil).OpenAuthority(t.Context(), profile.Authorities[0].Service, nil)
			if here := k.Authority != nil; here == errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: opened %v, %v", text, a, err)
			}
			if a != nil {
				must(a.Close())
			}
		}
	}
}
