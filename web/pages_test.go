package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"deskbell/command"
	"deskbell/desk"
	"deskbell/roster"
	"deskbell/signin"
	"deskbell/ticket"
)

var (
	ann = roster.Person{ID: "ann", Name: "Ann Lee", Roles: roster.Roles{roster.Requester}, Phone: "+447700900201", Loc: "room 312"}
	meg = roster.Person{ID: "meg", Name: "Meg Orr", Roles: roster.Roles{roster.Manager}}
	rob = roster.Person{ID: "bob", Name: "Bob Ray", Roles: roster.Roles{roster.Agent}}
)

const secret = "xYz-0123456789abcdefgh"

// told is a ticket with a story: asked, answered, noted, with messages of every fate.
func told() desk.Story {
	requester := ticket.Party{ID: "ann", Name: "Ann Lee"}
	t := held(142, ticket.P2, "Printer on floor 3 is jammed", bob, 12)
	t.Body, t.Requester, t.Version = "It eats every second page.\n<script>alert(1)</script>", requester, 9
	t.RespondBy, t.ResolveBy = now.Add(8*time.Minute), now.Add(7*time.Hour)
	t.Alarms = []ticket.Alarm{{Kind: ticket.StaleAlarm, At: now.Add(48*time.Minute + 12*time.Second)}}
	event := func(minutes int, kind ticket.Kind, by ticket.Party, channel, text string, to ...ticket.Party) ticket.Event {
		return ticket.Event{At: ago(minutes), Kind: kind, Actor: by, Channel: channel, Text: text, To: to}
	}
	return desk.Story{At: now, Ticket: t, Link: secret, Next: "10:33: ask Bob for news", Events: []ticket.Event{
		event(22, ticket.Opened, requester, "web", ""), event(22, ticket.Planned, ticket.System, "", ""), event(22, ticket.Offered, ticket.System, "", "", bob, eve),
		event(19, ticket.Declined, eve, "im", ""), event(12, ticket.Taken, bob, "sms", ""), event(10, ticket.Asked, bob, "sms", "Which tray is it?"),
		event(6, ticket.Answered, requester, "web", "Tray 2."), event(5, ticket.Noted, bob, "im", "The roller again."), event(1, ticket.Told, bob, "im", "On my way."),
	}, Notices: []desk.NoticeView{
		{Channel: "sms", Person: "ann", Name: "Ann Lee", Text: "we have your request", State: "delivered", At: ago(22)},
		{Channel: "sms", Person: "bob", Name: "Bob Ray", Text: "142 to take", State: "failed", Detail: "absent", At: ago(22)},
		{Channel: "im", Person: "eve", Name: "Eve Lund", Text: "142 to take", State: "sent", At: ago(22)},
	}}
}

