package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"deskbell/desk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (run with -update after a wanted change): %s", path, diff)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var out bytes.Buffer
	show := func(what string, a answered) {
		fmt.Fprintf(&out, "# %s\n%d", what, a.Code)
		for _, h := range []string{"Content-Type", "Retry-After", "WWW-Authenticate", "Allow"} {
			if v := a.Header().Get(h); v != "" {
				fmt.Fprintf(&out, "\n%s: %s", h, v)
			}
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, a.Body.Bytes(), "", "  "); err != nil {
			t.Errorf("%s: %v: %s", what, err, a.Body)
		}
		fmt.Fprintf(&out, "\n%s\n", &pretty)
	}
	send := func(who, method, path, body string, headers ...string) answered {
		return b.send(who, method, path, body, append(headers, "X-Request-Id", "r1")...)
	}
	b.ticket()
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/claim", ""))
	b.ticket()
	show("no token", send("", "GET", "/v1/tickets", ""))
	show("a wrong token", send("nobody", "GET", "/v1/tickets", ""))
	show("beaten in a race", send("eve", "POST", "/v1/tickets/100/claim", ""))
	b.desk.now = noon.Add(time.Hour)
	show("somebody else's", send("eve", "POST", "/v1/tickets/100/claim", ""))
	show("nobody's", send("eve", "POST", "/v1/tickets/101/resolve", ""))
	show("not for requesters", send("ann", "POST", "/v1/tickets/100/claim", ""))
	show("not for others", send("bob", "POST", "/v1/tickets/100/claim", `{"as":"eve"}`))
	show("missing", send("bob", "GET", "/v1/tickets/999", ""))
	show("two wrong fields", send("ann", "POST", "/v1/tickets", `{"subject":"","urgent":true}`))
	show("no JSON", send("ann", "POST", "/v1/tickets", `{`))
	show("another content type", send("ann", "POST", "/v1/tickets", `a=b`, "Content-Type", "text/plain"))
	show("another method", send("ann", "DELETE", "/v1/tickets", ""))
	show("nothing there", send("", "GET", "/nothing", ""))
	show("another site", send("", "POST", "/v1/tickets", "{}", "Sec-Fetch-Site", "cross-site"))
	for _, err := range []error{desk.ErrUnavailable, desk.ErrUndecided, errors.New("secret")} {
		b.desk.fail = err
		show("the desk: "+err.Error(), send("bob", "POST", "/v1/tickets/100/claim", ""))
	}
	golden(t, "problems.golden", out.Bytes())
}

func TestDocumentNamesEveryRoute(t *testing.T) {
	t.Parallel()
	engine, _ := routes(Config{}.withDefaults(), newFake(), newFake().door())
	var served []string
	param := regexp.MustCompile(`:(\w+)`)
	for _, r := range engine.Routes() {
		served = append(served, strings.ToLower(r.Method)+" "+param.ReplaceAllString(r.Path, "{$1}"))
	}
	a := setup(t).send("", "GET", "/openapi.yaml", "")
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ Responses map[string]any }
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := yaml.Unmarshal(a.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	var described []string
	for path, methods := range doc.Paths {
		for method, o := range methods {
			described = append(described, method+" "+path)
			if strings.HasPrefix(path, "/v1") && o.Responses["401"] == nil {
				t.Errorf("%s %s: 401 is not described", method, path)
			}
		}
	}
	slices.Sort(served)
	slices.Sort(described)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(served) < 25 {
		t.Errorf("version %q, %d routes", doc.OpenAPI, len(served))
	}
	for _, name := range []string{"holder", "type", "title", "status"} {
		if doc.Components.Schemas["Problem"].Properties[name] == nil {
			t.Errorf("Problem has no %s", name)
		}
	}
	if strings.Contains(a.Body.String(), "ErrorModel") || strings.Contains(a.Body.String(), "$schema") {
		t.Error("huma's own error or its links are in the document")
	}
	golden(t, "openapi.golden.yaml", a.Body.Bytes())
}

// TestAccess walks every route as everybody: whoever may less than the table says is
// stopped there, and nobody else is.
func TestAccess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	who := map[desk.Access]string{desk.Anybody: "", desk.AsRequester: "ann", desk.AsAgent: "bob", desk.AsManager: "mia", desk.AsAdmin: "root"}
	param, walked := regexp.MustCompile(`:\w+`), 0
	engine, doc := routes(Config{}.withDefaults(), b.desk, b.desk.door())
	for _, r := range engine.Routes() {
		if !isAPI(r.Path) {
			continue
		}
		o := operation(doc, r.Method, param.ReplaceAllStringFunc(r.Path, func(p string) string { return "{" + p[1:] + "}" }))
		for level, person := range who {
			b.desk.reset()
			b.desk.now = b.desk.now.Add(time.Minute) // nobody asks too often
			b.ticket()
			a := b.send(person, r.Method, param.ReplaceAllString(r.Path, "100"), "")
			kind, _ := a.JSON["type"].(string)
			stopped := a.Code == 403 && kind == "urn:deskbell:problem:not-allowed"
			walked++
			switch need := accessOf(o.OperationID); {
			case level == desk.Anybody && a.Code != 401:
				t.Errorf("%s for nobody: %d", o.OperationID, a.Code)
			case level > desk.Anybody && level < need && !stopped:
				t.Errorf("%s for %s: %d %s", o.OperationID, level, a.Code, a.Body)
			case level >= need && level > desk.Anybody && (a.Code == 401 || stopped):
				t.Errorf("%s for %s: %d %s", o.OperationID, level, a.Code, a.Body)
			}
		}
	}
	if walked < 100 {
		t.Errorf("%d requests", walked)
	}
}

