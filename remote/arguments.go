package remote

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Arguments are those of a configured service that nothing has taken yet: a
// driver takes what it knows, and what is left then is an error. The first error
// is kept. It is for one goroutine.
type Arguments struct {
	service string
	left    map[string]any
	err     error
}

// NewArguments begins with the arguments that have names.
func NewArguments(service string, kwargs map[string]any) *Arguments {
	a := &Arguments{service: service, left: map[string]any{}}
	for key, value := range kwargs {
		a.left[key] = value
	}
	return a
}

// Fail notes an error, unless there is one.
func (a *Arguments) Fail(format string, v ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(a.service+": "+format, v...)
	}
}

// Set gives a positional argument its name.
func (a *Arguments) Set(key string, value any) {
	if a.left[key] != nil {
		a.Fail("%s is given twice", key)
	}
	a.left[key] = value
}

// Take removes the argument that has one of the names.
func (a *Arguments) Take(names ...string) (name string, value any) {
	for _, n := range names {
		v := a.left[n]
		delete(a.left, n)
		if v == nil {
			continue
		}
		if value != nil {
			a.Fail("%s and %s are the same", name, n)
		}
		name, value = n, v
	}
	return name, value
}

// Text takes a string, or what can be written as one; "" is none.
func (a *Arguments) Text(names ...string) string {
	name, value := a.Take(names...)
	return a.plain(name, value)
}

func (a *Arguments) plain(name string, value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string, bool, int, int64:
		return fmt.Sprint(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	a.Fail("%s must be a string", name)
	return ""
}

// Texts takes strings and lists of them.
func (a *Arguments) Texts(names ...string) (texts []string) {
	for _, name := range names {
		_, value := a.Take(name)
		list, ok := value.([]any)
		if !ok && value != nil {
			list = []any{value}
		}
		for _, v := range list {
			if text := a.plain(name, v); text != "" {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// Port takes the number of a port; 0 is none.
func (a *Arguments) Port(name string) int {
	text := a.Text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		a.Fail("%s must be a number from 1 to 65535, not %.40q", name, text)
	}
	return int(n)
}

// Flag takes true or false.
func (a *Arguments) Flag(name string, otherwise bool) bool {
	switch value := a.Text(name); strings.ToLower(value) {
	case "":
		return otherwise
	case "0", "false", "no":
		return false
	case "1", "true", "yes":
		return true
	default:
		a.Fail("%s must be true or false, not %.40q", name, value)
		return otherwise
	}
}

// Seconds takes a number of seconds; 0 is none.
func (a *Arguments) Seconds(name string) time.Duration {
	text := a.Text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0) || n > 86400 {
		a.Fail("%s must be a number of seconds, not %.40q", name, text)
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// Done gives the first error, which may be an argument that nothing has taken.
func (a *Arguments) Done() error {
	for key := range a.left {
		a.Fail("there is no argument %.80q", key)
	}
	return a.err
}

// OneArgument is NewArguments for a service whose first argument, the only one
// that may stand without its name, has the name first.
func OneArgument(service, first string, args []any, kwargs map[string]any) *Arguments {
	a := NewArguments(service, kwargs)
	if len(args) > 0 {
		a.Set(first, args[0])
	}
	if len(args) > 1 {
		a.Fail("takes one argument, not %d", len(args))
	}
	return a
}
