package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs/solve"
	"github.com/datafs/datafs/remote"
)

// Names of files and directories that are looked for.
const (
	RepoName         = ".datafs"
	FileName         = "config.yml"
	RequirementsName = "requirements_data.txt"
)

// Search is what was said about where things are; "" is nothing.
type Search struct {
	Profile, ConfigFile, Repo, Requirements string
	Config                                  io.Reader           // instead of a file
	Dir                                     string              // stands in for the working directory
	Getenv                                  func(string) string // nil: os.Getenv
	Kinds                                   Kinds               // that the configuration can name; nil: With(nil)
}

// Found is where things are.
type Found struct {
	ConfigFile   string // "" where there is none
	kinds        Kinds
	Distrust     error // why the configuration, which is the repository's own, is not trusted; nil: it is
	Config       *Config
	Profile      Profile
	WasAuto      bool   // the profile has sync: auto, which counts as manual
	Repo         string // absolute; need not exist
	Requirements string // a file or a text, "" for none; relative to the working directory
}

// Locate finds the configuration, the profile, the repository and the
// requirements. Only a repository that was named, or a .datafs directory that
// was found, can bring its own config.yml; the profile's store: and the place
// below $XDG_DATA_HOME come into play after the configuration is read. So
// there are four steps and no circle:
//
//	the repository named or found  ->  the configuration  ->  the profile  ->  else its repository
func Locate(o *Search) (*Found, error) {
	if o == nil {
		o = &Search{}
	}
	repo, err := o.safeRepo()
	if err != nil {
		return nil, err
	}
	w := &Found{Repo: repo, kinds: o.kinds()}
	if err := o.readConfig(w); err != nil {
		return nil, err
	}
	if w.Profile, err = w.Config.Profile(firstOf(o.Profile, o.env("DATAFS_DEFAULT_PROFILE"))); err != nil {
		return nil, err
	}
	if w.Repo == "" {
		if w.Repo, err = o.profileRepo(w); err != nil {
			return nil, err
		}
	}
	if w.Distrust != nil {
		w.Profile.Distrusted()
	}
	if w.Distrust != nil && w.Profile.Sync == "auto" {
		w.Profile.Sync, w.WasAuto = "manual", true
	}
	w.Requirements = o.requirements(w.Config)
	return w, nil
}

// Target says which file and which profile configure writes to. The
// file need not exist, not even one that was named.
func Target(o *Search) (file, profile string, err error) {
	if o == nil {
		o = &Search{}
	}
	repo, err := o.safeRepo()
	if err != nil {
		return "", "", err
	}
	file, whose := o.configFile(repo)
	if file == "" {
		return "", "", errors.New("neither XDG_CONFIG_HOME nor HOME is set, say with --config-file where the configuration lies")
	}
	data, err := whose.read(file)
	if err != nil && !NotThere(err) {
		return "", "", err
	}
	c, err := Parse(data, file, o.kinds())
	if err != nil {
		return "", "", err
	}
	return file, firstOf(o.Profile, o.env("DATAFS_DEFAULT_PROFILE"), c.profileName()), nil
}

// readConfig reads the configuration, if there is one.
func (o *Search) readConfig(w *Found) error {
	if o.Config != nil {
		data, err := io.ReadAll(io.LimitReader(o.Config, maxSize+1))
		if err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		w.Config, err = Parse(data, "", o.kinds())
		return err
	}
	file, whose := o.configFile(w.Repo)
	if file == "" {
		return nil
	}
	data, err := whose.read(file)
	if whose != namedFile && NotThere(err) {
		return nil
	}
	if err != nil {
		return err
	}
	w.ConfigFile = file
	if whose == repoFile {
		w.Distrust = o.distrust(w.Repo)
	}
	w.Config, err = Parse(data, file, o.kinds())
	return err
}

// configSource says whose a configuration file is.
type configSource int

const (
	userFile  configSource = iota // in the user's home directory
	namedFile                     // the user has named it
	repoFile                      // the repository's own
)

