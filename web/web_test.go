package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/signin"
	"deskbell/ticket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

// fakeDesk holds a board and a story; change replaces the board and tells the
// watchers. A method that a test does not expect panics.
type fakeDesk struct {
	Desk
	story     desk.Story
	people    []roster.Person
	acts      []desk.Act
	refuse    error
	figures   desk.Charts
	edits     []desk.EntryEdit
	incidents []desk.Incident

	mu       sync.Mutex
	board    desk.Board
	err      error
	watchers map[chan desk.Change]bool
	reads    int
	watches  int
}

func (f *fakeDesk) Board(context.Context) (desk.Board, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return f.board, f.err
}

func (f *fakeDesk) Incidents(context.Context) ([]desk.Incident, error) { return f.incidents, nil }

func (f *fakeDesk) Announce(_ context.Context, by desk.Caller, number int, words string) (desk.Incident, error) {
	if words == "" {
		return desk.Incident{}, &desk.InvalidError{Field: "text", Problem: "say in a sentence what is known"}
	}
	f.incidents = []desk.Incident{{Ticket: number, Words: words, By: by.Person.ID, Since: ago(50), Requester: "zoe"}}
	return f.incidents[0], nil
}

func (f *fakeDesk) WithdrawIncident(context.Context, desk.Caller, int) error {
	f.incidents = nil
	return nil
}

func (f *fakeDesk) JoinIncident(_ context.Context, by desk.Caller, number int) (desk.Incident, error) {
	if len(f.incidents) == 0 || f.incidents[0].Ticket != number {
		return desk.Incident{}, desk.ErrNotFound
	}
	f.incidents[0].Affected = append(f.incidents[0].Affected, by.Person.ID)
	return f.incidents[0], nil
}

func (f *fakeDesk) Why(_ context.Context, number int) (desk.WhyView, error) {
	if number != 142 {
		return desk.WhyView{}, desk.ErrNotFound
	}
	return story(), f.err
}

func story() desk.WhyView {
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	return desk.WhyView{Number: 142, Status: ticket.New, Next: "10:42: call the last person again", Decisions: []desk.DecisionView{
		{Seq: 1, At: at(-16), Actor: "ann", Name: "Ann Lee", Requester: true, Event: ticket.Opened, What: "Ann Lee asked"},
		{Seq: 2, At: at(-16), Event: ticket.Planned},
		{Seq: 3, At: at(-16), Event: ticket.Offered, To: []string{"Bob", "Eve"}, Seen: []desk.SeenView{
			{Person: "bob", Name: "Bob", Presence: "available", Holding: 1}, {Person: "eve", Name: "Eve <b>", Presence: "offline"}, {Person: "dan", Name: "Dan", Out: "off duty"},
		}, Delivered: []desk.FateView{{Name: "Bob", Channel: "im", State: "sent"}, {Name: "Eve", Channel: "sms", State: "failed", Detail: "absent"}}},
		{Seq: 4, At: at(-15), Actor: "bob", Name: "Bob", Event: ticket.Declined},
		{Seq: 5, At: at(-10), Actor: "ann", Name: "Ann Lee", Requester: true, Event: ticket.Written, What: "Ann Lee wrote: my salary is 1"},
		{Seq: 6, At: at(-1), Event: ticket.Escalated},
	}}
}

// The page of a rehearsal says in words what its picture shows, and stays a page
// whatever it is asked.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	h := New(Config{}, &fakeDesk{})
	get := func(query string) string {
		w := visit(t, h, rob, "GET", "/rehearsal?"+query, nil)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", query, w.Code)
		}
		return w.Body.String()
	}
	page := get("priority=P2&group=it&at=2026-03-01T03:00")
	golden(t, "rehearsal.golden.html", []byte(page))
	for _, query := range []string{"priority=P9", "at=soon"} {
		if !strings.Contains(get(query), "role=\"alert\"") {
			t.Errorf("nothing is said of %s", query)
		}
	}
}

