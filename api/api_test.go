package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/desk"
	"deskbell/ticket"
)

type bundle struct {
	*testing.T
	desk    *fakeDesk
	handler http.Handler
}

func setup(t *testing.T) *bundle {
	t.Helper()
	f := newFake()
	return &bundle{t, f, New(Config{Clock: f}, f, f.door())}
}

// answer is a response with its JSON.
type answered struct {
	*httptest.ResponseRecorder
	JSON map[string]any
}

// send makes a request; who is a person's id, or empty for no token. headers are
// name, value, name, value.
func (b *bundle) send(who, method, path, body string, headers ...string) answered {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who+"-token")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	a := answered{ResponseRecorder: w}
	_ = json.Unmarshal(w.Body.Bytes(), &a.JSON) // lists and texts have no fields
	if kind := w.Header().Get("Content-Type"); w.Code >= 400 && path != "/readyz" && kind != "application/problem+json" {
		b.Errorf("%s %s: %d as %q, want problem+json: %s", method, path, w.Code, kind, w.Body)
	}
	if kind := a.JSON["type"]; w.Header().Get("Content-Type") == "application/problem+json" && !slices.Contains(problemTypes(), kind) {
		b.Errorf("%s %s: the document does not know %v", method, path, kind)
	}
	return a
}

func (b *bundle) must(status int, a answered) answered {
	b.Helper()
	if a.Code != status {
		b.Fatalf("status %d, want %d: %s", a.Code, status, a.Body)
	}
	return a
}

// ticket submits one of Ann's, number 100 for the first.
func (b *bundle) ticket() {
	b.Helper()
	b.must(201, b.send("ann", "POST", "/v1/tickets", `{"subject":"Printer"}`))
}

func TestTicketShape(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.must(201, b.send("ann", "POST", "/v1/tickets", `{"subject":" Druckér\n\"3\" 🖨 ","body":"","priority":"P1","requester":"ann"}`))
	if got := a.Header().Get("Location"); got != "/v1/tickets/100" {
		t.Errorf("Location %q", got)
	}
	want := map[string]any{"number": 100.0, "status": "new", "priority": "P1", "subject": " Druckér\n\"3\" 🖨 ", "body": "", "requester": "ann", "assignee": nil, "group": "",
		"created_at": "2026-11-23T12:00:00Z", "claimed_at": nil, "resolved_at": nil, "due_at": nil, "expected_at": nil, "late": false, "escalation": 0.0, "waiting_for": "agent", "version": 0.0}
	if diff := cmp.Diff(want, a.JSON); diff != "" {
		t.Error(diff)
	}
	a = b.must(200, b.send("bob", "POST", "/v1/tickets/100/claim", ""))
	want["status"], want["assignee"], want["claimed_at"], want["waiting_for"], want["version"] = "assigned", "bob", "2026-11-23T12:00:00Z", "holder", 2.0
	if diff := cmp.Diff(want, a.JSON); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, b.must(200, b.send("ann", "GET", "/v1/tickets/100", "")).JSON); diff != "" {
		t.Error(diff)
	}
	for by, expected := range map[string]string{"20m": "2026-11-23T12:20:00Z", "2026-11-23T14:00:00+01:00": "2026-11-23T13:00:00Z"} {
		a = b.must(200, b.send("bob", "POST", "/v1/tickets/100/claim", `{"by":"`+by+`"}`))
		if got := a.JSON["expected_at"]; got != expected {
			t.Errorf("expected_at %v of %s, want %s", got, by, expected)
		}
	}
	b.desk.now = noon.Add(2 * time.Hour)
	b.desk.tick(100)
	if late := b.must(200, b.send("ann", "GET", "/v1/tickets/100", "")).JSON["late"]; late != true {
		t.Errorf("late is %v after the time", late)
	}
}

func TestPriorityDefaultsToP3(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.must(201, b.send("ann", "POST", "/v1/tickets", `{"subject":"x"}`)).JSON["priority"]; got != "P3" {
		t.Errorf("priority %v", got)
	}
}

