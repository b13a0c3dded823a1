package remote

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/datafs/datafs/index/leaf"
)

// FileURL splits the URL of a file or directory of this machine into its path and the
// arguments in its query.
func FileURL(u *url.URL) (path string, kwargs map[string]any, err error) {
	if u.Host != "" && u.Host != "localhost" || u.User != nil || u.Path == "" {
		return "", nil, fmt.Errorf("%s: such an address has three slashes and a path, as %s:///mnt/data", u.Scheme, u.Scheme)
	}
	kwargs = map[string]any{}
	for key, values := range u.Query() {
		kwargs[key] = values[len(values)-1]
	}
	path = u.Path
	if runtime.GOOS == "windows" && len(path) > 2 && path[2] == ':' {
		path = strings.TrimPrefix(path, "/")
	}
	return filepath.FromSlash(path), kwargs, nil
}

// NoRoot returns the error of a directory or file of this machine that is not there, and
// that holds an authority. It is an ErrNoStorage.
func NoRoot(path string) error {
	return leaf.Errorf(ErrNoStorage, "%s is not there (is the disk mounted?)", path)
}

// FileError returns err, from an operation (a verb) on a file of an authority below root,
// as an error of an Authority: with its kind, and with root, which errors of os.Root and
// io/fs lack. It returns nil for nil.
func FileError(op, name, root string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNoStorage):
		return fmt.Errorf("%s %.80s: %w", op, name, err)
	}
	return fmt.Errorf("%s %.80s: %s: %w", op, name, root, systemKind(err))
}

// systemKind adds the kind to an error of the operating system.
func systemKind(err error) error {
	for _, transient := range []error{syscall.ETIMEDOUT, syscall.ESTALE, syscall.ENOTCONN, syscall.EHOSTDOWN, syscall.ECONNRESET} {
		if errors.Is(err, transient) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}
