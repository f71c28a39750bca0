package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// TestConformance sends every route of the API's document good and bad input, made
// from the document's own schemas, and holds every answer against the document: its
// status, its content type and its body. Nothing may be answered by 500, and by 503 or 504
// only where the document says so, as on a machine that has much else to do. A generator
// makes types of the document, and a client of them compiles.
func TestConformance(t *testing.T) {
	t.Parallel()
	desk := Start(t, Options{})
	api := describe(t, desk)
	t.Run("client", api.client)
	api.prepare()
	for _, r := range api.routes {
		t.Run(r.id, func(t *testing.T) { api.walk(t, r) })
	}
}

type object = map[string]any

// document is an API by what it says of itself.
type document struct {
	t      testing.TB
	desk   *Desk
	text   []byte
	root   object
	schema *jsonschema.Compiler
	routes []operation
	random *rand.Rand
	values map[string][]any // by the name of a field or parameter: what is there
	tokens []string         // an administrator's, a requester's, none
}

type operation struct {
	id, method, path string
	spec             object
}

func describe(t testing.TB, desk *Desk) *document {
	t.Helper()
	d := &document{t: t, desk: desk, schema: jsonschema.NewCompiler(), random: rand.New(rand.NewPCG(8, 0))}
	status, text := desk.call("GET", "/openapi.yaml", nil, "")
	if status != http.StatusOK {
		t.Fatalf("no document: %d", status)
	}
	d.text = text
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(doc) // numbers as JSON has them
	if err != nil {
		t.Fatal(err)
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	d.root = root.(object)
	d.schema.AssertFormat()
	if err := d.schema.AddResource("openapi.json", root); err != nil {
		t.Fatal(err)
	}
	paths := d.root["paths"].(object)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range slices.Sorted(maps.Keys(paths[path].(object))) {
			spec := paths[path].(object)[method].(object)
			d.routes = append(d.routes, operation{spec["operationId"].(string), strings.ToUpper(method), path, spec})
		}
	}
	slices.SortStableFunc(d.routes, func(a, b operation) int { return strings.Compare(order(a), order(b)) })
	return d
}

// order has what removes something come last.
func order(r operation) string {
	if r.method == http.MethodDelete {
		return "last"
	}
	return ""
}