func TestInput(t *testing.T) {
	t.Parallel()
	all := setup(t)
	long := strings.Repeat("ü", 300)
	big := strings.Repeat("a", 64<<10)
	submit, verb := "/v1/tickets", func(v string) string { return "/v1/tickets/100/" + v }
	for _, c := range []struct {
		name, who, method, path, body string
		status                        int
		names                         string // a field that the problem names
	}{
		{"subject of 300 characters", "ann", "POST", submit, `{"subject":"` + long + `"}`, 201, ""},
		{"subject of 301 characters", "ann", "POST", submit, `{"subject":"` + long + `x"}`, 422, "subject"},
		{"no subject", "ann", "POST", submit, `{"body":"x"}`, 422, "subject"},
		{"empty subject", "ann", "POST", submit, `{"subject":""}`, 422, "subject"},
		{"blank subject", "ann", "POST", submit, `{"subject":" \n"}`, 422, "subject"},
		{"subject of another type", "ann", "POST", submit, `{"subject":7}`, 422, "subject"},
		{"subject null", "ann", "POST", submit, `{"subject":null}`, 422, "subject"},
		{"NUL in the subject", "ann", "POST", submit, `{"subject":"a\u0000b"}`, 422, "subject"},
		{"NUL in the body", "ann", "POST", submit, `{"subject":"a","body":"\u0000"}`, 422, "body"},
		{"half a surrogate", "ann", "POST", submit, `{"subject":"a\ud800"}`, 422, "subject"},
		{"bytes that are no text", "ann", "POST", submit, "{\"subject\":\"a\xff\"}", 422, "subject"},
		{"a replacement character that was meant", "ann", "POST", submit, `{"subject":"a�"}`, 201, ""},
		{"body of 64 kB", "ann", "POST", submit, `{"subject":"a","body":"` + big + `"}`, 201, ""},
		{"body of 64 kB and one", "ann", "POST", submit, `{"subject":"a","body":"` + big + `x"}`, 422, "body"},
		{"request too large", "ann", "POST", submit, `{"subject":"a","body":"` + strings.Repeat(big, 9) + `"}`, 413, ""},
		{"unknown priority", "ann", "POST", submit, `{"subject":"a","priority":"P5"}`, 422, "priority"},
		{"unknown field", "ann", "POST", submit, `{"subject":"a","prioritty":"P1"}`, 422, "prioritty"},
		{"unknown requester", "root", "POST", submit, `{"subject":"a","requester":"nobody"}`, 422, "requester"},
		{"no JSON", "ann", "POST", submit, `subject=a`, 400, ""},
		{"half a JSON", "ann", "POST", submit, `{"subject":"a"`, 400, ""},
		{"a list", "ann", "POST", submit, `[]`, 422, ""},
		{"no body", "ann", "POST", submit, ``, 400, ""},

		{"claim without a body", "bob", "POST", verb("claim"), ``, 200, ""},
		{"claim with an empty body", "bob", "POST", verb("claim"), `{}`, 200, ""},
		{"claim with a remark", "bob", "POST", verb("claim"), `{"text":"on my way"}`, 200, ""},
		{"claim with a priority", "bob", "POST", verb("claim"), `{"priority":"P1"}`, 422, "priority"},
		{"claim with an unknown field", "bob", "POST", verb("claim"), `{"who":"bob"}`, 422, "who"},
		{"claim by an unknown person", "root", "POST", verb("claim"), `{"as":"nobody"}`, 422, "as"},
		{"claim for another", "root", "POST", verb("claim"), `{"as":"bob"}`, 200, ""},
		{"note without a text", "bob", "POST", verb("note"), ``, 422, "text"},
		{"note with a blank text", "bob", "POST", verb("note"), `{"text":" "}`, 422, "text"},
		{"note with NUL", "bob", "POST", verb("note"), `{"text":"\u0000"}`, 422, "text"},
		{"note of 64 kB and one", "bob", "POST", verb("note"), `{"text":"` + big + `x"}`, 422, "text"},
		{"note", "bob", "POST", verb("note"), `{"text":"is warm"}`, 200, ""},
		{"ask before a claim", "bob", "POST", verb("ask"), `{"text":"which?"}`, 409, ""},
		{"tell before a claim", "bob", "POST", verb("tell"), `{"text":"soon"}`, 409, ""},
		{"resolve before a claim", "bob", "POST", verb("resolve"), ``, 409, ""},
		{"close before a claim", "bob", "POST", verb("close"), ``, 409, ""},
		{"release what was not offered", "bob", "POST", verb("release"), ``, 200, ""},
		{"reopen what is open", "bob", "POST", verb("reopen"), ``, 409, ""},
		{"keep what is not held", "bob", "POST", verb("keep"), ``, 409, ""},
		{"undo without a deed", "bob", "POST", verb("undo"), ``, 409, ""},
		{"up", "bob", "POST", verb("up"), ``, 200, ""},
		{"takeover of what is free", "bob", "POST", verb("takeover"), ``, 200, ""},
		{"pass to nobody", "bob", "POST", verb("pass"), `{}`, 422, "to"},
		{"pass before a claim", "bob", "POST", verb("pass"), `{"to":"eve"}`, 409, ""},
		{"pass to a stranger", "bob", "POST", verb("pass"), `{"to":"nobody"}`, 422, "to"},
		{"claim with a duration", "bob", "POST", verb("claim"), `{"by":"20m"}`, 200, ""},
		{"claim with a time", "bob", "POST", verb("claim"), `{"by":"2026-11-23T14:00:00+01:00"}`, 200, ""},
		{"claim by yesterday", "bob", "POST", verb("claim"), `{"by":"-1h"}`, 422, "by"},
		{"claim by no time", "bob", "POST", verb("claim"), `{"by":"soon"}`, 422, "by"},
		{"resolve by a time", "bob", "POST", verb("resolve"), `{"by":"20m"}`, 422, "by"},
		{"claim until a time", "bob", "POST", verb("claim"), `{"until":"2026-11-23T14:00:00Z"}`, 422, "until"},
		{"snooze without a time", "mia", "POST", verb("snooze"), `{}`, 422, "until"},
		{"snooze into the past", "mia", "POST", verb("snooze"), `{"until":"2026-11-23T11:59:59Z"}`, 422, "until"},
		{"snooze until no time", "mia", "POST", verb("snooze"), `{"until":"tomorrow"}`, 422, "until"},
		{"snooze", "mia", "POST", verb("snooze"), `{"until":"2026-11-23T14:00:00+01:00"}`, 200, ""},
		{"assign", "mia", "POST", verb("assign"), `{"to":"bob"}`, 200, ""},
		{"assign by an agent", "bob", "POST", verb("assign"), `{"to":"bob"}`, 403, ""},
		{"reprioritise", "mia", "POST", verb("reprioritise"), `{"priority":"P1"}`, 200, ""},
		{"reprioritise to nothing", "mia", "POST", verb("reprioritise"), `{}`, 422, "priority"},
		{"reprioritise to P0", "mia", "POST", verb("reprioritise"), `{"priority":"P0"}`, 422, "priority"},
		{"merge into no number", "mia", "POST", verb("merge"), `{"to":"x"}`, 422, "to"},
		{"merge", "mia", "POST", verb("merge"), `{"to":"101"}`, 200, ""},
		{"cancel the escalation", "mia", "POST", verb("cancel-escalation"), ``, 200, ""},
		{"the requester writes", "ann", "POST", verb("write"), `{"text":"floor 3"}`, 200, ""},
		{"the requester withdraws", "ann", "POST", verb("withdraw"), ``, 200, ""},
		{"unknown verb", "bob", "POST", verb("explode"), ``, 404, ""},
		{"wrong method", "bob", "GET", verb("claim"), ``, 405, ""},

		{"a missing ticket", "bob", "GET", "/v1/tickets/99", "", 404, ""},
		{"a verb on a missing ticket", "bob", "POST", "/v1/tickets/99/claim", "", 404, ""},
		{"a timeline of a missing ticket", "bob", "GET", "/v1/tickets/99/timeline", "", 404, ""},
		{"a number that is none", "bob", "GET", "/v1/tickets/abc", "", 422, "path.n"},
		{"a number too large", "bob", "GET", "/v1/tickets/99999999999999999999", "", 422, "path.n"},
		{"a number below one", "bob", "GET", "/v1/tickets/0", "", 422, "path.n"},
		{"a list", "bob", "GET", "/v1/tickets", "", 200, ""},
		{"a list by status", "bob", "GET", "/v1/tickets?status=new,assigned&assignee=bob&requester=ann&limit=200", "", 200, ""},
		{"a search", "bob", "GET", "/v1/tickets?q=printer&priority=P1,P2&group=it&since=2026-01-01T00:00:00Z&before=2027-01-01T00:00:00Z", "", 200, ""},
		{"a time that is none", "bob", "GET", "/v1/tickets?since=monday", "", 422, "query.since"},
		{"an unknown status", "bob", "GET", "/v1/tickets?status=open", "", 422, "query.status[0]"},
		{"an unknown filter", "bob", "GET", "/v1/tickets?state=new", "", 422, "query.state"},
		{"a limit too high", "bob", "GET", "/v1/tickets?limit=201", "", 422, "query.limit"},
		{"a limit of nothing", "bob", "GET", "/v1/tickets?limit=0", "", 422, "query.limit"},
		{"a wrong cursor", "bob", "GET", "/v1/tickets?cursor=x", "", 422, "cursor"},
		{"agents", "ann", "GET", "/v1/agents", "", 200, ""},
		{"on call", "ann", "GET", "/v1/oncall", "", 200, ""},
		{"a rotation", "mia", "PUT", "/v1/rotations", turns, 200, ""},
		{"a rotation of nobody", "mia", "PUT", "/v1/rotations", strings.ReplaceAll(turns, "bob", "zoe"), 422, "people"},
		{"a rotation that never hands over", "mia", "PUT", "/v1/rotations", strings.ReplaceAll(turns, "day", "moon"), 422, "every"},
		{"a rotation that is none", "mia", "DELETE", "/v1/rotations?group=it&name=none", "", 404, ""},
		{"a rotation without a name", "mia", "DELETE", "/v1/rotations?group=it", "", 422, "query.name"},
		{"a feed of nobody", "mia", "PUT", "/v1/rota/feeds/zoe", "", 404, ""},
		{"an override", "mia", "POST", "/v1/rota/overrides", sickness, 201, ""},
		{"an override of oneself", "mia", "POST", "/v1/rota/overrides", strings.ReplaceAll(sickness, "eve", "bob"), 422, "person"},
		{"an override of no time", "mia", "POST", "/v1/rota/overrides", `{"person":"bob","instead":"eve"}`, 422, "from"},
		{"an override that is none", "mia", "DELETE", "/v1/rota/overrides/9", "", 404, ""},
		{"nothing there", "ann", "GET", "/v1/nothing", "", 404, ""},
		{"nothing there at all", "", "GET", "/nothing", "", 404, ""},
		{"health", "", "GET", "/healthz", "", 200, ""},
		{"readiness", "", "GET", "/readyz", "", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bundle{t, all.desk, all.handler}
			b.desk.reset()
			b.ticket()
			done := b.desk.done
			a := b.must(c.status, b.send(c.who, c.method, c.path, c.body))
			if c.status >= 400 && c.status != 409 && c.status != 403 && len(b.desk.tickets) > 1 {
				t.Error("the refused request left a ticket")
			}
			if c.status == 422 && c.names != "to" && b.desk.done != done {
				t.Error("the refused request reached the ticket")
			}
			if c.names == "" {
				return
			}
			var p Problem
			if err := json.Unmarshal(a.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if len(p.Errors) == 0 || p.Errors[0].Field != c.names || !strings.HasPrefix(p.Detail, c.names+": ") {
				t.Errorf("names %+v in %q, want %s", p.Errors, p.Detail, c.names)
			}
			if strings.Contains(a.Body.String(), `"value"`) {
				t.Error("echoes what was sent")
			}
		})
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for kind, status := range map[string]int{"application/json; charset=utf-8": 201, "application/x-www-form-urlencoded": 415, "text/plain": 415, "application/xml": 415} {
		b.must(status, b.send("ann", "POST", "/v1/tickets", `{"subject":"a"}`, "Content-Type", kind))
	}
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	b := setup(t)
	who := []string{"", "nobody", "rob", "ann", "bob", "mia", "root"}
	for _, c := range []struct {
		method, path, body string
		want               [7]int
	}{
		{"GET", "/v1/tickets", "", [7]int{401, 401, 200, 200, 200, 200, 200}},
		{"GET", "/v1/tickets/100", "", [7]int{401, 401, 404, 200, 200, 200, 200}},
		{"GET", "/v1/tickets/100/timeline", "", [7]int{401, 401, 404, 200, 200, 200, 200}},
		{"GET", "/v1/tickets/100/why", "", [7]int{401, 401, 403, 403, 200, 200, 200}},
		{"GET", "/v1/agents", "", [7]int{401, 401, 200, 200, 200, 200, 200}},
		{"GET", "/v1/oncall", "", [7]int{401, 401, 200, 200, 200, 200, 200}},
		{"GET", "/v1/rotations", "", [7]int{401, 401, 200, 200, 200, 200, 200}},
		{"PUT", "/v1/rotations", turns, [7]int{401, 401, 403, 403, 403, 200, 200}},
		{"DELETE", "/v1/rotations?group=it&name=none", "", [7]int{401, 401, 403, 403, 403, 404, 404}},
		{"GET", "/v1/rotations/history", "", [7]int{401, 401, 200, 200, 200, 200, 200}},
		{"PUT", "/v1/rota/feeds/bob", "", [7]int{401, 401, 403, 403, 200, 200, 200}},
		{"DELETE", "/v1/rota/feeds/eve", "", [7]int{401, 401, 403, 403, 403, 404, 404}},
		{"GET", "/feeds/guess.ics", "", [7]int{404, 404, 404, 404, 404, 404, 404}},
		{"GET", "/v1/rota/overrides", "", [7]int{401, 401, 200, 200, 200, 200, 200}},
		{"POST", "/v1/rota/overrides", sickness, [7]int{401, 401, 403, 403, 403, 201, 201}},
		{"DELETE", "/v1/rota/overrides/1", "", [7]int{401, 401, 403, 403, 403, 404, 404}},
		{"GET", "/v1/nothing", "", [7]int{401, 401, 404, 404, 404, 404, 404}},
		{"DELETE", "/v1/tickets/100", "", [7]int{401, 401, 405, 405, 405, 405, 405}},
		{"GET", "/v1/people/ann/record", "", [7]int{401, 401, 404, 200, 404, 404, 200}},
		{"GET", "/v1/people/nobody/record", "", [7]int{401, 401, 404, 404, 404, 404, 404}},
		{"DELETE", "/v1/people/ann", "", [7]int{401, 401, 403, 403, 403, 403, 200}},
		{"DELETE", "/v1/people/bob", "", [7]int{401, 401, 403, 403, 403, 403, 422}},
		{"DELETE", "/v1/people/nobody", "", [7]int{401, 401, 403, 403, 403, 403, 404}},
		{"POST", "/v1/tickets", `{"subject":"a"}`, [7]int{401, 401, 201, 201, 201, 201, 201}},
		{"POST", "/v1/tickets", `{"subject":"a","requester":"ann"}`, [7]int{401, 401, 403, 201, 201, 201, 201}},
		{"POST", "/v1/tickets", `nonsense`, [7]int{401, 401, 400, 400, 400, 400, 400}},
		{"POST", "/v1/tickets/100/claim", "", [7]int{401, 401, 404, 403, 200, 200, 403}},
		{"POST", "/v1/tickets/100/claim", `{"as":"eve"}`, [7]int{401, 401, 403, 403, 403, 403, 200}},
		{"POST", "/v1/tickets/100/claim", `{"as":"rob"}`, [7]int{401, 401, 403, 403, 403, 403, 404}},
		{"POST", "/v1/tickets/100/note", `{"text":"a"}`, [7]int{401, 401, 404, 403, 200, 200, 403}},
		{"POST", "/v1/tickets/100/withdraw", "", [7]int{401, 401, 404, 200, 403, 403, 403}},
		{"POST", "/v1/tickets/100/write", `{"text":"a"}`, [7]int{401, 401, 404, 200, 403, 403, 403}},
		{"POST", "/v1/tickets/100/assign", `{"to":"bob"}`, [7]int{401, 401, 404, 403, 403, 200, 403}},
		{"GET", "/healthz", "", [7]int{200, 200, 200, 200, 200, 200, 200}},
		{"GET", "/metrics", "", [7]int{200, 200, 200, 200, 200, 200, 200}},
		{"GET", "/openapi.yaml", "", [7]int{200, 200, 200, 200, 200, 200, 200}},
	} {
		for i, who := range who {
			b.desk.reset()
			b.desk.now = b.desk.now.Add(time.Minute) // nobody asks too often
			b.ticket()
			a := b.send(who, c.method, c.path, c.body)
			if a.Code != c.want[i] {
				t.Errorf("%s %s %s by %q: %d, want %d: %s", c.method, c.path, c.body, who, a.Code, c.want[i], a.Body)
			}
			if a.Code == 401 && a.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s: 401 without WWW-Authenticate", c.method, c.path)
			}
		}
	}
	for _, header := range []string{"bob-token", "Basic Ym9iOng=", "Bearer", "Bearer "} {
		b.must(401, b.send("", "GET", "/v1/tickets", "", "Authorization", header))
	}
	b.must(200, b.send("", "GET", "/v1/tickets", "", "Authorization", "bearer bob-token"))
}