func TestWhy(t *testing.T) {
	t.Parallel()
	h := New(Config{Open: true, UIURL: "http://ui/"}, &fakeDesk{})
	page := get(t, h, "/tickets/142").Body.Bytes()
	golden(t, "why.golden.html", page)
	for _, private := range []string{"Ann", "salary", "<b>"} {
		if bytes.Contains(page, []byte(private)) {
			t.Errorf("the page says %q", private)
		}
	}
	for _, c := range []struct {
		path   string
		config Config
		desk   *fakeDesk
		want   int
	}{
		{"/tickets/143", Config{Open: true}, &fakeDesk{}, http.StatusNotFound},
		{"/tickets/x", Config{Open: true}, &fakeDesk{}, http.StatusNotFound},
		{"/tickets/142", Config{Open: true}, &fakeDesk{err: errors.New("secret address")}, http.StatusServiceUnavailable},
		{"/tickets/142", Config{}, &fakeDesk{}, http.StatusSeeOther},
	} {
		if got := get(t, New(c.config, c.desk), c.path); got.Code != c.want {
			t.Errorf("%s: %d, want %d", c.path, got.Code, c.want)
		}
	}
}

func (f *fakeDesk) Story(_ context.Context, number int) (desk.Story, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.story.Ticket.Number != number {
		return desk.Story{}, desk.ErrNotFound
	}
	return f.story, f.err
}

func (f *fakeDesk) Linked(_ context.Context, link string) (desk.Story, error) {
	if f.story.Link == "" || f.story.Link != link {
		return desk.Story{}, desk.ErrNotFound
	}
	return f.story, nil
}

func (f *fakeDesk) Link(context.Context, int) (string, error) { return f.story.Link, nil }

func (f *fakeDesk) Agents(context.Context) (list []desk.AgentView, err error) {
	for _, p := range f.people {
		if p.Works() {
			list = append(list, desk.AgentView{ID: p.ID, Name: p.Name})
		}
	}
	return list, nil
}

func (f *fakeDesk) Person(_ context.Context, id string) (roster.Person, error) {
	i := slices.IndexFunc(f.people, func(p roster.Person) bool { return p.ID == id })
	if i < 0 {
		return roster.Person{}, desk.ErrNotFound
	}
	return f.people[i], nil
}

func (f *fakeDesk) Do(_ context.Context, a desk.Act) (ticket.Ticket, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = append(f.acts, a)
	return f.story.Ticket, f.refuse
}

func (f *fakeDesk) Charts(context.Context, desk.ChartFilter) (desk.Charts, error) {
	return f.figures, f.err
}

func (f *fakeDesk) Versions(context.Context, []int) (map[int]int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return map[int]int{f.story.Ticket.Number: f.story.Ticket.Version}, f.err
}

func (f *fakeDesk) Watch(ctx context.Context) <-chan desk.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan desk.Change, 1)
	if f.watchers == nil {
		f.watchers = map[chan desk.Change]bool{}
	}
	f.watchers[c] = true
	f.watches++
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, c)
		close(c)
	})
	return c
}

func (f *fakeDesk) change(board desk.Board) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.board = board
	for c := range f.watchers {
		select {
		case c <- desk.Change{Kind: "ticket"}:
		default:
		}
	}
}

func (f *fakeDesk) counts() (reads, watches int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads, f.watches
}

var (
	now = time.Date(2026, 11, 23, 9, 45, 0, 0, time.UTC)
	bob = ticket.Party{ID: "bob", Name: "Bob Ray"}
	eve = ticket.Party{ID: "eve", Name: "Eve Lund"}
)

func ago(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }

func plan() ticket.Plan {
	return ticket.Plan{Steps: []ticket.Step{{After: 15 * time.Minute, To: "oncall"}, {After: 25 * time.Minute, To: "next"}, {After: 40 * time.Minute, To: "manager"}}}
}