func TestSessionsReachTheAPI(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(200, b.send("", "GET", "/v1/tickets", "", "Cookie", "deskbell=bob-session"))
	b.must(401, b.send("", "GET", "/v1/tickets", "", "Cookie", "deskbell=old"))
	b.must(403, b.send("", "POST", "/v1/tickets", `{"subject":"x"}`, "Cookie", "deskbell=bob-session", "Sec-Fetch-Site", "cross-site"))
	b.must(200, b.send("", "GET", "/healthz", "", "Authorization", "Bearer nonsense"))
	if a := b.must(200, b.send("", "GET", "/sign-in", "")); !strings.Contains(a.Body.String(), `action="/sign-in"`) {
		t.Error(a.Body)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range requestsAtOnce {
		b.must(200, b.send("bob", "GET", "/v1/tickets", ""))
	}
	if a := b.must(429, b.send("bob", "GET", "/v1/tickets", "")); a.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.Header().Get("Retry-After"))
	}
	b.must(200, b.send("eve", "GET", "/v1/tickets", ""))
	b.desk.now = b.desk.now.Add(time.Second)
	b.must(200, b.send("bob", "GET", "/v1/tickets", ""))
	for range 2 * requestsAtOnce {
		b.must(200, b.send("root", "GET", "/v1/tickets", "")) // acts for others
	}
}

func TestMetricsAndHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ticket()
	b.send("bob", "GET", "/v1/tickets/100", "")
	b.send("bob", "GET", "/v1/tickets/999", "")
	b.send("", "INVENTED", "/x", "")
	a := b.must(200, b.send("", "GET", "/metrics", ""))
	for _, want := range []string{
		`deskbell_http_requests_total{method="POST",route="/v1/tickets",status="201"} 1`,
		`deskbell_http_requests_total{method="GET",route="/v1/tickets/:n",status="404"} 1`,
		`deskbell_http_requests_total{method="other",route="none",status="404"} 1`,
		`deskbell_http_request_seconds_count{method="GET",route="/v1/tickets/:n"} 2`,
	} {
		if !strings.Contains(a.Body.String(), want) {
			t.Errorf("no %s in %s", want, a.Body)
		}
	}
	for line := range strings.Lines(a.Body.String()) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "deskbell_") {
			t.Errorf("not ours: %s", line)
		}
	}
	a = b.send("bob", "GET", "/v1/tickets/100", "", "X-Request-Id", "evil\" id")
	if id := a.Header().Get("X-Request-Id"); strings.Contains(id, "evil") || id == "" {
		t.Errorf("request id %q", id)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
		if got := a.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.desk.fail = errors.New("secret address")
	a := b.send("", "GET", "/readyz", "")
	want := map[string]any{"status": "not ready", "checks": map[string]any{"database": "failed", "temporal": "ok"}}
	if diff := cmp.Diff(want, a.JSON); diff != "" {
		t.Error(diff)
	}
}

func TestPanicIsAProblem(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := newFake()
	pages := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") })
	b := &bundle{t, f, New(Config{Pages: pages, Log: slog.New(slog.NewTextHandler(&log, nil))}, f, f.door())}
	a := b.must(500, b.send("", "GET", "/", "", "X-Request-Id", "r7"))
	if strings.Contains(a.Body.String(), "secret") || a.JSON["request_id"] != "r7" {
		t.Errorf("%s", a.Body)
	}
	if !strings.Contains(log.String(), "secret") || !strings.Contains(log.String(), "r7") {
		t.Errorf("log: %s", log.String())
	}
}

func TestPagesServeTheRest(t *testing.T) {
	t.Parallel()
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "board") })
	f := newFake()
	b := &bundle{t, f, New(Config{Pages: pages}, f, f.door())}
	if a := b.must(200, b.send("", "GET", "/", "")); a.Body.String() != "board" {
		t.Errorf("%s", a.Body)
	}
	b.must(401, b.send("", "GET", "/v1/", ""))
	if a := b.must(200, b.send("", "GET", "/metrics", "")); !strings.Contains(a.Body.String(), `route="/{$}",status="200"`) {
		t.Errorf("%s", a.Body)
	}
}

// TestServeLetsRequestsEnd stops the server while a request is in it.
func TestServeLetsRequestsEnd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	arrived, stopping := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-stopping
		if r.Context().Err() != nil {
			t.Error("the request was cut off")
		}
		fmt.Fprint(w, "done")
	})
	ctx, stop := context.WithCancel(t.Context())
	served, got := make(chan error, 1), make(chan string, 1)
	go func() { served <- Serve(ctx, l, h, slog.New(slog.DiscardHandler)) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		res, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			got <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		got <- string(body)
	}()
	<-arrived
	stop()
	close(stopping)
	if body := <-got; body != "done" {
		t.Errorf("got %q", body)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}
