package sftp

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// arguments are those of a service that nothing has taken yet. The first error
// is kept.
type arguments struct {
	service string
	left    map[string]any
	err     error
}

func newArgs(service string, kwargs map[string]any) *arguments {
	a := &arguments{service: service, left: map[string]any{}}
	for key, value := range kwargs {
		a.left[key] = value
	}
	return a
}

func (a *arguments) fail(format string, v ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(a.service+": "+format, v...)
	}
}

// set gives a positional argument its name.
func (a *arguments) set(key string, value any) {
	if a.left[key] != nil {
		a.fail("%s is given twice", key)
	}
	a.left[key] = value
}

// take removes the argument that has one of the names.
func (a *arguments) take(names ...string) (name string, value any) {
	for _, n := range names {
		v := a.left[n]
		delete(a.left, n)
		if v == nil {
			continue
		}
		if value != nil {
			a.fail("%s and %s are the same", name, n)
		}
		name, value = n, v
	}
	return name, value
}

func (a *arguments) text(names ...string) string {
	name, value := a.take(names...)
	return a.plain(name, value)
}

func (a *arguments) plain(name string, value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string, bool, int, int64:
		return fmt.Sprint(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	a.fail("%s must be a string", name)
	return ""
}

// texts takes strings and lists of them.
func (a *arguments) texts(names ...string) (texts []string) {
	for _, name := range names {
		_, value := a.take(name)
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

// number takes a port.
func (a *arguments) number(name string) int {
	text := a.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		a.fail("%s must be a number from 1 to 65535, not %.40q", name, text)
	}
	return int(n)
}

func (a *arguments) flag(name string, otherwise bool) bool {
	switch value := a.text(name); strings.ToLower(value) {
	case "":
		return otherwise
	case "0", "false", "no":
		return false
	case "1", "true", "yes":
		return true
	default:
		a.fail("%s must be true or false, not %.40q", name, value)
		return otherwise
	}
}

func (a *arguments) seconds(name string) time.Duration {
	text := a.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0) || n > 86400 {
		a.fail("%s must be a number of seconds, not %.40q", name, text)
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// done fails for arguments that nothing has taken.
func (a *arguments) done() error {
	for key := range a.left {
		a.fail("there is no argument %.80q", key)
	}
	return a.err
}