// waitingTicket is one that nobody has, asked of whom, with the next step at.
func waitingTicket(number int, p ticket.Priority, subject string, age int, step time.Time, offered ...ticket.Party) ticket.Ticket {
	t := ticket.Ticket{Number: number, Priority: p, Subject: subject, Body: "private", Requester: ticket.Party{ID: "ann", Name: "Ann Secret"}, CreatedAt: ago(age), Plan: plan()}
	t.Status = ticket.New
	for _, o := range offered {
		t.Offers = append(t.Offers, ticket.Offer{To: o, At: ago(1)})
	}
	if !step.IsZero() {
		t.Alarms = []ticket.Alarm{{Kind: ticket.WaveAlarm, At: now}, {Kind: ticket.StepAlarm, At: step}}
	}
	return t
}

func held(number int, p ticket.Priority, subject string, by ticket.Party, claimed int) ticket.Ticket {
	t := waitingTicket(number, p, subject, claimed+10, time.Time{})
	t.Status, t.Assignee, t.ClaimedAt = ticket.Assigned, by, ago(claimed)
	return t
}

// fullBoard has every state that the page knows.
func fullBoard() desk.Board {
	called := waitingTicket(143, ticket.P2, "No network in meeting room 2", 17, now.Add(8*time.Minute), bob, eve)
	called.Step, called.Pages = 1, []ticket.Page{{To: ticket.Party{ID: "joe", Name: "Joe Ash"}, At: ago(2), Step: 1}}
	lost := waitingTicket(139, ticket.P3, "Keyboard types <b>twice</b>\nand loses letters "+strings.Repeat("again and ", 12), 65, now.Add(26*time.Hour))
	lost.Step, lost.Pages = 2, []ticket.Page{{To: eve, At: ago(3), Step: 2, Failed: true}}
	nobody := waitingTicket(138, ticket.P4, "New chair", 3*24*60, time.Time{})
	nobody.Empty = 2
	asked := held(135, ticket.P3, "Mailbox is full", eve, 120)
	asked.Status, asked.Waits, asked.Question = ticket.Pending, "answer", "Which one?"
	snoozed := held(136, ticket.P4, "Label the sockets", eve, 240)
	snoozed.Status, snoozed.Waits, snoozed.Until = ticket.Pending, "time", now.Add(5*time.Hour)
	passed := held(137, ticket.P1, "Door badge reader is dead", bob, 3)
	passed.Pass = &ticket.Handover{To: eve, Until: now.Add(7 * time.Minute)}
	promised := held(134, ticket.P2, "Laptop does not start", bob, 50)
	promised.Promise = &ticket.Promise{By: now.Add(20 * time.Minute)}
	line := func(n, minutes int, actor string, kind ticket.Kind) desk.RecentEvent {
		return desk.RecentEvent{Number: n, Line: desk.Line{At: ago(minutes), Actor: actor, Event: string(kind), Text: "private text"}}
	}
	return desk.Board{
		At: now, InLine: 105, InWork: 4, OnHold: 2, Oldest: nobody.CreatedAt,
		Waiting: []ticket.Ticket{waitingTicket(142, ticket.P1, "Printer on floor 3 is jammed", 4, now.Add(11*time.Minute), bob, eve), called, lost, nobody,
			waitingTicket(144, ticket.P3, "Guest Wi-Fi password", 0, time.Time{})},
		Working: []ticket.Ticket{passed, asked, snoozed, promised},
		Agents: []desk.AgentView{
			{ID: "bob", Name: "Bob Ray", Presence: "available", Via: "im", OnDuty: true, Since: ago(200), Holding: []int{137, 134}},
			{ID: "eve", Name: "Eve Lund", Presence: "away", Via: "im", OnDuty: true, Reason: "lunch", Since: ago(15)},
			{ID: "tom", Name: "Tom Ives", Presence: "available", Via: "im", OnDuty: true}, {ID: "liz", Name: "Liz Moor", Presence: "busy", Via: "im", OnDuty: true, Reason: "in a call"},
			{ID: "sam", Name: "Sam Otto", Presence: "offline", Via: "sms", OnDuty: true}},
		OnCall:    desk.OnCallView{People: []string{"joe", "mia"}, Until: now.Add(48 * time.Hour)},
		Names:     map[string]string{"joe": "Joe Ash", "mia": "Mia Kerr", "ann": "Ann Secret", "bob": "Bob Ray", "eve": "Eve Lund"},
		Gateways:  []desk.GatewayView{{Channel: "sms", Up: true, Since: ago(600), Backlog: 2}, {Channel: "im", Since: ago(1)}},
		Incidents: []desk.Incident{{Ticket: 131, Words: "Mail does not arrive in Berlin <b>; we are on it.", Since: ago(50), Requester: "ann", Affected: []string{"max", "zoe"}}},
		Recent: []desk.RecentEvent{line(144, 0, "ann", ticket.Opened), line(143, 2, "deskbell", ticket.Escalated), line(137, 3, "bob", ticket.Taken), line(135, 4, "eve", ticket.Noted),
			line(135, 5, "ann", ticket.Answered), line(133, 6, "bob", ticket.Solved), line(133, 4000, "mia", ticket.AssignedTo)},
	}
}