func TestForeignAndMissingAnswerAlike(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ticket()
	for _, c := range [][2]string{{"GET", ""}, {"GET", "/timeline"}, {"POST", "/withdraw"}, {"POST", "/claim"}} {
		foreign := b.send("rob", c[0], "/v1/tickets/100"+c[1], "", "X-Request-Id", "same")
		missing := b.send("rob", c[0], "/v1/tickets/999"+c[1], "", "X-Request-Id", "same")
		if diff := cmp.Diff(missing.Body.String(), foreign.Body.String()); diff != "" || foreign.Code != 404 {
			t.Errorf("%v: %d %s", c, foreign.Code, diff)
		}
	}
	if list := b.must(200, b.send("rob", "GET", "/v1/tickets?requester=ann", "")).JSON["tickets"]; len(list.([]any)) != 0 {
		t.Errorf("rob sees %v", list)
	}
}

func TestTimelineHidesNotesFromTheRequester(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ticket()
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/claim", ""))
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/note", `{"text":"grumpy"}`))
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/tell", `{"text":"coming"}`))
	events := func(who string) (out []string) {
		var lines []desk.Line
		if err := json.Unmarshal(b.must(200, b.send(who, "GET", "/v1/tickets/100/timeline", "")).Body.Bytes(), &lines); err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			out = append(out, l.Event)
			if l.At.Location().String() != "UTC" {
				t.Errorf("%v is not UTC", l.At)
			}
		}
		return out
	}
	if diff := cmp.Diff([]string{"opened", "taken", "noted", "told"}, events("bob")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"opened", "taken", "told"}, events("ann")); diff != "" {
		t.Error(diff)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 5 {
		b.ticket()
	}
	var seen []float64
	for path := "/v1/tickets?limit=2"; ; {
		a := b.must(200, b.send("bob", "GET", path, ""))
		for _, t := range a.JSON["tickets"].([]any) {
			seen = append(seen, t.(map[string]any)["number"].(float64))
		}
		next, ok := a.JSON["next"].(string)
		if !ok {
			break
		}
		path = "/v1/tickets?limit=2&cursor=" + next
	}
	if diff := cmp.Diff([]float64{104, 103, 102, 101, 100}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestSubmitTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	send := func(who, body string) answered {
		return b.send(who, "POST", "/v1/tickets", body, "Idempotency-Key", "k")
	}
	first := b.must(201, send("ann", `{"subject":"Printer"}`))
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/claim", ""))
	again := b.must(201, send("ann", `{ "subject": "Printer" }`))
	if diff := cmp.Diff(first.Body.String(), again.Body.String()); diff != "" || again.Header().Get("Location") != "/v1/tickets/100" {
		t.Errorf("the repeat differs: %s", diff)
	}
	if got := b.must(422, send("ann", `{"subject":"Scanner"}`)).JSON["type"]; got != "urn:deskbell:problem:key-reused" {
		t.Errorf("type %v", got)
	}
	b.must(201, send("rob", `{"subject":"Scanner"}`)) // another's key is another key
	if len(b.desk.tickets) != 2 {
		t.Errorf("%d tickets, want 2", len(b.desk.tickets))
	}
}

func TestVerbTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ticket()
	send := func(who, verb, body, key string) answered {
		return b.send(who, "POST", "/v1/tickets/100/"+verb, body, "Idempotency-Key", key, "X-Request-Id", "same")
	}
	won := b.must(200, send("bob", "claim", "", "b1"))
	lost := b.must(409, send("eve", "claim", "", "e1"))
	b.must(200, send("bob", "release", "", "b2"))
	// Both repeats tell what happened then, though the ticket is free now.
	if diff := cmp.Diff(won.Body.String(), b.must(200, send("bob", "claim", "", "b1")).Body.String()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(lost.Body.String(), b.must(409, send("eve", "claim", "{}", "e1")).Body.String()); diff != "" {
		t.Error(diff)
	}
	if b.desk.done != 3 {
		t.Errorf("%d commands reached the ticket, want 3", b.desk.done)
	}
	b.must(422, send("bob", "resolve", "", "b1"))
	b.must(422, send("bob", "claim", `{"text":"x"}`, "b1"))
	// Bad input is no use of a key.
	b.must(422, send("bob", "note", "{}", "b3"))
	b.must(200, send("bob", "note", `{"text":"x"}`, "b3"))
	// What was not decided may be sent again.
	b.desk.fail = desk.ErrUnavailable
	b.must(503, send("bob", "claim", "", "b4"))
	b.desk.fail = nil
	b.must(200, send("bob", "claim", "", "b4"))
}

func TestVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ticket()
	a := b.must(200, b.send("bob", "POST", "/v1/tickets/100/claim", ""))
	tag := a.Header().Get("ETag")
	if shown := b.must(200, b.send("ann", "GET", "/v1/tickets/100", "")).Header().Get("ETag"); shown != tag || tag != `"2"` {
		t.Errorf("%s after the claim, %s when shown", tag, shown)
	}
	for match, want := range map[string]int{tag: 304, "W/" + tag: 304, `"1", ` + tag: 304, "*": 304, `"1"`: 200, "nonsense": 200} {
		a := b.must(want, b.send("ann", "GET", "/v1/tickets/100", "", "If-None-Match", match))
		if (a.Body.Len() == 0) != (want == 304) || a.Header().Get("ETag") != tag {
			t.Errorf("%s: %d bytes, %s", match, a.Body.Len(), a.Header().Get("ETag"))
		}
	}
	for _, match := range []string{`"1"`, "nonsense", `"0"`, `2`, `W/"2"`, `"-1"`, `"2`} {
		a := b.must(412, b.send("bob", "POST", "/v1/tickets/100/resolve", "", "If-Match", match))
		if a.JSON["type"] != "urn:deskbell:problem:changed" {
			t.Errorf("%s: %v", match, a.JSON["type"])
		}
	}
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/note", `{"text":"x"}`, "If-Match", tag))
	b.must(412, b.send("bob", "POST", "/v1/tickets/100/resolve", "", "If-Match", tag))
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/resolve", "", "If-Match", "*"))
}

func TestTokenOfOnesOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	make := func(who, body string, headers ...string) answered {
		return b.send(who, "POST", "/v1/tokens", body, headers...)
	}
	a := b.must(201, make("bob", `{"name":"screen","scopes":["requester"]}`, "Idempotency-Key", "k"))
	if a.JSON["secret"] != "dbl_1" || a.Header().Get("Location") != "/v1/tokens/1" || a.JSON["person"] != "bob" {
		t.Errorf("%s %s", a.Header().Get("Location"), a.Body)
	}
	again := b.must(201, make("bob", `{"name":"screen","scopes":["requester"]}`, "Idempotency-Key", "k"))
	if again.JSON["secret"] != nil || again.JSON["id"] != 1.0 || again.Header().Get("Location") != "/v1/tokens/1" || len(b.desk.tokens) != 1 {
		t.Errorf("the repeat: %s", again.Body)
	}
	b.must(422, make("bob", `{"name":"other","scopes":["requester"]}`, "Idempotency-Key", "k"))
	b.must(422, make("bob", `{"name":"x","scopes":["admin"]}`, "Idempotency-Key", "k2"))
	b.must(201, make("bob", `{"name":"x"}`, "Idempotency-Key", "k2")) // what was refused is no use of a key
	b.must(422, make("bob", `{"name":"","scopes":["boss"]}`))
	b.must(422, make("bob", `{"name":"x"}`, "Idempotency-Key", strings.Repeat("k", 201)))
	a = b.must(200, b.send("bob", "GET", "/v1/tokens", ""))
	if strings.Contains(a.Body.String(), "dbl_") || a.JSON["next"] != "2" {
		t.Errorf("%s", a.Body)
	}
	b.must(200, b.send("bob", "GET", "/v1/tokens?cursor=2", ""))
	b.must(422, b.send("bob", "GET", "/v1/tokens?cursor=x", ""))
	b.must(200, b.send("bob", "DELETE", "/v1/tokens/1", ""))
	b.must(404, b.send("bob", "DELETE", "/v1/tokens/9", ""))
	a = b.must(200, b.send("root", "GET", "/v1/audit?act=token.&subject=token+1&since=2026-01-01T00:00:00Z", ""))
	if acts := a.JSON["acts"].([]any); len(acts) != 1 || a.JSON["next"] != "c1" {
		t.Errorf("%s", a.Body)
	}
	b.must(422, b.send("root", "GET", "/v1/audit?act=%25", ""))
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.must(201, b.send("root", "POST", "/v1/webhooks", `{"url":"https://example.org/x","events":["taken"]}`, "Idempotency-Key", "k"))
	if a.JSON["secret"] != "whsec_1" || a.Header().Get("Location") != "/v1/webhooks/1" {
		t.Errorf("%s", a.Body)
	}
	if again := b.must(201, b.send("root", "POST", "/v1/webhooks", `{"url":"https://example.org/x","events":["taken"]}`, "Idempotency-Key", "k")); again.JSON["secret"] != nil || len(b.desk.webhooks) != 1 {
		t.Errorf("the repeat: %s", again.Body)
	}
	b.must(422, b.send("root", "POST", "/v1/webhooks", `{"url":"ftp://example.org"}`))
	b.must(403, b.send("mia", "POST", "/v1/webhooks", `{"url":"https://example.org/x"}`))
	if a := b.must(200, b.send("root", "GET", "/v1/webhooks", "")); strings.Contains(a.Body.String(), "secret") || !strings.Contains(a.Body.String(), `"taken"`) {
		t.Errorf("%s", a.Body)
	}
	if a := b.must(200, b.send("root", "GET", "/v1/webhooks/1/deliveries", "")); a.JSON["next"] != "7" {
		t.Errorf("%s", a.Body)
	}
	b.must(200, b.send("root", "GET", "/v1/webhooks/1/deliveries?cursor=7", ""))
	b.must(200, b.send("root", "DELETE", "/v1/webhooks/1", ""))
	b.must(404, b.send("root", "DELETE", "/v1/webhooks/2", ""))
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ticket()
	a := b.must(201, b.send("ann", "POST", "/v1/tickets/100/attachments?name=Stau%20%22%C3%BC%22.txt", "paper <script>", "Content-Type", "application/octet-stream"))
	if a.Header().Get("Location") != "/v1/tickets/100/attachments/F1" || a.JSON["size"] != 14.0 {
		t.Errorf("%s", a.Body)
	}
	a = b.must(200, b.send("bob", "GET", "/v1/tickets/100/attachments/F1", ""))
	for name, want := range map[string]string{"Content-Type": "text/plain", "Content-Disposition": `attachment; filename*=utf-8''Stau%20%22%C3%BC%22.txt`, "X-Content-Type-Options": "nosniff",
		"Content-Length": "14", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
		if got := a.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if a.Body.String() != "paper <script>" {
		t.Errorf("%q", a.Body)
	}
	b.must(200, b.send("ann", "GET", "/v1/tickets/100/attachments", ""))
	for _, c := range [][2]string{{"GET", "/v1/tickets/100/attachments"}, {"GET", "/v1/tickets/100/attachments/F1"}, {"POST", "/v1/tickets/100/attachments?name=x"}} {
		b.must(404, b.send("rob", c[0], c[1], "x", "Content-Type", "application/octet-stream"))
	}
	b.must(404, b.send("bob", "GET", "/v1/tickets/100/attachments/F2", ""))
	b.must(422, b.send("bob", "POST", "/v1/tickets/100/attachments", "x", "Content-Type", "application/octet-stream"))
	b.must(413, b.send("bob", "POST", "/v1/tickets/100/attachments?name=x", strings.Repeat("x", desk.MaxFile+2), "Content-Type", "application/octet-stream"))
	b.must(201, b.send("bob", "POST", "/v1/tickets/100/attachments?name=x", strings.Repeat("x", desk.MaxFile), "Content-Type", "application/octet-stream", "Idempotency-Key", "k"))
	b.must(403, b.send("bob", "DELETE", "/v1/tickets/100/attachments/F1", ""))
	b.must(204, b.send("mia", "DELETE", "/v1/tickets/100/attachments/F1", ""))
}

