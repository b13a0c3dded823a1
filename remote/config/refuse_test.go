package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestWhatAnUntrustedConfigurationMayNotHave(t *testing.T) {
	for config, want := range map[string]string{ // "" is nothing
		"authorities: {t: 'sftp://host/x'}":                                                                         "sftp",
		"authorities: {t: {service: SFTPFS, args: [host]}}":                                                         "SFTPFS",
		"authorities: {t: {service: S3FS, args: [b], kwargs: {profile_name: lab}}}":                                 "profile_name",
		"authorities: {t: {service: S3FS, args: [b, p, key, secret]}}":                                              "aws_access_key",
		"authorities: {t: {service: S3FS, args: [b], kwargs: {aws_secret_access_key: s}}}":                          "aws_secret_access_key",
		"authorities: {t: 's3://b?profile=lab'}":                                                                    "profile",
		"authorities: {t: 'https://me:pw@host/'}":                                                                   "password",
		"authorities: {t: {service: FTPFS, args: ['ftp://me:pw@host/']}}":                                           "password",
		"authorities: {t: {service: FTPFS, args: [host], kwargs: {passwd: pw}}}":                                    "passwd",
		"authorities: {t: {service: HTTPFS, args: ['env:URL']}}":                                                    "env:URL",
		"authorities: {t: {service: OSFS, args: ['/tmp/$TOKEN']}}":                                                  "$TOKEN",
		"authorities: {t: /tmp}\nmanager: 'dynamodb://table'":                                                       "dynamodb",
		"manager: {class: DynamoDBManager, kwargs: {table_name: abc}}":                                              "DynamoDBManager",
		"manager: 'mongodb://me:pw@host/d'":                                                                         "password",
		"manager: 'mongodb://host/d?authMechanism=MONGODB-AWS'":                                                     "authMechanism",
		"manager: {class: MongoDBManager, kwargs: {database_name: d, client_kwargs: {host: 'me:pw@h'}}}":            "password",
		"manager: {class: MongoDBManager, kwargs: {database_name: d, client_kwargs: {password: p}}}":                "password",
		"manager: {class: MongoDBManager, kwargs: {database_name: d, client_kwargs: {ssl_certfile: f}}}":            "ssl_certfile",
		"manager: 'mongodb://host/d?tlsCertificateKeyFile=/f'":                                                      "tlsCertificateKeyFile",
		"authorities: {t: {service: S3FS, args: [b], kwargs: {endpoint_url: 'http://h', region_name: r}}}":          "",
		"authorities: {t: 'https://host/x'}":                                                                        "",
		"authorities: {t: 'ftp://host/x'}":                                                                          "",
		"authorities: {t: {service: OSFS, args: [/mnt/data]}}":                                                      "",
		"manager: 'mongodb://host/d?table=t'":                                                                       "",
		"manager: {class: AuthorityManager, kwargs: {authority: t}}\nauthorities: {t: {service: OSFS, args: [/m]}}": "",
	} {
		c, err := Parse([]byte(strings.Replace(config, "{t: /tmp}", "{t: 'file:///tmp'}", 1)), "config.yml", nil)
		if err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		p, err := c.Profile("")
		if err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		w := &Found{kinds: builtin, ConfigFile: "config.yml", Repo: "/r/.datafs", Distrust: errors.New("why")}
		p.Distrusted()
		var got error
		for _, a := range p.Authorities {
			got = errors.Join(got, w.Allow(a.Service))
		}
		if p.Manager != nil {
			got = errors.Join(got, w.AllowManager(p.Manager))
		}
		switch {
		case want == "" && got != nil:
			t.Errorf("%s: %v, want it allowed", config, got)
		case want != "" && (!errors.Is(got, fs.ErrPermission) || !strings.Contains(got.Error(), want)):
			t.Errorf("%s: %v, want %s refused", config, got, want)
		}
	}
}