func berlin(t *testing.T) *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
	return w
}

func TestBoard(t *testing.T) {
	t.Parallel()
	h := New(Config{Open: true, Zone: berlin(t), UIURL: "http://ui/"}, &fakeDesk{board: fullBoard()})
	for path, file := range map[string]string{"/": "board.golden.html", "/wall": "wall.golden.html"} {
		w := get(t, h, path)
		if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("policy %q", policy)
		}
		for _, private := range []string{"Secret", "private", "<b>"} {
			if strings.Contains(w.Body.String(), private) {
				t.Errorf("%s shows %q", path, private)
			}
		}
		golden(t, file, keys.ReplaceAll(w.Body.Bytes(), []byte(`name="key" value="KEY"`)))
	}
}

// A promise that was not kept is late, and not expected, wherever it stands.
func TestLatePromise(t *testing.T) {
	t.Parallel()
	late := told()
	late.Ticket.Promise = &ticket.Promise{By: ago(5)}
	for _, slipped := range []bool{false, true} {
		late.Ticket.Promise.Slipped = slipped
		h := New(Config{Open: true, Zone: berlin(t)}, &fakeDesk{story: late, people: []roster.Person{meg}, board: desk.Board{At: now, Working: []ticket.Ticket{late.Ticket}}})
		for _, path := range []string{"/", "/tickets/142", "/t/" + secret} {
			page := visit(t, h, meg, "GET", path, nil).Body.String()
			if got := strings.Contains(strings.ToLower(page), "late, was expected by"); got != slipped || !strings.Contains(page, "xpected by") {
				t.Errorf("%s, slipped %v: says that it is late: %v", path, slipped, got)
			}
			if path != "/" && strings.Contains(page, "is on it, and it is late") != slipped {
				t.Errorf("%s, slipped %v: its first line says otherwise", path, slipped)
			}
		}
	}
}

