package web

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The part of XML-RPC (xmlrpc.com/spec.md, and the nil extension) that file
// systems need: strings, booleans and nil are sent, all types are received.

const rpcCallEnd = "</params></methodCall>\n"

// rpcMaxDepth is how deep arrays and structs of an answer may lie in each other.
const rpcMaxDepth = 32

var (
	errRPCAnswer  = errors.New("this is no xml-rpc answer that we know")
	errRPCInvalid = errors.New("not of the kind that the request is for") // a directory, not a file
)

// rpcCall encodes a call up to the place where another parameter can stand.
func rpcCall(method string, args ...any) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<?xml version=\"1.0\"?>\n<methodCall><methodName>%s</methodName><params>", method)
	for _, arg := range args {
		b.WriteString("<param><value>")
		switch v := arg.(type) {
		case string:
			b.WriteString("<string>")
			_ = xml.EscapeText(&b, []byte(v)) // a Buffer takes everything
			b.WriteString("</string>")
		case bool:
			n := 0
			if v {
				n = 1
			}
			fmt.Fprintf(&b, "<boolean>%d</boolean>", n)
		default:
			b.WriteString("<nil/>")
		}
		b.WriteString("</value></param>")
	}
	return b.Bytes()
}

// rpcAnswer is a methodResponse that stands at the value of its parameter.
type rpcAnswer struct {
	io.Closer
	buf *bufio.Reader
	xml *xml.Decoder // reads buf byte by byte, never ahead
}

// newRPCAnswer reads to the value; the answer may be a fault.
func newRPCAnswer(body io.ReadCloser, limit int64) (*rpcAnswer, error) {
	a := &rpcAnswer{Closer: body, buf: bufio.NewReader(&webLimited{r: body, left: limit})}
	a.xml = xml.NewDecoder(a.buf)
	if err := a.enter("methodResponse"); err != nil {
		return nil, err
	}
	start, err := a.element()
	if err != nil {
		return nil, err
	}
	switch start {
	case "params":
		if err := a.enter("param"); err != nil {
			return nil, err
		}
		return a, a.enter("value")
	case "fault":
		if err := a.enter("value"); err != nil {
			return nil, err
		}
		v, err := a.value()
		if err != nil {
			return nil, err
		}
		fault, _ := v.(map[string]any)
		return nil, rpcFault(fmt.Sprint(fault["faultString"]))
	}
	return nil, errRPCAnswer
}

// element gives the name of the next element, or "" where the one that we are
// in ends.
func (a *rpcAnswer) element() (string, error) {
	for {
		token, err := a.xml.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t.Name.Local, nil
		case xml.EndElement:
			return "", nil
		}
	}
}

func (a *rpcAnswer) enter(name string) error {
	got, err := a.element()
	if err == nil && got != name {
		err = errRPCAnswer
	}
	return err
}

// value reads the value and what follows it.
func (a *rpcAnswer) value() (any, error) {
	v, err := a.inner(0)
	if err == nil {
		err = a.end()
	}
	return v, err
}

// end reads the rest of the document, which must be whole.
func (a *rpcAnswer) end() error {
	for {
		if _, err := a.xml.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// inner reads what stands in a value element, and its end.
func (a *rpcAnswer) inner(depth int) (any, error) {
	if depth > rpcMaxDepth {
		return nil, errRPCAnswer
	}
	var text strings.Builder
	for {
		token, err := a.xml.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			return text.String(), nil
		case xml.StartElement:
			v, err := a.typed(t, depth)
			if err != nil {
				return nil, err
			}
			return v, a.xml.Skip()
		}
	}
}

// typed reads the element in a value that gives its type.
func (a *rpcAnswer) typed(start xml.StartElement, depth int) (any, error) {
	switch start.Name.Local {
	case "array":
		return a.array(depth)
	case "struct":
		return a.members(depth)
	case "nil":
		return nil, a.xml.Skip()
	}
	var text string
	if err := a.xml.DecodeElement(&text, &start); err != nil {
		return nil, err
	}
	var v any = text // and dateTime.iso8601, and what there is besides
	var err error
	switch trimmed := strings.TrimSpace(text); start.Name.Local {
	case "int", "i4", "i8":
		v, err = strconv.ParseInt(trimmed, 10, 64)
	case "boolean":
		v, err = strconv.ParseBool(trimmed)
	case "double":
		v, err = strconv.ParseFloat(trimmed, 64)
	case "base64":
		v, err = base64.StdEncoding.DecodeString(trimmed)
	}
	if err != nil {
		return nil, errRPCAnswer
	}
	return v, nil
}

func (a *rpcAnswer) array(depth int) (any, error) {
	if err := a.enter("data"); err != nil {
		return nil, err
	}
	list := []any{}
	for {
		name, err := a.element()
		if err != nil {
			return nil, err
		}
		if name == "" { // of data; the array's own comes next
			return list, a.xml.Skip()
		}
		if name != "value" {
			return nil, errRPCAnswer
		}
		v, err := a.inner(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (a *rpcAnswer) members(depth int) (any, error) {
	members := map[string]any{}
	for {
		name, err := a.element()
		if err != nil || name == "" {
			return members, err
		}
		if name != "member" {
			return nil, errRPCAnswer
		}
		if err := a.enter("name"); err != nil {
			return nil, err
		}
		key, err := a.inner(depth + 1)
		if err != nil {
			return nil, err
		}
		if err := a.enter("value"); err != nil {
			return nil, err
		}
		if members[fmt.Sprint(key)], err = a.inner(depth + 1); err != nil {
			return nil, err
		}
		if err := a.xml.Skip(); err != nil {
			return nil, err
		}
	}
}
