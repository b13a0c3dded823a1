package datafs

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/datafs/datafs/index/leaf"
)

func TestNoTextShowsWhatAVariableStandsFor(t *testing.T) {
	const token, address, word = "ghp_Qx7/+ Zr=9dLong_enough_to_be_cut", "https://me:hunter2@secret.example:8443/deep_path/x?sig=abcd1234", "data"
	var s secrets
	s.add("TOKEN", token)
	s.add("ADDRESS", address)
	s.add("WORD", word)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"whole":                    {"dial " + token + ": no", "dial env:TOKEN: no"},
		"in a query":               {"x?t=" + url.QueryEscape(token), "x?t=env:TOKEN"},
		"in a path":                {"/" + url.PathEscape(token) + "/y", "/env:TOKEN/y"},
		"in quotes":                {fmt.Sprintf("not %q", token), `not "env:TOKEN"`},
		"cut":                      {fmt.Sprintf("not %.30q", token), `not "env:TOKEN"`},
		"in other capitals":        {strings.ToLower(token), "env:TOKEN"},
		"an address":               {"get " + address, "get env:ADDRESS"},
		"an address less its user": {u.Redacted(), "https://me:xxxxx@env:ADDRESS"},
		"a host":                   {"lookup secret.example: no such host", "lookup env:ADDRESS: no such host"},
		"a password":               {"login with hunter2 failed", "login with env:ADDRESS failed"},
		"a short value":            {"/mnt/data/x", "/mnt/env:WORD/x"},
		"part of a longer word":    {"datafs metadata", "datafs metadata"},
		"the name itself":          {"env:TOKEN is not set", "env:TOKEN is not set"},
	} {
		if got := s.text(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAnErrorThatShowsNoSecretIsStillOfItsKind(t *testing.T) {
	var s secrets
	s.add("TOKEN", "ghp_secret_value")
	err := s.error(&HintError{Err: leaf.Errorf(fs.ErrPermission, "ghp_secret_value is refused"), Hint: "see ghp_secret_value"})
	if !errors.Is(err, fs.ErrPermission) || err.Error() != "env:TOKEN is refused" || leaf.HintIn(err) != "see env:TOKEN" {
		t.Errorf("%v, hint %q", err, leaf.HintIn(err))
	}
	plain := errors.New("nothing to hide")
	if got := s.error(plain); got != plain {
		t.Errorf("%v was wrapped", got)
	}
}