func TestHeadline(t *testing.T) {
	t.Parallel()
	free := func(names ...string) (out []desk.AgentView) {
		for _, n := range names {
			out = append(out, desk.AgentView{ID: n, Name: n, Presence: "available", Via: "im", OnDuty: true})
		}
		return out
	}
	p1, p3 := waitingTicket(1, ticket.P1, "a", 5, time.Time{}), waitingTicket(2, ticket.P3, "b", 130, time.Time{})
	for _, c := range []struct {
		board desk.Board
		want  string
	}{
		{desk.Board{}, "Nothing waits; nobody is free."},
		{desk.Board{Agents: free("Bob")}, "Nothing waits; Bob is free."},
		{desk.Board{Waiting: []ticket.Ticket{p3}, Agents: free("Bob", "Eve", "Tom")}, "1 ticket waits, the oldest for 2 h 10 min; Bob, Eve and Tom are free."},
		{desk.Board{Waiting: []ticket.Ticket{p1}, Agents: []desk.AgentView{{Name: "Bob", Presence: "unknown", Via: "sms", OnDuty: true}}}, `<span class="urgent">1 urgent ticket waits</span>, the oldest for 5 min; Bob is free.`},
		{desk.Board{Agents: free("A", "B", "C", "D", "E")}, "Nothing waits; A, B, C and 2 more are free."},
		{desk.Board{Waiting: []ticket.Ticket{p1, p1, p3, p3}}, `<span class="urgent">2 urgent tickets wait</span> and 2 more, the oldest for 2 h 10 min; nobody is free.`},
	} {
		c.board.At, c.board.InLine, c.board.Oldest = now, len(c.board.Waiting), now
		for _, t := range c.board.Waiting {
			if t.CreatedAt.Before(c.board.Oldest) {
				c.board.Oldest = t.CreatedAt
			}
		}
		var out bytes.Buffer
		if err := templates.ExecuteTemplate(&out, "headline", viewer{time.UTC, ""}.view(c.board)); err != nil {
			t.Fatal(err)
		}
		got, _, _ := strings.Cut(strings.TrimPrefix(strings.Join(strings.Fields(out.String()), " "), "<h1>"), "</h1>")
		if got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "a moment", 59 * time.Second: "a moment", time.Minute: "1 min", 61 * time.Minute: "1 h 1 min", 47 * time.Hour: "47 h 0 min", 49 * time.Hour: "2 days"} {
		if got := age(d); got != want {
			t.Errorf("age of %v: %q, want %q", d, got, want)
		}
	}
	for kind := range deeds {
		if words := deed(kind, "Bob"); strings.Contains(words, "%!") || strings.Contains(words, "%s") {
			t.Errorf("%s: %q", kind, words)
		}
		if slices.Contains(desk.Unheard, kind) {
			t.Errorf("%s has words that nobody sees", kind)
		}
	}
}

func TestClosedAndBroken(t *testing.T) {
	t.Parallel()
	closed := New(Config{}, &fakeDesk{board: fullBoard(), story: told()})
	for path, want := range map[string]int{"/": 303, "/wall": 303, "/events": 303, "/static/deskbell.css": 200, "/static/": 404, "/static/nothing": 404, "/other": 404} {
		if w := get(t, closed, path); w.Code != want || want == 303 && w.Header().Get("Location") != "/sign-in?next="+url.QueryEscape(path) {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	as := func(role roster.Role, path string) int {
		w := httptest.NewRecorder()
		c := desk.Caller{Person: roster.Person{ID: "zoe", Roles: roster.Roles{role}}}
		closed.ServeHTTP(w, httptest.NewRequestWithContext(signin.As(t.Context(), c), "GET", path, nil))
		return w.Code
	}
	if got := []int{as(roster.Requester, "/"), as(roster.Requester, "/tickets/142"), as(roster.Agent, "/tickets/142")}; !slices.Equal(got, []int{200, 403, 200}) {
		t.Errorf("signed in: %v", got)
	}
	broken := New(Config{Open: true}, &fakeDesk{err: errors.New("secret address")})
	if w := get(t, broken, "/"); w.Code != 503 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStaticIsRevalidated(t *testing.T) {
	t.Parallel()
	h := New(Config{}, &fakeDesk{})
	first := get(t, h, "/static/deskbell.js")
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/static/deskbell.js", nil)
	r.Header.Set("If-None-Match", first.Header().Get("ETag"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusNotModified || first.Header().Get("ETag") == "" {
		t.Errorf("%d, ETag %q", w.Code, first.Header().Get("ETag"))
	}
}

// stream is a reader of /events.
type stream struct {
	t      *testing.T
	events chan event
	close  func()
}

type event struct{ Name, Data string }

func open(t *testing.T, url string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", "12345")
	transport := &http.Transport{}
	res, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if kind := res.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("content type %q", kind)
	}
	s := &stream{t: t, events: make(chan event, 100)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(s.events)
		readEvents(res.Body, s.events)
	}()
	s.close = func() { cancel(); _ = res.Body.Close(); <-read; transport.CloseIdleConnections() }
	return s
}

func readEvents(r io.Reader, out chan<- event) {
	var e event
	for lines := bufio.NewScanner(r); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			e.Name = value
		case "data":
			e.Data += value + "\n"
		case "":
			if e.Name != "" {
				out <- e
			}
			e = event{}
		}
	}
}

// expect waits for an event with the text.
func (s *stream) expect(name, text string) {
	s.t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				s.t.Fatalf("the stream ended before %s %q", name, text)
			}
			if e.Name == name && strings.Contains(e.Data, text) {
				return
			}
		case <-late:
			s.t.Fatalf("no %s with %q", name, text)
		}
	}
}

