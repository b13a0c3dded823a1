package remote

import (
	"fmt"
	"strings"
)

// webArgs takes a service's keyword arguments one by one; the first error stays.
type webArgs struct {
	service string
	left    map[string]any
	err     error
}

func newWebArgs(service, first string, args []any, kwargs map[string]any) *webArgs {
	a := &webArgs{service: service, left: map[string]any{}}
	for key, value := range kwargs {
		a.left[key] = value
	}
	if len(args) > 0 {
		if a.left[first] != nil {
			a.fail("%s is given twice", first)
		}
		a.left[first] = args[0]
	}
	if len(args) > 1 {
		a.fail("takes one argument, not %d", len(args))
	}
	return a
}

func (a *webArgs) fail(format string, v ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(a.service+": "+format, v...)
	}
}

// text takes the argument that has one of the names.
func (a *webArgs) text(names ...string) (value string) {
	for _, name := range names {
		switch v := a.left[name].(type) {
		case nil:
		case string, bool, int, float64:
			value = fmt.Sprint(v)
		default:
			a.fail("%s must be a string", name)
		}
		delete(a.left, name)
	}
	return value
}

func (a *webArgs) flag(name string) bool {
	switch value := a.text(name); strings.ToLower(value) {
	case "", "0", "false", "no":
		return false
	case "1", "true", "yes":
		return true
	default:
		a.fail("%s must be true or false, not %.40q", name, value)
		return false
	}
}

// done fails for arguments that nothing has taken.
func (a *webArgs) done() error {
	for key := range a.left {
		a.fail("there is no argument %.80q", key)
	}
	return a.err
}
