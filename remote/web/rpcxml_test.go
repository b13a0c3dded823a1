package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const rpcAround = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>%s</value>\n</param>\n</params>\n</methodResponse>\n"

func rpcDecode(text string) (any, error) {
	a, err := newRPCAnswer(io.NopCloser(strings.NewReader(text)), rpcMaxAnswer)
	if err != nil {
		return nil, err
	}
	return a.value()
}

func TestRPCValues(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"plain &lt;", `"plain <"`},
		{"<string></string>", `""`},
		{"<int>-12</int>", "-12"},
		{"\n<i8>5000000000</i8>\n", "5000000000"},
		{"<boolean>1</boolean>", "true"},
		{"<double>1.5</double>", "1.5"},
		{"<nil/>", "<nil>"},
		{"<dateTime.iso8601>20261124T10:00:00</dateTime.iso8601>", `"20261124T10:00:00"`},
		{"<base64>\nYWJj\nZGVm\n</base64>", `[]byte{0x61, 0x62, 0x63, 0x64, 0x65, 0x66}`},
		{"<array><data></data></array>", "[]interface {}{}"},
		{"<array> <data><value>a</value> <value><array><data/></array></value></data></array>", `[]interface {}{"a", []interface {}{}}`},
		{"<struct><member><name>a</name><value><boolean>0</boolean></value></member>\n<member><name>b</name> <value/></member></struct>",
			`map[string]interface {}{"a":false, "b":""}`},
	} {
		if got, err := rpcDecode(fmt.Sprintf(rpcAround, c.text)); err != nil || fmt.Sprintf("%#v", got) != c.want {
			t.Errorf("%s: got %#v, %v, want %s", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"<int>x</int>", "<base64>#</base64>", "<array><value/></array>", "<struct><name>a</name></struct>",
		strings.Repeat("<array><data><value>", 100), strings.Repeat("<array><data><value>", 100) + strings.Repeat("</value></data></array>", 100)} {
		if got, err := rpcDecode(fmt.Sprintf(rpcAround, text)); err == nil {
			t.Errorf("%.80s: got %#v, want an error", text, got)
		}
	}
}

func TestRPCAnswerOverItsMaximum(t *testing.T) {
	text := fmt.Sprintf(rpcAround, strings.Repeat("x", 1000))
	a, err := newRPCAnswer(io.NopCloser(strings.NewReader(text)), 500)
	if err == nil {
		_, err = a.value()
	}
	if !errors.Is(err, errTooLong) {
		t.Errorf("got %v, want errTooLong", err)
	}
}

func TestRPCContentOfEveryLength(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 3071, 3072, 3073, 10_000} {
		want := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
		text, err := io.ReadAll(&rpcEncoder{r: bytes.NewReader(want)})
		if err != nil {
			t.Fatal(err)
		}
		if got := int64(len(text)); got != (int64(n)+2)/3*4 {
			t.Errorf("%d bytes: got %d characters", n, got)
		}
		a, err := newRPCAnswer(io.NopCloser(strings.NewReader(fmt.Sprintf(rpcAround, "<base64>\n"+string(text)+"\n</base64>"))), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		data, err := a.data()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(data); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
}

func TestRPCCallIsEscaped(t *testing.T) {
	got := string(rpcCall("m", "<&", true, nil)) + rpcCallEnd
	want := "<?xml version=\"1.0\"?>\n<methodCall><methodName>m</methodName><params>" +
		"<param><value><string>&lt;&amp;</string></value></param><param><value><boolean>1</boolean></value></param>" +
		"<param><value><nil/></value></param></params></methodCall>\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzRPCAnswer(f *testing.F) {
	f.Add(fmt.Sprintf(rpcAround, "<array><data><value><int>1</int></value></data></array>"))
	f.Add(fmt.Sprintf(rpcAround, "<base64>YWJj</base64>"))
	f.Add(`<methodResponse><fault><value><struct><member><name>faultString</name><value>x</value></member></struct></value></fault></methodResponse>`)
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = rpcDecode(text)
		if a, err := newRPCAnswer(io.NopCloser(strings.NewReader(text)), rpcMaxAnswer); err == nil {
			if data, err := a.data(); err == nil {
				_, _ = io.Copy(io.Discard, data)
			}
		}
	})
}

func FuzzDAVEntries(f *testing.F) {
	f.Add(`<D:multistatus xmlns:D="DAV:"><D:response><D:href>/a/b</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>` +
		`</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>`)
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := davEntries(strings.NewReader(text), "/a/")
		if err != nil {
			return
		}
		for _, e := range entries {
			if strings.Contains(e.name, "/") || e.name == ".." || e.name == "." {
				t.Errorf("the name %q was taken", e.name)
			}
		}
	})
}
