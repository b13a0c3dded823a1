package datafs

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/datafs/datafs/index/leaf"
)

// What "env:NAME" stands for may be a secret. It may come back in the text of an
// error, whole, cut, escaped or in parts: a driver shows an address that it
// cannot reach. There "env:NAME" is put back in its place.

const (
	wordLength = 8  // shorter values are replaced only where they stand as a word
	cutLength  = 16 // of the beginning of a value that was cut, to be recognised
	partLength = 4  // of a part of a value
)

// secrets are the values that were put in the place of "env:NAME". The zero
// value is ready. Its methods may be called by several goroutines.
type secrets struct {
	mu    sync.Mutex // guards what follows
	forms []secretForm
}

// secretForm is a way in which a value may be written.
type secretForm struct{ text, name string }

func (s *secrets) add(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range writtenAs(value) {
		if f := (secretForm{lowerASCII(text), "env:" + name}); !slices.Contains(s.forms, f) {
			s.forms = append(s.forms, f)
		}
	}
	slices.SortStableFunc(s.forms, func(a, b secretForm) int { return cmp.Compare(len(b.text), len(a.text)) })
}

// writtenAs lists the ways in which a value may be written, and its parts.
func writtenAs(value string) []string {
	list := []string{value}
	for _, part := range secretParts(value) {
		if len(part) >= partLength {
			list = append(list, part)
		}
	}
	for _, text := range slices.Clone(list) {
		query, quoted := url.QueryEscape(text), strconv.Quote(text)
		list = append(list, query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(text), (&url.URL{Path: text}).EscapedPath(),
			strings.TrimPrefix(url.UserPassword("", text).String(), ":"), quoted[1:len(quoted)-1])
	}
	return list
}

// secretParts takes a value apart: its lines, and what a URL or an address is
// made of. "://" and the names of schemes are no secrets.
func secretParts(value string) []string {
	parts := strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' })
	parts = append(parts, strings.TrimRight(value, "/"))
	if host, _, err := net.SplitHostPort(value); err == nil {
		parts = append(parts, host)
	}
	_, rest, ok := strings.Cut(value, "://")
	if !ok {
		return parts
	}
	rest = strings.TrimRight(rest, "/")
	user, place, found := strings.Cut(rest, "@")
	if !found {
		user, place = "", rest
	}
	name, password, _ := strings.Cut(user, ":")
	parts = append(parts, rest, place, name, password)
	place, query, _ := strings.Cut(place, "?")
	for i, part := range strings.Split(place, "/") {
		if host, _, err := net.SplitHostPort(part); i == 0 && err == nil {
			parts = append(parts, host)
		}
		parts = append(parts, part)
	}
	for _, pair := range strings.Split(query, "&") {
		_, v, _ := strings.Cut(pair, "=")
		parts = append(parts, v)
	}
	for _, part := range slices.Clone(parts) {
		if plain, err := url.PathUnescape(part); err == nil && plain != part {
			parts = append(parts, plain)
		}
	}
	return parts
}

// text puts "env:NAME" back.
func (s *secrets) text(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.forms {
		text = f.hide(text, len(f.text))
	}
	for _, f := range s.forms { // what was cut, when all that is whole is gone
		if len(f.text) > cutLength {
			text = f.hide(text, cutLength)
		}
	}
	return text
}

// hide replaces the form wherever it stands in a text, in capitals or not, with
// at least so many of its bytes.
func (f secretForm) hide(text string, least int) string {
	if f.text == "" {
		return text
	}
	start := f.text[:least]
	var out strings.Builder
	for {
		lower := lowerASCII(text)
		at := strings.Index(lower, start)
		if at < 0 {
			return out.String() + text
		}
		end := at + len(start)
		for end < len(text) && end-at < len(f.text) && lower[end] == f.text[end-at] {
			end++
		}
		if len(f.text) < wordLength && (letterBefore(text[:at]) || letterAfter(text[end:])) || strings.HasSuffix(text[:at], "env:") {
			out.WriteString(text[:end])
		} else {
			out.WriteString(text[:at] + f.name)
		}
		text = text[end:]
	}
}

func letterBefore(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return wordRune(r)
}

func letterAfter(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return wordRune(r)
}

func wordRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

// lowerASCII keeps the length of s.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// error makes an error that shows no secret, neither in its text nor in its hint.
func (s *secrets) error(err error) error {
	if err == nil {
		return nil
	}
	hint, hidden := leaf.HintIn(err), err
	if text := s.text(err.Error()); text != err.Error() {
		hidden = leaf.Errorf(err, "%s", text)
	}
	if safe := s.text(hint); safe != hint || hint != "" && hidden != err {
		return &HintError{Err: hidden, Hint: safe}
	}
	return hidden
}

// Conceal returns a text, such as that of an error, with "env:NAME" in the place
// of the values that were taken from variables until now.
func (a *API) Conceal(text string) string { return a.secrets.text(text) }