func TestEventsShowAChange(t *testing.T) {
	t.Parallel()
	f := &fakeDesk{board: desk.Board{At: now}}
	server := httptest.NewServer(New(Config{Open: true}, f))
	defer server.Close()
	one, two := open(t, server.URL), open(t, server.URL)
	defer two.close()
	one.expect("headline", "Nothing waits")
	two.expect("board", "Every ticket is taken")
	start := time.Now()
	f.change(fullBoard())
	one.expect("board", "Printer on floor 3")
	if took := time.Since(start); took > time.Second {
		t.Errorf("a change took %v to show", took)
	}
	two.expect("board", "Printer on floor 3")
	if _, watches := f.counts(); watches != 1 {
		t.Errorf("%d watches for two readers", watches)
	}
	one.close()
	f.change(desk.Board{At: now})
	two.expect("headline", "Nothing waits")
}

// TestStopEndsStreams lets a server with a reader shut down.
func TestStopEndsStreams(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	f := &fakeDesk{board: desk.Board{At: now}}
	server := httptest.NewServer(New(Config{Open: true, Done: done}, f))
	s := open(t, server.URL)
	defer s.close()
	s.expect("headline", "Nothing waits")
	close(done)
	for range s.events { // ends when the stream does
	}
	server.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watchers) != 0 {
		t.Error("somebody still watches")
	}
}

func TestHubJoinsChangesAndBeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		changes := make(chan desk.Change)
		drawn := 0
		h := &hub{watch: func(context.Context) <-chan desk.Change { return changes },
			render: func(context.Context, []string) map[string][]byte {
				drawn++
				return map[string][]byte{"": {byte(drawn)}}
			}}
		pictures, leave := h.join(t.Context(), "")
		if p := <-pictures; p[0] != 1 {
			t.Fatalf("first picture %d", p[0])
		}
		start := time.Now()
		for range 50 {
			changes <- desk.Change{}
		}
		if p := <-pictures; p[0] != 2 || time.Since(start) != coalesce {
			t.Errorf("picture %d after %v", p[0], time.Since(start))
		}
		start = time.Now()
		if p := <-pictures; p[0] != 3 || time.Since(start) > heartbeat {
			t.Errorf("beat %d after %v", p[0], time.Since(start))
		}
		// A slow reader finds the newest picture only.
		time.Sleep(3*heartbeat + heartbeat/2)
		if p := <-pictures; p[0] != 6 {
			t.Errorf("picture %d", p[0])
		}
		close(changes) // the heartbeat goes on
		if p := <-pictures; p[0] != 7 {
			t.Errorf("picture %d", p[0])
		}
		leave()
		changes = make(chan desk.Change)
		again, leave := h.join(t.Context(), "")
		<-again
		leave()
	})
}

var _ Desk = (*fakeDesk)(nil)

// Rehearse is a rehearsal with a hole.
func (f *fakeDesk) Rehearse(_ context.Context, p ticket.Priority, group string, at time.Time) (desk.RehearsalView, error) {
	after := func(minutes int) time.Time { return at.Add(time.Duration(minutes) * time.Minute) }
	return desk.RehearsalView{Priority: p, Group: group, At: at, Until: after(40), Holes: 1, Lines: []desk.RehearsedLine{
		{At: at, Person: "bob", Name: "Bob", Channel: "im", Message: "offer"},
		{At: after(5), Person: "bob", Name: "Bob", Channel: "im", Message: "reminder"},
		{At: after(15), Person: "eve", Name: "Eve <b>", Channel: "sms", Message: "page"},
		{At: after(15), Person: "eve", Name: "Eve <b>", Channel: "im", Message: "page"},
		{At: after(25), Hole: "nobody is next on call"},
		{At: after(40), Person: "mia", Name: "Mia", Channel: "sms", Message: "mgr_nobody"},
	}}, f.err
}

