package config

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestEditUserConfigText(t *testing.T) {
	me := map[string]string{"username": "Me"}
	for _, c := range []struct {
		name, text, profile string
		set                 map[string]string
		want                string
	}{
		{"an empty file", "", "", map[string]string{"username": "Me", "contact": "a@b.c"},
			"profiles:\n  default:\n    api:\n      user_config:\n        contact: a@b.c\n        username: Me\n"},
		{"a file of comments without a last line end", "# mine", "", me,
			"# mine\nprofiles:\n  default:\n    api:\n      user_config:\n        username: Me"},
		{"another profile in an empty file leaves default there", "", "work", me,
			"profiles:\n  default: {}\n  work:\n    api:\n      user_config:\n        username: Me\n"},
		{"the default profile of the file", "default-profile: work\n", "", me,
			"default-profile: work\nprofiles:\n  work:\n    api:\n      user_config:\n        username: Me\n"},
		{"a value in a block", seedConfig, "", me, strings.Replace(seedConfig, "My Name", "Me", 1)},
		{"a new value in a block", seedConfig, "", map[string]string{"orcid": "0000"},
			strings.Replace(seedConfig, "My Name\n", "My Name\n                orcid: \"0000\"\n", 1)},
		{"a new profile", seedConfig, "new", me,
			seedConfig + "    new:\n        api:\n            user_config:\n                username: Me\n"},
		{"the same value", seedConfig, "", map[string]string{"username": "My Name"}, seedConfig},
		{"a value in braces", "api: {user_config: {username: X, a: 'b'}} # c\n", "", me,
			"api: {user_config: {username: Me, a: 'b'}} # c\n"},
		{"a new value in braces", "api: {user_config:   {a: 'it''s }', b: \"\\\"}\"}}\n", "", me,
			"api: {user_config:   {a: 'it''s }', b: \"\\\"}\", username: Me}}\n"},
		{"letters of more than one byte before", "api: {user_config: {é: 日本,   username: 'X',  a: b}}\n", "", me,
			"api: {user_config: {é: 日本,   username: Me,  a: b}}\n"},
		{"the same value in quotes", "api: {user_config: {username: 'Me'}}\n", "", me, "api: {user_config: {username: 'Me'}}\n"},
		{"a new value in braces with spaces", "api: { user_config: { a: b } }\n", "", me,
			"api: { user_config: { a: b, username: Me } }\n"},
		{"a new value behind a last comma", "api: {user_config: {a: b,}}\n", "", me,
			"api: {user_config: {a: b, username: Me}}\n"},
		{"a new mapping in braces", "profiles: {default: {store: x}}\n", "", me,
			"profiles: {default: {store: x, api: {user_config: {username: Me}}}}\n"},
		{"braces over many lines", "api: {\n  user_config: {\n    a: b, # don't }\n    c: d\n  }\n}\n", "", me,
			"api: {\n  user_config: {\n    a: b, # don't }\n    c: d, username: Me\n  }\n}\n"},
		{"empty braces", "api:\n   user_config: {}   # none yet\nstore: x\n", "", me,
			"api:\n   user_config:   # none yet\n      username: Me\nstore: x\n"},
		{"a key without a value", "api:\n  user_config: # none yet\n\nstore: x\n", "", me,
			"api:\n  user_config: # none yet\n    username: Me\n\nstore: x\n"},
		{"an entry without a value", "api:\n  user_config:\n    username:\n    a: b\n", "", me,
			"api:\n  user_config:\n    username: Me\n    a: b\n"},
		{"null", "api: ~\nstore: x\n", "", me, "api: {user_config: {username: Me}}\nstore: x\n"},
		{"quoted text", "api:\n  user_config:\n    username: 'it''s me' # yes\n", "", me,
			"api:\n  user_config:\n    username: Me # yes\n"},
		{"more in double quotes", "api:\n  user_config:\n    username: \"a \\\" é\"\n", "", me,
			"api:\n  user_config:\n    username: Me\n"},
		{"a file that is the profile default", "# mine\nstore: x\n\n# end\n", "", me,
			"# mine\nstore: x\napi:\n  user_config:\n    username: Me\n\n# end\n"},
		{"comments and blank lines behind a block", "profiles:\n  default:\n    api:\n      user_config:\n" +
			"        a: b\n        # c: d\n\n    # the team's\n    store: x\n", "", me,
			"profiles:\n  default:\n    api:\n      user_config:\n" +
				"        a: b\n        # c: d\n        username: Me\n\n    # the team's\n    store: x\n"},
		{"CRLF and a byte order mark", "\ufeffapi:\r\n  user_config:\r\n    a: é\r\n", "", me,
			"\ufeffapi:\r\n  user_config:\r\n    a: é\r\n    username: Me\r\n"},
		{"an end marker", "---\nstore: x\n...\n", "", me, "---\nstore: x\napi:\n  user_config:\n    username: Me\n...\n"},
		{"a list that is not indented", "checksums:\n- md5\n- sha256\n", "", me,
			"checksums:\n- md5\n- sha256\napi:\n  user_config:\n    username: Me\n"},
		{"text of many lines that looks like comments", "store: |\n  a\n\n  # b\n", "", me,
			"store: |\n  a\n\n  # b\napi:\n  user_config:\n    username: Me\n"},
		{"text of many lines is replaced, at the cost of the layout",
			"api:\n      user_config:\n            # who\n            username: >\n                A\n                B\n", "", me,
			"api:\n      user_config:\n            # who\n            username: Me\n"},
		{"JSON", "{\"profiles\": {\"default\": {}}}\n", "", me,
			"{\"profiles\": {\"default\": {api: {user_config: {username: Me}}}}}\n"},
		{"odd values", "", "", map[string]string{"a": "x: y", "b": "a\nb", "c": "", "d": "null", "e e": "{", "f": "yes"},
			"profiles:\n  default:\n    api:\n      user_config:\n        a: 'x: y'\n        b: \"a\\nb\"\n        c: \"\"\n" +
				"        d: \"null\"\n        e e: '{'\n        f: 'yes'\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := editUserConfig([]byte(c.text), "config.yml", c.profile, c.set)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestEditRefusals(t *testing.T) {
	for _, c := range []struct{ name, text, profile, want string }{
		{"unsound YAML", "a: [\n", "", "config.yml:1: not sound YAML"},
		{"a wrong type on the way", "api: [x]\n", "", "config.yml:1: api: want a mapping, got a list"},
		{"an alias", "profiles:\n  a: {api: &x {}}\n  default:\n    api: *x\n", "",
			"config.yml:4: profiles.default.api: carries an anchor, an alias or a tag"},
		{"an anchor", "profiles:\n  default:\n    api: &x {}\n", "", "config.yml:3: profiles.default.api: carries an anchor"},
		{"a merge", "profiles:\n  a: &a {api: {user_config: {}}}\n  default:\n    <<: *a\n", "",
			`config.yml:2: "api" comes from a merge (<<), edit the file by hand`},
		{"another profile in a file that is the profile default", "store: x\n", "work", "config.yml: all of it is the profile \"default\""},
		{"a value that is not UTF-8", "", "\xff", "not valid UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			value := "b"
			if c.profile == "\xff" {
				c.profile, value = "", c.profile
			}
			_, err := editUserConfig([]byte(c.text), "config.yml", c.profile, map[string]string{"a": value})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// typicalConfigs are layouts that people write.
func typicalConfigs() []string {
	flow := "default-profile: default\nprofiles:\n  default:\n    api:\n      user_config: {contact: me, username: X}   # me\n" +
		"    # a comment\n    authorities:\n      local: {service: OSFS, args: [\"a\"]}\n\n\n    manager:   {class: mongo}\n"
	whole := "# c\n\napi:\n    user_config:\n        username:   'X'  # c\n\n        contact: y\n\nauthorities:\n    local:\n        service: OSFS\n"
	return []string{
		seedConfig, flow, whole, "", "# only this\n", "profiles:\n  default:\n\n  # next\n  other:\n    store: /x\n",
		strings.TrimSuffix(seedConfig, "\n"), strings.ReplaceAll(seedConfig, "\n", "\r\n"), "\ufeff" + flow,
		"store: /x\n# end", "profiles:\n  default:\n    api:\n    store: x\n",
	}
}

// TestEditKeepsEveryOtherLine edits typical files in many ways. What was there
// stays byte for byte, but for one line that is changed; what is new reads back.
func TestEditKeepsEveryOtherLine(t *testing.T) {
	for _, text := range typicalConfigs() {
		for _, key := range []string{"username", "contact", "new key", "x: y", "#", "é"} {
			for _, value := range []string{"v", "", "a: b", "a\nb", "'", "\"", "{x}", "#", "日本", " x ", "12"} {
				got, err := editUserConfig([]byte(text), "config.yml", "", map[string]string{key: value})
				if err != nil {
					t.Fatalf("%s=%q in\n%s\n%v", key, value, text, err)
				}
				if n := lostLines(text, string(got)); n > 1 {
					t.Errorf("%s=%q: %d lines changed, from\n%s\nto\n%s", key, value, n, text, got)
				}
				before, after := profileOf(t, text, ""), profileOf(t, string(got), "")
				if before.UserConfig == nil {
					before.UserConfig = map[string]string{}
				}
				before.UserConfig[key] = value
				if !reflect.DeepEqual(before, after) {
					t.Errorf("%s=%q: got\n%s", key, value, got)
				}
			}
		}
	}
}

// lostLines counts the lines of a that are not, in that order, in b.
func lostLines(a, b string) int {
	lost, rest := 0, strings.Split(b, "\n")
	for _, line := range strings.Split(a, "\n") {
		if i := slices.Index(rest, line); i >= 0 {
			rest = rest[i+1:]
		} else {
			lost++
		}
	}
	return lost
}

func FuzzEditUserConfig(f *testing.F) {
	for _, text := range typicalConfigs() {
		f.Add([]byte(text), "username", "v")
	}
	f.Add([]byte("api: {user_config: {a: 'b', # }\n}}"), "a", "\n")
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		set := map[string]string{key: value}
		got, err := editUserConfig(data, "f", "default", set)
		if err != nil {
			return
		}
		c, err := Parse(got, "f", nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, got)
		}
		if p, err := c.Profile("default"); err == nil && p.UserConfig[key] != value {
			t.Errorf("got %q, want %q", p.UserConfig[key], value)
		}
		again, err := editUserConfig(got, "f", "default", set)
		if err != nil || !bytes.Equal(got, again) {
			t.Errorf("a second edit changes the file: %v", err)
		}
	})
}

func TestEditUserConfigFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a", "b", "config.yml")
	set := map[string]string{"username": "Me"}
	if err := EditUserConfig(file, "default", set); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := profileOf(t, string(data), "").UserConfig; !maps.Equal(got, set) {
		t.Errorf("got %v, want %v", got, set)
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := EditUserConfig(file, "default", set); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("an edit that changes nothing wrote the file: %v", err)
	}
	if err := EditUserConfig(file, "default", nil); err != nil {
		t.Error(err)
	}
}