// read reads a configuration file; the repository's own not through a link.
func (s configSource) read(file string) ([]byte, error) {
	if s != repoFile {
		return ReadFile(file)
	}
	fi, err := os.Lstat(file)
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	if fi.Mode()&fs.ModeSymlink != 0 {
		return nil, LinkError(file)
	}
	if !fi.Mode().IsRegular() {
		return nil, leaf.Errorf(fs.ErrPermission, "%s is not a regular file: the repository is not used", file)
	}
	f, err := index.OpenRead(file)
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	return data, nil
}

// configFile returns where the configuration lies or would lie, "" without a
// home directory, and whose it is.
func (o *Search) configFile(repo string) (string, configSource) {
	if file := firstOf(o.ConfigFile, o.env("DATAFS_CONFIG_FILE")); file != "" {
		return o.ExpandHome(file), namedFile
	}
	if repo != "" {
		own := filepath.Join(repo, FileName)
		if fi, err := os.Lstat(own); err == nil && !fi.IsDir() || err != nil && !NotThere(err) {
			return own, repoFile
		}
	}
	if dir := o.XDG("XDG_CONFIG_HOME", ".config"); dir != "" {
		return filepath.Join(dir, "datafs", FileName), userFile
	}
	return "", userFile
}

// safeRepo returns the repository that was named, or else found upwards and that
// is the user's, else "".
func (o *Search) safeRepo() (string, error) {
	repo, found, err := o.namedRepo()
	if err == nil && found {
		err = o.checkOwner(repo)
	}
	return repo, err
}

// namedRepo returns the repository that was named, or the nearest .datafs
// directory from the working directory upwards (found), else "".
func (o *Search) namedRepo() (repo string, found bool, err error) {
	if repo := firstOf(o.Repo, o.env("DATAFS_REPO")); repo != "" {
		repo, err = repoOrInside(o.ExpandHome(repo))
		return repo, false, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return "", false, fmt.Errorf("working directory: %w", err)
	}
	for {
		repo := filepath.Join(dir, RepoName)
		if err := danglingLink(repo); err != nil {
			return "", false, err
		}
		if isDir(repo) {
			return repo, true, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false, nil
		}
		dir = up
	}
}

// repoOrInside also takes the directory that init was given, which has the
// repository inside.
func repoOrInside(repo string) (string, error) {
	repo, err := filepath.Abs(repo)
	if err != nil {
		return "", fmt.Errorf("repository: %w", err)
	}
	inside := filepath.Join(repo, RepoName)
	if !FileThere(filepath.Join(repo, objects.FormatFile)) && isDir(inside) {
		return inside, nil
	}
	return repo, nil
}