// visit asks for a page as somebody; nobody when who is empty.
func visit(t *testing.T, h http.Handler, who roster.Person, method, target string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(signin.As(t.Context(), desk.Caller{Person: who}), method, target, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var keys = regexp.MustCompile(`name="key" value="[A-Z2-7]{26}"`)

func TestTicketAndRequestPages(t *testing.T) {
	t.Parallel()
	h := New(Config{Zone: berlin(t), UIURL: "http://ui"}, &fakeDesk{story: told(), people: []roster.Person{ann, rob, meg}})
	for _, c := range []struct {
		who           roster.Person
		path, file    string
		says, saysNot []string
	}{
		{meg, "/tickets/142", "ticket.golden.html", []string{"The roller again.", "http://ui/namespaces/default/workflows/ticket-142", "takeover 142", "/t/" + secret, "absent"}, []string{"<script>alert", "C142"}},
		{rob, "/tickets/142", "", []string{"C142", "R142", "data-until"}, []string{"Reprioritise", "Stop the calls"}},
		{roster.Person{}, "/t/" + secret, "request.golden.html", []string{"Which tray is it?", "Bob Ray is on it", "we have your request"}, []string{"The roller again.", "Eve", "142 to take", "declined", "<script>alert"}},
	} {
		w := visit(t, h, c.who, "GET", c.path, nil)
		page := w.Body.String()
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", c.path, w.Code)
		}
		if c.file != "" {
			golden(t, c.file, keys.ReplaceAll(w.Body.Bytes(), []byte(`name="key" value="KEY"`)))
		}
		for _, words := range c.says {
			if !strings.Contains(page, words) {
				t.Errorf("%s for %s does not say %q", c.path, c.who.ID, words)
			}
		}
		for _, words := range c.saysNot {
			if strings.Contains(page, words) {
				t.Errorf("%s for %s says %q", c.path, c.who.ID, words)
			}
		}
	}
}

// A ticket that was merged goes on as another for whoever reads of it, whether it was solved
// before or not.
func TestMergedGoesOn(t *testing.T) {
	t.Parallel()
	for _, solved := range []time.Time{{}, ago(20)} {
		f := &fakeDesk{story: told(), people: []roster.Person{ann, rob}}
		f.story.Ticket.Status, f.story.Ticket.Merged, f.story.Ticket.ResolvedAt, f.story.Ticket.ClosedAt = ticket.Closed, 143, solved, ago(10)
		h := New(Config{}, f)
		for path, wants := range map[string][]string{"/tickets/142": {"goes on as #143"}, "/t/" + secret: {"goes on as #143", "<strong>Goes on as #143</strong>"}} {
			page := visit(t, h, rob, "GET", path, nil).Body.String()
			for _, want := range wants {
				if !strings.Contains(page, want) {
					t.Errorf("%s does not say %q", path, want)
				}
			}
			if strings.Contains(page, "<strong>Solved</strong>") {
				t.Errorf("%s: solved", path)
			}
		}
	}
}

// TestForeignAndMissingAlike asks for what is not there, and for what is another's.
func TestForeignAndMissingAlike(t *testing.T) {
	t.Parallel()
	h := New(Config{}, &fakeDesk{story: told(), people: []roster.Person{ann, rob}})
	missing := visit(t, h, roster.Person{}, "GET", "/t/none", nil)
	for _, path := range []string{"/t/142", "/t/" + secret[:21], "/t/" + strings.ToLower(secret), "/t/" + secret + "x"} {
		w := visit(t, h, roster.Person{}, "GET", path, nil)
		if w.Code != http.StatusNotFound || strings.ReplaceAll(w.Body.String(), url.QueryEscape(path), "") != strings.ReplaceAll(missing.Body.String(), url.QueryEscape("/t/none"), "") {
			t.Errorf("%s: %d, unlike what is missing", path, w.Code)
		}
	}
	max := roster.Person{ID: "max", Roles: roster.Roles{roster.Requester}}
	if a, b := visit(t, h, max, "GET", "/tickets/142", nil), visit(t, h, max, "GET", "/tickets/999", nil); a.Code != b.Code || a.Code != http.StatusForbidden {
		t.Errorf("another's ticket: %d, none: %d", a.Code, b.Code)
	}
	if w := visit(t, h, ann, "GET", "/tickets/142", nil); w.Header().Get("Location") != "/t/"+secret {
		t.Errorf("her own: %d %v", w.Code, w.Header())
	}
}

// TestActs presses buttons: they go through the desk's door, once for each form.
func TestActs(t *testing.T) {
	t.Parallel()
	f := &fakeDesk{story: told(), people: []roster.Person{ann, rob, meg}}
	h := New(Config{}, f)
	form := url.Values{"key": {"K"}, "text": {" new toner "}}
	for range 2 {
		if w := visit(t, h, rob, "POST", "/tickets/142/resolve", form); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/tickets/142" {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
	}
	visit(t, h, roster.Person{}, "POST", "/t/"+secret+"/write", url.Values{"key": {"K"}, "text": {"still jammed"}})
	visit(t, h, meg, "POST", "/tickets/142/snooze", url.Values{"until": {"2026-11-24T08:00:00Z"}})
	if len(f.acts) != 4 || f.acts[0].ID != f.acts[1].ID || f.acts[0].ID == f.acts[2].ID {
		t.Fatalf("%+v", f.acts)
	}
	if a := f.acts[0]; a.Verb != ticket.Done || a.Text != "new toner" || a.Person.ID != "bob" || a.Channel != "web" || a.Number != 142 {
		t.Errorf("%+v", a)
	}
	if a := f.acts[2]; a.Verb != ticket.Write || a.Person.ID != "ann" || a.Person.Works() {
		t.Errorf("%+v", a)
	}
	if a := f.acts[3]; a.Until.Format(time.RFC3339) != "2026-11-24T08:00:00Z" {
		t.Errorf("%+v", a)
	}
	for _, c := range []struct {
		who  roster.Person
		path string
		want int
	}{
		{ann, "/tickets/142/claim", http.StatusForbidden}, {roster.Person{}, "/tickets/142/claim", http.StatusSeeOther},
		{rob, "/tickets/142/explode", http.StatusNotFound}, {rob, "/t/" + secret + "/claim", http.StatusNotFound}, {rob, "/t/none/write", http.StatusNotFound},
	} {
		if w := visit(t, h, c.who, "POST", c.path, form); w.Code != c.want {
			t.Errorf("%s as %q: %d, want %d", c.path, c.who.ID, w.Code, c.want)
		}
	}
	if len(f.acts) != 4 {
		t.Errorf("acted: %+v", f.acts[4:])
	}
	f.refuse = &ticket.Refusal{Message: "owned", Who: eve}
	if w := visit(t, h, rob, "POST", "/tickets/142/claim", form); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Eve Lund has this ticket.") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	foreign := httptest.NewRequestWithContext(signin.As(t.Context(), desk.Caller{Person: rob}), "POST", "/tickets/142/claim", nil)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, foreign)
	if w.Code != http.StatusForbidden {
		t.Errorf("another site's page may act: %d", w.Code)
	}
}

// TestButtonsAreCommands reads what every button shows as a phone's text would be.
func TestButtonsAreCommands(t *testing.T) {
	t.Parallel()
	for _, list := range []struct {
		verbs   []verb
		speaker command.Speaker
	}{{verbs, command.Speaker{Channel: "sms"}}, {append(requesterVerbs[:1:1], writing), command.Speaker{Channel: "sms", Requester: true}}} {
		for _, v := range list.verbs {
			if v.Command == "" {
				continue
			}
			text := strings.ReplaceAll(fmt.Sprintf(v.Command, 142), "…", map[string]string{"pass": "bob", "snooze": "2h"}[v.Path])
			if v.Field == "text" {
				text = strings.TrimSpace(strings.ReplaceAll(fmt.Sprintf(v.Command, 142), "…", "")) + " some words"
			}
			now := time.Date(2026, 3, 3, 10, 38, 0, 0, time.UTC)
			at := command.Context{Now: now, Works: !list.speaker.Requester}
			at.UndoTicket, at.UndoAt = 142, now
			at.Held, at.Own = []command.Ticket{{Number: 142, Status: ticket.Assigned}}, []command.Ticket{{Number: 142, Status: ticket.Assigned}}
			if v.Verb == ticket.Reopen || v.Verb == ticket.TakeBack {
				at.Held[0].Status, at.Own[0].Status = ticket.Resolved, ticket.Resolved
			}
			got := fmt.Sprintf("%+v", command.Resolve(command.Parse(text, list.speaker), at))
			if !strings.Contains(got, "Verb:"+string(v.Verb)) {
				t.Errorf("%s shows %q, which means %s", v.Path, text, got)
			}
		}
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	paths := func(who roster.Person, change func(*ticket.Ticket)) string {
		t := told().Ticket
		change(&t)
		var out []string
		for _, v := range allowed(verbs, t, who, now) {
			out = append(out, v.Path)
		}
		return strings.Join(out, " ")
	}
	fresh := func(t *ticket.Ticket) { t.Status, t.Assignee = ticket.New, ticket.Party{} }
	for _, c := range []struct{ got, want string }{
		{paths(rob, fresh), "claim resolve note up"},
		{paths(rob, func(*ticket.Ticket) {}), "resolve ask tell note release pass snooze up close"},
		{paths(rob, func(t *ticket.Ticket) { t.Assignee = eve }), "takeover"},
		{paths(rob, func(t *ticket.Ticket) { t.Status, t.ResolvedAt = ticket.Resolved, now }), "note reopen close"},
		{paths(ann, fresh), ""},
	} {
		if c.got != c.want {
			t.Errorf("got  %s\nwant %s", c.got, c.want)
		}
	}
}

func TestWaitWords(t *testing.T) {
	t.Parallel()
	minutes := func(m int) time.Duration { return time.Duration(m) * time.Minute }
	for _, c := range []struct {
		low, high int
		want      string
	}{{0, 1, "within a few minutes"}, {2, 5, "within a few minutes"}, {2, 6, "within 10 min"}, {11, 26, "within 10–30 min"}, {24, 26, "within 25–30 min"}, {40, 95, "within 40 min to 1 h 45 min"}, {130, 300, "within 2 h 15 min to 5 h"}} {
		if got := between(minutes(c.low), minutes(c.high)); got != c.want {
			t.Errorf("%d to %d min: %q, want %q", c.low, c.high, got, c.want)
		}
	}
	for place, want := range map[int]string{2: "at once", 3: "within 5–20 min"} {
		e := desk.Estimate{Place: place, Present: 2, Free: []string{"Bob", "Eve"}, Low: minutes(5), High: minutes(20)}
		if got := waitWords(e); !strings.Contains(got, want) {
			t.Errorf("place %d with two free: %q", place, got)
		}
	}
	s := told()
	s.Ticket.CreatedAt, s.Place = ago(10), 2
	promise := &desk.WaitPromise{At: ago(10), Place: 2, Low: minutes(10), High: minutes(30)}
	for _, c := range []struct {
		estimate desk.Estimate
		promise  *desk.WaitPromise
		place    int
		want     string
	}{
		{desk.Estimate{Present: 1, Free: []string{"Bob", "Eve"}, High: minutes(9)}, promise, 2, "Someone is free now."},
		{desk.Estimate{}, promise, 2, "Nobody is at the desk right now"},
		{desk.Estimate{Present: 2}, nil, 2, ""},
		{desk.Estimate{Present: 2, Low: minutes(5), High: minutes(20)}, promise, 2, "Usually taken within 20 min from now."},
		{desk.Estimate{Present: 2, Low: minutes(20), High: minutes(50)}, promise, 3, "because more urgent requests came in: usually taken within 20–50 min from now."},
		{desk.Estimate{Present: 2, Low: minutes(20), High: minutes(50)}, promise, 2, "because it goes slower than usual today"},
	} {
		s.Estimate, s.Promise, s.Place = c.estimate, c.promise, c.place
		if got := inLine(s); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestChartsPage(t *testing.T) {
	t.Parallel()
	all := desk.Charts{At: now, Since: now.AddDate(0, 0, -27), Figures: map[string][]desk.ChartRow{
		"claim":    {{Key: "2026-11-20", Values: []float64{300, 900, 10, 9}}},
		"channels": {{Key: "2026-11-20", Values: []float64{6, 2, 1, 1}}},
		"delivery": {{Key: "2026-11-20", Values: []float64{90, 5, 40, 0, 5}}},
		"queue":    {{Key: "Mon 09:00", Values: []float64{4, 30}}, {Key: "Mon 10:00", Values: []float64{1, 30}}},
	}, Targets: map[ticket.Priority][]desk.Target{ticket.P1: {{Respond: 15 * time.Minute}, {Group: "it", Respond: 5 * time.Minute}, {Group: "hr"}}}}
	h := New(Config{}, &fakeDesk{figures: all})
	page := visit(t, h, rob, "GET", "/charts?priority=P1", nil).Body.String()
	for _, words := range []string{"90 % of 10 taken within the target.", "80 % are taken from a phone or a chat.", "90.0 % of the text messages were delivered for certain, 5.0 % failed.", `class="h4">4.0<`, `class="h1">1.0<`, "/charts/claim.csv?priority=P1"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	_, rest, _ := strings.Cut(page, `<script type="application/json">`)
	data, _, _ := strings.Cut(rest, "</script>")
	var drawn plot
	if err := json.Unmarshal([]byte(data), &drawn); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	day := slices.Index(drawn.X, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC).Unix())
	if len(drawn.X) != 28 || day < 0 || len(drawn.Series) != 4 || *drawn.Series[1].Values[day] != 900 || *drawn.Series[2].Values[0] != 900 || *drawn.Series[3].Values[27] != 300 || drawn.Series[3].Name != "target of it" || drawn.Series[0].Values[0] != nil {
		t.Errorf("%d days, the day is number %d: %s", len(drawn.X), day, data)
	}
	if got := visit(t, h, rob, "GET", "/charts/claim.csv", nil).Body.String(); got != "Day,median,9 of 10 within,tickets,within target\n2026-11-20,300,900,10,9\n" {
		t.Errorf("CSV: %q", got)
	}
	for path, want := range map[string]int{"/charts/claim": 404, "/charts/none.csv": 404} {
		if w := visit(t, h, rob, "GET", path, nil); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := visit(t, h, ann, "GET", "/charts", nil); w.Code != http.StatusForbidden {
		t.Errorf("a requester sees the charts: %d", w.Code)
	}
}

// A requester adds a file by the link alone, and whoever works here; both download it as
// something to save. What is wrong with one is said on the page.
func TestFiles(t *testing.T) {
	t.Parallel()
	f := &fakeDesk{story: told(), people: []roster.Person{ann, rob, meg}}
	h := New(Config{}, f)
	send := func(who roster.Person, path, content string) *httptest.ResponseRecorder {
		t.Helper()
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		file, err := form.CreateFormFile("file", "jam <b>.txt")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write([]byte(content)); err != nil || form.Close() != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(signin.As(t.Context(), desk.Caller{Person: who}), "POST", path, &body)
		r.Header.Set("Content-Type", form.FormDataContentType())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for path, who := range map[string]roster.Person{"/t/" + secret + "/files": {}, "/tickets/142/files": rob} {
		if w := send(who, path, "It jams."); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", path, w.Code)
		}
		if w := send(who, path, ""); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "The file is empty.") {
			t.Errorf("%s: %d, nothing is said of an empty file", path, w.Code)
		}
		if w := send(who, path, strings.Repeat("x", desk.MaxFile+maxForm)); w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "A file may have 10 MB.") {
			t.Errorf("%s: %d, nothing is said of a large file", path, w.Code)
		}
		if page := visit(t, h, who, "GET", strings.TrimSuffix(path, "/files"), nil).Body.String(); !strings.Contains(page, `<a href="`+path+`/F1">jam &lt;b&gt;.txt</a> <small>8 B`) {
			t.Errorf("%s: the page does not name the file", path)
		}
		w := visit(t, h, who, "GET", path+"/F1", nil)
		if disposition := w.Header().Get("Content-Disposition"); w.Code != http.StatusOK || !strings.HasPrefix(disposition, "attachment;") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %q", path, w.Code, disposition)
		}
	}
	for path, want := range map[string]int{"/t/none/files/F1": 404, "/t/" + secret + "/files/F2": 404, "/tickets/142/files/F1": 303} {
		if w := visit(t, h, roster.Person{}, "GET", path, nil); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// Whoever asked chooses how to be told, from what can reach them.
func TestHowToBeTold(t *testing.T) {
	t.Parallel()
	f := &fakeDesk{story: told(), people: []roster.Person{ann}}
	h := New(Config{}, f)
	page := func() string { return visit(t, h, roster.Person{}, "GET", "/t/"+secret, nil).Body.String() }
	if p := page(); !strings.Contains(p, `value="sms" checked`) || !strings.Contains(p, `value="none">`) || strings.Contains(p, `value="im"`) {
		t.Error("not what reaches her")
	}
	if w := visit(t, h, roster.Person{}, "POST", "/t/"+secret+"/told", url.Values{"by": {"none"}}); w.Code != http.StatusSeeOther || !strings.Contains(page(), `value="none" checked`) {
		t.Errorf("%d", w.Code)
	}
	if w := visit(t, h, roster.Person{}, "POST", "/t/"+secret+"/told", url.Values{"by": {"pigeon"}}); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d", w.Code)
	}
}

// Managers add and change people; others do not even see them.
func TestDirectory(t *testing.T) {
	t.Parallel()
	f := &fakeDesk{people: []roster.Person{ann, rob, meg}}
	h := New(Config{}, f)
	for path, says := range map[string][]string{
		"/directory":     {`<a href="/directory/ann">Ann Lee</a>`, "447700900201", "after=3.x", `name="id"`},
		"/directory/ann": {`value="Ann Lee"`, `value="requester" checked`, `name="version" value="7"`, "New PIN", `name="active" value="yes" checked`},
	} {
		page := visit(t, h, meg, "GET", path, nil)
		for _, words := range says {
			if !strings.Contains(page.Body.String(), words) {
				t.Errorf("%s does not say %q", path, words)
			}
		}
		for _, who := range []roster.Person{ann, rob} {
			if w := visit(t, h, who, "GET", path, nil); w.Code != http.StatusForbidden {
				t.Errorf("%s as %s: %d", path, who.ID, w.Code)
			}
		}
	}
	form := url.Values{"id": {"zoe"}, "name": {"Zoe"}, "role": {"agent", "oncall"}, "phone": {"+4930123456"}}
	if w := visit(t, h, meg, "POST", "/directory", form); w.Header().Get("Location") != "/directory/zoe" || !f.people[3].Is(roster.OnCallee) {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	form.Set("phone", "030 12")
	if w := visit(t, h, meg, "POST", "/directory", form); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "4930123456") || !strings.Contains(w.Body.String(), `value="030 12"`) {
		t.Errorf("%d, nothing is said of the number", w.Code)
	}
	change := url.Values{"version": {"7"}, "name": {"Ann Lee-Ray"}, "role": {"requester"}}
	if w := visit(t, h, meg, "POST", "/directory/ann", change); w.Code != http.StatusSeeOther || len(f.edits) != 1 {
		t.Fatalf("%d %+v", w.Code, f.edits)
	}
	if e := f.edits[0]; *e.Name != "Ann Lee-Ray" || *e.Active || e.PIN != nil || *e.Phone != "" {
		t.Errorf("%+v", e)
	}
	change.Set("version", "6")
	if w := visit(t, h, meg, "POST", "/directory/ann", change); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Somebody else changed this") {
		t.Errorf("an old form: %d", w.Code)
	}
	if w := visit(t, h, rob, "POST", "/directory/ann", change); w.Code != http.StatusForbidden || len(f.edits) != 1 {
		t.Errorf("an agent: %d", w.Code)
	}
}
