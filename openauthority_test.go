package datafs

import (
	"errors"
	"fmt"
	"testing"
)

// TestEveryKindCanBeConfigured by its name and by each of its schemes, and is opened
// here or said to need another package.
func TestEveryKindCanBeConfigured(t *testing.T) {
	for _, k := range kinds {
		texts := []string{fmt.Sprintf("authorities: {a: {service: %s, args: [x]}}\n", k.service)}
		for _, scheme := range k.schemes {
			texts = append(texts, fmt.Sprintf("authorities: {a: \"%s://host/path\"}\n", scheme))
		}
		for _, text := range texts {
			config, err := ParseConfig([]byte(text), "")
			noError(t, err)
			profile, err := config.Profile("")
			noError(t, err)
			a, err := OpenAuthority(t.Context(), profile.Authorities[0].Service)
			if here := k.fromService != nil; here && errors.Is(err, errors.ErrUnsupported) || !here && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: opened %v, %v", text, a, err)
			}
			if a != nil {
				noError(t, a.Close())
			}
		}
	}
}
