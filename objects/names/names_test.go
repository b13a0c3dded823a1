package names

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

var reserved = []string{
	".git", ".GIT", ".Git", ".git.", ".git ", ".git . .", ".hg", ".HG", ".svn", ".sVn", ".datafs", ".DataFS", ".datafs...",
	".datafs-checkout", ".datafs-checkout.lock", ".DATAFS-CHECKOUT.tmp", ".datafs-checkout2", ".datafs-checkout ",
	"git~1", "GIT~1", "git~12", "GIT~1.", "hg~1", "SVN~2", "DATAFS~1", "datafs~2.loc", "DATAFS~1.TMP", "DAE082~1", "gi2837~3", "DA7ED7~1.LOC",
	".git:x", ".git::$INDEX_ALLOCATION", ".git :x", ".datafs:config.yml", "git~1::$INDEX_ALLOCATION", ".datafs-checkout:$DATA",
	`a\.git`, `.git\hooks`, `..\.datafs\config.yml`, `\GIT~1`,
	".g\u200cit", "\u200c.git", ".git\ufeff", ".\u202edatafs", ".d\u2060atafs", ".h\u00adg", ".s\U000e0001vn", ".g\u206ait", ".git\ufe0f", "git\u200d~1",
	".\u017fvn", ".datafſ", ".gıt", ".GİT", ".datafs-chec\u212Aout", ".git.\u200c", ".g\u200f\u200eit:x",
}

var harmless = []string{
	"", ".", "..", "git", ".gi", ".gitignore", ".gitattributes", ".gitmodules", ".github", ".git-blame-ignore-revs", "a.git", ".gitt", "..git", " .git",
	".hgignore", ".svnignore", ".datafsx", "datafs", ".data", "git~", "git~x", "mygit~1", "digit~1", "GIT~1x", "git~1.html", "datafs~backup", "data~1",
	"x.datafs", "a:b", `a\b`, ".ĝit", "é", "文件", ".g\u0301it", "con", "\xff.git", ".gít", "trail.", ".DS_Store",
}

func TestReserved(t *testing.T) {
	for _, name := range reserved {
		if !Reserved(name) {
			t.Errorf("Reserved(%+q) = false, want true", name)
		}
		for _, path := range []string{name, "a/" + name, name + "/b", "a/b.c/" + name + "/d"} {
			if ReservedIn(path) == "" {
				t.Errorf("ReservedIn(%+q) found nothing", path)
			}
		}
	}
	for _, name := range harmless {
		if Reserved(name) {
			t.Errorf("Reserved(%+q) = true, want false", name)
		}
		if got := ReservedIn("a/" + name + "/b"); got != "" {
			t.Errorf("ReservedIn found %+q in a path with %+q", got, name)
		}
	}
	if got := ReservedIn("a/.Git/.hg"); got != ".Git" {
		t.Errorf(`ReservedIn("a/.Git/.hg") = %q, want ".Git"`, got)
	}
}

// FuzzReserved disguises each reserved name, and looks for names that the quick
// look and the thorough one judge differently.
func FuzzReserved(f *testing.F) {
	for _, name := range append(reserved, harmless...) {
		f.Add(name, uint32(0))
	}
	f.Fuzz(func(t *testing.T, name string, how uint32) {
		if Reserved(name) && !suspicious(name) {
			t.Errorf("%+q is reserved and not suspicious", name)
		}
		for part := range strings.SplitSeq(fold(name), `\`) {
			part, _, _ = strings.Cut(part, ":")
			for _, n := range own {
				if strings.TrimRight(part, ". ") == n && !Reserved(name) {
					t.Errorf("%+q is %s and not reserved", name, n)
				}
			}
		}
		if Reserved(name) != Reserved(name+". .") || Reserved(name) != Reserved("\u200b"+name) && utf8.ValidString(name) {
			t.Errorf("%+q is judged by what a file system does not see", name)
		}
		for _, n := range append([]string{ownPrefix + "x", "git~1", "datafs~1"}, own...) {
			if d := disguised(n, how); !Reserved(d) {
				t.Errorf("%+q, which is %s, is not reserved", d, n)
			}
			if !strings.Contains(name, "/") && !Reserved(`x\`+disguised(n, how)+":"+name) {
				t.Errorf("a stream of %s with the name %+q is not reserved", n, name)
			}
		}
	})
}

// disguised writes a name in another way, by the bits of how.
func disguised(name string, how uint32) string {
	var b strings.Builder
	for i, r := range name {
		if how>>(i%16)&1 == 1 {
			b.WriteString(strings.ToUpper(string(r)))
		} else {
			b.WriteRune(r)
		}
		if how>>(16+i%12)&1 == 1 {
			b.WriteRune([]rune{0x200C, 0xFEFF, 0x206F, 0xAD}[i%4])
		}
	}
	return b.String() + []string{"", ".", " ", ". "}[how>>30]
}

func TestWindowsFault(t *testing.T) {
	for _, name := range []string{
		"con", "CON", "PRN.txt", "aux", "Nul", "nul.tar.gz", "com1", "COM9.x", "lpt1", "LPT9", "COM¹", "lpt³.txt", "con .txt", "CONIN$", "conout$",
		"a:b", `a\b`, "trail.", "trail ", "x/con/y", "x./y",
	} {
		if WindowsFault(name) == "" {
			t.Errorf("WindowsFault(%q) found nothing", name)
		}
	}
	for _, name := range []string{"", "a", "console", "com", "com0", "com10", "lpt", "nulls", "a.con", ".con", "a b/c.d", "é", "..", "a/../b"} {
		if why := WindowsFault(name); why != "" {
			t.Errorf("WindowsFault(%q) = %q", name, why)
		}
	}
}

func TestVisible(t *testing.T) {
	for _, c := range []struct{ give, want string }{
		{"plain é 文件 \u200f\u00a0", "plain é 文件 \u200f\u00a0"},
		{"a\x1b[31m\x07\x00\x7f", `a\x1b[31m\x07\x00\x7f`},
		{"a\nb\rc\td", `a\nb\rc\td`},
		{"\u0080\u009b\u009f", `\x80\x9b\x9f`},
		{"\u202a\u202e\u2066\u2069", `\u202a\u202e\u2066\u2069`},
		{"\x9b31m \xff \xe9t\xe9", "\\x9b31m \xff \xe9t\xe9"},
		{"\ufffd", "\ufffd"},
	} {
		if got := Visible(c.give); got != c.want {
			t.Errorf("Visible(%+q) = %+q, want %+q", c.give, got, c.want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\x1b\u009b\u202e\x9b\n\xe2\x80")
	f.Fuzz(func(t *testing.T, s string) {
		if got := Visible(s); HasControl(got) || !HasControl(s) && utf8.ValidString(s) && got != s {
			t.Errorf("Visible(%+q) = %+q", s, got)
		}
		given, _ := json.Marshal(s)
		shown := VisibleJSON(given)
		var want, got string
		if json.Unmarshal(given, &want) != nil || json.Unmarshal(shown, &got) != nil || got != want || HasControl(string(shown)) {
			t.Errorf("VisibleJSON(%q) = %q", given, shown)
		}
	})
}