func TestPeople(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.must(201, b.send("mia", "POST", "/v1/people", `{"id":"zoe","name":"Zoe","role":["agent","oncall"],"phone":"+4930123456","pin":"4711"}`))
	want := map[string]any{"id": "zoe", "name": "Zoe", "role": []any{"agent", "oncall"}, "phone": "+4930123456", "jid": "", "language": "", "loc": "", "group": "", "prefers": "",
		"has_pin": false, "active": true, "version": 1.0}
	if diff := cmp.Diff(want, a.JSON); diff != "" {
		t.Error(diff)
	}
	if a.Header().Get("Location") != "/v1/people/zoe" || a.Header().Get("ETag") != `"1"` {
		t.Error(a.Header())
	}
	b.must(412, b.send("mia", "PATCH", "/v1/people/zoe", `{"active":false}`, "If-Match", `"7"`))
	b.must(412, b.send("mia", "PATCH", "/v1/people/zoe", `{"active":false}`, "If-Match", `zoe`))
	a = b.must(200, b.send("mia", "PATCH", "/v1/people/zoe", `{"active":false,"phone":""}`, "If-Match", `"1"`))
	want["active"], want["phone"], want["version"] = false, "", 2.0
	if diff := cmp.Diff(want, a.JSON); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, b.must(200, b.send("mia", "GET", "/v1/people/zoe", "")).JSON); diff != "" {
		t.Error(diff)
	}
	if list := b.must(200, b.send("mia", "GET", "/v1/people?role=manager", "")).JSON; len(list["people"].([]any)) != 1 || list["next"] != "c2" {
		t.Errorf("%v", list)
	}
	for _, c := range []struct {
		who, method, path, body string
		status                  int
		names                   string // the field or the type of the problem
	}{
		{"ann", "GET", "/v1/people/ann", "", 200, ""},
		{"ann", "GET", "/v1/people/zoe", "", 404, "no-such-person"},
		{"mia", "GET", "/v1/people/nobody", "", 404, "no-such-person"},
		{"ann", "PATCH", "/v1/people/ann", `{"loc":"room 7"}`, 200, ""},
		{"ann", "PATCH", "/v1/people/zoe", `{"loc":"room 7"}`, 404, "no-such-person"},
		{"mia", "POST", "/v1/people", `{"id":"ann","name":"Ann","role":["agent"]}`, 422, "id"},
		{"mia", "POST", "/v1/people", `{"id":"max","name":"Max","role":["admin"]}`, 403, "not-allowed"},
		{"mia", "POST", "/v1/people", `{"id":"Max","name":"Max","role":["agent"]}`, 422, "id"},
		{"mia", "POST", "/v1/people", `{"id":"max","name":"Max","role":[]}`, 422, "role"},
		{"mia", "POST", "/v1/people", `{"id":"max","name":"Max","role":["boss"]}`, 422, "role[0]"},
		{"mia", "POST", "/v1/people", `{"id":"max","role":["agent"]}`, 422, "name"},
		{"mia", "PATCH", "/v1/people/ann", `{"id":"max"}`, 422, "id"},
		{"mia", "PATCH", "/v1/people/ann", `{"pin":"123"}`, 422, "pin"},
		{"mia", "PATCH", "/v1/people/ann", `{"prefers":"fax"}`, 422, "prefers"},
		{"mia", "GET", "/v1/people?limit=0", "", 422, "query.limit"},
	} {
		a := b.must(c.status, b.send(c.who, c.method, c.path, c.body))
		if !strings.Contains(a.Body.String(), `"field":"`+c.names+`"`) && !strings.Contains(a.Body.String(), "problem:"+c.names) && c.names != "" {
			t.Errorf("%s %s %s: %s", c.method, c.path, c.body, a.Body)
		}
	}
}

