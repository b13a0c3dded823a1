package config

import (
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"
)

const seedConfig = `# Specify a default profile
default-profile: example

profiles:

    # Everything under this key specifies the example profile
    example:

        api:
            user_config:
                contact: me@email.com
                username: My Name

        authorities:
            local:
                service: OSFS
                args: [example_data_dir]

            remote:
                service: S3FS
                args: ['test-bucket']
                kwargs:
                    region_name: us-east-1
                    profile_name: 'aws-test'

        manager:
            class: DynamoDBManager
            kwargs:
                resource_args:
                    endpoint_url: 'http://localhost:8000/'
                    region_name: 'us-east-1'

                session_args:
                    profile_name: aws-test

                table_name: my-test-data
`

// profileOf parses a configuration and returns one of its profiles.
func profileOf(t *testing.T, text, name string) Profile {
	t.Helper()
	c, err := Parse([]byte(text), "config.yml", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Profile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProfileOfTheDocumentation(t *testing.T) {
	got := profileOf(t, seedConfig, "")
	want := Profile{
		Name:       "example",
		UserConfig: map[string]string{"contact": "me@email.com", "username": "My Name"},
		Authorities: []NamedService{
			{"local", Service{Service: "OSFS", Args: []any{"example_data_dir"}}},
			{"remote", Service{
				Service: "S3FS",
				Args:    []any{"test-bucket"},
				Kwargs:  map[string]any{"region_name": "us-east-1", "profile_name": "aws-test"},
			}},
		},
		Manager: &Manager{Class: "DynamoDBManager", Kwargs: map[string]any{
			"resource_args": map[string]any{"endpoint_url": "http://localhost:8000/", "region_name": "us-east-1"},
			"session_args":  map[string]any{"profile_name": "aws-test"},
			"table_name":    "my-test-data",
		}},
		Sync: "manual",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestProfiles(t *testing.T) {
	local := []NamedService{{"local", Service{Service: "TempFS"}}}
	mongo := &Manager{Class: "MongoDBManager"}
	for _, c := range []struct {
		name, text, profile string
		want                Profile
	}{
		{"an empty file is the profile default", "", "", Profile{}},
		{"so is one of comments", "# nothing\n\n# here\n", "default", Profile{}},
		{"so is one without values", "---\n...\n", "", Profile{}},
		{"so is one with an empty profiles", "profiles: {}\n", "", Profile{}},
		{"a file without profiles is the profile default",
			"authorities: {local: {service: TempFS}}\nrequirements: x\n", "", Profile{Authorities: local}},
		{"a byte order mark and CRLF change nothing",
			"\ufeffauthorities:\r\n  local:\r\n    service: TempFS\r\n", "", Profile{Authorities: local}},
		{"null and {} are no manager, authorities or cache",
			"profiles: {default: {manager: {}, authorities: null, cache: {}, api: }}", "", Profile{}},
		{"a profile may be null", "profiles:\n  default:\n", "", Profile{}},
		{"URLs say it all",
			"authorities: {a: 's3://bucket/prefix?region=x'}\nmanager: mongodb://h/d\ncache: file:///c\n", "",
			Profile{
				Authorities: []NamedService{{"a", Service{URL: "s3://bucket/prefix?region=x"}}},
				Manager:     &Manager{URL: "mongodb://h/d"},
				Cache:       &Service{URL: "file:///c"},
			}},
		{"user config is text as written, and left out without a value",
			"api: {user_config: {a: 012, b: true, c: , d: 2020-01-01, e: ''}}", "",
			Profile{UserConfig: map[string]string{"a": "012", "b": "true", "d": "2020-01-01", "e": ""}}},
		{"all other settings",
			"default-authority: local\nauthorities: {local: {service: tempfs}}\nstore: ~/x\nsync: auto\nchecksums: [MD5, blake3, md5]\n", "",
			Profile{Authorities: local, DefaultAuthority: "local", Store: "~/x", Sync: "auto", Checksums: []string{"md5"}}},
		{"a class is known by its start", "manager: {class: mongoFoo}", "", Profile{Manager: mongo}},
		{"aliases and merges are followed",
			"profiles:\n  a: &a\n    manager: {class: dynamo}\n    cache: &c {service: TempFS}\n" +
				"  b:\n    <<: *a\n    manager: {class: mongo}\n    authorities: {local: *c}\n", "b",
			Profile{Name: "b", Authorities: local, Manager: mongo, Cache: &local[0].Service}},
		{"a merge may be of a list, the first one wins",
			"profiles:\n  a: &a\n    manager: {class: dynamo}\n  b: &b\n    manager: {class: mongo}\n    store: y\n" +
				"  c: {<<: [*b, *a], store: x}\n", "c",
			Profile{Name: "c", Manager: mongo, Store: "x"}},
		{"what two merges bring in is there once",
			"profiles:\n  a: &a {authorities: &x {local: {service: TempFS}}}\n  b: {authorities: {<<: [*x, *x]}}\n", "b",
			Profile{Name: "b", Authorities: local}},
		{"other profiles may be wrong",
			"profiles:\n  bad: {authorities: {x: {service: NoFS}}, foo: 1}\n  good: {manager: {class: mongo}}\n", "good",
			Profile{Name: "good", Manager: mongo}},
		{"a number is a name", "default-profile: 2015\nprofiles: {2015: {manager: {class: mongo}}}", "",
			Profile{Name: "2015", Manager: mongo}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want.Name == "" {
				c.want.Name = "default"
			}
			if c.want.Sync == "" {
				c.want.Sync = "manual"
			}
			if got := profileOf(t, c.text, c.profile); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestArguments(t *testing.T) {
	p := profileOf(t, `authorities:
  a:
    service: FTPFS
    args: [host, 21, 1.5, true, null, [], {}]
    kwargs: {passwd: 0123, acct: 089, mode: 0o700, big: 99999999999999999999, day: 2020-01-01,
             yes: yes, hex: 0x10, f: 0.5, g: 1e3, nested: {k: [1, "1"]}, 5: five}
`, "")
	want := Service{
		Service: "FTPFS",
		Args:    []any{"host", 21, 1.5, true, nil, []any{}, map[string]any{}},
		Kwargs: map[string]any{
			"passwd": "0123", "acct": "089", "mode": "0o700", "big": "99999999999999999999", "day": "2020-01-01",
			"yes": "yes", "hex": "0x10", "f": 0.5, "g": 1000.0, "nested": map[string]any{"k": []any{1, "1"}}, "5": "five",
		},
	}
	if got := p.Authorities[0].Service; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a list for a mapping", "a: 1\n", `config.yml:1: unknown key "a", want one of default-profile,`},
		{"authorities as a list", "# x\nauthorities:\n- local\n", "config.yml:2: authorities: want a mapping, got a list"},
		{"the file is a list", "\n- a\n", "config.yml:2: want a mapping, got a list"},
		{"the file is text", "hello\n", "config.yml:1: want a mapping, got text"},
		{"a profile is text", "profiles:\n  a: b\n", "config.yml:2: profiles.a: want a mapping, got text"},
		{"a mistyped key", "profiles:\n  default:\n    authorites: {}\n",
			`config.yml:3: unknown key "authorites", did you mean "authorities"?`},
		{"an underscore for a dash", "default_profile: x\n", `config.yml:1: unknown key "default_profile", did you mean "default-profile"?`},
		{"a mistyped key of a service", "authorities:\n  a:\n    servce: OSFS\n",
			`config.yml:3: authorities.a: unknown key "servce", did you mean "service"?`},
		{"a setting of a manager in the wrong place", "manager:\n  class: mongo\n  table_name: x\n",
			`config.yml:3: manager: unknown key "table_name", want one of class, args, kwargs (settings of its own go below kwargs)`},
		{"user settings in the wrong place", "api: {username: x}\n", `config.yml:1: api: unknown key "username", want one of user_config`},
		{"settings beside profiles", "profiles: {a: {}}\nmanager: {}\n", "config.yml:2: manager: belongs into one of the profiles"},
		{"a key twice", "authorities:\n  a: x\n  b: y\n  a: z\n", `config.yml:4: key "a" is already on line 2`},
		{"a second document", "a: 1\n---\nb: 1\n", "config.yml:2: a second document begins, want one"},
		{"a tab", "store: x\nsync:\n\tauto\n", "config.yml:3: not sound YAML: found"},
		{"wrong indentation", "store: x\nsync: auto\n  cache: {}\n", "config.yml:3: not sound YAML: mapping values are not allowed"},
		{"a quote that does not end", "store: 'x\nsync: auto\n", "config.yml:1: not sound YAML: found unexpected end of stream"},
		{"a key behind a list", "checksums:\n- md5\nstore: x\n- md5\n", "config.yml:4: not sound YAML: did not find expected key"},
		{"an unknown alias", "store: x\ncache: *c\n", "config.yml:2: not sound YAML: unknown anchor 'c' referenced"},
		{"a byte that is not UTF-8", "store: x\nsync: \xff\n", "config.yml:2: not sound YAML: "},
		{"a merge of text", "cache:\n  <<: x\n", "config.yml:1: cache: a merge (<<) wants a mapping"},
		{"a merge of itself", "cache: &c\n  <<: *c\n", "config.yml:1: cache: contains itself"},
		{"a value in itself", "cache: {service: OSFS, args: &a [*a]}\n", "contains itself, or is nested too deeply"},
		{"a list as a key", "authorities: {[a]: b}\n", "config.yml:1: want a name as key, got a list"},
		{"no service", "authorities:\n  a: {args: []}\n", "config.yml:2: authorities.a: service is missing"},
		{"an unknown service", "authorities:\n  a:\n    service: GoFS\n", `config.yml:3: Filesystem "gofs" not found, there are OSFS, TempFS,`},
		{"an unknown scheme", "cache: Gopher://x\n", `config.yml:1: Filesystem "gopher" not found`},
		{"a path for a URL", "authorities: {a: /data}\n",
			"config.yml:1: authorities.a: want a mapping or a URL such as s3://bucket/prefix, got text"},
		{"a number as service", "authorities: {a: {service: 5}}\n", "config.yml:1: authorities.a.service: want text, got a number"},
		{"args as text", "authorities: {a: {service: OSFS, args: x}}\n", "authorities.a.args: want a list, got text"},
		{"kwargs as a list", "authorities: {a: {service: OSFS, kwargs: []}}\n", "authorities.a.kwargs: want a mapping, got a list"},
		{"an unknown tag", "authorities: {a: {service: OSFS, args: [!secret x]}}\n", "authorities.a.args[0]: want text, got !secret"},
		{"an authority's name", "authorities: {a.b: {service: OSFS}}\n", `config.yml:1: "a.b" not a valid authority name`},
		{"a default authority that is none", "authorities: {a: {service: OSFS}}\ndefault-authority: b\n",
			`config.yml:2: default-authority: Authority "b" not found`},
		{"a manager without a class", "store: x\nmanager: {args: []}\n",
			`config.yml:2: Manager not fully specified. Give "class:manager_name", e.g. "class:MongoDBManager".`},
		{"an unknown manager", "manager: {class: SQLManager}\n",
			`config.yml:1: Manager class "SQLManager" not recognized. Choose from MongoDBManager, DynamoDBManager,`},
		{"an unknown manager's URL", "manager: sql://x\n", `config.yml:1: Manager class "sql" not recognized.`},
		{"user config with a list", "api: {user_config: {a: [b]}}\n", "api.user_config.a: want text, got a list"},
		{"sync", "sync: always\n", `config.yml:1: sync: want manual or auto, got "always"`},
		{"sync as a truth value", "sync: true\n", `config.yml:1: sync: want text, got true or false`},
		{"checksums", "checksums: [sha1]\n", `config.yml:1: checksums[0]: want md5 or sha256, got "sha1"`},
		{"an unknown profile", "default-profile: x\n", `Profile "x" not found`},
		{"an unknown profile beside others", "profiles: {a: {}, b: {}}\n", `Profile "default" not found in config.yml, which has a, b`},
		{"a huge file", strings.Repeat("#", maxSize+1), "config.yml: larger than 1048576 bytes"},
		{"aliases that multiply", bomb(), "contains itself, or is nested too deeply"},
		{"merges that multiply", mergeBomb(), "contains itself, or is nested too deeply"},
		{"a merge of a list of text", "cache:\n  <<: [x]\n", "config.yml:1: cache: a merge (<<) wants a mapping"},
		{"a date as text", "store: 2020-01-01\n", "config.yml:1: store: want text, got a date"},
		{"checksums as text", "checksums: md5\n", "config.yml:1: checksums: want a list, got text"},
		{"a number in the checksums", "checksums: [5]\n", "config.yml:1: checksums[0]: want text, got a number"},
		{"a second document that is broken", "store: x\n---\na: [\n", "config.yml:2: not sound YAML"},
		{"a key with a line end", "authorities: {\"a\\nb\": []}\n", `config.yml:1: "a\nb" not a valid authority name`},
		{"a key with a line end in a path", "api: {user_config: {\"a\\nb\": []}}\n", `api.user_config."a\nb": want text, got a list`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := Parse([]byte(c.text), "config.yml", nil)
			if err == nil {
				_, err = cfg.Profile("")
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// bomb returns a short file that is 10^9 values long with its aliases expanded.
func bomb() string {
	text := "cache:\n  service: OSFS\n  kwargs:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := '1'; i <= '8'; i++ {
		before := "*a" + string(i-1)
		text += "    a" + string(i) + ": &a" + string(i) + " [" + strings.Repeat(before+", ", 9) + before + "]\n"
	}
	return text
}

// mergeBomb merges 10^9 times.
func mergeBomb() string {
	text := "profiles:\n  p0: &p0 {store: x}\n"
	for i := '1'; i <= '9'; i++ {
		before := "*p" + string(i-1)
		text += "  p" + string(i) + ": &p" + string(i) + " {<<: [" + strings.Repeat(before+", ", 9) + before + "]}\n"
	}
	return text + "  default: *p9\n"
}

func TestNearestKey(t *testing.T) {
	for _, c := range []struct{ key, known, want string }{
		{"Defalt_autority", "default-authority", "default-authority"},
		{"abcdxx", "abcdef abcdxy abcd", "abcdxy"},
		{"abcdxx", "abcdxy abcdef", "abcdxy"},
		{"stor", "store sync", "store"},
		{"path", "args class", ""},
		{"x", "y", "y"},
	} {
		if got := nearestKey(c.key, strings.Fields(c.known)); got != c.want {
			t.Errorf("%s of %s: got %q, want %q", c.key, c.known, got, c.want)
		}
	}
}

func TestUnknownProfileIsNotExist(t *testing.T) {
	var none *Config
	if _, err := none.Profile("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if p, err := none.Profile(""); err != nil || p.Name != "default" {
		t.Errorf("got %q, %v, want the profile default", p.Name, err)
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, s := range []string{seedConfig, bomb(), "", "\ufeffa: 1\r\n", "a: &a {<<: *a}\n", "profiles: {a: {manager: mongodb://x}}",
		"authorities: {a: {service: OSFS, args: [1, 0x1, .inf, !!binary aGk=]}}", "? [a]\n: b\n", "- a\nb", "api: {user_config: {a: |\n  x\n}}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, "f", nil)
		if err == nil {
			var p Profile
			if p, err = c.Profile(""); err == nil && p.Name == "" {
				t.Error("a profile without a name")
			}
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error of more than one line: %q", err)
		}
	})
}