// profileRepo returns where the profile's repository lies: at store:, a
// relative path from the configuration file's directory (so that it is the
// same from everywhere), else below $XDG_DATA_HOME.
func (o *Search) profileRepo(w *Found) (string, error) {
	if w.Profile.Store != "" {
		store, err := o.ExpandPath(w.Profile.Store)
		if err != nil {
			return "", fmt.Errorf("store: %w", err)
		}
		base := o.Dir
		if w.ConfigFile != "" {
			base = filepath.Dir(w.ConfigFile)
		}
		return filepath.Abs(JoinPath(base, store))
	}
	name := w.Profile.Name
	if !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, `/\`) {
		return "", fmt.Errorf("profile %q: cannot name a directory, say with store: where its repository lies", name)
	}
	dir := o.XDG("XDG_DATA_HOME", filepath.Join(".local", "share"))
	if dir == "" {
		return "", errors.New("neither XDG_DATA_HOME nor HOME is set, say with --repo or DATAFS_REPO where the repository lies")
	}
	return filepath.Join(dir, "datafs", name), nil
}

// requirements returns the pins that were asked for: a file's name, or text
// that looks like requirements. A file that the configuration names is looked for in
// the working directory, since it goes with the work and not with the settings.
func (o *Search) requirements(c *Config) string {
	if r := firstOf(o.Requirements, o.env("DATAFS_REQUIREMENTS_FILE")); r != "" {
		return o.requirementsPath("", r)
	}
	if c != nil && c.Requirements != "" {
		return o.requirementsPath(o.Dir, c.Requirements)
	}
	if file := JoinPath(o.Dir, RequirementsName); FileThere(file) {
		return file
	}
	return ""
}

func (o *Search) requirementsPath(dir, r string) string {
	if solve.LooksLikeRequirements(r) {
		return r
	}
	return JoinPath(dir, o.ExpandHome(r))
}

func (o *Search) kinds() Kinds {
	if o.Kinds == nil {
		return builtin
	}
	return o.Kinds
}

func (o *Search) env(name string) string {
	if o.Getenv == nil {
		return os.Getenv(name)
	}
	return o.Getenv(name)
}

// home returns the user's home directory, "" if there is none.
func (o *Search) home() string {
	home := firstOf(o.env("HOME"), o.env("USERPROFILE"))
	if !filepath.IsAbs(home) {
		return ""
	}
	return home
}

// XDG returns a base directory of the XDG specification, "" without a home
// directory. A relative path in the variable is to be ignored.
func (o *Search) XDG(name, below string) string {
	if dir := o.env(name); filepath.IsAbs(dir) {
		return dir
	}
	home := o.home()
	if home == "" {
		return ""
	}
	return filepath.Join(home, below)
}

// ExpandHome replaces ~ at the beginning, if it can.
func (o *Search) ExpandHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~")
	if home := o.home(); ok && home != "" && (rest == "" || os.IsPathSeparator(rest[0])) {
		return home + rest
	}
	return path
}

// ExpandPath replaces ~ at the beginning, and $NAME and ${NAME}; $$ is one
// dollar sign. What cannot be replaced is an error: data must not end up in a
// directory that is called ~, nor in / because $SCRATCH is empty here.
func (o *Search) ExpandPath(path string) (string, error) {
	if o.ExpandHome(path) == path && strings.HasPrefix(path, "~") {
		if rest := path[1:]; rest == "" || os.IsPathSeparator(rest[0]) {
			return "", fmt.Errorf("%q: HOME is not set", path)
		}
		return "", fmt.Errorf("%q: only ~/ is understood, not another user's home", path)
	}
	var missing []string
	path = o.ExpandHome(os.Expand(path, func(name string) string {
		if name == "$" {
			return name
		}
		value := o.env(name)
		if value == "" {
			missing = append(missing, name)
		}
		return value
	}))
	if len(missing) > 0 {
		return "", fmt.Errorf("the variable %s is not set", strings.Join(missing, ", "))
	}
	return path, nil
}

// JoinPath leaves absolute paths alone.
func JoinPath(dir, path string) string {
	if dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// danglingLink refuses a repository that is a link to what is not there: commands must
// not go on in another one.
func danglingLink(repo string) error {
	to, err := os.Readlink(repo)
	if err != nil {
		return nil // no link, or nothing at all
	}
	if _, err := os.Stat(repo); NotThere(err) {
		return &leaf.HintError{Err: leaf.Errorf(remote.ErrUnavailable, "the repository %s is a link to %s, which is not there", repo, to), Hint: "is the disk mounted? else remove the link, or name another repository with --repo"}
	}
	return nil
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// FileThere holds for what can be read as a file, and for what cannot even be
// looked at: that must end in an error, not in "no such file".
func FileThere(path string) bool {
	fi, err := os.Stat(path)
	if err != nil {
		return !NotThere(err)
	}
	return !fi.IsDir()
}

// NotThere also holds for a path below something that is no directory, such as
// the home directory /dev/null that service accounts have.
func NotThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// LinkError returns the error of an entry of a repository that is a link.
func LinkError(name string) error {
	return &leaf.HintError{
		Err:  leaf.Errorf(fs.ErrPermission, "%s is a link: nothing in a repository is reached through one", name),
		Hint: "if you made it, put what it leads to in its place; the repository's own directory may be a link",
	}
}