// Two of the same request at once: one is carried out, and the other told to wait.
func TestTheSameRequestAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.desk.keys["bob/k"] = storedRequest{hash: digest("POST", "/v1/tokens", `{"name":"x"}`)}
	if a := b.must(409, b.send("bob", "POST", "/v1/tokens", `{"name":"x"}`, "Idempotency-Key", "k")); a.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestOneWinner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ticket()
	codes := make(chan int, 20)
	var group sync.WaitGroup
	for i := range cap(codes) {
		group.Go(func() {
			codes <- b.send([]string{"bob", "eve"}[i%2], "POST", "/v1/tickets/100/claim", "", "Idempotency-Key", fmt.Sprint(i%2)).Code
		})
	}
	group.Wait()
	close(codes)
	count := map[int]int{}
	for code := range codes {
		count[code]++
	}
	if diff := cmp.Diff(map[int]int{200: 10, 409: 10}, count); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsOfTheDesk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		retry  string
	}{
		{fmt.Errorf("dial 10.0.0.7: %w", desk.ErrUnavailable), 503, "2"},
		{fmt.Errorf("secret: %w", desk.ErrUndecided), 504, "1"},
		{errors.New("secret password"), 500, ""},
	} {
		b := setup(t)
		b.desk.fail = c.err
		for _, r := range [][3]string{{"POST", "/v1/tickets", `{"subject":"a"}`}, {"POST", "/v1/tickets/100/claim", ""}, {"GET", "/v1/tickets/100", ""}, {"GET", "/v1/tickets", ""}, {"GET", "/v1/agents", ""}, {"GET", "/v1/oncall", ""}} {
			a := b.must(c.status, b.send("bob", r[0], r[1], r[2]))
			if strings.Contains(a.Body.String(), "secret") || strings.Contains(a.Body.String(), "10.0.0.7") {
				t.Errorf("leaks: %s", a.Body)
			}
			if got := a.Header().Get("Retry-After"); got != c.retry {
				t.Errorf("Retry-After %q, want %q", got, c.retry)
			}
			if a.JSON["request_id"] != a.Header().Get("X-Request-Id") || a.JSON["request_id"] == "" {
				t.Errorf("request id %v, header %q", a.JSON["request_id"], a.Header().Get("X-Request-Id"))
			}
		}
	}
}