func (f *fakeDesk) RunningPolicy(context.Context) (desk.PolicyView, error) {
	steps := plan()
	steps.Wave = ticket.Wave{Size: 3, Every: 5 * time.Minute}
	quiet := ticket.Plan{Wave: ticket.Wave{Size: 1, Every: time.Hour}}
	plans := []desk.PolicyPlan{{Priority: ticket.P1, Plan: steps, Lines: []string{"not taken after 15m: who is on call is called"}}, {Priority: ticket.P4, Plan: quiet, Lines: []string{"not taken: nobody is called"}}}
	return desk.PolicyView{Groups: []desk.PolicyGroup{{Office: "always", Plans: plans}, {Name: "water", Plans: plans}}, Older: []ticket.Ticket{{Number: 142}, {Number: 150}}}, f.err
}

// The policy's page has a plan for each priority and group, and names the tickets that
// run by an older one.
func TestPolicyPage(t *testing.T) {
	t.Parallel()
	h := New(Config{}, &fakeDesk{})
	page := visit(t, h, rob, "GET", "/policy", nil).Body.String()
	if n := strings.Count(page, "<svg"); n != 4 {
		t.Errorf("%d plans drawn, want 4", n)
	}
	for _, words := range []string{"2 open tickets run by an older one", `href="/tickets/150"`, "not taken after 15m: who is on call is called", "Group water", "not taken: nobody is called", "rehearsal?priority=P4&amp;group=water",
		`<g class="mgr_nobody" transform="translate(870 119)"><title>after 40m: the manager is called</title>`} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	if w := visit(t, h, ann, "GET", "/policy", nil); w.Code != http.StatusForbidden {
		t.Errorf("a requester: %d", w.Code)
	}
}

func (f *fakeDesk) KeepsFiles() bool { return true }

func (f *fakeDesk) Attach(_ context.Context, by desk.Caller, number int, name string, content []byte) (desk.Attachment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(content) == 0 {
		return desk.Attachment{}, &desk.InvalidError{Field: "body", Problem: "the file is empty"}
	}
	f.story.Files = append(f.story.Files, desk.Attachment{ID: "F1", Ticket: number, Name: name, Type: "text/plain", Size: len(content), AddedBy: by.Person.ID, AddedAt: now})
	return f.story.Files[0], nil
}

func (f *fakeDesk) Attachment(_ context.Context, number int, id string) (desk.Attachment, []byte, error) {
	if number != f.story.Ticket.Number || id != "F1" {
		return desk.Attachment{}, nil, desk.ErrNotFound
	}
	return f.story.Files[0], []byte("<script>"), nil
}

func (f *fakeDesk) Directory(context.Context, desk.DirectoryFilter) (list []desk.Entry, next string, err error) {
	for _, p := range f.people {
		list = append(list, desk.Entry{Person: p, Version: 1})
	}
	return list, "3.x", nil
}

func (f *fakeDesk) Entry(ctx context.Context, id string) (desk.Entry, error) {
	p, err := f.Person(ctx, id)
	return desk.Entry{Person: p, Version: 7, HasPIN: true}, err
}

func (f *fakeDesk) AddPerson(_ context.Context, _ desk.Caller, p roster.Person) (desk.Entry, error) {
	if field, problem := p.Problem(); field != "" {
		return desk.Entry{}, &desk.InvalidError{Field: field, Problem: problem}
	}
	f.people = append(f.people, p)
	return desk.Entry{Person: p, Version: 1}, nil
}

func (f *fakeDesk) EditPerson(_ context.Context, by desk.Caller, id string, version int, e desk.EntryEdit) (desk.Entry, error) {
	if by.May(desk.AsManager) {
		if version != 7 {
			return desk.Entry{}, desk.ErrChanged
		}
		f.edits = append(f.edits, e)
		return desk.Entry{}, nil
	}
	if by.Person.ID != id || *e.Prefers == "pigeon" {
		return desk.Entry{}, &desk.InvalidError{Field: "prefers", Problem: "use sms, im or none"}
	}
	f.people[0].Prefers = *e.Prefers
	return desk.Entry{}, nil
}
