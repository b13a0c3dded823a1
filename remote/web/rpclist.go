package web

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"strconv"
	"strings"

	"github.com/datafs/datafs/remote"
)

// List asks for the size of each file by a request of its own: the interface
// has no other way.
func (f *rpcFS) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		if err := remote.CheckList(ctx, prefix); err != nil {
			yield(remote.Info{}, err)
			return
		}
		err := f.walk(ctx, path.Dir(prefix+"x"), prefix, func(i remote.Info) bool { return yield(i, nil) })
		if err != nil {
			yield(remote.Info{}, f.wrap("list", prefix, rpcFailure(ctx, err)))
		}
	}
}

// walk lists the files below dir whose names begin with prefix, until yield
// has enough.
func (f *rpcFS) walk(ctx context.Context, dir, prefix string, yield func(remote.Info) bool) error {
	for todo := []string{dir}; len(todo) > 0; {
		here := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		dirs, err := f.listdir(ctx, here, true)
		if err != nil {
			return err
		}
		for _, name := range dirs {
			if strings.HasPrefix(name+"/", prefix) {
				todo = append(todo, name)
			}
		}
		files, err := f.listdir(ctx, here, false)
		if err != nil {
			return err
		}
		for _, name := range files {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			size, err := f.size(ctx, name)
			if errors.Is(err, fs.ErrNotExist) { // deleted since
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if !yield(remote.Info{Name: name, Size: size}) {
				return nil
			}
		}
	}
	return nil
}

// listdir gives the directories, or the files, in a directory. One that is not
// there has none.
func (f *rpcFS) listdir(ctx context.Context, dir string, dirs bool) ([]string, error) {
	v, err := f.call(ctx, "listdir", rpcPath(dir), nil, false, false, dirs, !dirs)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errRPCInvalid) {
		if err = f.missing(ctx); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	entries, ok := v.([]any)
	if !ok {
		return nil, errRPCAnswer
	}
	var names []string
	for _, e := range entries {
		text, _ := e.(string)
		raw, err := base64.StdEncoding.DecodeString(text) // which passes over line ends
		if err != nil {
			return nil, errRPCAnswer
		}
		name := path.Join(dir, string(raw))
		if !strings.Contains(string(raw), "/") && remote.CheckName(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

func (f *rpcFS) size(ctx context.Context, name string) (int64, error) {
	v, err := f.call(ctx, "getinfo", rpcPath(name))
	if err != nil {
		return 0, err
	}
	info, _ := v.(map[string]any)
	for _, key := range []string{"size", "st_size"} {
		// Servers send sizes over 2 GiB, where they can, as strings or numbers.
		n, err := strconv.ParseInt(fmt.Sprint(info[key]), 10, 64)
		if err == nil && n >= 0 {
			return n, nil
		}
	}
	return 0, errors.New("the server does not say its size")
}