// client generates types and compiles what uses them.
func (d *document) client(t *testing.T) {
	dir := t.TempDir()
	if err := install(dir, "testdata/client"); err != nil {
		missing(t, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "openapi.yaml"), d.text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"openapi-typescript/bin/cli.js", "openapi.yaml", "-o", "api.d.ts"}, {"typescript/bin/tsc", "--strict", "--noEmit", "client.ts"}} {
		args[0] = filepath.Join("node_modules", args[0])
		command := exec.CommandContext(t.Context(), "node", args...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
}

// prepare makes one of everything that a route may name.
func (d *document) prepare() {
	post := func(path string, body object) object {
		d.t.Helper()
		status, answer := d.desk.Post(path, body, "")
		if status != http.StatusCreated {
			d.t.Fatalf("POST %s: %d %v", path, status, answer)
		}
		return answer
	}
	var numbers, merges []any
	for i := range 3 {
		n := post("/v1/tickets", object{"subject": fmt.Sprint("Printer ", i), "requester": "ann"})["number"]
		numbers, merges = append(numbers, n), append(merges, fmt.Sprint(n))
	}
	post("/v1/people", object{"id": "zoe", "name": "Zoe", "role": []string{"requester"}})
	secret := post("/v1/tokens", object{"name": "a requester's", "person": "ann", "scopes": []string{"requester"}})["secret"].(string)
	d.tokens = []string{d.desk.Token, secret, ""}
	token := post("/v1/tokens", object{"name": "to revoke"})["id"]
	webhook := post("/v1/webhooks", object{"url": "https://example.org/deskbell"})["id"]
	path := fmt.Sprintf("/v1/tickets/%v/attachments", numbers[0])
	_, kept := d.send(d.t, request{method: "POST", path: path + "?name=a.txt", kind: "application/octet-stream", body: []byte("words"), token: d.desk.Token})
	var file object
	if err := json.Unmarshal(kept, &file); err != nil || file["id"] == nil {
		d.t.Fatalf("no file: %s", kept)
	}
	known := post("/v1/tickets", object{"subject": "Mail is down", "requester": "ann"})["number"] // the others may be over by then
	if status, why := d.desk.call("PUT", fmt.Sprintf("/v1/tickets/%v/incident", known), object{"text": "Mail is down"}, ""); status != http.StatusOK {
		d.t.Fatalf("no incident: %d %s", status, why)
	}
	var feed struct{ URL string }
	status, made := d.desk.call("PUT", "/v1/rota/feeds/dana", nil, "")
	if err := json.Unmarshal(made, &feed); err != nil || status != http.StatusOK {
		d.t.Fatalf("no feed: %d %s", status, made)
	}
	tomorrow := time.Now().Add(24 * time.Hour).UTC()
	soon := time.Now().Add(time.Hour).UTC()
	rotation := object{"name": "spare", "group": "", "zone": "Europe/Berlin", "start": "2026-01-05T08:00:00Z", "every": "week", "people": []string{"dana"}}
	if status, why := d.desk.call("PUT", "/v1/rotations", rotation, ""); status != http.StatusOK {
		d.t.Fatalf("no rotation: %d %s", status, why)
	}
	d.values = map[string][]any{
		"n": numbers, "person": {"bob", "dana"}, "requester": {"ann"}, "assignee": {"bob"}, "as": {"bob", "meg"}, "to": append(merges, "bob", "eve"), "by": {"20m"},
		"from": {soon.Format(time.RFC3339)}, "until": {tomorrow.Format(time.RFC3339)}, "expires": {tomorrow.Format(time.RFC3339)}, "events": {[]any{"opened"}},
		"url": {"https://example.org/deskbell"}, "instead": {"dana"}, "cursor": {""}, "phone": {""}, "jid": {""}, "pin": {"4711", ""}, "language": {"de", ""},
		"zone": {"Europe/Berlin"}, "every": {"week"}, "people": {[]any{"dana"}}, "shifts": {[]any{}}, "group": {""}, "act": {"token."}, "role": {[]any{"requester"}},
		"rotations ": {rotation}, "rotations name": {"spare"}, "overrides person": {"bob"}, "feeds person": {"dana"}, "tokens person": {"ann"}, "feeds token": {feed.URL[strings.LastIndex(feed.URL, "/")+1:]},
		"tokens id": {token}, "webhooks id": {webhook}, "deliveries id": {webhook}, "attachments id": {file["id"]}, "attachments n": numbers[:1], "incident n": {known}, "affected n": {known}, "people/{id} id": {"zoe"}, "record id": {"zoe"},
		"overrides id": {1},
	}
}

// request is one request, and what it is to show.
type request struct {
	method, path, kind, token string
	headers                   map[string]string
	body                      []byte
	what                      string
}

func (d *document) send(t testing.TB, r request) (*http.Response, []byte) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), r.method, d.desk.HTTP+r.path, bytes.NewReader(r.body))
	if err != nil {
		t.Fatalf("%s %q: %v", r.method, r.path, err)
	}
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.kind != "" {
		q.Header.Set("Content-Type", r.kind)
	}
	for name, value := range r.headers {
		q.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, data
}

// Of each kind so many requests go to a route.
const (
	goodRequests = 3
	badRequests  = 5
)

// walk sends a route its requests. One that does not depend on a ticket's state must
// succeed at least once, so that its success is seen too.
func (d *document) walk(t *testing.T, r operation) {
	succeeded := false
	for i := range goodRequests {
		q := d.request(r, i, "")
		q.token = d.tokens[0]
		status := d.hold(t, r, q)
		if succeeded = succeeded || status < 300; !succeeded {
			t.Logf("%s %s %s: %d", q.method, q.path, q.body, status)
		}
		if i == 0 {
			for _, token := range d.tokens[1:] {
				q.token = token
				d.hold(t, r, q)
			}
		}
	}
	if verb := strings.HasPrefix(r.path, "/v1/tickets/{n}/") && r.method == "POST"; !verb && !succeeded {
		t.Errorf("no good request succeeded")
	}
	for i := range badRequests {
		for _, fault := range faults(r) {
			if q := d.request(r, i, fault); i < 2 || fault == "values" {
				q.token = d.tokens[0]
				d.hold(t, r, q)
			}
		}
	}
}

