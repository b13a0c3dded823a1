package web

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/datafs/datafs/remote"
)

// davMaxList is the maximum of bytes of a server's answer that lists one
// collection: some 100 000 entries.
const davMaxList = 64 << 20

const davProps = `<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/></prop></propfind>`

// davEntry is a member of a collection.
type davEntry struct {
	name string // one component; "" is the collection itself
	dir  bool
	size int64 // of a file, in bytes; -1 when the server does not say
}

func (d *davFS) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		if err := remote.CheckList(ctx, prefix); err != nil {
			yield(remote.Info{}, err)
			return
		}
		if err := d.walk(ctx, path.Dir(prefix+"x"), prefix, func(i remote.Info) bool { return yield(i, nil) }); err != nil {
			yield(remote.Info{}, d.wrap("list", prefix, err))
		}
	}
}

// walk lists the files below dir whose names begin with prefix, until yield
// has enough.
func (d *davFS) walk(ctx context.Context, dir, prefix string, yield func(remote.Info) bool) error {
	for todo := []string{dir}; len(todo) > 0; {
		here := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		entries, err := d.propfind(ctx, d.path(here)+"/", "1")
		if errors.Is(err, fs.ErrNotExist) {
			if err = d.missing(ctx); errors.Is(err, fs.ErrNotExist) {
				continue
			}
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			name := path.Join(here, e.name)
			switch {
			case e.name == "", remote.CheckName(name) != nil:
			case e.dir && strings.HasPrefix(name+"/", prefix):
				todo = append(todo, name)
			case e.dir, !strings.HasPrefix(name, prefix):
			case e.size < 0:
				return fmt.Errorf("%s: the server does not say its size", name)
			case !yield(remote.Info{Name: name, Size: e.size}):
				return nil
			}
		}
	}
	return nil
}

// missing says what it means that something is not there: that, or the root is
// not there either.
func (d *davFS) missing(ctx context.Context) error {
	_, err := d.stat(ctx, d.root())
	switch {
	case err == nil, d.create && errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist
	case errors.Is(err, fs.ErrNotExist):
		return remote.ErrNoStorage
	}
	return err
}

// stat looks at one file or collection.
func (d *davFS) stat(ctx context.Context, p string) (davEntry, error) {
	entries, err := d.propfind(ctx, p, "0")
	if err != nil {
		return davEntry{}, err
	}
	for _, e := range entries {
		if e.name == "" {
			return e, nil
		}
	}
	return davEntry{}, errors.New("the server's answer is about something else")
}

// propfind asks for p (depth "0") or p and its members (depth "1").
func (d *davFS) propfind(ctx context.Context, p, depth string) ([]davEntry, error) {
	h := http.Header{"Depth": {depth}, "Content-Type": {"application/xml; charset=utf-8"}}
	resp, err := d.web.do(ctx, "PROPFIND", d.url(p), h, strings.NewReader(davProps), int64(len(davProps)))
	if err != nil {
		return nil, err
	}
	defer webDrain(resp)
	if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && strings.HasSuffix(to, path.Base(p)+"/") && depth == "0" {
		return []davEntry{{dir: true}}, nil
	}
	if resp.StatusCode != http.StatusMultiStatus {
		if resp.StatusCode/100 == 2 {
			return nil, errors.New("this is no WebDAV server")
		}
		return nil, webStatus(resp.StatusCode)
	}
	entries, err := davEntries(&webLimited{r: resp.Body, left: davMaxList}, p)
	var syntax *xml.SyntaxError
	switch {
	case err == nil, errors.Is(err, errTooLong), errors.Is(err, errDAVOutside):
		return entries, err
	case errors.As(err, &syntax) && !strings.Contains(syntax.Msg, "unexpected EOF"):
		return nil, err
	}
	return nil, webError(ctx, err)
}

var errDAVOutside = errors.New("the server lists what is not in the collection")

// davResponse is RFC 4918's response element.
type davResponse struct {
	Href     string `xml:"DAV: href"`
	Propstat []struct {
		Status     string    `xml:"DAV: status"`
		Collection *struct{} `xml:"DAV: prop>resourcetype>collection"`
		Size       string    `xml:"DAV: prop>getcontentlength"`
	} `xml:"DAV: propstat"`
}

// davEntries reads a multistatus document about the collection at p.
func davEntries(r io.Reader, p string) ([]davEntry, error) {
	var entries []davEntry
	d := xml.NewDecoder(r)
	for {
		token, err := d.Token()
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name != (xml.Name{Space: "DAV:", Local: "response"}) {
			continue
		}
		var one davResponse
		if err := d.DecodeElement(&one, &start); err != nil {
			return nil, err
		}
		e, err := one.entry(p)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
}

// entry checks that the answer is about the collection at p or about a member
// of it, and gives what it says.
func (r *davResponse) entry(p string) (davEntry, error) {
	u, err := url.Parse(strings.TrimSpace(r.Href))
	if err != nil {
		return davEntry{}, fmt.Errorf("%.80q: %w", r.Href, errDAVOutside)
	}
	p, name := strings.TrimSuffix(p, "/"), strings.TrimSuffix(u.Path, "/")
	e := davEntry{size: -1}
	if name != p {
		rest, ok := strings.CutPrefix(name, p+"/")
		if !ok || rest == "" || rest == "." || rest == ".." || strings.Contains(rest, "/") {
			return davEntry{}, fmt.Errorf("%.80q: %w", r.Href, errDAVOutside)
		}
		e.name = rest
	}
	for _, s := range r.Propstat {
		if !strings.Contains(s.Status, " 200") {
			continue
		}
		e.dir = e.dir || s.Collection != nil
		if n, err := strconv.ParseInt(strings.TrimSpace(s.Size), 10, 64); err == nil && n >= 0 {
			e.size = n
		}
	}
	return e, nil
}