func TestHarmlessRefusalIsNoConflict(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ticket()
	b.must(200, b.send("bob", "POST", "/v1/tickets/100/claim", ""))
	if got := b.must(200, b.send("bob", "POST", "/v1/tickets/100/claim", "")).JSON["assignee"]; got != "bob" {
		t.Errorf("assignee %v", got)
	}
}

var _ Desk = (*fakeDesk)(nil)

// TestRefusalsAreWorded walks every verb through every state as everybody.
func TestRefusalsAreWorded(t *testing.T) {
	t.Parallel()
	seen := map[ticket.Message]bool{}
	for _, before := range [][]string{{}, {"claim"}, {"claim", "ask"}, {"claim", "resolve"}, {"claim", "close"}, {"withdraw"}, {"claim", "pass"}} {
		for _, v := range verbs {
			for _, who := range []string{"ann", "rob", "bob", "eve", "mia"} {
				f := newFake()
				act := func(who string, v ticket.Verb) error {
					a := desk.Act{ID: fmt.Sprint(len(f.commands)), Person: people[who], Channel: "rest", Number: 100, Verb: v, Text: "x", Until: noon.AddDate(0, 0, 1), Priority: ticket.P1, To: "eve"}
					if v == ticket.Merge {
						a.To = "101"
					}
					_, err := f.Do(t.Context(), a)
					return err
				}
				if _, _, err := f.Submit(t.Context(), desk.Submission{Subject: "x", Requester: "ann", Priority: ticket.P3}); err != nil {
					t.Fatal(err)
				}
				for _, name := range before {
					by := "bob"
					if name == "withdraw" {
						by = "ann"
					}
					if err := act(by, verbNamed(name)); err != nil {
						t.Fatalf("%v: %s: %v", before, name, err)
					}
				}
				if r, ok := ticket.Refused(act(who, v.Verb)); ok {
					seen[r.Message] = true
				}
			}
		}
	}
	for m := range seen {
		if !desk.Explain(&ticket.Refusal{Message: m}).Known {
			t.Errorf("no words for %s", m)
		}
	}
	if len(seen) < 14 {
		t.Errorf("only %d refusals seen: the walk is not wide enough: %v", len(seen), seen)
	}
}

func verbNamed(name string) ticket.Verb {
	for _, v := range verbs {
		if v.Name == name {
			return v.Verb
		}
	}
	panic(name)
}