// faults are what can be wrong with a request of a route.
func faults(r operation) []string {
	list := []string{"unknown parameter"}
	if r.spec["parameters"] != nil {
		list = append(list, "values")
	}
	if r.spec["requestBody"] != nil {
		list = append(list, "values", "no JSON", "another type", "missing", "unknown field")
	}
	return slices.Compact(list)
}

// hold sends a request and holds its answer against the document.
func (d *document) hold(t *testing.T, r operation, q request) (status int) {
	t.Helper()
	answer, body := d.send(t, q)
	said := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %s %q (%s): %d %.300s: %s", q.method, q.path, q.body, q.what, answer.StatusCode, body, fmt.Sprintf(format, args...))
	}
	spec, _ := r.spec["responses"].(object)[strconv.Itoa(answer.StatusCode)].(object)
	switch {
	case answer.StatusCode == http.StatusInternalServerError:
		said("an error of the server's")
		return answer.StatusCode
	case spec == nil:
		said("the document does not know this status")
		return answer.StatusCode
	}
	content, _ := spec["content"].(object)
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	media := content[kind]
	if strings.HasSuffix(r.path, "/attachments/{id}") && answer.StatusCode == http.StatusOK { // of any type
		return answer.StatusCode
	}
	switch {
	case len(content) == 0 && len(body) > 0:
		said("the document knows no body")
	case len(content) > 0 && media == nil:
		said("the document does not know the type %q", kind)
	case strings.HasSuffix(kind, "json"):
		at := fmt.Sprintf("openapi.json#/paths/%s/%s/responses/%d/content/%s/schema", pointer(r.path), strings.ToLower(r.method), answer.StatusCode, pointer(kind))
		schema, err := d.schema.Compile(at)
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			said("%v", err)
		} else if err := schema.Validate(value); err != nil {
			said("%v", err)
		}
	}
	return answer.StatusCode
}

// pointer writes a token of a JSON pointer into a fragment.
func pointer(token string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
}

// request makes a request of a route, without a fault or with one.
func (d *document) request(r operation, round int, fault string) request {
	q := request{method: r.method, headers: map[string]string{}, what: fault}
	query := url.Values{}
	path := r.path
	place := place(r.path)
	params, _ := r.spec["parameters"].([]any)
	for _, p := range params {
		p := p.(object)
		name, schema := p["name"].(string), d.resolve(p["schema"].(object))
		value := d.good(place, name, schema)
		if fault == "values" && d.random.IntN(2) == 0 {
			value = d.bad(schema)
		}
		text := words(value)
		text = text[:min(len(text), 2000)] // longer addresses and headers do not reach the API
		switch p["in"] {
		case "path":
			text = cmp.Or(strings.ReplaceAll(text, "/", "_"), " ") // another address otherwise
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(text))
		case "query":
			if p["required"] == true || round%2 == 1 {
				query.Set(name, text)
			}
		case "header":
			if name == "Idempotency-Key" {
				text = fmt.Sprint(r.id, fault, round)
			}
			if name != "If-Match" && name != "If-None-Match" || round%2 == 1 {
				q.headers[name] = strings.Map(printable, text)
			}
		}
	}
	if fault == "unknown parameter" {
		query.Set("invented", "1")
	}
	if q.path = path; len(query) > 0 {
		q.path += "?" + query.Encode()
	}
	body, _ := r.spec["requestBody"].(object)
	for kind, media := range object(contentOf(body)) {
		if q.kind = kind; kind != "application/json" {
			q.body = []byte("some words")
			continue
		}
		schema := d.resolve(media.(object)["schema"].(object))
		value, _ := d.good(place, "", schema).(object)
		value = maps.Clone(value)
		fields := slices.Sorted(maps.Keys(schema["properties"].(object)))
		if len(fields) == 0 || value == nil {
			continue
		}
		field := fields[d.random.IntN(len(fields))]
		switch fault {
		case "values":
			value[field] = d.bad(d.resolve(schema["properties"].(object)[field].(object)))
		case "missing":
			delete(value, field)
		case "unknown field":
			value["invented"] = true
		case "another type":
			q.kind = "text/plain"
		}
		q.body, _ = json.Marshal(value) // made of what JSON has
		if fault == "no JSON" {
			q.body = q.body[:len(q.body)/2]
		}
	}
	return q
}

func contentOf(body object) object {
	content, _ := body["content"].(object)
	return content
}

// place is what an address is about: its last word, and of one of many with {id} behind
// the word when the word alone is where one is added.
func place(path string) string {
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	switch {
	case path == "/v1/people/{id}":
		return "people/{id}"
	case strings.HasPrefix(last, "{"):
		return parts[len(parts)-2]
	}
	return last
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

func words(value any) string {
	if list, ok := value.([]any); ok {
		var parts []string
		for _, v := range list {
			parts = append(parts, fmt.Sprint(v))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(value)
}

func (d *document) resolve(schema object) object {
	if to, ok := schema["$ref"].(string); ok {
		return d.root["components"].(object)["schemas"].(object)[to[strings.LastIndex(to, "/")+1:]].(object)
	}
	return schema
}

func kindOf(schema object) string {
	if many, ok := schema["type"].([]any); ok {
		return many[0].(string)
	}
	kind, _ := schema["type"].(string)
	return kind
}

// good is a value that a schema takes, for a field or parameter of what is at a place.
func (d *document) good(place, field string, schema object) any {
	pick := func(list []any) any { return list[d.random.IntN(len(list))] }
	enum, _ := schema["enum"].([]any)
	known := d.values[place+" "+field]
	if known == nil {
		known = d.values[field]
	}
	if place+" "+field == "people id" { // who is new
		known = []any{fmt.Sprint("p", d.random.Uint64())}
	}
	examples, _ := schema["examples"].([]any)
	switch kind := kindOf(schema); {
	case len(enum) > 0:
		return pick(enum)
	case len(known) > 0 && (kind == "array") == isList(known[0]):
		return pick(known)
	case len(examples) > 0:
		return pick(examples)
	case kind == "integer":
		return json.Number("50")
	case kind == "boolean":
		return d.random.IntN(2) == 0
	case kind == "array":
		return []any{d.good(place, field, d.resolve(schema["items"].(object)))}
	case kind == "object":
		value := object{}
		required, _ := schema["required"].([]any)
		properties, _ := schema["properties"].(object)
		for _, f := range slices.Sorted(maps.Keys(properties)) {
			if slices.Contains(required, any(f)) || d.random.IntN(4) == 0 {
				value[f] = d.good(place, f, d.resolve(properties[f].(object)))
			}
		}
		return value
	case schema["format"] == "date-time":
		return time.Now().Add(time.Duration(d.random.IntN(1000)) * time.Hour).UTC().Format(time.RFC3339)
	}
	return pick([]any{"word", "zwei Wörter", "🖨 <b>\"3\"</b>"})
}

func isList(v any) bool {
	_, ok := v.([]any)
	return ok
}

// bad is a value that a schema should not take, or hardly.
func (d *document) bad(schema object) any {
	list := []any{"\x00", strings.Repeat("ü", 70_000), json.Number("-1"), json.Number("99999999999999999999"), json.Number("1e400"), "", " ", nil, true, []any{}, []any{nil}, object{"a": object{}},
		"'; DROP TABLE people --", "../../etc/passwd", "%00%ff", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "294277-01-01T00:00:00Z"}
	if kindOf(schema) == "string" {
		list = append(list, "\ufffd\u202e", "a.b.c", "-9223372036854775809", "ann")
	}
	return list[d.random.IntN(len(list))]
}
